import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { l2Normalize } from '../lib/norm.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { concatenate } from '../ops/concatenate.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral, matmul } from '../ops/dot-general.ts'
import { cosine, exponential, sine } from '../ops/elementwise-unary.ts'
import { iota } from '../ops/iota.ts'
import { reshape } from '../ops/reshape.ts'
import { slice } from '../ops/slice-pad.ts'
import { transpose } from '../ops/transpose.ts'
import { type AttentionSizes, forEverySlot } from './attention.ts'
import { type ParameterDraw } from './initial.ts'
import type { RelativeExtent } from './position.ts'

/**
 * The relative positions of Transformer-XL. The score of query `i` and key `j` is
 *
 *     scale * ((q_i + u) . k_j + (q_i + v) . r_{i-j}),   r_n = W_R R_n,
 *
 * `R_n` the sines and cosines of distance `n`, `scale` what the layer's attention has: `1/sqrt(d)`, or a learned one per head where queries
 * and keys are normalised; `r_n` is normalised there too, being a key. Source: Dai et al. 2019, section 3.3; scale and order of sines and
 * cosines as in the authors' code.
 *
 * Letters: `b` slots, `h` heads, `s` queries, `l` keys, `d` head size, `D` width, `P = l + 1`.
 */
export interface QueryBiases {
  /** `f32[h,d]`, the paper's u: added to the queries where they meet keys. */
  readonly content: Tensor
  /** `f32[h,d]`, the paper's v: added to the queries where they meet positions. */
  readonly position: Tensor
}

/** Deviation of u and v at first. Source: the authors' code. */
const biasDeviation = 0.02

export const initialQueryBiases = (draw: ParameterDraw, { heads, headSize }: AttentionSizes): QueryBiases => ({
  content: draw([heads, headSize], biasDeviation),
  position: draw([heads, headSize], biasDeviation),
})

/** The sines and cosines of all distances of a step, shared by its layers. */
export interface PositionRows {
  readonly extent: RelativeExtent
  /** `[P,D]` in the compute type: of distances `l - 1` down to -1. */
  readonly rows: Tensor
}

/**
 * `R`: of distance `n`, the sines of `n / 10000^(2m/D)` for `m` below `D/2`, then the cosines. Angles are computed in f32 at least. `extent` has its
 * queries at the end of its keys, `width` is even. Source: Vaswani et al. 2017, section 3.5.
 */
export function positionRows(extent: RelativeExtent, width: number, dtype: DType): PositionRows {
  const shape = [extent.keys + 1, width / 2]
  const type = tensorType(wideType(dtype), shape)
  const distance = subtract(extent.keys - 1, convert(iota(tensorType('i32', shape), 0), type.dtype))
  const frequency = exponential(multiply(iota(type, 1), (-2 * Math.log(10000)) / width))
  const angle = multiply(distance, frequency)
  return { extent, rows: convert(concatenate([sine(angle), cosine(angle)], 1), dtype) }
}

export interface RelativeAttentionParameters {
  /** `f32[D,h*d]`, the paper's W_R. */
  readonly positionKey: Tensor
  readonly biases: QueryBiases
  /** `f32[h]`, of normalised attention. */
  readonly scale?: Tensor | undefined
}

/**
 * What takes the place of queries and position bias in `attend`: `queries [b,h,s,d]` already scaled -> `queries [b,h,s,d]` with u, and `bias
 * f32[b,h,s,l]`, the scores of the positions; those of keys in the future are of no meaning.
 */
export function relativeQueries(parameters: RelativeAttentionParameters, queries: Tensor, positions: PositionRows, sizes: AttentionSizes): { queries: Tensor; bias: Tensor } {
  const { biases, positionKey, scale } = parameters
  const biased = (bias: Tensor): Tensor => {
    const wide = convert(queries, wideType(queries.dtype))
    const scaled = scaledBias(convert(bias, wide.dtype), scale, sizes)
    return convert(add(wide, broadcastInDim(scaled, wide.shape, [1, 3])), queries.dtype)
  }
  const keys = positionKeys(positionKey, positions.rows, scale !== undefined, sizes)
  return { queries: biased(biases.content), bias: shiftedProducts(biased(biases.position), keys, positions.extent) }
}

const scaledBias = (bias: Tensor, scale: Tensor | undefined, { headSize }: AttentionSizes): Tensor =>
  scale ? multiply(bias, broadcastInDim(convert(scale, bias.dtype), bias.shape, [0])) : multiply(bias, headSize ** -0.5)

/** `r`: `rows [P,D] -> [h,P,d]`. */
function positionKeys(weights: Tensor, rows: Tensor, normalized: boolean, { heads, headSize }: AttentionSizes): Tensor {
  const keys = transpose(reshape(matmul(rows, convert(weights, rows.dtype)), [rows.shape[0], heads, headSize]), [1, 0, 2])
  return normalized ? l2Normalize(keys) : keys
}

/**
 * Products of queries `[b,h,s,d]` with the position keys `[h,P,d]` of their distances, `f32[b,h,s,l]`. A query's products with the keys of all distances
 * make a row of `l + 1`; those that it needs begin one place earlier for each query. Cutting the rows' numbers, one after the other, into rows
 * shorter by one moves them so: nothing is gathered. Source: Dai et al. 2019, appendix B, with a row more of R in place of a column of zeros.
 */
function shiftedProducts(queries: Tensor, keys: Tensor, extent: RelativeExtent): Tensor {
  const [slots, heads, count] = queries.shape
  const batching = [[0, 1], [0, 1]] as const
  const products = dotGeneral(queries, forEverySlot(slots)(keys), { batching, contracting: [[3], [3]], outputDtype: wideType(queries.dtype) })
  const inOneRow = reshape(products, [slots, heads, count * (extent.keys + 1)])
  return reshape(slice(inOneRow, [0, 0, count - 1], [slots, heads, count - 1 + count * extent.keys]), [slots, heads, count, extent.keys])
}
