import type { Tensor } from '../ir/module.ts'
import { add, multiply, negate } from '../ops/arithmetic.ts'
import { abs, exponential, logistic, logPlusOne, tanh } from '../ops/elementwise-unary.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { erf } from './erf.ts'
import { inWideType, needFloat } from './wide.ts'

/** Element-wise functions between layers. All give the type they get; exponentials of narrow floats are taken in f32. */

/** `1 / (1 + exp(-x))` */
export const sigmoid = logistic

/** `x sigmoid(x)`, also called swish. Source: Ramachandran et al. 2017. */
export const silu = (x: Tensor): Tensor => multiply(x, logistic(x))

/** `log(1 + exp(x))` without overflow. Throws `OpError`. */
export function softplus(x: Tensor): Tensor {
  needFloat('softplus', x)
  return inWideType(x, (wide) => add(maximum(wide, 0), logPlusOne(exponential(negate(abs(wide))))))
}

export interface GeluOptions {
  /** `erf` is the definition; `tanh` its usual approximation, within 5e-4 of it. */
  readonly form?: 'tanh' | 'erf'
}

/**
 * `x` times the standard normal distribution's share below `x`: by default in its tanh approximation.
 * Source: Hendrycks and Gimpel 2016. Throws `OpError`.
 */
export function gelu(x: Tensor, { form = 'tanh' }: GeluOptions = {}): Tensor {
  needFloat('gelu', x)
  return inWideType(x, (wide) => {
    const share = form === 'erf'
      ? erf(multiply(wide, Math.SQRT1_2))
      : tanh(multiply(add(multiply(multiply(multiply(wide, wide), wide), 0.044715), wide), Math.sqrt(2 / Math.PI)))
    return multiply(wide, add(multiply(share, 0.5), 0.5))
  })
}
