import { Connection } from './connection.ts'
import { type RunnerError, RunnerDiedError, RunnerStartError, RunnerVersionError } from './errors.ts'
import { type HelloReply, ProtocolVersion } from './gen/runner_pb.ts'
import { type PythonProblem, findPython, libtpuProblems, packageProblems, pinnedPackages, probePython, pythonEnvironment } from './python.ts'
import { Runner, expectReply } from './runner.ts'

/** Options of `startRunner`. */
export interface StartOptions {
  readonly platform?: 'cpu' | 'tpu'
  /** The Python to use; otherwise `ENGRAM_PYTHON`, the `.venv` of the set-up or `python3`. */
  readonly python?: string
  /**
   * The command that runs the runner, instead of a Python on this machine: `['ssh', 'host', 'cd engram && PYTHONPATH=scripts/runner
   * .venv/bin/python -m engram_runner']`.
   */
  readonly command?: readonly string[]
  /** How many devices the CPU platform shall pretend to have. */
  readonly devices?: number
  /** Gets each line that the process writes to standard error. */
  readonly onLog?: (line: string) => void
  /** How long the process may take until it answers; a TPU may need a while. */
  readonly startTimeoutMs?: number
  /** How long `close()` waits for the process to end by itself. */
  readonly closeTimeoutMs?: number
}

/** What a runner's process can be for. */
export type RunnerPlatform = 'cpu' | 'tpu' | 'tpu-compiler'

/**
 * Starts the Python runner and waits until it is ready. Rejects with `RunnerStartError`, which says what is missing and how to
 * get it, or `RunnerVersionError`.
 */
export async function startRunner(options: StartOptions = {}): Promise<Runner> {
  const platform = options.platform ?? 'cpu'
  const { connection, hello } = await connect(platform, options)
  return new Runner(connection, {
    platform,
    devices: hello.devices.map(({ id, kind, description }) => ({ id: Number(id), kind, description })),
    versions: { ...hello.versions, protocol: String(hello.protocolVersion) },
    processId: Number(hello.processId),
  })
}

/** Starts a runner's process for a platform and greets it. Rejects as `startRunner` does. */
export async function connect(platform: RunnerPlatform, options: Omit<StartOptions, 'platform'>): Promise<{ connection: Connection; hello: HelloReply }> {
  const connection = new Connection({
    command: options.command ?? [findPython(options.python).command, '-m', 'engram_runner'],
    env: options.command ? undefined : pythonEnvironment(),
    onLog: options.onLog,
    closeTimeoutMs: options.closeTimeoutMs,
  })
  try {
    return { connection, hello: await greet(connection, platform, options) }
  } catch (error) {
    await connection.close()
    throw await explain(error as RunnerError, platform, options)
  }
}

async function greet(connection: Connection, platform: RunnerPlatform, options: StartOptions): Promise<HelloReply> {
  const timeoutMs = options.startTimeoutMs ?? 180_000
  const reply = connection.call(
    {
      case: 'hello',
      value: { $typeName: 'engram.v1.Hello', protocolVersion: ProtocolVersion.CURRENT, platform, devices: options.devices ?? 0 },
    },
    { what: 'starting', subject: `the start of platform ${platform}` },
  )
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RunnerStartError(`the runner did not answer within ${timeoutMs / 1000} s`, { code: 'RUNNER_START' })),
      timeoutMs,
    )
  })
  const hello = expectReply(await Promise.race([reply, late]).finally(() => clearTimeout(timer)), 'hello')
  if (hello.protocolVersion !== ProtocolVersion.CURRENT) throw new RunnerVersionError(ProtocolVersion.CURRENT, hello.protocolVersion)
  const packages = Object.fromEntries(
    Object.entries(pinnedPackages())
      .filter(([name]) => name in hello.versions)
      .map(([name, expected]) => [name, { expected, found: hello.versions[name] === 'missing' ? undefined : hello.versions[name] }]),
  )
  const source = options.command ? 'command' : findPython(options.python).source
  const problems = packageProblems(packages, `the runner's Python ${hello.versions.python}`, source)
  if (platform === 'tpu-compiler') problems.push(...libtpuProblems(hello.versions.libtpu, source))
  if (problems.length > 0) throw startError(problems)
  return hello
}

/** Says why the process did not start, if looking at its Python tells. */
async function explain(error: RunnerError, platform: RunnerPlatform, options: StartOptions): Promise<RunnerError> {
  const early = error instanceof RunnerDiedError || (error instanceof RunnerStartError && /^RUNNER_(START|PLATFORM)$/.test(error.code))
  if (early && !options.command) {
    const probe = await probePython(options.python)
    if (!probe.ok) return startError(probe.problems, error)
  }
  return error.code === 'RUNNER_PLATFORM' ? platformError(error, platform) : error
}

function platformError(error: RunnerError, platform: RunnerPlatform): RunnerStartError {
  const hint = platform === 'tpu' ? '; a TPU needs its machine (see `command` for ssh) and the package libtpu' : ''
  return new RunnerStartError(`the platform ${platform} cannot be used: ${error.message}${hint}`, {
    code: 'RUNNER_PLATFORM',
    cause: error,
  })
}

function startError(problems: readonly PythonProblem[], cause?: unknown): RunnerStartError {
  const text = problems.map(({ message }) => message).join('\n')
  const fixes = [...new Set(problems.map(({ fix }) => fix))].map((fix) => `\n  fix: ${fix}`).join('')
  return new RunnerStartError(`cannot start the runner: ${text}${fixes}`, { code: problems[0].code, cause })
}
