import '../../src/lib/tensor-methods.ts'
import { describe, it } from 'vitest'
import { checkpoint, customVjp } from '../../src/autodiff/custom.ts'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { scan } from '../../src/lib/loops.ts'
import { add, divide, multiply, negate } from '../../src/ops/arithmetic.ts'
import { exponential, sine } from '../../src/ops/elementwise-unary.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { checkGradient } from '../support/gradient-check.ts'

/** x^2 e^x, with a residual that is an output, one that is neither input nor output, and one that is an input. */
const rule = customVjp(
  (x: Tensor) => {
    const growth = exponential(x)
    const square = multiply(x, x)
    const y = multiply(square, growth)
    return [{ y, square }, { y, growth, x }] as const
  },
  ({ y, growth, x }, d) => [add(multiply(d.y, add(y, multiply(multiply(x, 2), growth))), multiply(d.square, multiply(x, 2)))],
)
const gradientOf = (fn: (x: Tensor) => Tensor) => (x: Tensor) => grad((v: Tensor) => reduceSum(fn(v)))(x)
const inputs = [HostArray.from('f64', [0.3, -1.2, 2])]

describe('the gradient of a custom gradient', () => {
  it('flows through residuals of every kind', () => {
    checkGradient({ build: (x) => rule(x).y, inputs })
    checkGradient({ build: gradientOf((x) => multiply(rule(x).y, rule(x).square)), inputs })
    checkGradient({ build: gradientOf(gradientOf((x) => rule(x).y)), inputs, tolerance: 1e-6 })
  })

  it('does so inside checkpoints, other rules and loops', () => {
    checkGradient({ build: gradientOf(checkpoint((x: Tensor) => sine(rule(x).y))), inputs })
    const outer = customVjp((x: Tensor) => {
      const { y } = rule(x)
      return [negate(y), y] as const
    }, (y, d) => [multiply(d, divide(y, 3))])
    const backward = (x: Tensor) => divide(rule(x).y, 3)
    checkGradient({ build: (x) => add(gradientOf((v) => outer(v))(x), negate(backward(x))), inputs })
    checkGradient({ build: gradientOf((x) => scan((c: Tensor, row: Tensor) => [add(sine(c), rule(row).y), c] as const, multiply(x, 0), x.reshape(3, 1).broadcastTo(3, 3))[0]), inputs })
  })
})
