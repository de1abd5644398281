import { z } from 'zod'
import { tensorType } from '../../ir/types.ts'
import { add, divide, multiply, subtract } from '../../ops/arithmetic.ts'
import { convert } from '../../ops/convert.ts'
import { fill, zeros } from '../../ops/constant.ts'
import { power } from '../../ops/elementwise-binary.ts'
import { sqrt } from '../../ops/elementwise-unary.ts'
import { type Schedule, learningRateAt, scheduleSchema } from '../schedule.ts'
import { type Optimizer, perParameter } from './optimizer.ts'

export const adamSchema = z.strictObject({
  kind: z.literal('adam'),
  schedule: scheduleSchema,
  beta1: z.number().min(0).max(0.99999).default(0.9),
  beta2: z.number().min(0).max(0.999999).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  /** Decoupled from the gradient, scaled by the learning rate (AdamW). */
  weightDecay: z.number().nonnegative().default(0),
})
export type AdamOptions = z.infer<typeof adamSchema>

/** Adam with bias correction. Source: Kingma and Ba 2015, algorithm 1; weight decay as Loshchilov and Hutter 2019. */
export function adam(options: AdamOptions): Optimizer {
  const { beta1, beta2, epsilon, weightDecay } = options
  return perParameter({
    name: 'adam',
    shared: (step) => {
      const t = add(convert(step, 'f32'), 1)
      const correction = (beta: number) => subtract(1, power(fill(beta, tensorType('f32', [])), t))
      return { rate: learningRateAt(options.schedule as Schedule, step), meanCorrection: correction(beta1), squareCorrection: correction(beta2) }
    },
    init: (parameter) => {
      const zero = zeros(tensorType('f32', parameter.shape))
      return { mean: zero, square: zero }
    },
    update: (gradient, state, parameter, { rate, meanCorrection, squareCorrection }) => {
      const mean = add(multiply(state.mean, beta1), multiply(gradient, 1 - beta1))
      const square = add(multiply(state.square, beta2), multiply(multiply(gradient, gradient), 1 - beta2))
      const direction = divide(divide(mean, meanCorrection), add(sqrt(divide(square, squareCorrection)), epsilon))
      const change = multiply(weightDecay ? add(direction, multiply(parameter, weightDecay)) : direction, rate)
      return { parameter: subtract(parameter, change), state: { mean, square } }
    },
  })
}
