import type { Tensor } from '../ir/module.ts'
import { add, multiply } from '../ops/arithmetic.ts'

/** The polynomial with these coefficients, highest power first, by Horner's rule. */
export function polynomial(x: Tensor, coefficients: readonly number[]): Tensor {
  const [first, second, ...rest] = coefficients
  return rest.reduce((sum, coefficient) => add(multiply(sum, x), coefficient), add(multiply(x, first), second))
}
