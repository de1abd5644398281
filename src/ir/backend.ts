import type { HostArray } from './host-array.ts'
import type { Module } from './module.ts'
import type { TensorType } from './types.ts'

/**
 * What can run a program: the Python runner (XLA on CPU, TPU) and the reference interpreter both are a `Backend`. This
 * level is flat, lists of arrays in the order of the program's arguments; nested arguments are the business of `program/`.
 */
export interface Backend {
  /** `cpu`, `tpu`, `interpreter`. */
  readonly platform: string
  compile(source: ProgramSource, options?: CompileOptions): Promise<Compiled>
  /** Copies a host array to the device; the buffer can be used at once, before the copy has ended. */
  put(array: HostArray): DeviceBuffer
  /** The devices it found; a program runs on the first, or on as many of the first as it is for. */
  readonly devices?: readonly { readonly id: number; readonly kind: string; readonly description: string }[]
  /** Of what it is made of: `jax`, `python`. */
  readonly versions?: Readonly<Record<string, string>>
  /** Writes buffers, by name, to a safetensors file where the backend runs; the file appears whole or not at all. */
  saveBuffers?(path: string, buffers: Readonly<Record<string, DeviceBuffer>>, metadata?: Readonly<Record<string, string>>): Promise<void>
  /** The inverse of `saveBuffers`. */
  loadBuffers?(path: string): Promise<{ buffers: Record<string, DeviceBuffer>; metadata: Record<string, string> }>
  /** Ends the backend and whatever process it has; pending calls fail with a typed error. */
  close(): Promise<void>
}

/** A program as a backend needs it. */
export interface ProgramSource {
  readonly name: string
  /** StableHLO text with one public `@main`. */
  readonly text: string
  /** The same program in memory, for backends that need no text. */
  readonly module: Module
  readonly inputs: readonly TensorType[]
  readonly outputs: readonly TensorType[]
}

export interface CompileOptions {
  /** Ends the wait; a compilation already running in XLA cannot be stopped and its result is dropped. */
  readonly signal?: AbortSignal
}

export interface Compiled {
  readonly statistics: CompileStatistics
  /**
   * Starts the program and returns its results at once, as buffers whose content may still be on the way (calls are
   * executed in the order they are made). A failure rejects `read()` and `ready()` of every result. A donated input must
   * not be used again.
   */
  execute(inputs: readonly (HostArray | DeviceBuffer)[]): DeviceBuffer[]
  release(): Promise<void>
}

export interface CompileStatistics {
  readonly compileSeconds: number
  /** Bytes, as far as the backend tells. */
  readonly memory?: { readonly arguments: number; readonly outputs: number; readonly temporaries: number; readonly aliased: number; readonly code: number; readonly peak?: number }
  readonly flops?: number
  readonly bytesAccessed?: number
}

/** An array on the device. */
export interface DeviceBuffer {
  readonly type: TensorType
  /** Copies the content to the host; rejects with the error of the call that should have made it. */
  read(): Promise<HostArray>
  /** Resolves when the content is there. */
  ready(): Promise<void>
  /** Gives the memory back; the buffer must not be used again. Does nothing the second time. */
  release(): void
  readonly released: boolean
}
