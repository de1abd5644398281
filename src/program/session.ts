import type { Backend, CompileOptions, CompileStatistics, Compiled, DeviceBuffer } from '../ir/backend.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { currentTarget, withTarget } from '../trace/target.ts'
import { type MapTree, flatten, flattenLike, unflatten } from '../trace/tree.ts'
import type { HostOf } from './evaluate.ts'
import type { Program } from './program.ts'

/** A tree of device buffers where the function has tensors. */
export type BuffersOf<T> = MapTree<T, Tensor, DeviceBuffer>
/** What a program can be run on: host arrays and device buffers in the places of its tensors. */
export type InputOf<T> = MapTree<T, Tensor, HostArray | DeviceBuffer>

export const isDeviceBuffer = (value: unknown): value is DeviceBuffer =>
  typeof value === 'object' && value !== null && typeof (value as DeviceBuffer).read === 'function' && 'released' in value
const isInput = (value: unknown): value is HostArray | DeviceBuffer => value instanceof HostArray || isDeviceBuffer(value)

/**
 * A backend with nested arguments: programs are compiled to executables that take and give trees, as the function that was
 * traced does.
 */
export class Session {
  readonly backend: Backend

  constructor(backend: Backend) {
    this.backend = backend
  }

  /** `cpu`, `tpu`, `interpreter`. */
  get platform(): string {
    return this.backend.platform
  }

  /** Traces with this session's target, so that functions of several spellings take that which is best there: `session.lower(() => lower(f, spec))`. */
  lower<R>(build: () => R): R {
    return withTarget(this.platform === 'tpu' ? 'tpu' : currentTarget(), build)
  }

  /** Compiles a program. Rejects with the backend's typed error, which carries the compiler's message. */
  async compile<Args extends readonly unknown[], Result>(program: Program<Args, Result>, options?: CompileOptions): Promise<Executable<Args, Result>> {
    return new Executable(program, await this.backend.compile(program, options))
  }

  /** Copies a tree of host arrays to the device. */
  put<T>(tree: T): MapTree<T, HostArray, DeviceBuffer> {
    const { leaves, structure } = flatten(tree, (value): value is HostArray => value instanceof HostArray, 'the arrays to put')
    return unflatten(structure, leaves.map((leaf) => this.backend.put(leaf))) as MapTree<T, HostArray, DeviceBuffer>
  }

  /** Copies a tree of device buffers to the host. */
  async get<T>(tree: T): Promise<MapTree<T, DeviceBuffer, HostArray>> {
    const { leaves, structure } = flatten(tree, isDeviceBuffer, 'the buffers to get')
    return unflatten(structure, await readAll(leaves)) as MapTree<T, DeviceBuffer, HostArray>
  }

  close(): Promise<void> {
    return this.backend.close()
  }
}

/** A compiled program. */
export class Executable<Args extends readonly unknown[] = readonly unknown[], Result = unknown> {
  readonly program: Program<Args, Result>
  readonly #compiled: Compiled

  constructor(program: Program<Args, Result>, compiled: Compiled) {
    this.program = program
    this.#compiled = compiled
  }

  get statistics(): CompileStatistics {
    return this.#compiled.statistics
  }

  /** Runs the program and copies its results to the host. */
  async run(...args: { [K in keyof Args]: InputOf<Args[K]> }): Promise<HostOf<Result>> {
    const buffers = this.#execute(args)
    try {
      return unflatten(this.program.outputStructure, await readAll(buffers)) as HostOf<Result>
    } finally {
      buffers.forEach((buffer) => buffer.release())
    }
  }

  /**
   * Starts the program and gives its results at once as device buffers, whose content may still be on the way; the next
   * call can take them. Donated inputs must not be used again.
   */
  call(...args: { [K in keyof Args]: InputOf<Args[K]> }): BuffersOf<Result> {
    return unflatten(this.program.outputStructure, this.#execute(args)) as BuffersOf<Result>
  }

  release(): Promise<void> {
    return this.#compiled.release()
  }

  #execute(args: readonly unknown[]): DeviceBuffer[] {
    const { program } = this
    return this.#compiled.execute(flattenLike(program.inputStructure, args, isInput, `the arguments of ${program.name}`))
  }
}

/** Waits for all, so that no rejection is left unhandled when the first one fails. */
async function readAll(buffers: readonly DeviceBuffer[]): Promise<HostArray[]> {
  const results = await Promise.allSettled(buffers.map((buffer) => buffer.read()))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
