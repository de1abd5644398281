import { customVjp } from '../autodiff/custom.ts'
import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { wideType } from '../lib/wide.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { ones } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { exponential, log } from '../ops/elementwise-unary.ts'
import { optimizationBarrier } from '../ops/optimization-barrier.ts'
import { reduceMax, reduceSum } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'

/**
 * Attention that keeps none of its scores. An accelerator multiplies matrices faster than it moves the scores to its memory and back, so
 * each pass over them starts from queries and keys again: once for the largest of each query, once for the sums, once for the gradient. What
 * is kept for the gradient is as large as queries, keys and values. The barriers keep a compiler from seeing that the passes compute the
 * same, which would make it keep the scores after all.
 *
 * Letters: `b` slots, `h` heads, `s` queries, `l` keys, `d` head size. Source: Dao et al. 2022, algorithms 1 and 4, whole rows at a time.
 */
export interface ScoreRule<Extra> {
  /** Queries `[b,h,s,d]`, keys `[b,h,l,d]` -> scores `f32[b,h,s,l]`, -inf where a query may not attend. */
  scores(queries: Tensor, keys: Tensor, extra: Extra): Tensor
  /** The largest score of each query, `f32[b,h,s]`, where it is known already. */
  largest?(extra: Extra): Tensor
  /** Cotangents of `extra`, with `null` for what has none, from those of the scores, which have the type of the queries. */
  extraGradient(extra: Extra, dScores: Tensor): unknown
  /** Whether keys and values get a gradient. */
  readonly intoKeys: boolean
}

interface Residuals<Extra> {
  readonly queries: Tensor
  readonly keys: Tensor
  readonly values: Tensor
  readonly extra: Extra
  /** `f32[b,h,s]`: logarithm of the sum of the exponentials of a query's scores. */
  readonly logSum: Tensor
  readonly out: Tensor
}

const batching = [[0, 1], [0, 1]] as const

/** Products of queries and keys, `f32[b,h,s,l]`. */
export const pairProducts = (queries: Tensor, keys: Tensor): Tensor =>
  dotGeneral(queries, keys, { batching, contracting: [[3], [3]], outputDtype: wideType(queries.dtype) })

/** A number per query, `[b,h,s]`, for each of its scores or elements. */
export const perQuery = (x: Tensor, like: Tensor): Tensor => broadcastInDim(x, like.shape, [0, 1, 2])

/**
 * Softmax attention by a rule for its scores: queries `[b,h,s,d]`, keys and values `[b,h,l,d]` -> `[b,h,s,d]`. A query that may attend to
 * nothing gets zeros. Exponentials and sums are taken in f32; the weights are rounded to the type of the values before they are used.
 */
export function recomputedAttention<Extra>(rule: ScoreRule<Extra>): (queries: Tensor, keys: Tensor, values: Tensor, extra: Extra) => Tensor {
  return customVjp(
    (queries: Tensor, keys: Tensor, values: Tensor, extra: Extra): readonly [Tensor, Residuals<Extra>] => {
      const found = rule.largest ? rule.largest(extra) : reduceMax(rule.scores(queries, keys, extra), -1)
      const finite = maximum(found, -largestFinite(found.dtype))
      const [asked, largest] = rule.largest ? [queries, finite] : optimizationBarrier([queries, finite])
      const scores = rule.scores(asked, keys, extra)
      const exponentials = exponential(subtract(scores, perQuery(largest, scores)))
      const [weights, sums] = optimizationBarrier([convert(exponentials, values.dtype), reduceSum(exponentials, -1)])
      const some = select(compare(sums, 0, 'EQ'), ones(sums.type), sums)
      const mixed = dotGeneral(weights, values, { batching, contracting: [[3], [2]], outputDtype: wideType(values.dtype) })
      const out = convert(divide(mixed, perQuery(some, mixed)), queries.dtype)
      return [out, { queries, keys, values, extra, logSum: add(largest, log(some)), out }]
    },
    (residuals: Residuals<Extra>, dOut: Tensor) => recomputedGradient(rule, residuals, dOut),
  )
}

/** With `p` the weights: `dv = p^T dOut`, `ds = p (dOut v^T - dOut . out)`, `dq = ds k`, `dk = ds^T q`. */
function recomputedGradient<Extra>(
  rule: ScoreRule<Extra>,
  { queries, keys, values, extra, logSum, out }: Residuals<Extra>,
  dOut: Tensor,
): readonly [Tensor, Tensor | null, Tensor | null, unknown] {
  const wide = wideType(queries.dtype)
  const [asked] = optimizationBarrier([queries])
  const scores = rule.scores(asked, keys, extra)
  const weights = convert(exponential(subtract(scores, perQuery(logSum, scores))), values.dtype)
  const along = reduceSum(multiply(convert(dOut, wide), convert(out, wide)), -1)
  const dWeights = pairProducts(dOut, values)
  const dScores = convert(multiply(convert(weights, wide), subtract(dWeights, perQuery(along, dWeights))), queries.dtype)
  const dQueries = dotGeneral(dScores, keys, { batching, contracting: [[3], [2]] })
  if (!rule.intoKeys) return [dQueries, null, null, rule.extraGradient(extra, dScores)]
  const dKeys = dotGeneral(dScores, queries, { batching, contracting: [[2], [2]] })
  const dValues = dotGeneral(weights, dOut, { batching, contracting: [[2], [2]] })
  return [dQueries, dKeys, dValues, rule.extraGradient(extra, dScores)]
}
