import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, negate, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill, ones, zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { abs, rsqrt } from '../ops/elementwise-unary.ts'
import { gather } from '../ops/gather-scatter.ts'
import { reduceSum } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'

/** What is near. `innerProduct`: x.y; `cosine`: x.y / (|x||y|), 0 where one of them is zero; `l2`: minus the squared distance. The larger the nearer. */
export const distances = ['innerProduct', 'cosine', 'l2'] as const
export type Distance = (typeof distances)[number]

/** The score of an entry that is not there: finite, so that no position packed into it makes it NaN. */
export const noScore = (dtype: Tensor['dtype']): number => -largestFinite(dtype)

const lastAxis = (x: Tensor): number => x.rank - 1

/** Squared lengths of rows, in f32 for narrower floats: `[..., d]` -> `[...]`. */
function squaredLengths(x: Tensor): Tensor {
  const wide = convert(x, wideType(x.dtype))
  return reduceSum(multiply(wide, wide), lastAxis(x))
}

/** 1 / |x|, and 0 for a row of zeros. */
function inverseLengths(x: Tensor): Tensor {
  const squares = squaredLengths(x)
  const some = compare(squares, 0, 'GT')
  // The inner choice keeps the gradient at 0 finite.
  return select(some, rsqrt(select(some, squares, ones(squares.type))), zeros(squares.type))
}

/**
 * Scores that rank the rows of a database for each query as the distance does, but leave out what is the same for all rows: for `cosine` the
 * query's length, for `l2` its square and a factor of 2. Queries `[batch, q..., d]`, database `[batch, rows..., d]` -> `[batch, q..., rows...]`;
 * `batch` is the number of shared leading axes.
 */
export function rankingScores(queries: Tensor, database: Tensor, batch: number, distance: Distance): Tensor {
  const shared = Array.from({ length: batch }, (_, i) => i)
  const contracting = [[lastAxis(queries)], [lastAxis(database)]] as const
  const products = dotGeneral(queries, database, { batching: [shared, shared], contracting, outputDtype: wideType(database.dtype) })
  if (distance === 'innerProduct') return products
  const perRow = (x: Tensor): Tensor => alongRows(x, products, batch)
  return distance === 'cosine' ? multiply(products, perRow(inverseLengths(database))) : add(products, perRow(multiply(squaredLengths(database), -0.5)))
}

/** One number for each row, `[batch, rows...]`, for all queries: in the shape of `scores [batch, q..., rows...]`. */
const alongRows = (x: Tensor, { shape, rank }: Tensor, batch: number): Tensor =>
  broadcastInDim(x, shape, x.shape.map((_, i) => (i < batch ? i : rank - x.rank + i)))

/**
 * Scores `[batch, q..., rows...]` with `noScore` for entries that are not finite, and for rows that are not there: `limit [batch, rows...]` is
 * infinite for a row that is, and 0 for one that is not. One comparison for all of it, which stays inside the product's fusion.
 */
export function onlyThere(scores: Tensor, limit: Tensor | undefined, batch: number): Tensor {
  const infinite = limit ? alongRows(limit, scores, batch) : fill(Infinity, scores.type)
  return select(compare(abs(scores), infinite, 'LT'), scores, fill(noScore(scores.dtype), scores.type))
}

/** The distance's scores, of ranking scores `[..., k]` of queries `[..., d]`. */
export function scoresOfRanking(ranking: Tensor, queries: Tensor, distance: Distance): Tensor {
  if (distance === 'innerProduct') return ranking
  const perQuery = (x: Tensor): Tensor => broadcastInDim(x, ranking.shape, x.shape.map((_, i) => i))
  return distance === 'cosine' ? multiply(ranking, perQuery(inverseLengths(queries))) : subtract(multiply(ranking, 2), perQuery(squaredLengths(queries)))
}

/**
 * The distance's scores of chosen rows, from which gradients flow to queries and rows: queries `[batch, q..., d]`, database `[batch, n, d]`,
 * places `i32[batch, q..., k]` -> `[batch, q..., k]`. Where `found bool[batch, q..., k]` is false the score is of a row of zeros.
 */
export function scoresAt(queries: Tensor, database: Tensor, places: Tensor, found: Tensor, distance: Distance): Tensor {
  const batch = database.rank - 2
  const shared = Array.from({ length: batch }, (_, i) => i)
  const picked = gather(database, places, {
    dimension_numbers: {
      offset_dims: [places.rank],
      collapsed_slice_dims: [batch],
      operand_batching_dims: shared,
      start_indices_batching_dims: shared,
      start_index_map: [batch],
      index_vector_dim: places.rank,
    },
    slice_sizes: [...shared.map(() => 1), 1, database.shape.at(-1)!],
  })
  const rows = select(broadcastInDim(found, picked.shape, found.shape.map((_, i) => i)), picked, zeros(picked.type))
  const dtype = wideType(database.dtype)
  if (distance === 'l2') {
    const apart = subtract(convert(rows, dtype), broadcastInDim(convert(queries, dtype), rows.shape, [...queries.shape.keys()].map((i) => (i === lastAxis(queries) ? lastAxis(rows) : i))))
    return negate(reduceSum(multiply(apart, apart), lastAxis(rows)))
  }
  const all = Array.from({ length: queries.rank - 1 }, (_, i) => i)
  const products = dotGeneral(queries, rows, { batching: [all, all], contracting: [[lastAxis(queries)], [lastAxis(rows)]], outputDtype: dtype })
  return distance === 'innerProduct' ? products : multiply(scoresOfRanking(products, queries, 'cosine'), inverseLengths(rows))
}
