import type { Target } from '../trace/target.ts'
import { InputError } from '../ir/errors.ts'
import { expectedRecall, expectedRecallOfBest, needCount, needRecall, xlaBins } from './recall.ts'

/**
 * How a search is carried out. All lowerings mean the same: the k best of n scores, of which the share `recallTarget` has to be found on average.
 *
 * - `exact`: all scores, then XLA's top-k. The scores are in memory; on a CPU nothing is faster.
 * - `custom-call`: XLA's own `ApproxTopK`, which its TPU compiler fuses with the matrix product, and which compiles nowhere else.
 * - `partial-reduce`: the same method in plain ops: the best of each bin with its position.
 * - `packed`: the best of each bin, its position in the low bits of the score, so that one plain maximum does.
 * - `packed-2`: the best two of each bin in the same way, by a network of maxima and minima: fewer survivors to sort for the same recall.
 */
export const searchLowerings = ['exact', 'custom-call', 'partial-reduce', 'packed', 'packed-2'] as const
export type SearchLowering = (typeof searchLowerings)[number]

export interface SearchSize {
  /** Rows of the database, n. */
  readonly size: number
  readonly k: number
  /** Expected share of the true neighbours among those found, in (0, 1]; 0.95 by default. */
  readonly recallTarget?: number
  /** Where the search will run; without one, what runs everywhere. */
  readonly target?: Target | undefined
  /** Takes this lowering; only its bins are chosen. */
  readonly lowering?: SearchLowering | undefined
  /** `size` entries are one of so many equal shards; k and the recall are those of the best of all shards. 1 by default. */
  readonly shards?: number | undefined
}

/** What `chooseLowering` decided. */
export interface SearchPlan {
  readonly lowering: SearchLowering
  /** How many bins the entries are dealt to; all of them where nothing is reduced. */
  readonly bins: number
  /** How many of each bin survive. */
  readonly perBin: 1 | 2
  /** Share of the true neighbours to expect, over a random assignment of entries to bins. */
  readonly expectedRecall: number
  /** One sentence for a person. */
  readonly reason: string
}

/** Bins come in whole rows of a TPU's vector registers, which have 128 lanes. */
const lanes = 128

/** Positions take this many of a packed score's 23 bits at most: 13 are left, 5 more than the bf16 products have that the scores are sums of. */
const mostPackedBits = 10

/**
 * Share of what may be lost that is kept in hand. The theory is about the mean over all orders of the rows; the order of one database is one draw, and
 * if many queries have the same neighbours it is the same draw for all of them. And a packed score loses low bits.
 */
const spare = 0.5

/** The recall that bins are chosen for, so that the recall wanted is reached by more than the mean. */
export const plannedRecall = (recallTarget: number): number => recallTarget + spare * (1 - recallTarget)

/**
 * The lowering of a search, and its bins. Exact unless the target is a TPU; there the best two of each bin, or the best one if that does, for as
 * many bins as reach the recall target. Throws `InputError` for a recall outside (0, 1], and a k that is not an integer from 1 to `size`.
 */
export function chooseLowering({ size, k, recallTarget = 0.95, target, lowering, shards = 1 }: SearchSize): SearchPlan {
  needCount('size', size, 1)
  needCount('k', k, 1)
  needRecall(recallTarget)
  needCount('shards', shards, 1)
  if (k > size * shards) throw new InputError(`k is ${k}, there are ${size * shards} entries`, 'KNN_COUNT')
  const asked = lowering && `${lowering} was asked for`
  const exact = (why: string): SearchPlan => ({ lowering: 'exact', bins: size, perBin: 1, expectedRecall: 1, reason: why })
  if (lowering === 'exact') return exact('exact was asked for')
  if (lowering === 'custom-call') {
    const { bins, log2PerBin } = xlaBins(size, k, plannedRecall(recallTarget), { sizeOverride: shards === 1 ? -1 : size * shards })
    if (log2PerBin === 0 || bins < k) return exact(`exact: ApproxTopK would not reduce ${size} entries for ${k} of them at a recall of ${recallTarget}`)
    return { lowering, bins, perBin: 1, expectedRecall: expectedRecall(bins * shards, k), reason: `${asked}; XLA chooses ${bins} bins` }
  }
  if (!lowering && target !== 'tpu') return exact(`exact: ${target === undefined ? 'no target is named' : `the target is ${target}`}, where all scores and a top-k cost least`)
  if (recallTarget === 1) return exact('exact: the recall target is 1')
  const binsFor = (way: SearchLowering) => enoughBins(size, k, recallTarget, { perBin: way === 'packed-2' ? 2 : 1, packed: way !== 'partial-reduce', shards })
  const [one, two] = lowering ? [] : [binsFor('packed'), binsFor('packed-2')]
  // The best one of each bin is found sooner than the best two, which are there to leave fewer survivors.
  const chosen = lowering ?? (one && (!two || one.bins <= 2 * two.bins) ? 'packed' : 'packed-2')
  const perBin = chosen === 'packed-2' ? 2 : 1
  const found = binsFor(chosen)
  if (!found) return exact(`exact: ${size} entries are too few to reduce for ${k} of them at a recall of ${recallTarget}`)
  const { bins, recall } = found
  const best = perBin === 2 ? 'the best two' : 'the best'
  const where = shards === 1 ? '' : ` of each of ${shards} shards`
  return { lowering: chosen, bins, perBin, expectedRecall: recall, reason: `${asked ?? `${chosen}: the target is tpu`}; ${best} of each of ${bins} bins${where} reach recall ${recall.toFixed(4)} for the ${recallTarget} wanted` }
}

/** The least number of bins that reaches the recall; undefined if what survives would be more than half of the entries. */
function enoughBins(size: number, k: number, recallTarget: number, { perBin, packed, shards }: { perBin: number; packed: boolean; shards: number }): { bins: number; recall: number } | undefined {
  for (let bins = lanes; 2 * bins * perBin <= size; bins *= 2) {
    const rows = Math.ceil(size / bins)
    if (bins * perBin * shards < k || (packed && rows > 2 ** mostPackedBits)) continue
    const recall = expectedRecallOfBest({ size: rows * bins * shards, bins: bins * shards, keptPerBin: perBin, k })
    if (recall >= plannedRecall(recallTarget)) return { bins, recall }
  }
  return undefined
}
