/**
 * The runner room: the client of the Python process that compiles and runs StableHLO on JAX/PJRT (`scripts/runner`). One
 * process serves one client, in size-delimited protobuf frames over its standard streams (`proto/engram/v1/runner.proto`), so
 * any command that carries bytes will do, `ssh host ...` for one. Arrays stay in that process; here is only a handle each, chosen
 * by the client, so that a program can be started on the results of another before either has run: calls return at once, the
 * runner does them in order, and a failure travels along the handles to whoever reads. `connection` owns the process and the
 * streams, `frames` the framing, `executable`, `buffer` and `put` what can be done, `tpu-compiler` and `topology`
 * compile for TPUs that are not there, `start` and `python` how the process comes to be, `errors` every way in which it can fail.
 */
import type { Backend, CompileOptions, DeviceBuffer, ProgramSource } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { shortType } from '../ir/types.ts'
import { RemoteBuffer, typeFromWire, typeToWire } from './buffer.ts'
import { placeInText } from './compile-message.ts'
import type { Connection } from './connection.ts'
import { donatedArguments } from './donation.ts'
import { CancelledError, CompileError, RunnerArgumentError, RunnerError } from './errors.ts'
import { RunnerExecutable, captureCallSite, onAbort } from './executable.ts'
import type { Reply } from './gen/runner_pb.ts'
import { type NamedText, type OptimizedProgram, requestOptimized } from './optimized.ts'
import { partitionsOf } from './partitions.ts'
import { putArray } from './put.ts'
import { statisticsFromWire } from './statistics.ts'

/** A device of the runner's machine. */
export interface RunnerDevice {
  readonly id: number
  /** Such as `cpu` or `TPU v5 lite`. */
  readonly kind: string
  readonly description: string
}

/** What the runner's process holds. */
export interface RunnerStatistics {
  readonly buffers: number
  readonly bufferBytes: number
  readonly executables: number
  /** Programs executed so far. */
  readonly executions: number
  /** Largest resident size of the process so far. */
  readonly peakResidentBytes: number
}

export interface RunnerFacts {
  readonly platform: string
  readonly devices: readonly RunnerDevice[]
  /** Of Python, its packages and the protocol. */
  readonly versions: Readonly<Record<string, string>>
  readonly processId: number
}

/** A running Python runner; `startRunner` makes one. */
export class Runner implements Backend {
  readonly platform: string
  readonly devices: readonly RunnerDevice[]
  readonly versions: Readonly<Record<string, string>>
  /** On its own machine. */
  readonly processId: number
  readonly #connection: Connection

  constructor(connection: Connection, facts: RunnerFacts) {
    this.#connection = connection
    this.platform = facts.platform
    this.devices = facts.devices
    this.versions = facts.versions
    this.processId = facts.processId
  }

  /** Compiles a program and loads it. Rejects with `CompileError` (XLA's message and the caller's line) or `CancelledError`. */
  async compile(source: ProgramSource, options: CompileOptions = {}): Promise<RunnerExecutable> {
    const callSite = captureCallSite(this.compile)
    if (options.signal?.aborted) throw new CancelledError(`the compilation of ${source.name}`, callSite)
    const donated = donatedArguments(source.text)
    const partitions = partitionsOf(source.text)
    if (partitions > this.devices.length) throw new RunnerArgumentError(`${source.name} is for ${partitions} devices, this runner has ${this.devices.length}${this.platform === 'cpu' ? `: start it with devices: ${partitions}` : ''}`, callSite)
    const handle = this.#connection.allocate()
    const purpose = { what: `compiling ${source.name}`, subject: source.name, callSite }
    const reply = await new Promise<Reply['body']>((resolve, reject) => {
      let dropped = false
      let stopListening: (() => void) | undefined
      const request = this.#connection.send(
        {
          case: 'compile',
          value: {
            $typeName: 'engram.v1.Compile',
            executable: handle,
            name: source.name,
            text: source.text,
            donatedArguments: donated,
            partitions,
            outputs: partitions > 1 ? source.outputs.map(typeToWire) : [],
          },
        },
        {
          purpose,
          onReply: (body) => {
            stopListening?.()
            if (dropped) this.#drop(handle)
            resolve(body)
            return false
          },
          onError: (error) => {
            stopListening?.()
            reject(error instanceof CompileError ? placeInText(error, source) : error)
          },
        },
      )
      if (options.signal)
        stopListening = onAbort(options.signal, () => {
          dropped = true
          this.#connection.cancel(request)
          reject(new CancelledError(`the compilation of ${source.name}`, callSite))
        })
    })
    const compiled = expectReply(reply, 'compile')
    if (compiled.outputCount !== source.outputs.length) {
      this.#drop(handle)
      throw new RunnerArgumentError(`${source.name} declares ${source.outputs.length} outputs, its text returns ${compiled.outputCount}`, callSite)
    }
    return new RunnerExecutable(this.#connection, {
      name: source.name,
      handle,
      inputs: source.inputs,
      outputs: source.outputs,
      donated,
      statistics: statisticsFromWire(compiled),
    })
  }

  /** Compiles a program to look at what XLA made of it, and keeps nothing. Rejects as `compile` does. */
  optimized(source: NamedText): Promise<OptimizedProgram> {
    return requestOptimized(this.#connection, source, { partitions: partitionsOf(source.text), sendExecutable: false }, captureCallSite(this.optimized))
  }

  put(array: HostArray): DeviceBuffer {
    return putArray(this.#connection, array, captureCallSite(this.put))
  }

  /**
   * Writes the buffers, by name, to a safetensors file on the runner's machine; the file appears whole or not at all. Rejects with
   * `RunnerFileError`. A path is relative to the runner's working directory, for a local runner the one it was started in.
   */
  async saveBuffers(path: string, buffers: Readonly<Record<string, DeviceBuffer>>, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    const named = Object.entries(buffers).map(([name, buffer]) => {
      if (!(buffer instanceof RemoteBuffer) || buffer.connection !== this.#connection)
        throw new RunnerArgumentError(`cannot save ${name}: the buffer is not on this runner`)
      if (buffer.gone !== undefined) throw new RunnerArgumentError(`cannot save ${name}: the buffer ${shortType(buffer.type)} ${buffer.gone}`)
      return { $typeName: 'engram.v1.NamedBuffer' as const, name, buffer: buffer.handle }
    })
    await this.#connection.call(
      { case: 'save', value: { $typeName: 'engram.v1.Save', path, buffers: named, metadata: { ...metadata } } },
      { what: `saving ${path}`, subject: `saving ${path}` },
    )
  }

  /** Reads a safetensors file of the runner's machine into buffers. Rejects with `RunnerFileError`. */
  async loadBuffers(path: string): Promise<{ buffers: Record<string, DeviceBuffer>; metadata: Record<string, string> }> {
    const purpose = { what: `loading ${path}`, subject: `loading ${path}` }
    const firstBuffer = this.#connection.allocate(2 ** 32)
    const reply = await this.#connection.call({ case: 'load', value: { $typeName: 'engram.v1.Load', path, firstBuffer } }, purpose)
    const loaded = expectReply(reply, 'load')
    const buffers: Record<string, DeviceBuffer> = {}
    for (const { name, buffer, type } of loaded.buffers)
      buffers[name] = new RemoteBuffer(this.#connection, buffer, typeFromWire(type), { purpose })
    return { buffers, metadata: { ...loaded.metadata } }
  }

  /** What the process holds at the time the request's turn comes. */
  async statistics(): Promise<RunnerStatistics> {
    const reply = await this.#connection.call(
      { case: 'statistics', value: { $typeName: 'engram.v1.Statistics' } },
      { what: 'reading statistics', subject: 'reading statistics' },
    )
    const { buffers, bufferBytes, executables, executions, peakResidentBytes } = expectReply(reply, 'statistics')
    return {
      buffers: Number(buffers),
      bufferBytes: Number(bufferBytes),
      executables: Number(executables),
      executions: Number(executions),
      peakResidentBytes: Number(peakResidentBytes),
    }
  }

  /** Milliseconds to the process and back; it answers also while a program compiles. */
  async ping(): Promise<number> {
    const start = performance.now()
    await this.#connection.call({ case: 'ping', value: { $typeName: 'engram.v1.Ping' } }, { what: 'answering a ping', subject: 'a ping' })
    return performance.now() - start
  }

  /** Ends the process: politely, and after a few seconds by force. Calls that wait fail with `RunnerClosedError`. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Releases an executable that nobody will have. */
  #drop(handle: bigint): void {
    this.#connection
      .call(
        { case: 'releaseExecutable', value: { $typeName: 'engram.v1.ReleaseExecutable', executable: handle } },
        { what: 'releasing a program', subject: 'releasing a program' },
      )
      .catch((error: unknown) => {
        // The runner is gone, and the executable with it.
        if (!(error instanceof RunnerError)) throw error
      })
  }
}

type ReplyCase = NonNullable<Reply['body']['case']>
type ReplyValue<C extends ReplyCase> = Extract<Reply['body'], { case: C }>['value']

/** The reply's content, if it is of the kind that belongs to the request. */
export function expectReply<C extends ReplyCase>(body: Reply['body'], kind: C): ReplyValue<C> {
  if (body.case !== kind) throw new RunnerError(`the runner answered with ${body.case}, expected ${kind}`, { code: 'RUNNER_PROTOCOL' })
  return body.value as ReplyValue<C>
}
