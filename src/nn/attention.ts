import { customVjp } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { l2Normalize } from '../lib/norm.ts'
import { maskedSoftmax } from '../lib/softmax.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { ones } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral, matmul } from '../ops/dot-general.ts'
import { reduceSum } from '../ops/reduce.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { transpose } from '../ops/transpose.ts'
import { currentTarget } from '../trace/target.ts'
import { type ParameterDraw, constantParameter } from './initial.ts'
import { pairProducts, recomputedAttention } from './recomputed-attention.ts'

/**
 * Multi-head attention, taken apart so that a layer can keep keys and values, or mix in what a memory gives, between its parts. Inside, all
 * tensors have the heads before the places (`[b,h,s,d]`): then every product is a plain batched one, and keys lie in caches and memories as
 * they are used.
 *
 * Letters: `b` slots, `s` queries, `l` keys, `h` heads, `d` head size, `D` width.
 */
export interface AttentionParameters {
  /** `f32[D,h*d]`, as are the next two. */
  readonly query: Tensor
  readonly key: Tensor
  readonly value: Tensor
  /** `f32[h*d,D]` */
  readonly output: Tensor
  /** `f32[h]`; where it is there, queries and keys are L2-normalised and it takes the place of `1/sqrt(d)`. */
  readonly scale?: Tensor
}

export interface AttentionSizes {
  readonly width: number
  readonly heads: number
  readonly headSize: number
}

/** How attention's parameters begin. */
export interface AttentionStart {
  /** First value of the learned scale; absent for `1/sqrt(d)`. */
  readonly scale?: number | undefined
  /** The output projection begins as the value projection transposed, and not drawn by itself. */
  readonly copying?: boolean
}

/** Attention's first parameters. */
export function initialAttention(draw: ParameterDraw, { width, heads, headSize }: AttentionSizes, { scale, copying = false }: AttentionStart = {}): AttentionParameters {
  const inner = heads * headSize
  const [query, key, value] = [draw([width, inner], width ** -0.5), draw([width, inner], width ** -0.5), draw([width, inner], width ** -0.5)]
  return {
    query,
    key,
    value,
    output: copying ? transpose(value, [1, 0]) : draw([inner, width], inner ** -0.5),
    ...(scale === undefined ? {} : { scale: constantParameter([heads], scale) }),
  }
}

export interface Projections {
  /** `[b,h,s,d]`, scaled: its product with a key is the score. */
  readonly queries: Tensor
  /** `[b,h,s,d]`, normalised if the layer normalises, not scaled: what caches and memories keep. */
  readonly keys: Tensor
  /** `[b,h,s,d]` */
  readonly values: Tensor
}

/** Queries, keys and values of a segment: `x [b,s,D]`. Source: Wu et al. 2022, section 3.2 (normalised keys and queries). */
export function project(parameters: AttentionParameters, x: Tensor, sizes: AttentionSizes): Projections {
  const [queries, keys, values] = [parameters.query, parameters.key, parameters.value].map((weights) => byHead(x, weights, sizes))
  return { queries: scaledQueries(parameters, queries), keys: storedKeys(parameters, keys), values }
}

/** The queries alone: `x [b,s,D] -> [b,h,s,d]`, scaled. */
export const projectQueries = (parameters: AttentionParameters, x: Tensor, sizes: AttentionSizes): Tensor =>
  scaledQueries(parameters, byHead(x, parameters.query, sizes))

/** Keys and values alone: `x [b,s,D] -> [b,h,s,d]` each. */
export const projectKeysAndValues = (parameters: AttentionParameters, x: Tensor, sizes: AttentionSizes): Pick<Projections, 'keys' | 'values'> =>
  ({ keys: storedKeys(parameters, byHead(x, parameters.key, sizes)), values: byHead(x, parameters.value, sizes) })

const byHead = (x: Tensor, weights: Tensor, { heads, headSize }: AttentionSizes): Tensor =>
  transpose(reshape(matmul(x, convert(weights, x.dtype)), [x.shape[0], x.shape[1], heads, headSize]), [0, 2, 1, 3])

function scaledQueries({ scale }: AttentionParameters, queries: Tensor): Tensor {
  if (!scale) return multiply(queries, queries.shape[3] ** -0.5)
  // Scaled before the rounding to the compute type, and on the queries because they are fewer than the scores.
  const unit = l2Normalize(convert(queries, wideType(queries.dtype)))
  return convert(multiply(unit, broadcastInDim(convert(scale, unit.dtype), unit.shape, [1])), queries.dtype)
}

const storedKeys = ({ scale }: AttentionParameters, keys: Tensor): Tensor => (scale ? l2Normalize(keys) : keys)

/**
 * Softmax attention: queries `[b,h,s,d]`, keys and values `[b,h,l,d]`, `mask bool[b,s,l]` (or of one slot for all), bias `f32[h,s,l]` or
 * `f32[b,h,s,l]` -> `[b,h,s,d]`. A query that may attend to nothing gets zeros. The softmax is taken in f32. A program for a TPU computes the
 * scores anew for each pass over them, others keep them: there arithmetic is what costs.
 */
export const attend = (queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, bias: Tensor): Tensor =>
  currentTarget() === 'tpu' ? attendAgain(queries, keys, values, { mask, bias }) : attendKeeping(queries, keys, values, mask, bias)

function attendKeeping(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, bias: Tensor): Tensor {
  return mixValues(attentionWeights(queries, keys, mask, bias), values)
}

/**
 * The weights of softmax attention: queries `[b,h,s,d]`, keys `[b,h,l,d]`, `mask bool[b,s,l]` (or of one slot for all), bias `f32[h,s,l]` or
 * `f32[b,h,s,l]` (none for content alone) -> `f32[b,h,s,l]`, zeros for a query that may attend to nothing.
 */
export function attentionWeights(queries: Tensor, keys: Tensor, mask: Tensor, bias?: Tensor): Tensor {
  const scores = pairProducts(queries, keys)
  const own = bias && convert(bias, scores.dtype)
  const biased = own ? add(scores, own.rank === scores.rank ? own : forEverySlot(scores.shape[0])(own)) : scores
  return maskedSoftmax(biased, broadcastInDim(mask, scores.shape, [0, 2, 3]))
}

/** Values by weight: weights `f32[b,h,s,l]`, values `[b,h,l,d]` -> `[b,h,s,d]`. */
export const mixValues = (weights: Tensor, values: Tensor): Tensor =>
  dotGeneral(convert(weights, values.dtype), values, { batching: [[0, 1], [0, 1]], contracting: [[3], [2]] })

const attendAgain = recomputedAttention<{ readonly mask: Tensor; readonly bias: Tensor }>({
  scores: (queries, keys, { mask, bias }) => {
    const products = pairProducts(queries, keys)
    const own = convert(bias, products.dtype)
    const biased = add(products, own.rank === products.rank ? own : broadcastInDim(own, products.shape, [1, 2, 3]))
    return select(broadcastInDim(mask, products.shape, [0, 2, 3]), biased, -Infinity)
  },
  extraGradient: ({ bias }, dScores) => {
    const own = convert(dScores, bias.dtype)
    return { mask: null, bias: bias.rank === own.rank ? own : reduceSum(own, 0) }
  },
  intoKeys: true,
})

/**
 * The same for every slot: `[h,s,l] -> [b,h,s,l]`. Its gradient is a sum over the slots, here a product with ones: XLA's CPU compiler takes ten
 * times as long for a sum over the first axis.
 */
export const forEverySlot = (slots: number): ((bias: Tensor) => Tensor) =>
  customVjp(
    (bias: Tensor): readonly [Tensor, null] => [broadcastInDim(bias, [slots, ...bias.shape], bias.shape.map((_, axis) => axis + 1)), null],
    (_: null, d: Tensor) => [dotGeneral(ones(tensorType(d.dtype, [slots])), d, { contracting: [[0], [0]], precision: 'HIGHEST' })],
  )

/** The output projection: `[b,h,s,d] -> [b,s,D]`. */
export function projectOutput(parameters: AttentionParameters, x: Tensor): Tensor {
  const [, heads, , headSize] = x.shape
  const weights = reshape(convert(parameters.output, x.dtype), [heads, headSize, parameters.output.shape[1]])
  return dotGeneral(x, weights, { contracting: [[1, 3], [0, 1]] })
}
