import { CancelledError, RunnerArgumentError, RunnerClosedError, RunnerDiedError, TpuCompilerDiedError } from './errors.ts'
import type { Connection } from './connection.ts'
import { captureCallSite, onAbort } from './executable.ts'
import { type NamedText, type OptimizedProgram, requestOptimized } from './optimized.ts'
import { partitionsOf } from './partitions.ts'
import { type StartOptions, connect } from './start.ts'
import type { Topology } from './topology.ts'

/** Options of `TpuCompiler`. */
export type TpuCompilerOptions = Pick<StartOptions, 'python' | 'command' | 'onLog' | 'startTimeoutMs' | 'closeTimeoutMs'>

export interface TpuCompileOptions {
  /** Ends the compilation: its process is killed. */
  readonly signal?: AbortSignal
  /** Whether to get the executable too, which can be hundreds of megabytes. */
  readonly executable?: boolean
}

/**
 * XLA's compiler for TPUs, without a TPU: it is in the Python package libtpu and runs on any Linux x86-64 machine. It has a process of
 * its own, since it may end it: the process is started by the first compilation and again after a death or a cancellation, and
 * nothing else depends on it. Programs are compiled one after the other.
 */
export class TpuCompiler {
  readonly #options: TpuCompilerOptions
  #connection: Promise<Connection> | undefined
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: TpuCompilerOptions = {}) {
    this.#options = options
  }

  /**
   * Compiles a program for a topology. Rejects with `CompileError` (XLA refuses it, out of memory for one), `TpuCompilerDiedError` (the
   * compiler ended its process), `RunnerStartError` (`LIBTPU_MISSING`: there is no libtpu), `RunnerArgumentError` (more devices than the
   * topology has), `CancelledError`.
   */
  compile(source: NamedText, topology: Topology, options: TpuCompileOptions = {}): Promise<OptimizedProgram> {
    const callSite = captureCallSite(this.compile)
    const { name } = source
    const partitions = partitionsOf(source.text)
    if (partitions > topology.devices)
      return Promise.reject(new RunnerArgumentError(`${name} is for ${partitions} devices, ${topology.name} has ${topology.devices}`, callSite))
    const turn = this.#last.then(async () => {
      if (this.#closed) throw new RunnerClosedError()
      const cancelled = new CancelledError(`the compilation of ${name} for ${topology.name}`, callSite)
      if (options.signal?.aborted) throw cancelled
      const work = async () => {
        const connection = await this.#process()
        return await requestOptimized(connection, source, { topology, partitions, sendExecutable: options.executable ?? false }, callSite)
      }
      let stopListening: (() => void) | undefined
      const abort = new Promise<never>((_, reject) => {
        stopListening = options.signal && onAbort(options.signal, () => {
          reject(cancelled)
          void this.#endProcess()
        })
      })
      try {
        return await Promise.race([work(), abort])
      } catch (error) {
        throw error instanceof RunnerDiedError ? new TpuCompilerDiedError(name, topology.name, error, callSite) : error
      } finally {
        stopListening?.()
      }
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Ends the process. What compiles fails with `RunnerClosedError`. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#endProcess()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #process(): Promise<Connection> {
    const running = await this.#connection?.catch(() => undefined)
    if (running?.isOpen) return running
    this.#connection = connect('tpu-compiler', this.#options).then(({ connection }) => connection)
    return await this.#connection
  }

  async #endProcess(): Promise<void> {
    const ending = this.#connection
    this.#connection = undefined
    const connection = await ending?.catch(() => undefined)
    await connection?.close()
  }
}
