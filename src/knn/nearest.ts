import { isFloat } from '../ir/dtypes.ts'
import { EngramError } from '../ir/errors.ts'
import { Tensor } from '../ir/module.ts'
import { sameShape, shortType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { wideType } from '../lib/wide.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { select } from '../ops/select.ts'
import { scope } from '../trace/frame.ts'
import { currentTarget } from '../trace/target.ts'
import { type SearchLowering, type SearchPlan, chooseLowering, searchLowerings } from './plan.ts'
import { type Neighbours, topK } from './top-k.ts'

export const distances = ['innerProduct', 'cosine', 'l2'] as const
export type Distance = (typeof distances)[number]

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
   * What the order of the rows has to do with the scores. `any` (the default): maybe all, as in sorted or periodic data: where it matters the
   * program mixes the rows first, at the price of one pass over the database. `unrelated`: nothing, says the caller. `mixed`: the
   * database comes from `mixRows`, which was paid once; the indices found are those before mixing, and `valid` speaks of those too.
   */
  readonly rowOrder?: RowOrder
  /** Takes this lowering instead of the one that `chooseLowering` chooses. */
  readonly lowering?: SearchLowering | 'auto'
}

/** The plan of a search as a scope's name: `nearest[packed-2 bins=128 recall=0.9916]`, which `engram compile` and every op's location show. */
export const planName = ({ lowering, bins, expectedRecall }: SearchPlan): string =>
  `nearest[${lowering}${lowering === 'exact' ? '' : ` bins=${bins} recall=${expectedRecall.toFixed(4)}`}]`

/**
 * The k rows of a database nearest to each query, the nearest first: queries `f32[b,h,q,d]`, database `f32[b,h,n,d]` -> values `f32[b,h,q,k]`,
 * indices `i32[b,h,q,k]`. The database's axes before its last two are those that queries and database share, none for `[n,d]`; queries may
 * have any further axes. `values` are scores, the larger the nearer: the inner product, the cosine, or minus the squared distance. What is
 * not there, where fewer than k rows are valid, has value -inf and index -1. A score that is not a finite number counts as not there: rows and
 * queries with NaN find nothing and are not found. Throws `OpError`.
 */
export function nearest(queries: Tensor, database: Tensor, options: NearestOptions): Neighbours {
  const { k, recallTarget = 0.95, lowering = 'auto' } = options
  const size = database.shape.at(-2)!
  const plan = chooseLowering({ size, k, recallTarget, target: currentTarget(), lowering: lowering === 'auto' ? undefined : lowering })
  return scope(planName(plan), () => {
    const batch = database.shape.slice(0, -2).map((_, i) => i)
    const scores = dotGeneral(queries, database, { batching: [batch, batch], contracting: [[queries.rank - 1], [database.rank - 1]], outputDtype: wideType(database.dtype) })
    return topK(scores, k)
  })
}
void [isFloat, EngramError, sameShape, shortType, failIn, broadcastInDim, compare, fill, select, searchLowerings]
