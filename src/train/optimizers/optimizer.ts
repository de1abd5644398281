import type { Tensor } from '../../ir/module.ts'
import { Tensor as TensorClass } from '../../ir/module.ts'
import { add, divide, multiply } from '../../ops/arithmetic.ts'
import { maximum } from '../../ops/elementwise-binary.ts'
import { sqrt } from '../../ops/elementwise-unary.ts'
import { reduceSum } from '../../ops/reduce.ts'
import { outlined } from '../../ops/call.ts'
import { flatten, flattenLike, leafPaths, unflatten } from '../../trace/tree.ts'

/** A tree of tensors, as parameters are. */
export type TensorTree = unknown

/** An update rule over trees of parameters; all functions are traced. */
export interface Optimizer {
  /** The optimiser's state before the first step, all f32. */
  init(parameters: TensorTree): TensorTree
  /** New parameters and state. `step` is i32[], 0 at the first update. */
  update(gradients: TensorTree, state: TensorTree, parameters: TensorTree, step: Tensor): { parameters: TensorTree; state: TensorTree }
}

const isTensor = (value: unknown): value is Tensor => value instanceof TensorClass

export interface ParameterUpdate {
  readonly parameter: Tensor
  readonly state: Record<string, Tensor>
}

/**
 * An optimiser that treats every parameter by itself; its state is a record of tensors per parameter, by path. The update is a
 * function of the module, one per parameter type, that is called for every parameter: hundreds of parameters have a handful of
 * types, so the program stays small.
 */
export function perParameter<Shared extends Record<string, Tensor>>(parts: {
  /** Name of the update's function. */
  readonly name: string
  init(parameter: Tensor): Record<string, Tensor>
  /** What all updates of a step share: learning rate, decay. */
  shared(step: Tensor): Shared
  update(gradient: Tensor, state: Record<string, Tensor>, parameter: Tensor, shared: Shared): ParameterUpdate
}): Optimizer {
  const update = outlined(parts.name, ({ gradient, state, parameter, shared }: UpdateInput<Shared>) => parts.update(gradient, state, parameter, shared))
  return {
    init: (parameters) => {
      const { leaves, structure } = flatten(parameters, isTensor, 'the parameters')
      return Object.fromEntries(leafPaths(structure).map((path, i) => [path, parts.init(leaves[i])]))
    },
    update: (gradients, state, parameters, step) => {
      const { leaves, structure } = flatten(parameters, isTensor, 'the parameters')
      const paths = leafPaths(structure)
      const slopes = flattenLike(structure, gradients, isTensor, 'the gradients')
      const states = state as Record<string, Record<string, Tensor>>
      const shared = parts.shared(step)
      const updates = leaves.map((leaf, i) => update({ gradient: slopes[i], state: states[paths[i]], parameter: leaf, shared }))
      return {
        parameters: unflatten(structure, updates.map((result) => result.parameter)),
        state: Object.fromEntries(paths.map((path, i) => [path, updates[i].state])),
      }
    },
  }
}

interface UpdateInput<Shared> {
  readonly gradient: Tensor
  readonly state: Record<string, Tensor>
  readonly parameter: Tensor
  readonly shared: Shared
}

/** Root of the mean square of all elements: f32[]. */
export const rootMeanSquare = (x: Tensor): Tensor => sqrt(divide(reduceSum(multiply(x, x)), Math.max(1, x.shape.reduce((a, b) => a * b, 1))))

/** The Euclidean norm of all gradients together: f32[]. */
export function globalNorm(gradients: TensorTree): Tensor {
  const { leaves } = flatten(gradients, isTensor, 'the gradients')
  return sqrt(leaves.map((leaf) => reduceSum(multiply(leaf, leaf))).reduce((sum, part) => add(sum, part)))
}

/** Gradients scaled so that their global norm is at most `limit`; gives the norm before. */
export function clipByGlobalNorm<T>(gradients: T, limit: number): { gradients: T; norm: Tensor } {
  const norm = globalNorm(gradients)
  const { leaves, structure } = flatten(gradients, isTensor, 'the gradients')
  const scale = divide(limit, maximum(norm, limit))
  return { gradients: unflatten(structure, leaves.map((leaf) => multiply(leaf, scale))) as T, norm }
}
