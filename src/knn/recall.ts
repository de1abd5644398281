import { InputError } from '../ir/errors.ts'

/**
 * Approximate top-k by partial reduction, as TPUs do it: N scores are dealt to L bins, the best of each bin is kept, and the top k of the
 * L survivors are taken. An entry of the true top k is lost when it shares its bin with a better one. This file is the arithmetic of it: how
 * many bins a recall takes, and what recall a number of bins gives, over a random assignment of entries to bins.
 */

/** Throws `InputError` unless `value` is an integer of at least `least`. */
export function needCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw new InputError(`${name} is ${value}, must be an integer of ${least} or more`, 'KNN_COUNT')
}

/** Throws `InputError` unless the recall is in (0, 1]. */
export function needRecall(recall: number): void {
  if (!(recall > 0 && recall <= 1)) throw new InputError(`the recall target is ${recall}, must be greater than 0 and at most 1`, 'KNN_RECALL')
}

/**
 * The share of the true top k that survives when the best of each of `bins` bins is kept: `((L-1)/L)^(k-1)`. Throws `InputError`.
 * Source: Chern et al. 2022, "TPU-KNN", equation 12.
 */
export function expectedRecall(bins: number, k: number): number {
  needCount('bins', bins, 1)
  needCount('k', k, 1)
  return ((bins - 1) / bins) ** (k - 1)
}

/** The smallest number of bins with an expected recall of at least `recall`; Infinity for a recall of 1 and k above 1. Throws `InputError`. */
export function binsForRecall(k: number, recall: number): number {
  needCount('k', k, 1)
  needRecall(recall)
  if (k === 1) return 1
  if (recall === 1) return Infinity
  const bins = Math.ceil(1 / (1 - recall ** (1 / (k - 1))))
  // Rounding may have gone past an exact answer.
  return expectedRecall(bins - 1, k) >= recall ? bins - 1 : bins
}

export interface BinnedSearch {
  /** Entries searched, N. */
  readonly size: number
  readonly bins: number
  /** How many of each bin are kept. */
  readonly keptPerBin: number
  readonly k: number
}

/**
 * The share of the true top k that survives when the best few of each of B equal bins are kept, exactly:
 * `1 - B/k * sum_r (r - K') C(k,r) C(N-k, N/B-r) / C(N, N/B)` over r from K'+1 on. Throws `InputError` unless the bins divide the size.
 * Source: Samaga et al. 2025, theorem 1.
 */
export function expectedRecallOfBest({ size, bins, keptPerBin, k }: BinnedSearch): number {
  needCount('size', size, 1)
  needCount('bins', bins, 1)
  needCount('keptPerBin', keptPerBin, 1)
  needCount('k', k, 1)
  if (size % bins !== 0) throw new InputError(`${size} entries do not divide into ${bins} equal bins`, 'KNN_BINS')
  if (k > size) throw new InputError(`k is ${k}, there are ${size} entries`, 'KNN_COUNT')
  const perBin = size / bins
  let lost = 0
  for (let r = keptPerBin + 1; r <= Math.min(k, perBin); r++) {
    if (perBin - r > size - k) continue
    lost += (r - keptPerBin) * Math.exp(logChoose(k, r) + logChoose(size - k, perBin - r) - logChoose(size, perBin))
  }
  return 1 - (bins / k) * lost
}

const logChoose = (n: number, r: number): number => logFactorial(n) - logFactorial(r) - logFactorial(n - r)

/** Stirling's series above 20, where its error is below 1e-16 of the value. */
function logFactorial(n: number): number {
  if (n <= 20) {
    let product = 1
    for (let i = 2; i <= n; i++) product *= i
    return Math.log(product)
  }
  const inverse = 1 / n
  const square = inverse * inverse
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + series
}

export interface XlaBinsOptions {
  /** Rank of the scores; by default 2. Scores of rank 1 are laid out in larger tiles. */
  readonly rank?: number
  /** The size to reckon with in place of `size`, when `size` is one shard of it; -1 for none. */
  readonly sizeOverride?: number
}

const ceilLog2 = (n: number): number => (n <= 1 ? 0 : 32 - Math.clz32(n - 1))
const floorLog2 = (n: number): number => 31 - Math.clz32(n)

/**
 * How XLA's `ApproxTopK` divides `size` entries: the number of bins, and the binary logarithm of the entries per bin (0: no reduction, the
 * sort is exact). Throws `InputError`. Source: XLA, `ApproxTopKReductionOutputSize`.
 */
export function xlaBins(size: number, k: number, recall: number, { rank = 2, sizeOverride = -1 }: XlaBinsOptions = {}): { bins: number; log2PerBin: number } {
  needCount('size', size, 1)
  needCount('k', k, 1)
  needRecall(recall)
  const tile = rank === 1 ? 1024 : 128
  const whole = { bins: size, log2PerBin: 0 }
  if (size <= tile) return whole
  if (sizeOverride >= 0 && sizeOverride < size)
    throw new InputError(`reductionInputSizeOverride is ${sizeOverride}, must be at least the ${size} entries of this shard`, 'KNN_OVERRIDE')
  const global = sizeOverride >= 0 ? sizeOverride : size
  if (k === 1) return { bins: tile, log2PerBin: ceilLog2(Math.ceil(global / tile)) }
  if (recall === 1) return whole
  const wanted = Math.min(Math.max(Math.trunc((1 - k) / Math.fround(Math.log(Math.fround(recall)))), tile), global)
  const reduction = floorLog2(Math.floor(global / wanted))
  if (reduction === 0) return whole
  // One shard may have fewer tiles than the whole database would let go into a bin: then a bin has one tile, and the last is filled up.
  const log2 = Math.min(reduction, ceilLog2(Math.floor(size / tile)))
  return { bins: Math.ceil(Math.ceil(size / tile) / 2 ** log2) * tile, log2PerBin: log2 }
}
