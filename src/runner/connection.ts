import { type ResultPromise, execa } from 'execa'
import { Location } from '../ir/location.ts'
import {
  CancelledError,
  CompileError,
  ExecutionError,
  RunnerClosedError,
  RunnerDiedError,
  type RunnerError,
  RunnerFileError,
  RunnerInternalError,
  RunnerProtocolError,
  RunnerStartError,
} from './errors.ts'
import { FrameDecoder, type RequestBody, encodeRequest } from './frames.ts'
import { ErrorKind, type Reply, type Error as WireError } from './gen/runner_pb.ts'

/** How many lines of the runner's standard error are kept for the message when it dies. */
const keptLines = 30
/** How long the streams of an ended process may take to deliver what is in them. */
const drainMs = 500

/** What is being done, for messages: `what` reads on after "while" (`reading f32[4]`); `subject` names the program or file. */
export interface Purpose {
  readonly what: string
  readonly subject: string
  readonly callSite?: Location
}

interface PendingCall {
  readonly purpose: Purpose
  /** Takes a reply; true if more replies to this request follow. */
  onReply(body: Reply['body']): boolean
  onError(error: RunnerError): void
}

export interface ConnectionOptions {
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly onLog?: (line: string) => void
  /** How long `close` waits before it kills. */
  readonly closeTimeoutMs?: number
}

/**
 * The runner's process and the two streams: sends requests, gives every reply to whoever waits for it, and when the process
 * ends or talks nonsense, fails everyone. Keeps Node alive only while a reply is awaited.
 */
export class Connection {
  readonly #process: ResultPromise<{ buffer: false; reject: false; stdin: 'pipe'; stdout: 'pipe'; stderr: 'pipe' }>
  readonly #file: string
  readonly #closeTimeoutMs: number
  readonly #onLog: ((line: string) => void) | undefined
  readonly #pending = new Map<bigint, PendingCall>()
  /** By the request that failed first: later requests that fail because of it get the same error. */
  readonly #failures = new Map<bigint, RunnerError>()
  readonly #lastLines: string[] = []
  readonly #exited: Promise<void>
  #unfinishedLine = ''
  #nextRequest = 1n
  #nextHandle = 1n
  #toFree: bigint[] = []
  #corked = false
  #end: RunnerError | undefined
  #closing: Promise<void> | undefined

  constructor(options: ConnectionOptions) {
    const [file, ...parameters] = options.command
    this.#file = file
    this.#onLog = options.onLog
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 5000
    this.#process = execa(file, parameters, {
      buffer: false,
      reject: false,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      env: options.env,
      // A process group of its own, so that Ctrl-C in the terminal does not reach it: training saves its state first.
      detached: true,
      cleanup: false,
    })
    const decoder = new FrameDecoder((reply) => this.#onReply(reply))
    this.#process.stdout.on('data', (piece: Uint8Array) => {
      if (this.#end !== undefined) return
      try {
        decoder.push(piece)
      } catch (error) {
        this.#fail(error as RunnerError)
      }
    })
    this.#process.stderr.on('data', (piece: Buffer) => this.#onStandardError(piece.toString()))
    // A write to a process that has ended: its end is reported once, below.
    this.#process.stdin.on('error', () => {})
    this.#process.stdout.on('error', () => {})
    this.#exited = this.#watch(decoder)
    this.#keepAlive(false)
  }

  /** Handles for `count` new buffers or executables, in a row; the first of them. */
  allocate(count = 1): bigint {
    const first = this.#nextHandle
    this.#nextHandle += BigInt(count)
    return first
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.#end === undefined
  }

  /** Throws why no request can be sent any more, if so. */
  assertOpen(): void {
    if (this.#end !== undefined) throw this.#end
  }

  /** Sends a request and gives its replies to `call`; the id, for `extend` and `cancel`. Throws if the runner is gone. */
  send(body: RequestBody, call: PendingCall): bigint {
    this.assertOpen()
    this.#flushFree()
    const id = this.#nextRequest++
    this.#pending.set(id, call)
    if (this.#pending.size === 1) this.#keepAlive(true)
    this.#write(id, body)
    return id
  }

  /** Sends a request that has one reply. */
  call(body: RequestBody, purpose: Purpose): Promise<Reply['body']> {
    return new Promise((resolve, reject) => {
      this.send(body, {
        purpose,
        onReply: (reply) => {
          resolve(reply)
          return false
        },
        onError: reject,
      })
    })
  }

  /** Sends one more frame of the request `id`. */
  extend(id: bigint, body: RequestBody): void {
    this.#write(id, body)
  }

  /** Drops the request, if it has not begun. */
  cancel(request: bigint): void {
    if (this.#end === undefined) this.#write(this.#nextRequest++, { case: 'cancel', value: { $typeName: 'engram.v1.Cancel', request } })
  }

  /** Frees a buffer, together with others freed in the same turn. */
  free(buffer: bigint): void {
    if (this.#end !== undefined) return
    if (this.#toFree.push(buffer) === 1) queueMicrotask(() => this.#flushFree())
  }

  /** Asks the process to end, and kills it if it does not in time. What waits fails with `RunnerClosedError`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<void> {
    return this.#exited
  }

  async #close(): Promise<void> {
    this.#keepAlive(true)
    if (this.#end === undefined) {
      this.#write(this.#nextRequest++, { case: 'shutdown', value: { $typeName: 'engram.v1.Shutdown' } })
      this.#finish(new RunnerClosedError())
      this.#keepAlive(true)
      this.#process.stdin.end()
    }
    const timer = setTimeout(() => this.#kill(), this.#closeTimeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  async #watch(decoder: FrameDecoder): Promise<void> {
    const process = this.#process
    const exit = new Promise<void>((resolve) => process.once('exit', () => setTimeout(resolve, drainMs)))
    const result = await Promise.race([process, exit])
    const cause = result?.cause
    if (this.#unfinishedLine) this.#onStandardError('\n')
    if (result !== undefined && result.code === 'ENOENT') {
      this.#finish(new RunnerStartError(`cannot start the runner: there is no command ${this.#file}`, { code: 'RUNNER_START', cause }))
      return
    }
    const oldest = this.#pending.values().next()
    this.#finish(
      new RunnerDiedError({
        exitCode: process.exitCode ?? undefined,
        signal: process.signalCode ?? undefined,
        lastLines: [...this.#lastLines],
        while: (oldest.done ? 'idle' : oldest.value.purpose.what) + (decoder.insideFrame ? ', in the middle of a reply' : ''),
        cause,
      }),
    )
  }

  #onReply(reply: Reply): void {
    if (this.#end !== undefined) return
    if (reply.id === 0n) {
      const message = reply.body.case === 'error' ? reply.body.value.message : `reply without a request (${reply.body.case})`
      this.#fail(new RunnerProtocolError(`the runner could not go on: ${message}`))
      return
    }
    const call = this.#pending.get(reply.id)
    if (call === undefined) return
    if (reply.body.case === 'error') {
      this.#settle(reply.id)
      call.onError(this.#toError(reply.id, reply.body.value, call.purpose))
    } else if (!call.onReply(reply.body)) {
      this.#settle(reply.id)
    }
  }

  #settle(id: bigint): void {
    this.#pending.delete(id)
    if (this.#pending.size === 0) this.#keepAlive(false)
  }

  #toError(id: bigint, error: WireError, purpose: Purpose): RunnerError {
    const known = this.#failures.get(error.origin)
    if (known !== undefined) return known
    const typed = typedError(error, purpose)
    if (error.origin === id) this.#failures.set(id, typed)
    return typed
  }

  #onStandardError(text: string): void {
    const lines = (this.#unfinishedLine + text).split('\n')
    this.#unfinishedLine = lines.pop() ?? ''
    for (const line of lines) {
      this.#lastLines.push(line)
      if (this.#lastLines.length > keptLines) this.#lastLines.shift()
      this.#onLog?.(line)
    }
  }

  #flushFree(): void {
    if (this.#toFree.length === 0 || this.#end !== undefined) return
    const buffers = this.#toFree
    this.#toFree = []
    this.#write(this.#nextRequest++, { case: 'free', value: { $typeName: 'engram.v1.Free', buffers } })
  }

  #write(id: bigint, body: RequestBody): void {
    const { stdin } = this.#process
    // What is sent in one turn goes out in one system call.
    if (!this.#corked) {
      this.#corked = true
      stdin.cork()
      process.nextTick(() => {
        this.#corked = false
        stdin.uncork()
      })
    }
    for (const part of encodeRequest(id, body)) stdin.write(part)
  }

  /** Gives the runner up. */
  #fail(error: RunnerError): void {
    this.#finish(error)
    this.#kill()
  }

  /** From here on nothing is sent, and whoever waits or asks gets `error`. Only the first call counts. */
  #finish(error: RunnerError): void {
    if (this.#end !== undefined) return
    this.#end = error
    const calls = [...this.#pending.values()]
    this.#pending.clear()
    for (const call of calls) call.onError(error)
    this.#keepAlive(false)
  }

  #kill(): void {
    const { pid } = this.#process
    if (pid === undefined) return
    try {
      // The whole group: a shell or ssh may stand between.
      process.kill(-pid, 'SIGKILL')
    } catch {
      this.#process.kill('SIGKILL')
    }
  }

  #keepAlive(alive: boolean): void {
    const how = alive ? 'ref' : 'unref'
    this.#process[how]?.()
    for (const stream of [this.#process.stdin, this.#process.stdout, this.#process.stderr]) {
      ;(stream as { ref?(): void; unref?(): void })[how]?.()
    }
  }
}

function typedError(error: WireError, purpose: Purpose): RunnerError {
  const { subject, callSite } = purpose
  switch (error.kind) {
    case ErrorKind.COMPILE:
      return new CompileError(subject, error.status, error.message, callSite)
    case ErrorKind.EXECUTION:
      return new ExecutionError(subject, error.status, error.message, callSite)
    case ErrorKind.CANCELLED:
      return new CancelledError(subject, callSite)
    case ErrorKind.FILE:
      return new RunnerFileError(error.message)
    case ErrorKind.START:
      return new RunnerStartError(error.message, { code: 'RUNNER_PLATFORM' })
    case ErrorKind.PROTOCOL:
      return new RunnerProtocolError(error.message)
    default:
      return new RunnerInternalError(error.message, callSite)
  }
}
