import { extremeOf } from '../ops/reduce.ts'
import { dtypes } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { resolveAxis } from '../ops/axes.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { reverse } from '../ops/reverse.ts'
import { pad } from '../ops/slice-pad.ts'
import { inWideType } from './wide.ts'

export interface CumulativeOptions {
  /** From the end to the start. */
  readonly reverse?: boolean
}

/**
 * Prefix combinations by doubling: after step `i` every element has combined the `2^i` up to it. Source: Hillis and Steele 1986.
 * log2(n) steps of plain ops, so gradients come by themselves and no division is needed for products.
 */
function doubling(x: Tensor, axis: number, neutral: number | bigint | boolean, combine: (earlier: Tensor, later: Tensor) => Tensor): Tensor {
  const none = x.shape.map(() => 0)
  let sums = x
  for (let distance = 1; distance < x.shape[axis]; distance *= 2)
    sums = combine(pad(sums, neutral, none.with(axis, distance), none.with(axis, -distance)), sums)
  return sums
}

function cumulative(
  name: string,
  x: Tensor,
  axis: number,
  options: CumulativeOptions,
  neutral: (x: Tensor) => number | bigint | boolean,
  combine: (earlier: Tensor, later: Tensor) => Tensor,
): Tensor {
  const at = resolveAxis(name, axis, x.rank)
  return inWideType(x, (wide) => {
    const turned = options.reverse ? reverse(wide, at) : wide
    const result = doubling(turned, at, neutral(turned), combine)
    return options.reverse ? reverse(result, at) : result
  })
}

const isBool = (x: Tensor): boolean => dtypes[x.dtype].kind === 'bool'

/** Sums of all elements up to and including each along `axis`, in f32 for narrower floats; logical or for `bool`. Throws `OpError`. */
export const cumsum = (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor =>
  cumulative('cumsum', x, axis, options, (wide) => (isBool(wide) ? false : 0), add)

/** Products of all elements up to and including each along `axis`, in f32 for narrower floats; logical and for `bool`. Throws `OpError`. */
export const cumprod = (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor =>
  cumulative('cumprod', x, axis, options, (wide) => (isBool(wide) ? true : 1), multiply)

/** The largest of all elements up to and including each along `axis`; NaN from the first NaN on. Ties share the gradient. Throws `OpError`. */
export const cummax = (x: Tensor, axis = -1, options: CumulativeOptions = {}): Tensor =>
  cumulative('cummax', x, axis, options, (wide) => extremeOf(wide.dtype, 'lowest'), maximum)
