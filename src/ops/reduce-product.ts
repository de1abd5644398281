import type { Tensor } from '../ir/module.ts'
import { multiply } from './arithmetic.ts'
import { broadcastTo } from './broadcast.ts'
import { pad, sliceAxis } from './slice-pad.ts'

/**
 * For each element, the product of all others along `axes`: the derivative of a product. It divides nothing, so it is right, and
 * can itself be differentiated, where elements are zero.
 */
export function exclusiveProduct(operand: Tensor, axes: readonly number[]): Tensor {
  const [axis, ...rest] = axes
  if (axis === undefined) return operand
  const before = productOfPrevious(operand, axis, 1)
  const others = multiply(before, productOfPrevious(operand, axis, -1))
  if (rest.length === 0) return others
  const last = operand.shape[axis] - 1
  if (last < 0) return others
  // Along the other axes, the products along this one take the place of the elements.
  const whole = sliceAxis(multiply(before, operand), axis, last, last + 1)
  const outer = exclusiveProduct(whole, rest)
  return multiply(others, broadcastTo(outer, operand.shape))
}

/** The product of the elements before each one (`direction` 1) or after it (-1), in log2(n) steps. */
function productOfPrevious(operand: Tensor, axis: number, direction: 1 | -1): Tensor {
  const shift = (x: Tensor, by: number): Tensor => {
    const low = x.shape.map((_, i) => (i === axis ? by * direction : 0))
    return pad(x, 1, low, low.map((amount) => -amount))
  }
  const size = operand.shape[axis]
  if (size === 0) return operand
  let product = shift(operand, 1)
  for (let step = 1; step < size; step *= 2) product = multiply(product, shift(product, step))
  return product
}
