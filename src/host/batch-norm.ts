import type { DType } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { elementCount } from '../ir/types.ts'
import { roundStore } from './elementwise.ts'

/** Batch normalization on host arrays, in double precision; every result is rounded once. */

/** How the features of an array lie: `outer` blocks of `features` runs of `inner` elements. */
interface Layout {
  readonly outer: number
  readonly features: number
  readonly inner: number
  /** Elements of one feature. */
  readonly count: number
}

function layoutOf({ shape }: HostArray, feature: number): Layout {
  const [outer, inner] = [elementCount(shape.slice(0, feature)), elementCount(shape.slice(feature + 1))]
  return { outer, features: shape[feature], inner, count: outer * inner }
}

/** Calls `visit` for each run of elements of a feature: its first position and the one after its last. */
function forEachRun({ outer, features, inner }: Layout, visit: (feature: number, from: number, to: number) => void): void {
  for (let o = 0, from = 0; o < outer; o++) for (let f = 0; f < features; f++, from += inner) visit(f, from, from + inner)
}

function rounded(dtype: DType, shape: readonly number[], values: Float64Array): HostArray {
  const out = HostArray.zeros(dtype, shape)
  ;(out.data as Float64Array).set(values)
  roundStore(dtype, out.data)
  return out
}

function normalize(operand: HostArray, layout: Layout, mean: ArrayLike<number>, factor: Float64Array, offset: ArrayLike<number>): Float64Array {
  const x = operand.data as Float64Array
  const y = new Float64Array(x.length)
  forEachRun(layout, (f, from, to) => {
    for (let i = from; i < to; i++) y[i] = (x[i] - mean[f]) * factor[f] + offset[f]
  })
  return y
}

const numbers = (array: HostArray): Float64Array => Float64Array.from(array.data as Float64Array)

export function batchNormInferenceArrays([operand, scale, offset, mean, variance]: readonly HostArray[], epsilon: number, feature: number, dtype: DType): HostArray {
  const factor = numbers(scale)
  for (let f = 0; f < factor.length; f++) factor[f] /= Math.sqrt(Number(variance.data[f]) + epsilon)
  return rounded(dtype, operand.shape, normalize(operand, layoutOf(operand, feature), numbers(mean), factor, numbers(offset)))
}

export function batchNormTrainingArrays([operand, scale, offset]: readonly HostArray[], epsilon: number, feature: number): HostArray[] {
  const { dtype } = operand
  const layout = layoutOf(operand, feature)
  const x = operand.data as Float64Array
  const mean = new Float64Array(layout.features)
  const variance = new Float64Array(layout.features)
  forEachRun(layout, (f, from, to) => {
    for (let i = from; i < to; i++) mean[f] += x[i]
  })
  for (let f = 0; f < layout.features; f++) mean[f] /= layout.count
  forEachRun(layout, (f, from, to) => {
    for (let i = from; i < to; i++) variance[f] += (x[i] - mean[f]) ** 2
  })
  const factor = numbers(scale)
  for (let f = 0; f < layout.features; f++) {
    variance[f] /= layout.count
    factor[f] /= Math.sqrt(variance[f] + epsilon)
  }
  const perFeature = [layout.features]
  return [rounded(dtype, operand.shape, normalize(operand, layout, mean, factor, numbers(offset))), rounded(dtype, perFeature, mean), rounded(dtype, perFeature, variance)]
}

export function batchNormGradArrays([operand, scale, mean, variance, gradOutput]: readonly HostArray[], epsilon: number, feature: number): HostArray[] {
  const { dtype } = operand
  const layout = layoutOf(operand, feature)
  const x = operand.data as Float64Array
  const d = gradOutput.data as Float64Array
  const [s, m, v] = [numbers(scale), numbers(mean), numbers(variance)]
  const total = new Float64Array(layout.features)
  const moment = new Float64Array(layout.features)
  forEachRun(layout, (f, from, to) => {
    for (let i = from; i < to; i++) {
      total[f] += d[i]
      moment[f] += d[i] * (x[i] - m[f])
    }
  })
  const dOperand = new Float64Array(x.length)
  forEachRun(layout, (f, from, to) => {
    const spread = v[f] + epsilon
    const factor = s[f] / Math.sqrt(spread)
    for (let i = from; i < to; i++) dOperand[i] = factor * (d[i] - total[f] / layout.count - (moment[f] * (x[i] - m[f])) / (spread * layout.count))
  })
  for (let f = 0; f < layout.features; f++) moment[f] /= Math.sqrt(v[f] + epsilon)
  return [rounded(dtype, operand.shape, dOperand), rounded(dtype, [layout.features], moment), rounded(dtype, [layout.features], total)]
}
