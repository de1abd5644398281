import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { interpret } from '../interpret/interpreter.ts'
import { type MapTree, flatten, flattenLike, unflatten } from '../trace/tree.ts'
import type { Program } from './program.ts'
import { traceFunction } from './trace-function.ts'

/** A tree of host arrays where the function has tensors. */
export type HostOf<T> = MapTree<T, Tensor, HostArray>
/** The same for a list of arguments. */
export type HostArguments<Args extends readonly unknown[]> = { [K in keyof Args]: HostOf<Args[K]> }

export const isHostArray = (value: unknown): value is HostArray => value instanceof HostArray

/**
 * Traces `fn` on the types of `args` and runs it in the reference interpreter: `evaluate(softmax, HostArray.from('f32', [1, 2]))`.
 * For examples and tests; to run a function often, lower it once. Throws what tracing and interpreting throw.
 */
export function evaluate<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result,
  // The function alone decides the types: `evaluate(grad(f), x)` would otherwise take the host arrays for the arguments of `f`.
  ...args: HostArguments<NoInfer<Args>>
): HostOf<Result> {
  const { leaves, structure } = flatten(args, isHostArray, 'the arguments of evaluate()')
  const specs = unflatten(structure, leaves.map((leaf) => leaf.type)) as unknown[]
  const traced = traceFunction(fn.name || 'evaluated', fn as (...args: any[]) => unknown, specs)
  return unflatten(traced.outputs, interpret(traced.module, leaves)) as HostOf<Result>
}

/** Runs a lowered program in the reference interpreter. */
export function interpretProgram<Args extends readonly unknown[], Result>(
  program: Program<Args, Result>,
  ...args: { [K in keyof Args]: HostOf<Args[K]> }
): HostOf<Result> {
  const inputs = flattenLike(program.inputStructure, args, isHostArray, `the arguments of ${program.name}`)
  return unflatten(program.outputStructure, interpret(program.module, inputs)) as HostOf<Result>
}
