import { z } from 'zod'
import type { Tensor } from '../../ir/module.ts'
import { add, divide, multiply, subtract } from '../../ops/arithmetic.ts'
import { convert } from '../../ops/convert.ts'
import { zeros } from '../../ops/constant.ts'
import { maximum, power } from '../../ops/elementwise-binary.ts'
import { rsqrt } from '../../ops/elementwise-unary.ts'
import { reduceSum } from '../../ops/reduce.ts'
import { expandDims } from '../../ops/reshape.ts'
import { tensorType } from '../../ir/types.ts'
import { type Schedule, learningRateAt, scheduleSchema } from '../schedule.ts'
import { type Optimizer, perParameter, rootMeanSquare } from './optimizer.ts'

export const adafactorSchema = z.strictObject({
  kind: z.literal('adafactor'),
  schedule: scheduleSchema,
  /** Second moments are kept as row and column means where both of the two largest dimensions are at least this. */
  factorFrom: z.int().positive().default(128),
  decayExponent: z.number().positive().default(0.8),
  epsilon: z.number().positive().default(1e-30),
  clipThreshold: z.number().positive().default(1),
  minimumScale: z.number().positive().default(1e-3),
  momentum: z.number().min(0).max(0.9999).optional(),
})
export type AdafactorOptions = z.infer<typeof adafactorSchema>

/**
 * Adafactor with updates relative to the size of the parameter. Source: Shazeer and Stern 2018, algorithms 4 and 5, with the
 * decay `1 - t^-0.8`.
 */
export function adafactor(options: AdafactorOptions): Optimizer {
  return perParameter({
    name: 'adafactor',
    shared: (step) => ({
      decay: subtract(1, power(add(convert(step, 'f32'), 1), -options.decayExponent)),
      rate: learningRateAt(options.schedule as Schedule, step),
    }),
    init: (parameter) => {
      const { shape } = parameter
      const axes = factoredAxes(shape, options.factorFrom)
      const without = (axis: number) => zeros(tensorType('f32', shape.filter((_, i) => i !== axis)))
      const moments: Record<string, Tensor> = axes
        ? { row: without(axes.largest), column: without(axes.second) }
        : { square: zeros(tensorType('f32', shape)) }
      return options.momentum === undefined ? moments : { ...moments, momentum: zeros(tensorType('f32', shape)) }
    },
    update: (gradient, state, parameter, { decay, rate: relativeRate }) => {
      const rest = subtract(1, decay)
      const blend = (old: Tensor, fresh: Tensor) => add(multiply(old, decay), multiply(fresh, rest))
      const squared = add(multiply(gradient, gradient), options.epsilon)
      const axes = factoredAxes(parameter.shape, options.factorFrom)
      const next: Record<string, Tensor> = {}
      let update: Tensor
      if (axes) {
        const { largest, second } = axes
        next.row = blend(state.row, meanOver(squared, largest))
        next.column = blend(state.column, meanOver(squared, second))
        const secondInRow = second > largest ? second - 1 : second
        const relative = divide(next.row, expandDims(meanOver(next.row, secondInRow), secondInRow))
        update = multiply(multiply(gradient, expandDims(rsqrt(relative), largest)), expandDims(rsqrt(next.column), second))
      } else {
        next.square = blend(state.square, squared)
        update = multiply(gradient, rsqrt(next.square))
      }
      const clipped = divide(update, maximum(divide(rootMeanSquare(update), options.clipThreshold), 1))
      const rate = multiply(relativeRate, maximum(rootMeanSquare(parameter), options.minimumScale))
      let change = multiply(clipped, rate)
      if (options.momentum !== undefined) {
        change = add(multiply(state.momentum, options.momentum), multiply(change, 1 - options.momentum))
        next.momentum = change
      }
      return { parameter: subtract(parameter, change), state: next }
    },
  })
}

const meanOver = (x: Tensor, axis: number): Tensor => divide(reduceSum(x, axis), Math.max(1, x.shape[axis]))

/** The largest and the second largest axis if both are large enough; of equal sizes the later one counts as larger. */
function factoredAxes(shape: readonly number[], from: number): { largest: number; second: number } | undefined {
  if (shape.length < 2) return undefined
  const order = shape.map((_, axis) => axis).sort((a, b) => shape[b] - shape[a] || b - a)
  const [largest, second] = order
  return shape[second] >= from ? { largest, second } : undefined
}
