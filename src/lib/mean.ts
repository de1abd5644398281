import type { Tensor } from '../ir/module.ts'
import { divide, multiply, subtract } from '../ops/arithmetic.ts'
import { resolveAxes } from '../ops/axes.ts'
import { sqrt } from '../ops/elementwise-unary.ts'
import { type ReduceOptions, reduceSum } from '../ops/reduce.ts'
import { inWideType, needFloat } from './wide.ts'

type Axes = number | readonly number[]

/** Number of elements that go into one element of a reduction. */
function countOver(name: string, x: Tensor, axes: Axes | undefined): number {
  const over = axes === undefined ? x.shape.map((_, axis) => axis) : resolveAxes(name, axes, x.rank)
  return over.reduce((count, axis) => count * x.shape[axis], 1)
}

/**
 * Mean over axes (all if none are named), summed in f32 for narrower floats; of no elements it is NaN.
 * `x f32[b,s,d]`, axes -1 -> `f32[b,s]`. Throws `OpError`.
 */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  needFloat('mean', x)
  const count = countOver('mean', x, axes)
  return inWideType(x, (wide) => divide(reduceSum(wide, axes, options), count))
}

/** Mean squared distance from the mean over axes (the population's: divided by the count). Throws `OpError`. */
export function variance(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  needFloat('variance', x)
  return inWideType(x, (wide) => {
    const centred = subtract(wide, mean(wide, axes, { keepDims: true }))
    return mean(multiply(centred, centred), axes, options)
  })
}

/** Root of `variance`. Its gradient is not finite where all elements are equal. Throws `OpError`. */
export const standardDeviation = (x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor =>
  inWideType(x, (wide) => sqrt(variance(wide, axes, options)))
