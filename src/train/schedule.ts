import { z } from 'zod'
import type { Tensor } from '../ir/module.ts'
import { add, divide, multiply } from '../ops/arithmetic.ts'
import { convert } from '../ops/convert.ts'
import { maximum, minimum } from '../ops/elementwise-binary.ts'
import { cosine, rsqrt } from '../ops/elementwise-unary.ts'

/** How the learning rate goes over the steps. */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), learningRate: z.number().positive(), warmupSteps: z.int().nonnegative().default(0) }),
  z.strictObject({ kind: z.literal('inverse-sqrt'), learningRate: z.number().positive(), warmupSteps: z.int().positive().default(1000) }),
  z.strictObject({
    kind: z.literal('cosine'),
    learningRate: z.number().positive(),
    warmupSteps: z.int().nonnegative().default(0),
    totalSteps: z.int().positive(),
    finalFraction: z.number().min(0).max(1).default(0.1),
  }),
])
export type Schedule = z.infer<typeof scheduleSchema>

/**
 * The learning rate of a step, f32[] from i32[] (the first step is 0). All schedules rise linearly to `learningRate` in
 * `warmupSteps`; then `constant` stays, `inverse-sqrt` falls as `sqrt(warmupSteps / step)`, and `cosine` falls along half a cosine to
 * `finalFraction` of it at `totalSteps`.
 */
export function learningRateAt(schedule: Schedule, step: Tensor): Tensor {
  const t = add(convert(step, 'f32'), 1)
  const rise = schedule.warmupSteps > 0 ? minimum(divide(t, schedule.warmupSteps), 1) : undefined
  const warm = (rate: Tensor): Tensor => (rise ? multiply(rate, rise) : rate)
  switch (schedule.kind) {
    case 'constant':
      return rise ? multiply(rise, schedule.learningRate) : multiply(minimum(t, 1), schedule.learningRate)
    case 'inverse-sqrt':
      return warm(multiply(rsqrt(maximum(divide(t, schedule.warmupSteps), 1)), schedule.learningRate))
    case 'cosine': {
      const span = Math.max(1, schedule.totalSteps - schedule.warmupSteps)
      const done = minimum(maximum(divide(add(t, -schedule.warmupSteps), span), 0), 1)
      const wave = multiply(add(cosine(multiply(done, Math.PI)), 1), 0.5)
      return warm(multiply(add(multiply(wave, 1 - schedule.finalFraction), schedule.finalFraction), schedule.learningRate))
    }
  }
}
