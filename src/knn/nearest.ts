import { customVjp } from '../autodiff/custom.ts'
import { vjp } from '../autodiff/grad.ts'
import { dtypes, isFloat } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { sameShape, shortType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { compare } from '../ops/compare.ts'
import { fill, zeros } from '../ops/constant.ts'
import { cond } from '../ops/control-flow.ts'
import { abs } from '../ops/elementwise-unary.ts'
import { reduceAnd } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'
import { sort } from '../ops/sort.ts'
import { recordChoice } from '../trace/choices.ts'
import { scope } from '../trace/frame.ts'
import { currentTarget } from '../trace/target.ts'
import { approxTopKCall } from './approx-top-k-call.ts'
import { bestPacked, lowestPacked, unpackedScores } from './packed.ts'
import { bestOfRows, bestOfSurvivors } from './partial-reduce.ts'
import { type SearchLowering, type SearchPlan, chooseLowering, plannedRecall, searchLowerings } from './plan.ts'
import { type RowLayout, givenRow, rowLimit, userRow, validRows, viewRows } from './rows.ts'
import { type Distance, distances, noScore, onlyThere, rankingScores, scoresAt, scoresOfRanking } from './score.ts'
import { type Neighbours, sortedTopK } from './top-k.ts'

export const rowOrders = ['any', 'unrelated', 'mixed'] as const
export type RowOrder = (typeof rowOrders)[number]

export interface NearestOptions {
  /** How many neighbours of each query, from 1 to n. */
  readonly k: number
  /** Expected share of the true neighbours among those found, in (0, 1]; 0.95 by default. 1 asks for the exact search. */
  readonly recallTarget?: number
  /** What is near: a large inner product (the default), a large cosine, or a small Euclidean distance. */
  readonly distance?: Distance
  /**
   * Which rows there are: `bool[n]`, or with leading axes of the database's, `bool[b,n]`, `bool[b,h,n]`; or how many of the first: a number,
   * or `i32[]`, `i32[b]`, `i32[b,h]`. All of them by default.
   */
  readonly valid?: Tensor | number
  /**
   * What the order of the rows has to do with the scores. `any` (the default): maybe all, as in sorted or periodic data; where it matters the
   * program mixes the rows first, at the price of a pass over the database. `unrelated`: nothing, says the caller. `mixed`: the database
   * comes from `mixRows`, and that was paid once; indices and `valid` are those before mixing.
   */
  readonly rowOrder?: RowOrder
  /** Takes this lowering instead of the one that `chooseLowering` chooses. */
  readonly lowering?: SearchLowering | 'auto'
  /**
   * Computes the scores of the rows found once more, from the rows, and orders by them. Without it the packed lowerings give scores that are
   * rounded toward zero to what is left beside a position: 23 mantissa bits less the binary logarithm of n / bins.
   */
  readonly rescore?: boolean
  /**
   * The database is one of so many equal shards: bins are chosen for the best k of all of them, and as many of this shard are given as could be among
   * those, k or all that survive. 1 by default; `shardedNearest` does the rest.
   */
  readonly shards?: number
}

/** The plan of a search as a scope's name: `nearest[packed-2 bins=128 recall=0.9916]`, which is part of every op's location. */
export const planName = ({ lowering, bins, expectedRecall }: SearchPlan): string =>
  `nearest[${lowering}${lowering === 'exact' ? '' : ` bins=${bins} recall=${expectedRecall.toFixed(4)}`}]`

/**
 * The k rows of a database nearest to each query, the nearest first: queries `f32[b,h,q,d]`, database `f32[b,h,n,d]` -> values `f32[b,h,q,k]`,
 * indices `i32[b,h,q,k]`. The database's axes before its last two are those that queries and database share, none for `[n,d]`; queries may
 * have any further axes. `values` are scores, f32 for narrower types, the larger the nearer: the inner product, the cosine (0 for a row of
 * zeros), or minus the squared distance. What is not there, where fewer than k rows are valid, has value -inf and index -1. A score that is
 * not a finite number counts as not there: queries with NaN find nothing, and rows with NaN are not found. The order of equal scores is open.
 * Gradients flow to queries and database, through the scores of the rows found. Which way the search takes, and why, says `chooseLowering`;
 * the scope of its ops names it. Throws `OpError`. Source: Chern et al. 2022, "TPU-KNN"; Samaga et al. 2025 for the best two of each bin.
 */
export function nearest(queries: Tensor, database: Tensor, options: NearestOptions): Neighbours {
  const { k, recallTarget = 0.95, distance = 'innerProduct', rowOrder = 'any', lowering = 'auto', rescore = false, shards = 1 } = options
  checkSides(queries, database)
  checkOptions(options, database)
  const size = database.shape.at(-2)!
  const plan = chooseLowering({ size, k, recallTarget, target: currentTarget(), lowering: lowering === 'auto' ? undefined : lowering, shards })
  const kept = Math.min(k, plan.lowering === 'exact' ? size : plan.bins * plan.perBin)
  const layout = layoutOf(plan, size, rowOrder)
  return scope(planName(plan), () => {
    recordChoice({
      what: 'search',
      of: `queries ${shortType(queries.type)}, database ${shortType(database.type)}, k ${k}, recall ${recallTarget}, ${distance}`,
      chosen: plan.lowering,
      reason: layout.stirred ? `${plan.reason}; rows in any order are mixed by each search` : plan.reason,
    })
    const limit = rowLimit(validRows(options.valid, database), database, layout)
    const find = (q: Tensor, rows: Tensor): Found => {
      const found = search(q, rows, { plan, layout, k: kept, recallTarget, sizeOverride: shards === 1 ? -1 : size * shards, distance, limit })
      return rescore ? rescored(found, q, rows, distance) : found
    }
    return withGradientToRows(find, distance)(queries, database)
  })
}

/** Scores and what stands there: `places` in the database that was given, `indices` in the user's. */
interface Found extends Neighbours {
  readonly places: Tensor
}

/** The best of some scores with their places, and the value that every real score is above. */
interface Best extends Neighbours {
  readonly lowest: number
}

interface Search {
  readonly plan: SearchPlan
  readonly layout: RowLayout
  readonly k: number
  readonly recallTarget: number
  /** The size of all shards together; -1 for one. */
  readonly sizeOverride: number
  readonly distance: Distance
  readonly limit: Tensor | undefined
}

/** The layout that a plan takes the rows in. The custom call makes bins itself, of any number, but of rows that may have to be stirred. */
function layoutOf({ lowering, bins }: SearchPlan, size: number, rowOrder: RowOrder): RowLayout {
  const reduces = lowering !== 'exact'
  const stirred = reduces && rowOrder === 'any'
  const flat = lowering === 'custom-call'
  return { size, mixed: rowOrder === 'mixed', stirred, flat, bins: !reduces || (flat && !stirred) ? undefined : flat ? bins & -bins : bins }
}

/** The search itself: ranking scores, what survives of them, and the best k of that. */
function search(queries: Tensor, database: Tensor, { plan, layout, k, recallTarget, sizeOverride, distance, limit }: Search): Found {
  const batch = database.rank - 2
  const scores = rankingScores(queries, viewRows(database, layout), batch, distance)
  const there = (): Tensor => onlyThere(scores, limit, batch)
  const unlimited = plan.lowering === 'exact' && limit === undefined
  const { values, indices, lowest } = unlimited ? bestOfAll(scores, k, there) : bestOf(there(), plan, { k, recallTarget, sizeOverride })
  const isThere = compare(values, lowest, 'GT')
  const row = givenRow(indices, layout)
  const orNone = (x: Tensor, none: number): Tensor => select(isThere, x, fill(none, x.type))
  return { values: orNone(scoresOfRanking(values, queries, distance), -Infinity), places: orNone(row, -1), indices: orNone(userRow(row, layout), -1) }
}

/**
 * The k best of scores of which all are there, but not all need be finite. If one is not, that shows among the best, where NaN and infinity come
 * first and minus infinity comes only when nothing else is left; so in the usual case no pass over the scores is spent on it.
 */
function bestOfAll(scores: Tensor, k: number, there: () => Tensor): Best {
  const axis = scores.rank - 1
  const best = sortedTopK(scores, k, axis)
  const finite = reduceAnd(compare(abs(best.values), Infinity, 'LT'))
  return { ...cond(finite, () => best, () => sortedTopK(there(), k, axis)), lowest: noScore(scores.dtype) }
}

/** The k best of scores `[..., n]` or `[..., R, L]` as the plan has it. */
function bestOf(scores: Tensor, { lowering, perBin }: SearchPlan, { k, recallTarget, sizeOverride }: Pick<Search, 'k' | 'recallTarget' | 'sizeOverride'>): Best {
  const axis = scores.rank - 1
  const lowest = noScore(scores.dtype)
  switch (lowering) {
    case 'exact':
      return { ...sortedTopK(scores, k, axis), lowest }
    case 'custom-call':
      return { ...approxTopKCall(scores, k, { k, axis, recallTarget: plannedRecall(recallTarget), aggregate: true, sizeOverride }), lowest }
    case 'partial-reduce':
      return { ...bestOfSurvivors(bestOfRows(scores), k, axis - 1), lowest }
    case 'packed':
    case 'packed-2': {
      const lines = scores.shape[axis - 1]
      const { packed, places } = bestPacked(scores, perBin)
      const best = bestOfSurvivors({ values: packed, indices: places }, k, axis - 1)
      return { values: unpackedScores(best.values, lines), indices: best.indices, lowest: lowestPacked(scores.dtype, lines) }
    }
  }
}

/** What was found, with scores computed from the rows, and in their order. */
function rescored({ values, places, indices }: Found, queries: Tensor, database: Tensor, distance: Distance): Found {
  const isThere = compare(values, -Infinity, 'GT')
  const again = select(isThere, scoresAt(queries, database, places, isThere, distance), values)
  const [sorted, sortedPlaces, sortedIndices] = sort([again, places, indices], values.rank - 1, ([a], [b]) => compare(a, b, 'GT'))
  return { values: sorted, places: sortedPlaces, indices: sortedIndices }
}

/**
 * The cotangents of queries and rows, of those of the scores at places that are 0 or more: what `scoresAt` gives there is differentiated, and the search is not.
 * `dValues f32[..., k]`, `places i32[..., k]` -> as queries and database.
 */
export function pullScoresBack(queries: Tensor, database: Tensor, places: Tensor, dValues: Tensor, distance: Distance): [Tensor, Tensor] {
  const isThere = compare(places, 0, 'GE')
  const { pullback } = vjp((q: Tensor, rows: Tensor) => scoresAt(q, rows, places, isThere, distance), queries, database)
  return pullback(select(isThere, dValues, zeros(dValues.type))) as [Tensor, Tensor]
}

/** Runs a search so that the gradient comes from the scores of the rows found, and no op of the search is walked back. */
const withGradientToRows = (find: (queries: Tensor, database: Tensor) => Found, distance: Distance) =>
  customVjp(
    (queries: Tensor, database: Tensor): readonly [Neighbours, { queries: Tensor; database: Tensor; places: Tensor }] => {
      const { values, places, indices } = find(queries, database)
      return [{ values, indices }, { queries, database, places }]
    },
    ({ queries, database, places }, d: Neighbours) => pullScoresBack(queries, database, places, d.values, distance),
  )

/** Throws `OpError` unless queries and database can be compared. */
function checkSides(queries: Tensor, database: Tensor): void {
  const both = `queries ${shortType(queries.type)}, database ${shortType(database.type)}`
  if (database.rank < 2) failIn('nearest', `a database has rows of numbers, [..., n, d]: ${both}`)
  const batch = database.rank - 2
  if (queries.rank < batch + 1) failIn('nearest', `queries need the database's ${batch} leading axes and an axis of numbers: ${both}`)
  if (queries.dtype !== database.dtype) failIn('nearest', `queries and database differ in element type: ${both}`)
  if (!isFloat(queries.dtype) || dtypes[queries.dtype].bits < 16) failIn('nearest', `vectors must be of type bf16, f16, f32 or f64: ${both}`)
  const [d, own] = [queries.shape.at(-1), database.shape.at(-1)]
  if (d !== own) failIn('nearest', `queries have ${d} numbers, rows have ${own}: ${both}`)
  if (!sameShape(queries.shape.slice(0, batch), database.shape.slice(0, batch))) failIn('nearest', `leading axes differ: ${both}`)
}

/** Throws `OpError` unless the options can be met. */
function checkOptions({ k, recallTarget = 0.95, distance, rowOrder, lowering, shards = 1 }: NearestOptions, database: Tensor): void {
  const size = database.shape.at(-2)!
  if (!Number.isInteger(k) || k < 1) failIn('nearest', `k is ${k}, must be an integer of 1 or more`)
  if (size === 0) failIn('nearest', `the database ${shortType(database.type)} has no rows, so that nothing is near; rows that may come later are rows that are not valid yet`)
  if (k > size * shards) failIn('nearest', `k is ${k}, but the database ${shortType(database.type)} has ${size} rows${shards === 1 ? '' : ` in each of ${shards} shards`}`)
  if (!(recallTarget > 0 && recallTarget <= 1)) failIn('nearest', `the recall target is ${recallTarget}, must be greater than 0 and at most 1`)
  const oneOf = (name: string, value: string | undefined, known: readonly string[]): void => {
    if (value !== undefined && !known.includes(value)) failIn('nearest', `${name} '${value}' is none of ${known.join(', ')}`)
  }
  oneOf('distance', distance, distances)
  oneOf('rowOrder', rowOrder, rowOrders)
  oneOf('lowering', lowering, ['auto', ...searchLowerings])
}
