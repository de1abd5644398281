import { EngramError } from '../ir/errors.ts'
import type { Location } from '../ir/location.ts'

/** Something that went wrong between Engram and its runner; the subclasses say what. */
export class RunnerError extends EngramError {
  override readonly name: string = 'RunnerError'
  /** Where the program was compiled or executed. */
  readonly callSite: Location | undefined
  constructor(message: string, options: { code: string; callSite?: Location; cause?: unknown }) {
    const place = options.callSite?.describe()
    super(message + (place ? `\n  at ${place}` : ''), options)
    this.callSite = options.callSite
  }
}

/**
 * The runner could not be started. Codes: `PYTHON_NOT_FOUND`, `PYTHON_VERSION`, `PYTHON_PACKAGES` (missing, or not the pinned
 * versions), `LIBTPU_MISSING` (the same of libtpu), `RUNNER_PLATFORM` (the platform is not there), `RUNNER_START` (anything else). The message names the fix.
 */
export class RunnerStartError extends RunnerError {
  override readonly name = 'RunnerStartError'
}

/** Client and runner speak different versions of the protocol. */
export class RunnerVersionError extends RunnerError {
  override readonly name = 'RunnerVersionError'
  readonly clientVersion: number
  readonly runnerVersion: number
  constructor(clientVersion: number, runnerVersion: number) {
    const older = runnerVersion < clientVersion ? 'runner' : 'client'
    super(
      `the client speaks version ${clientVersion} of the runner protocol, the runner version ${runnerVersion}: ` +
        `update the ${older}'s copy of Engram (and run \`npm run setup\` there)`,
      { code: 'RUNNER_PROTOCOL_VERSION' },
    )
    this.clientVersion = clientVersion
    this.runnerVersion = runnerVersion
  }
}

/** What arrived on the runner's stream is not the protocol. */
export class RunnerProtocolError extends RunnerError {
  override readonly name = 'RunnerProtocolError'
  constructor(message: string) {
    super(message, { code: 'RUNNER_PROTOCOL' })
  }
}

/** The runner's process ended without being asked to. */
export class RunnerDiedError extends RunnerError {
  override readonly name = 'RunnerDiedError'
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** The last lines it wrote to standard error. */
  readonly lastLines: readonly string[]
  constructor(facts: { exitCode?: number; signal?: string; lastLines: readonly string[]; while: string; cause?: unknown }) {
    const how = facts.signal !== undefined ? `was killed by ${facts.signal}` : `ended with exit code ${facts.exitCode ?? 'unknown'}`
    super(`the runner ${how} while ${facts.while}${quoteLines(facts.lastLines)}`, { code: 'RUNNER_DIED', cause: facts.cause })
    this.exitCode = facts.exitCode
    this.signal = facts.signal
    this.lastLines = facts.lastLines
  }
}

/** XLA's compiler for TPUs ended its process while it compiled a program. Others can be compiled; another process is started for them. */
export class TpuCompilerDiedError extends RunnerError {
  override readonly name = 'TpuCompilerDiedError'
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** The last lines that the compiler wrote to standard error. */
  readonly lastLines: readonly string[]
  constructor(program: string, topology: string, died: RunnerDiedError, callSite?: Location) {
    const how = died.signal !== undefined ? `by ${died.signal}` : `with exit code ${died.exitCode ?? 'unknown'}`
    super(`cannot compile ${program} for ${topology}: the compiler ended its process (${how})${quoteLines(telling(died.lastLines))}`, {
      code: 'TPU_COMPILER_DIED',
      callSite,
      cause: died,
    })
    this.exitCode = died.exitCode
    this.signal = died.signal
    this.lastLines = died.lastLines
  }
}

/** The runner was closed, by `close()`. */
export class RunnerClosedError extends RunnerError {
  override readonly name = 'RunnerClosedError'
  constructor() {
    super('the runner was closed', { code: 'RUNNER_CLOSED' })
  }
}

/** XLA refused a program. `status` is its status code (`INVALID_ARGUMENT`), `detail` its message alone. */
export class CompileError extends RunnerError {
  override readonly name = 'CompileError'
  readonly status: string
  readonly detail: string
  constructor(program: string, status: string, detail: string, callSite?: Location) {
    super(`cannot compile ${program}${inBrackets(status)}: ${detail}`, { code: 'COMPILE', callSite })
    this.status = status
    this.detail = detail
  }
}

/** A program, or moving an array, failed on the device. `status` is XLA's status code (`RESOURCE_EXHAUSTED`). */
export class ExecutionError extends RunnerError {
  override readonly name = 'ExecutionError'
  readonly status: string
  readonly detail: string
  constructor(what: string, status: string, detail: string, callSite?: Location) {
    super(`${what} failed${inBrackets(status)}: ${detail}`, { code: 'EXECUTION', callSite })
    this.status = status
    this.detail = detail
  }
}

/** The call was dropped before it began, because its signal was aborted. */
export class CancelledError extends RunnerError {
  override readonly name = 'CancelledError'
  constructor(what: string, callSite?: Location) {
    super(`${what} was cancelled`, { code: 'CANCELLED', callSite })
  }
}

/**
 * An argument that cannot be right, found before anything was sent: a wrong number of inputs, an input of another type, a
 * buffer that was released or donated or belongs to another backend, a type that XLA cannot hold.
 */
export class RunnerArgumentError extends RunnerError {
  override readonly name = 'RunnerArgumentError'
  constructor(message: string, callSite?: Location) {
    super(message, { code: 'RUNNER_ARGUMENT', callSite })
  }
}

/** A file on the runner's machine cannot be written or read. */
export class RunnerFileError extends RunnerError {
  override readonly name = 'RunnerFileError'
  constructor(message: string) {
    super(message, { code: 'RUNNER_FILE' })
  }
}

/** A fault of Engram itself: the runner did not expect the request or met a bug. */
export class RunnerInternalError extends RunnerError {
  override readonly name = 'RunnerInternalError'
  constructor(message: string, callSite?: Location) {
    super(`fault in the runner: ${message}`, { code: 'RUNNER_INTERNAL', callSite })
  }
}

/** What XLA and libtpu say before an abort, without the addresses and the notes about how the crash was handled. */
const telling = (lines: readonly string[]): string[] => {
  const said = lines.filter((line) => !/^\s+@\s|^https?:|^\*\*\* |^E\d{4} .*\] RAW: |^PC: /.test(line))
  return said.filter((line, i) => said.indexOf(line) === i)
}

/** XLA's status where it says something. */
const inBrackets = (status: string): string => (status === '' || status === 'UNKNOWN' ? '' : ` (${status})`)

/** Lines of a log, indented, to stand after a message. */
export const quoteLines = (lines: readonly string[]): string =>
  lines.length === 0 ? '' : `; its last words:\n${lines.map((line) => `  | ${line}`).join('\n')}`
