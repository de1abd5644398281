import { expect } from 'vitest'
import { vjp } from '../../src/autodiff/grad.ts'
import { isFloat } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { constant } from '../../src/ops/constant.ts'
import { seededRandom } from './op-samples/sample.ts'

export interface GradientCheck {
  readonly build: (...inputs: Tensor[]) => Tensor | readonly Tensor[]
  readonly inputs: readonly HostArray[]
  /** Which inputs to check; by default all that are floats. */
  readonly wrt?: readonly number[]
  /** Step of the central difference. */
  readonly step?: number
  readonly tolerance?: number
}

/**
 * Compares reverse mode with central differences in f64: a random cotangent `c` of all float results, and the derivative of
 * `<c, f(x)>` with respect to every element of every checked input.
 */
export function checkGradient({ build, inputs, wrt, step = 1e-5, tolerance = 1e-7 }: GradientCheck): void {
  const wide = inputs.map(widen)
  const types = wide.map((input) => input.type)
  const list = (value: Tensor | readonly Tensor[]): readonly Tensor[] => (value instanceof Tensor ? [value] : value)
  const forward = traceFunction('forward', (...args: Tensor[]) => list(build(...args)), types)
  const base = interpret(forward.module, wide) as HostArray[]
  const random = seededRandom(7)
  const cotangents = base.map((result) =>
    isFloat(result.dtype) ? HostArray.of(result.dtype, result.shape, Array.from({ length: result.size }, () => random() * 2 - 1)) : undefined,
  )
  const checked = wrt ?? types.flatMap((type, i) => (isFloat(type.dtype) ? [i] : []))
  const gradient = traceFunction('gradient', (...args: Tensor[]) => {
    const { pullback } = vjp((...inner: Tensor[]) => list(build(...inner)).filter((_, i) => cotangents[i]), ...args)
    return pullback(cotangents.flatMap((cotangent) => (cotangent ? [constant(cotangent)] : []))).filter((_, i) => checked.includes(i))
  }, types)
  const gradients = interpret(gradient.module, wide) as HostArray[]
  const project = (values: readonly HostArray[]): number =>
    (interpret(forward.module, values) as HostArray[]).reduce((sum, result, i) => sum + dot(result, cotangents[i]), 0)
  checked.forEach((position, k) => {
    expect(gradients[k].shape).toEqual(types[position].shape)
    for (let i = 0; i < wide[position].size; i++) {
      const moved = (by: number): HostArray[] => wide.map((input, j) => (j === position ? nudge(input, i, by) : input))
      const slope = (project(moved(step)) - project(moved(-step))) / (2 * step)
      const error = Math.abs(Number(gradients[k].data[i]) - slope)
      expect(error, `input ${position}, element ${i}: reverse mode ${gradients[k].data[i]}, central difference ${slope}`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(slope)),
      )
    }
  })
}

/** Floats as f64, so that differences are accurate. */
function widen(input: HostArray): HostArray {
  return isFloat(input.dtype) ? new HostArray(tensorType('f64', input.shape), Float64Array.from(input.data as Float32Array)) : input
}

function nudge(input: HostArray, i: number, by: number): HostArray {
  const data = Float64Array.from(input.data as Float64Array)
  data[i] += by
  return new HostArray(input.type, data)
}

function dot(a: HostArray, b: HostArray | undefined): number {
  let sum = 0
  if (b) for (let i = 0; i < a.size; i++) sum += Number(a.data[i]) * Number(b.data[i])
  return sum
}
