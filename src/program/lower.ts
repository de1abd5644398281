import type { Mesh } from '../ops/mesh.ts'
import { withMesh } from '../ops/sharding.ts'
import { type Target, currentTarget, withTarget } from '../trace/target.ts'
import { Program } from './program.ts'
import { type SpecOf, traceFunction } from './trace-function.ts'

export interface LowerOptions {
  /** The module's name; by default the function's. */
  readonly name?: string
  /**
   * Arguments whose memory the program may reuse for its results: argument positions, or paths such as `[0].weights`.
   * The caller must not use a donated buffer again.
   */
  readonly donate?: readonly (number | string)[]
  /** Where the program will run, for functions with several spellings (approximate top-k). Without it they emit what runs everywhere. */
  readonly target?: Target
  /** The devices that the program runs on together; `shard` says what lies where. One device without it. */
  readonly mesh?: Mesh
}

/**
 * Traces `fn` on the given types and lowers it to StableHLO: `lower(f, { w: f32(512, 512) }, i32(8))`.
 * Throws `OpError` at the user's line where the model is wrong, `TraceError` where arguments or results are not nested tensors.
 */
export const lower = <Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result,
  ...specs: { [K in keyof Args]: SpecOf<Args[K]> }
): Program<Args, Result> => lowerWith({}, fn, ...specs)

/** `lower` with options. */
export function lowerWith<Args extends readonly unknown[], Result>(
  options: LowerOptions,
  fn: (...args: Args) => Result,
  ...specs: { [K in keyof Args]: SpecOf<Args[K]> }
): Program<Args, Result> {
  const name = options.name ?? (fn.name || 'program')
  const traced = withTarget(options.target ?? currentTarget(), () => withMesh(options.mesh, () => traceFunction(name, fn as (...args: any[]) => unknown, specs)))
  return new Program<Args, Result>(name, traced, options.donate)
}
