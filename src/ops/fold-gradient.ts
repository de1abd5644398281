import { type Region, type Tensor, type Value, resolveAlias } from '../ir/module.ts'
import type { Cotangent, VjpContext } from '../ir/op-definition.ts'
import { type TensorType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { add } from './arithmetic.ts'
import { broadcastInDim } from './broadcast.ts'
import { compare } from './compare.ts'
import { fill } from './constant.ts'
import { convert } from './convert.ts'
import { isLiftable } from './lift-region.ts'
import { emitReturn } from './return.ts'
import { whileLoop } from './while-loop.ts'

/** A reduction as a fold: `row(inputs, i)` is what step `i` combines with what was accumulated, for all places of the result at once. */
export interface Fold {
  readonly steps: number
  /** Of the result. */
  readonly shape: readonly number[]
  /** From inputs and initial values, as prepared by `prepare`. */
  row(prepared: readonly Tensor[], step: Tensor): readonly Tensor[]
  /** What is done once before the first step; the inputs are given before the initial values. */
  prepare(operands: readonly Tensor[]): readonly Tensor[]
}

/**
 * The cotangents of the operands (inputs, then initial values) of a reduction by any body of element-wise ops on values of rank 0: the
 * reduction is written as a counted loop whose body works on all places side by side, and that loop's gradient is taken. Undefined if the
 * body has other ops.
 */
export function foldGradient(context: VjpContext<unknown>, fold: Fold): readonly Cotangent[] | undefined {
  const { operands, cotangents, needed, regions: [body], pullback, activeCaptures, accumulate } = context
  if (!isLiftable(body)) return undefined
  const count = operands.length / 2
  const accumulated = body.block.arguments.slice(0, count).map(({ type }) => (type as TensorType).dtype)
  const taken = body.block.arguments.slice(count).map(({ type }) => (type as TensorType).dtype)
  const loop = buildRegion('gradient of a reduction', operands.map(({ type }) => type), (values) => {
    const given = values as Tensor[]
    const prepared = fold.prepare(given)
    const start = given.slice(count).map((init, i) => broadcastInDim(convert(init, accumulated[i]), fold.shape, []))
    const { total } = whileLoop(
      { step: fill(0, tensorType('i32', [])), total: start },
      ({ step }) => compare(step, fold.steps, 'LT'),
      ({ step, total }) => {
        const row = fold.row(prepared, step).map((each, i) => convert(each, taken[i]))
        return { step: add(step, 1), total: runLifted(body, [...total, ...row], fold.shape) }
      },
    )
    emitReturn(total)
  })
  const captured = activeCaptures([body])
  const gradients = pullback(loop, operands, () => cotangents, { active: needed, captured })
  captured.forEach((value, i) => accumulate(value, gradients.captured[i]))
  return gradients.inputs
}

/** Emits a body made for values of rank 0 on tensors of `shape`. */
function runLifted(body: Region, inputs: readonly Tensor[], shape: readonly number[]): Tensor[] {
  const map = new Map<Value, Tensor>(body.block.arguments.map((argument, i) => [argument, inputs[i]]))
  const lifted = (value: Value): Tensor => {
    let known = map.get(value) ?? map.get(resolveAlias(value))
    // From outside, or a constant: the same for all places.
    if (!known) map.set(value, (known = broadcastInDim(value as Tensor, shape, [])))
    return known
  }
  for (const { definition, operands, attributes, results } of body.block.operations.slice(0, -1)) {
    if (operands.length === 0) {
      const copy = emit(definition, [], attributes, { results: results.map(({ type }) => type) })
      results.forEach((result, i) => map.set(result, broadcastInDim(copy.results[i] as Tensor, shape, [])))
      continue
    }
    const types = results.map(({ type }) => tensorType((type as TensorType).dtype, shape))
    const copy = emit(definition, operands.map(lifted), attributes, { results: types })
    results.forEach((result, i) => map.set(result, copy.results[i] as Tensor))
  }
  return body.block.operations.at(-1)!.operands.map(lifted)
}
