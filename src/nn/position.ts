import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { and } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { constant } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { reduceSum } from '../ops/reduce.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { slice } from '../ops/slice-pad.ts'
import { currentTarget } from '../trace/target.ts'

/**
 * Relative positions of T5: the bias of an attention score depends on the distance between query and key alone, by way of a few
 * buckets, exact for near and logarithmic for far ones. Source: Raffel et al. 2020, section 2.1.
 */
export interface PositionBuckets {
  /** Number of buckets, even. */
  readonly buckets: number
  /** From this distance on all are in the last bucket. */
  readonly maxDistance: number
}

/**
 * The smallest distance of every bucket: distance `r` is in bucket `r` below half the buckets, else in
 * `half + floor(half ln(r / half) / ln(maxDistance / half))`, but at most in the last one.
 */
export function bucketStarts({ buckets, maxDistance }: PositionBuckets): number[] {
  const half = buckets / 2
  const bucketOf = (r: number): number =>
    r < half ? r : Math.min(buckets - 1, half + Math.floor((half * Math.log(r / half)) / Math.log(maxDistance / half)))
  const starts = new Array<number>(buckets).fill(maxDistance)
  for (let r = maxDistance; r >= 0; r--) starts.fill(r, 0, bucketOf(r) + 1)
  return starts
}

/** How much a bias begins above the others that is to choose a place by itself: `exp(6)` is 400 times their weight. */
const choosingBias = 6

/** A table `f32[buckets,h]` whose first `count` heads begin at the token before, the one before that, and so on; the others stay as they are. */
export function towardsPreviousTokens(table: Tensor, count: number): Tensor {
  const [distance, head] = [iota(tensorType('i32', table.shape), 0), iota(tensorType('i32', table.shape), 1)]
  const chosen = and(compare(distance, add(head, 1), 'EQ'), compare(head, count, 'LT'))
  return add(table, multiply(convert(chosen, table.dtype), choosingBias))
}

/** Where queries and keys stand: key `j` is `queries + offset` before ... query `i` has distance `i + offset - j` to key `j`. */
export interface RelativeExtent {
  readonly queries: number
  readonly keys: number
  /** Position of the first query among the keys. */
  readonly offset: number
}

/** The bucket of every query and key, in the form that the target takes best. Shared by all layers. */
export type PositionMap = {
  readonly extent: RelativeExtent
  readonly buckets: PositionBuckets
} & (
  | { /** `[P,buckets]`: of every distance, a row of zeros with a single one, see `bucketRows`. */ readonly byDistance: Tensor }
  | { /** `i32[queries,keys]` */ readonly byPair: Tensor; /** Type of the products with the table. */ readonly dtype: DType }
)

/**
 * The position map of a step whose layers compute in `dtype`. Biases by distance are moved into rows by a reshape, which costs a CPU nothing and
 * a TPU, whose arrays lie in tiles, a copy number by number; there each pair looks up its own bucket, by a product with a row of zeros and
 * a single one that is made inside the product.
 */
export function positionMap(extent: RelativeExtent, buckets: PositionBuckets, dtype: DType): PositionMap {
  if (currentTarget() === 'tpu') return { extent, buckets, byPair: pairBuckets(extent, buckets), dtype }
  return { extent, buckets, byDistance: bucketRows(extent, buckets, wideType(dtype)) }
}

/** The bias of every query and key: table `f32[buckets,h]` -> `f32[h,queries,keys]`; by pair of a table rounded to the compute type. */
export function positionBias(table: Tensor, map: PositionMap): Tensor {
  if ('byDistance' in map) return biasByDistance(table, map.byDistance, map.extent)
  const { byPair, buckets, dtype } = map
  const shape = [...byPair.shape, buckets.buckets]
  const single = compare(broadcastInDim(byPair, shape, [0, 1]), iota(tensorType('i32', shape), 2), 'EQ')
  // bf16 holds a one exactly; of wider tables the product has to keep all digits.
  const precision = dtype === 'bf16' ? 'DEFAULT' : 'HIGHEST'
  return dotGeneral(convert(table, dtype), convert(single, dtype), { contracting: [[0], [2]], precision, outputDtype: wideType(dtype) })
}

/** The bucket of every query and key: `i32[queries,keys]`, that of distance 0 for keys in the future. */
function pairBuckets({ queries, keys, offset }: RelativeExtent, { buckets, maxDistance }: PositionBuckets): Tensor {
  const type = tensorType('i32', [queries, keys])
  const distance = subtract(add(iota(type, 0), offset), iota(type, 1))
  const starts = bucketStarts({ buckets, maxDistance }).slice(1)
  const shape = [queries, keys, starts.length]
  const reached = compare(broadcastInDim(distance, shape, [0, 1]), broadcastInDim(constant(starts, 'i32'), shape, [2]), 'GE')
  return reduceSum(convert(reached, 'i32'), 2)
}

/**
 * The bucket of every distance that can occur, as rows of zeros with a single one: `[P, buckets]`. Row `p` stands for a key `p` places after
 * the query's own number, or `p - P` for the last rows; a key in the future counts as distance 0.
 */
function bucketRows({ queries, keys, offset }: RelativeExtent, { buckets, maxDistance }: PositionBuckets, dtype: DType): Tensor {
  const period = queries + keys
  const shape = [period, buckets]
  const row = iota(tensorType('i32', [period, 1]), 0)
  const forward = select(compare(row, keys, 'LT'), row, subtract(row, period))
  const distance = broadcastInDim(maximum(subtract(offset, forward), 0), shape, [0, 1])
  const starts = bucketStarts({ buckets, maxDistance })
  const from = broadcastInDim(constant(starts, 'i32'), shape, [1])
  const to = broadcastInDim(constant([...starts.slice(1), 2 ** 31 - 1], 'i32'), shape, [1])
  return convert(and(compare(distance, from, 'GE'), compare(distance, to, 'LT')), dtype)
}

/**
 * Table `f32[buckets,h]`, rows of `bucketRows` -> `[h,queries,keys]`. The biases of all distances are looked up once; a row of the result is the row above it moved by one place, which repeating them and
 * cutting them into rows shorter by one does.
 */
function biasByDistance(table: Tensor, rows: Tensor, { queries, keys }: RelativeExtent): Tensor {
  const heads = table.shape[1]
  const period = queries + keys
  // The rows have a single one each, so the product is exact at full precision.
  const byDistance = dotGeneral(table, convert(rows, table.dtype), { contracting: [[0], [1]], precision: 'HIGHEST' })
  const repeated = reshape(broadcastInDim(byDistance, [heads, queries, period], [0, 2]), [heads, queries * period])
  const moved = reshape(slice(repeated, [0, 0], [heads, queries * (period - 1)]), [heads, queries, period - 1])
  return slice(moved, [0, 0, 0], [heads, queries, keys])
}
