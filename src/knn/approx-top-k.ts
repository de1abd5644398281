import { isFloat } from '../ir/dtypes.ts'
import { EngramError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { negate } from '../ops/arithmetic.ts'
import { recordChoice } from '../trace/choices.ts'
import { currentTarget } from '../trace/target.ts'
import { approxTopKCall } from './approx-top-k-call.ts'
import { bestOfBins, bestOfSurvivors } from './partial-reduce.ts'
import { xlaBins } from './recall.ts'
import { type Neighbours, checkSearch, sortedTopK, withGradientToChosen } from './top-k.ts'

/**
 * Approximate top-k: one meaning (scores, k, recall target), several lowerings. `exact` is sort and slice; `custom-call` is what XLA's
 * TPU compiler fuses with the matrix product and nothing else accepts; `partial-reduce` is the same method in plain ops. `auto` is
 * the custom call on a TPU and the exact form everywhere else.
 */
export const approxTopKLowerings = ['auto', 'exact', 'custom-call', 'partial-reduce'] as const
export type ApproxTopKLowering = (typeof approxTopKLowerings)[number]

export interface ApproxTopKOptions {
  /** The axis that is searched; the last by default. */
  readonly axis?: number
  /** Expected share of the true top k among those found, in (0, 1]; 0.95 by default. */
  readonly recallTarget?: number
  readonly lowering?: ApproxTopKLowering
  /** False: all survivors of the partial reduction, unsorted, for a merge with those of other shards; as many as `survivorCount` says. True by default. */
  readonly aggregate?: boolean
  /** Size of the whole database where `x` has one shard's scores; -1 (the default) if it has all. */
  readonly reductionInputSizeOverride?: number
}

/** The number of survivors that `approxTopK` gives without aggregation. Throws `InputError`. */
export const survivorCount = (size: number, k: number, recallTarget: number, rank: number, sizeOverride = -1): number =>
  xlaBins(size, k, recallTarget, { rank, sizeOverride }).bins

/**
 * Approximately the k largest entries along an axis, the largest first, with their positions. Ties and NaN are unspecified; the gradient
 * goes to the entries chosen. The recall is that of entries whose order has nothing to do with their size: of entries that repeat with a period
 * of the bins far fewer are found. `nearest`, which has the rows and not only their scores, mixes them. `x f32[q,n]` -> values `f32[q,k]`, indices `i32[q,k]`. Throws `OpError`.
 * Source: Chern et al. 2022, "TPU-KNN: K nearest neighbor search at peak FLOP/s".
 */
export function approxTopK(x: Tensor, k: number, options: ApproxTopKOptions = {}): Neighbours {
  const { recallTarget = 0.95, lowering = 'auto', aggregate = true, reductionInputSizeOverride: sizeOverride = -1 } = options
  const axis = checkSearch('approxTopK', x, k, options.axis ?? -1)
  if (!isFloat(x.dtype)) failIn('approxTopK', `scores must be of a float type, got ${shortType(x.type)}`)
  if (!approxTopKLowerings.includes(lowering)) failIn('approxTopK', `lowering '${lowering}' is none of ${approxTopKLowerings.join(', ')}`)
  const bins = binsOf(x, k, axis, recallTarget, sizeOverride)
  const entries = x.shape[axis]
  const chosen = lowering === 'auto' ? (currentTarget() === 'tpu' ? 'custom-call' : 'exact') : lowering
  // With as many bins as entries, or fewer than k, there is nothing to reduce.
  const reducible = bins < entries && bins >= k
  const target = currentTarget()
  const why = lowering === 'auto' ? (target === undefined ? 'no target is named' : `the target is ${target}`) : `${lowering} was asked for`
  recordChoice({
    what: 'approxTopK',
    of: `${k} of ${entries} along axis ${axis} of ${shortType(x.type)}, recall ${recallTarget}`,
    chosen,
    reason: `${chosen}: ${why}; ${reducible ? `XLA's rule gives ${bins} bins` : 'there is nothing to reduce'}`,
  })
  const search = (scores: Tensor): Neighbours => {
    if (chosen === 'custom-call' && bins >= k) return approxTopKCall(scores, aggregate ? k : bins, { k, axis, recallTarget, aggregate, sizeOverride })
    if (chosen !== 'partial-reduce' || !reducible) return sortedTopK(scores, aggregate ? k : Math.min(bins, entries), axis)
    const survivors = bestOfBins(scores, bins, axis)
    return aggregate ? bestOfSurvivors(survivors, k, axis) : survivors
  }
  return withGradientToChosen(search, x, axis)
}

/**
 * Approximately the k smallest entries along an axis, the smallest first, with their positions; otherwise as `approxTopK`:
 * `x f32[q,n]` -> values `f32[q,k]`, indices `i32[q,k]`. Throws `OpError`.
 */
export function approxBottomK(x: Tensor, k: number, options: ApproxTopKOptions = {}): Neighbours {
  const { values, indices } = approxTopK(negate(x), k, options)
  return { values: negate(values), indices }
}

function binsOf(x: Tensor, k: number, axis: number, recallTarget: number, sizeOverride: number): number {
  try {
    return survivorCount(x.shape[axis], k, recallTarget, x.rank, sizeOverride)
  } catch (error) {
    if (error instanceof EngramError) failIn('approxTopK', error.message)
    throw error
  }
}
