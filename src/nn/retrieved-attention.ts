import { stopGradient } from '../autodiff/custom.ts'
import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { unmixedIndex } from '../knn/mix-rows.ts'
import { type RowOrder, nearest } from '../knn/nearest.ts'
import { positionBits } from '../knn/packed.ts'
import { type SearchLowering, type SearchPlan, chooseLowering } from '../knn/plan.ts'
import type { Neighbours } from '../knn/top-k.ts'
import { failIn } from '../lib/library-error.ts'
import { maskedSoftmax } from '../lib/softmax.ts'
import { wideType } from '../lib/wide.ts'
import { multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { abs } from '../ops/elementwise-unary.ts'
import { squeeze } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { recordChoice } from '../trace/choices.ts'
import { scope } from '../trace/frame.ts'
import { currentTarget } from '../trace/target.ts'
import type { KeysAndValues } from './cache.ts'
import { fetchPackedRows, fetchRows } from './fetch-rows.ts'
import { pairProducts, perQuery, recomputedAttention } from './recomputed-attention.ts'
import { type Retrieval, chooseRetrieval } from './retrieval-plan.ts'

export const searches = ['exact', 'approximate'] as const

export interface RetrievedAttentionOptions {
  /** `bool[b,n]`: the rows of the memory that a slot may read. */
  readonly filled: Tensor
  /**
   * What the order of the rows has to do with the scores. `any` (the default): maybe all, and the search mixes them where that matters. `mixed`: they
   * and `filled` stand in the order of `mixRows`, as a ring of `ringOrder` 'mixed' has them; `places` are those before mixing.
   */
  readonly rowOrder?: Exclude<RowOrder, 'unrelated'>
  readonly neighbours: number
  readonly search: (typeof searches)[number]
  /** Share of the true neighbours that an approximate search has to find on average. */
  readonly recallTarget: number
  /** Takes this lowering of the approximate search instead of the one that `chooseLowering` chooses. */
  readonly searchLowering?: SearchLowering | 'auto' | undefined
  /** Takes this way to the rows instead of the one that `chooseRetrieval` chooses. */
  readonly retrieval?: Retrieval | 'auto' | undefined
}

export interface RetrievedAttention {
  /** `[b,h,s,d]` in the type of the queries. */
  readonly out: Tensor
  /** `i32[b,h,s,k]`: places of the neighbours found, the nearest first; -1 where a slot has fewer. Nothing is computed for it unless it is used. */
  readonly places: Tensor
  /** `f32[b,h,s,k]`: the neighbours' shares of the attention, 0 where there is none. By `masked-dense` of their own sum. */
  readonly weights: Tensor
}

/**
 * Attention of each query to its `k` nearest keys of a memory and to nothing else, without positions: queries `[b,h,s,d]`, memory `[b,h,n,d]` ->
 * `[b,h,s,d]`. Every slot and head has its own memory. The gradient reaches the queries through the scores, not through the search, and never
 * the memory. A query that finds nothing gets zeros. `masked-dense` attends to the places that score no less than the worst neighbour found:
 * to the same ones after an exact search without ties, and after an approximate one also to those that it missed and should have
 * found; its scores are products in the memory's type. Throws `OpError`. Source: Wu et al. 2022, section 3.2.
 */
export function retrievedAttention(queries: Tensor, memory: KeysAndValues, options: RetrievedAttentionOptions): RetrievedAttention {
  const { filled, neighbours, rowOrder = 'any', retrieval = 'auto' } = options
  const [asked, keys, values] = stopGradient([queries, memory.keys, memory.values])
  const memorySize = keys.shape[2]
  const wanted = { k: neighbours, ...searchAsked(options) }
  // Of rows that are mixed, their stored order has nothing to do with anything, and `filled` is of that order.
  const found = nearest(convert(asked, keys.dtype), keys, { ...wanted, valid: filled, rowOrder: rowOrder === 'mixed' ? 'unrelated' : 'any' })
  const places = rowOrder === 'mixed' ? select(isThere(found), unmixedIndex(found.indices, memorySize), found.indices) : found.indices
  const plan = chooseRetrieval({
    memorySize,
    neighbours,
    computeDtype: queries.dtype,
    memoryDtype: keys.dtype,
    target: currentTarget(),
    retrieval: retrieval === 'auto' ? undefined : retrieval,
  })
  return scope(`retrieved[${plan.retrieval}]`, () => {
    recordChoice({ what: 'retrieval', of: `${neighbours} of ${memorySize} places, memory ${shortType(keys.type)}`, chosen: plan.retrieval, reason: plan.reason })
    if (plan.retrieval === 'masked-dense') {
      const slack = scoreSlack(chooseLowering({ ...wanted, size: memorySize, target: currentTarget() }), memorySize, found.values.dtype)
      return { ...attendAboveThreshold(queries, { keys, values }, filled, found, slack), places }
    }
    const rows = (plan.retrieval === 'gather' ? fetchRows : fetchPackedRows)({ keys, values }, found.indices)
    return { ...attendRows(queries, rows, found), places }
  })
}

/** What `nearest` is asked for. The custom call is refused where no compiler takes it. Throws `OpError`. */
function searchAsked({ search, recallTarget, searchLowering = 'auto' }: RetrievedAttentionOptions): { recallTarget: number; lowering?: SearchLowering } {
  if (search === 'exact') return { recallTarget: 1 }
  if (searchLowering === 'auto') return { recallTarget }
  const target = currentTarget()
  if (searchLowering === 'custom-call' && target !== 'tpu' && target !== 'interpreter')
    failIn('retrievedAttention', `searchLowering "custom-call" compiles for TPUs alone, and ${target ? `the target is ${target}` : 'no target is named'}: partial-reduce, packed and packed-2 run everywhere`)
  return { recallTarget, lowering: searchLowering }
}

/** Scores are computed again from the rows fetched, so that the gradient reaches the queries. */
function attendRows(queries: Tensor, rows: KeysAndValues, found: Neighbours): Omit<RetrievedAttention, 'places'> {
  const batching = [[0, 1, 2], [0, 1, 2]] as const
  const [keys, values] = [convert(rows.keys, queries.dtype), convert(rows.values, queries.dtype)]
  const scores = dotGeneral(queries, keys, { batching, contracting: [[3], [4]], outputDtype: wideType(queries.dtype) })
  const weights = maskedSoftmax(scores, isThere(found))
  return { out: dotGeneral(convert(weights, values.dtype), values, { batching, contracting: [[3], [3]] }), weights }
}

const isThere = ({ values }: Neighbours): Tensor => compare(values, -Infinity, 'GT')

interface Threshold {
  /** `bool[b,n]` */
  readonly filled: Tensor
  /** `f32[b,h,s]`: scores from here on take part. */
  readonly least: Tensor
  /** `f32[b,h,s]` */
  readonly largest: Tensor
}

function attendAboveThreshold(queries: Tensor, { keys, values }: KeysAndValues, filled: Tensor, found: Neighbours, slack: number): Omit<RetrievedAttention, 'places'> {
  const scores = stopGradient(found.values)
  const neighbours = scores.shape[3]
  const at = (i: number): Tensor => squeeze(sliceAxis(scores, 3, i, i + 1), 3)
  const worst = at(neighbours - 1)
  const threshold = { filled, least: subtract(worst, multiply(abs(worst), slack)), largest: at(0) }
  const out = attendAbove(convert(queries, keys.dtype), keys, values, threshold)
  return { out: convert(out, queries.dtype), weights: maskedSoftmax(scores, isThere(found)) }
}

/**
 * By how much of itself a score of the search may be above the same score computed again: by the rounding of its sum, and by what a packed
 * lowering has cut off from a negative one to make room for a position.
 */
function scoreSlack({ lowering, bins }: SearchPlan, size: number, dtype: DType): number {
  const packed = lowering === 'packed' || lowering === 'packed-2'
  const lostBits = Math.max(3, packed ? positionBits(Math.ceil(size / bins)) : 0)
  return 2 ** (lostBits + 1 - (dtype === 'f64' ? 52 : 23))
}

const attendAbove = recomputedAttention<Threshold>({
  scores: (queries, keys, { filled, least }) => {
    const products = pairProducts(queries, keys)
    // Two selects and not one by both conditions: XLA's TPU compiler then takes them into the product's own pass, forward as well.
    const known = select(broadcastInDim(filled, products.shape, [0, 3]), products, -Infinity)
    return select(compare(known, perQuery(least, known), 'GE'), known, -Infinity)
  },
  largest: ({ largest }) => largest,
  extraGradient: () => ({ filled: null, least: null, largest: null }),
  intoKeys: false,
})
