import { isFloat } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { resolveAxis } from '../ops/axes.ts'
import { or } from '../ops/bitwise.ts'
import { broadcastTo } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { iota } from '../ops/iota.ts'
import { type ReduceOptions, reduceMax, reduceMin } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'
import { failIn } from './library-error.ts'

function firstPosition(name: string, x: Tensor, axis: number, options: ReduceOptions, extreme: typeof reduceMax): Tensor {
  const at = resolveAxis(name, axis, x.rank)
  const size = x.shape[at]
  if (size === 0) failIn(name, `axis ${at} of ${shortType(x.type)} is empty`)
  const best = compare(x, broadcastTo(extreme(x, at, { keepDims: true }), x.shape), 'EQ')
  // A NaN makes the extreme NaN, which equals nothing: then only the NaNs count.
  const chosen = isFloat(x.dtype) ? or(best, compare(x, x, 'NE')) : best
  const type = tensorType('i32', x.shape)
  return reduceMin(select(chosen, iota(type, at), fill(size - 1, type)), at, options)
}

/**
 * Position (`i32`) of the largest element along `axis`: the first among equals, and the first NaN if there is one (as NumPy).
 * No gradient. Throws `OpError` for an empty axis.
 */
export const argMax = (x: Tensor, axis = -1, options: ReduceOptions = {}): Tensor => firstPosition('argMax', x, axis, options, reduceMax)

/** Position (`i32`) of the smallest element along `axis`; the rules of `argMax`. Throws `OpError` for an empty axis. */
export const argMin = (x: Tensor, axis = -1, options: ReduceOptions = {}): Tensor => firstPosition('argMin', x, axis, options, reduceMin)
