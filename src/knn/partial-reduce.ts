import type { Tensor } from '../ir/module.ts'
import { integerRange } from '../ir/dtypes.ts'
import { tensorType } from '../ir/types.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { and, or } from '../ops/bitwise.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { iota } from '../ops/iota.ts'
import { reduce } from '../ops/reduce.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { pad, sliceAxis } from '../ops/slice-pad.ts'
import { sort } from '../ops/sort.ts'
import type { Neighbours } from './top-k.ts'

/**
 * The best of each of `bins` bins along `axis` in plain ops: entry i is in bin i mod L, and of equal entries the first wins. The axis is
 * filled up with -inf to a multiple of L, but every bin has an entry of its own, so that no index is ever out of range. NaN is unspecified.
 * `x f32[q,n]` -> `f32[q,L]`
 */
export function bestOfBins(x: Tensor, bins: number, axis: number): Neighbours {
  const size = x.shape[axis]
  const rows = Math.ceil(size / bins)
  const none = x.shape.map(() => 0)
  const padded = pad(x, -Infinity, none, none.with(axis, rows * bins - size))
  const shape = x.shape.toSpliced(axis, 1, rows, bins)
  return bestAlong(reshape(padded, shape), reshape(iota(tensorType('i32', padded.shape), axis), shape), axis)
}

/** The best of scores along an axis, and the index that goes with it, the least of equal ones. NaN is unspecified. */
export function bestAlong(scores: Tensor, indices: Tensor, axis: number): Neighbours {
  const inits = [fill(-Infinity, tensorType(scores.dtype, [])), fill(integerRange('i32').max, tensorType('i32', []))]
  const [values, places] = reduce([scores, indices], inits, [axis], ([a, i], [b, j]) => {
    const first = or(compare(a, b, 'GT'), and(compare(a, b, 'EQ'), compare(i, j, 'LT')))
    return [select(first, a, b), select(first, i, j)]
  })
  return { values, indices: places }
}

/** The best of each bin of scores `[..., R, L]`, whose entry `(r, l)` is entry `r L + l` and in bin `l`. */
export function bestOfRows(scores: Tensor): Neighbours {
  const axis = scores.rank - 2
  const { values, indices } = bestAlong(scores, iota(tensorType('i32', scores.shape), axis), axis)
  return { values, indices: add(multiply(indices, scores.shape[axis + 1]), iota(indices.type, axis)) }
}

/** The k best of survivors that carry their positions. Unstable: a stable sort takes a TPU twice as long, and ties are open anyway. */
export function bestOfSurvivors({ values, indices }: Neighbours, k: number, axis: number): Neighbours {
  const [sorted, places] = sort([values, indices], axis, ([a], [b]) => compare(a, b, 'GT'), { stable: false })
  return { values: sliceAxis(sorted, axis, 0, k), indices: sliceAxis(places, axis, 0, k) }
}
