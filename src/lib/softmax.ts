import { stopGradient } from '../autodiff/custom.ts'
import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastTo } from '../ops/broadcast.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { exponential, log } from '../ops/elementwise-unary.ts'
import { compare } from '../ops/compare.ts'
import { ones } from '../ops/constant.ts'
import { type ReduceOptions, reduceMax, reduceSum } from '../ops/reduce.ts'
import { squeeze } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { inWideType, needFloat } from './wide.ts'

/**
 * The largest element per row, which is subtracted so that no exponential overflows. It cancels out of every result, so nothing is
 * differentiated through it. A row of -inf alone gets the lowest finite number, so that the difference stays -inf and not NaN.
 */
const rowMaximum = (x: Tensor, axes: number | readonly number[] | undefined): Tensor =>
  stopGradient(maximum(reduceMax(x, axes, { keepDims: true }), -largestFinite(x.dtype)))

// One division per row and a product per element, there and back.
const share = (exponentials: Tensor, sums: Tensor): Tensor => multiply(exponentials, divide(1, sums))

/** `exp(x) / sum exp(x)` along `axis`, in f32 for narrower floats; a row of -inf alone gives NaN, see `maskedSoftmax`. Throws `OpError`. */
export function softmax(x: Tensor, axis = -1): Tensor {
  needFloat('softmax', x)
  return inWideType(x, (wide) => {
    const exponentials = exponential(subtract(wide, rowMaximum(wide, axis)))
    return share(exponentials, reduceSum(exponentials, axis, { keepDims: true }))
  })
}

/**
 * Softmax over the elements along `axis` where `mask` (`bool`, of the shape of `x` or with axes of size 1) is true; the others get 0. A row
 * with nothing to attend to gives zeros, and its gradient is zero too. Masked elements may hold anything, NaN included. Throws `OpError`.
 */
export function maskedSoftmax(x: Tensor, mask: Tensor, axis = -1): Tensor {
  needFloat('maskedSoftmax', x)
  return inWideType(x, (wide) => {
    const masked = select(broadcastTo(mask, wide.shape), wide, -Infinity)
    const exponentials = exponential(subtract(masked, rowMaximum(masked, axis)))
    const sums = reduceSum(exponentials, axis, { keepDims: true })
    return share(exponentials, select(compare(sums, 0, 'EQ'), ones(sums.type), sums))
  })
}

/** `log(softmax(x))` along `axis`, computed without its underflow; in f32 for narrower floats. Throws `OpError`. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  needFloat('logSoftmax', x)
  return inWideType(x, (wide) => {
    const shifted = subtract(wide, rowMaximum(wide, axis))
    return subtract(shifted, log(reduceSum(exponential(shifted), axis, { keepDims: true })))
  })
}

/** `log(sum exp(x))` over axes (all if none are named) without overflow; in f32 for narrower floats; -inf for -inf alone. Throws `OpError`. */
export function logSumExp(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  needFloat('logSumExp', x)
  if (x.rank === 0) return x
  return inWideType(x, (wide) => {
    const top = rowMaximum(wide, axes)
    const sum = add(log(reduceSum(exponential(subtract(wide, top)), axes, { keepDims: true })), top)
    return options.keepDims ? sum : squeeze(sum, axes ?? sum.shape.map((_, axis) => axis))
  })
}
