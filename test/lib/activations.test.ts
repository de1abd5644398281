import '../../src/lib/tensor-methods.ts'
import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { grad } from '../../src/autodiff/grad.ts'
import { gelu, sigmoid, silu, softplus } from '../../src/lib/activations.ts'
import { erf, erfInv } from '../../src/lib/erf.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { distance, randomArray } from './random-array.ts'

/** erf by its Maclaurin series, accurate below 3. */
function erfSeries(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}
const x = randomArray([40], { low: -2.9, high: 2.9 })
const values = Array.from(x.data, Number)

describe('the error function', () => {
  it('agrees with its series, in f64 and f32', () => {
    const narrow = HostArray.of('f32', [40], values)
    expect(distance(evaluate((t: Tensor) => erf(t), x), values.map(erfSeries))).toBeLessThan(1e-13)
    expect(distance(evaluate((t: Tensor) => erf(t), narrow), Array.from(narrow.data as Float32Array, erfSeries))).toBeLessThan(5e-7)
  })

  it('ends at 1 and -1', () => {
    for (const dtype of ['f32', 'f64'] as const)
      expect(evaluate((t: Tensor) => erf(t), HostArray.from(dtype, [-Infinity, -40, 0, 7, Infinity, NaN])).toNested()).toEqual([-1, -1, 0, 1, 1, NaN])
  })

  it('is undone by its inverse', () => {
    const y = randomArray([50], { low: -0.999, high: 0.999 })
    expect(distance(evaluate((t: Tensor) => erf(erfInv(t)), y), Array.from(y.data, Number))).toBeLessThan(1e-15)
    const extreme = HostArray.from('f64', [1 - 1e-7, 1 - 1e-12, -1 + 1e-15])
    expect(distance(evaluate((t: Tensor) => erf(erfInv(t)), extreme), Array.from(extreme.data, Number))).toBeLessThan(1e-15)
    const narrow = HostArray.of('f32', [50], Array.from(y.data, Number))
    expect(distance(evaluate((t: Tensor) => erf(erfInv(t)), narrow), Array.from(narrow.data, Number))).toBeLessThan(1e-6)
    expect(evaluate((t: Tensor) => erfInv(t), HostArray.from('f32', [-1, 0, 1, 2])).toNested()).toEqual([-Infinity, 0, Infinity, NaN])
  })

  it('has exact gradients, also a second time', () => {
    checkGradient({ build: (t) => erf(t), inputs: [x] })
    checkGradient({ build: (t) => erfInv(t), inputs: [randomArray([9], { low: -0.9, high: 0.9 })], tolerance: 1e-6 })
    checkGradient({ build: (t) => grad((u: Tensor) => reduceSum(erf(u)))(t), inputs: [x] })
  })
})

describe('activations', () => {
  it('agree with their definitions', () => {
    const check = (fn: (t: Tensor) => Tensor, of: (v: number) => number) => expect(distance(evaluate(fn, x), values.map(of))).toBeLessThan(1e-13)
    check((t) => sigmoid(t), (v) => 1 / (1 + Math.exp(-v)))
    check((t) => silu(t), (v) => v / (1 + Math.exp(-v)))
    check((t) => softplus(t), (v) => Math.log(1 + Math.exp(v)))
    check((t) => gelu(t, { form: 'erf' }), (v) => (v / 2) * (1 + erfSeries(v / Math.SQRT2)))
    check((t) => gelu(t), (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))))
    const gap = evaluate((t: Tensor) => gelu(t).sub(gelu(t, { form: 'erf' })).abs().max(), x).item()
    expect(gap).toBeGreaterThan(0)
    expect(gap).toBeLessThan(5e-4)
  })

  it('do not overflow, and keep their type', () => {
    expect(evaluate((t: Tensor) => softplus(t), HostArray.from('f32', [-200, 200])).toNested()).toEqual([expect.closeTo(0, 20), 200])
    expect(evaluate((t: Tensor) => gelu(t), HostArray.from('bf16', [1])).dtype).toBe('bf16')
  })

  it('have gradients', () => {
    for (const build of [sigmoid, silu, softplus, (t: Tensor) => gelu(t), (t: Tensor) => gelu(t, { form: 'erf' })]) checkGradient({ build, inputs: [x] })
    expect(evaluate((t: Tensor) => grad(softplus)(t), HostArray.from('f64', 0)).item()).toBe(0.5)
  })

  it('refuse integers', () => {
    const type = tensorType('i32', [2])
    expect([erf, erfInv, softplus, (t: Tensor) => gelu(t)].map((fn) => traceError(fn, type))).toMatchInlineSnapshot(`
      [
        "erf: needs a float type, got i32[2]: convert it first",
        "erfInv: needs a float type, got i32[2]: convert it first",
        "softplus: needs a float type, got i32[2]: convert it first",
        "gelu: needs a float type, got i32[2]: convert it first",
      ]
    `)
  })
})
