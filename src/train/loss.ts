import type { Tensor } from '../ir/module.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { compare } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { fill } from '../ops/constant.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { exponential, log } from '../ops/elementwise-unary.ts'
import { expandDims } from '../ops/reshape.ts'
import { iota } from '../ops/iota.ts'
import { reduceMax, reduceSum } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'
import { customVjp, stopGradient } from '../autodiff/custom.ts'
import { logSumExp } from '../lib/softmax.ts'
import { tensorType } from '../ir/types.ts'

export interface LossOutput {
  /** f32[]: mean cross-entropy in nats over the tokens that count; 0 if none does. */
  readonly loss: Tensor
  /** f32[]: sum of the cross-entropies in nats. */
  readonly total: Tensor
  /** f32[]: sum of the weights. */
  readonly count: Tensor
  /** f32[]: weighted number of tokens whose most likely prediction is right. */
  readonly correct: Tensor
}

/**
 * Cross-entropy of the next token: logits f32[b,s,V], targets i32[b,s], weights f32[b,s] -> nats. Padding and the first token
 * of a document have weight 0. The gradient is `softmax - onehot`, computed directly.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, weights: Tensor): LossOutput {
  const total = summedCrossEntropy(logits, targets, weights)
  const count = reduceSum(weights)
  const best = reduceMax(stopGradient(logits), -1)
  const right = convert(compare(targetLogits(stopGradient(logits), targets), best, 'GE'), 'f32')
  return {
    loss: divide(total, maximum(count, 1)),
    total,
    count,
    correct: reduceSum(multiply(right, weights)),
  }
}

/** The cross-entropy of each token in nats: logits f32[b,s,V], targets i32[b,s] -> f32[b,s]. */
export const tokenLosses = (logits: Tensor, targets: Tensor): Tensor => subtract(logSumExp(logits, -1), targetLogits(logits, targets))

/** True where the class is the target: bool[b,s,V]. */
const targetMask = (logits: Tensor, targets: Tensor): Tensor =>
  compare(iota(tensorType('i32', logits.shape), logits.rank - 1), expandDims(targets, -1), 'EQ')

const targetLogits = (logits: Tensor, targets: Tensor): Tensor =>
  reduceSum(select(targetMask(logits, targets), logits, fill(0, logits.type)), -1)

const summedCrossEntropy = customVjp(
  (logits: Tensor, targets: Tensor, weights: Tensor) => {
    const largest = reduceMax(logits, -1)
    const shifted = exponential(subtract(logits, expandDims(largest, -1)))
    const sums = reduceSum(shifted, -1)
    const perToken = subtract(add(log(sums), largest), targetLogits(logits, targets))
    return [reduceSum(multiply(perToken, weights)), { shifted, sums, targets, weights, perToken }] as const
  },
  ({ shifted, sums, targets, weights, perToken }, dTotal) => {
    const scale = multiply(weights, dTotal)
    const probabilities = multiply(shifted, expandDims(divide(scale, sums), -1))
    const mask = targetMask(shifted, targets)
    const dLogits = select(mask, subtract(probabilities, expandDims(scale, -1)), probabilities)
    return [dLogits, null, multiply(perToken, dTotal)]
  },
)

