import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { grad } from '../../src/autodiff/grad.ts'
import { logSoftmax, logSumExp, maskedSoftmax, softmax } from '../../src/lib/softmax.ts'
import { multiply } from '../../src/ops/arithmetic.ts'
import { constant } from '../../src/ops/constant.ts'
import { exponential } from '../../src/ops/elementwise-unary.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { distance, randomArray } from './random-array.ts'

const naiveSoftmax = (line: readonly number[]): number[] => {
  const total = line.reduce((sum, x) => sum + Math.exp(x), 0)
  return line.map((x) => Math.exp(x) / total)
}
const x = randomArray([3, 5])
const rows = x.toNested() as number[][]

describe('softmax', () => {
  it('agrees with its definition along either axis', () => {
    expect(distance(evaluate((t: Tensor) => softmax(t), x), rows.flatMap(naiveSoftmax))).toBeLessThan(1e-15)
    const columns = rows[0].map((_, j) => naiveSoftmax(rows.map((row) => row[j])))
    expect(distance(evaluate((t: Tensor) => softmax(t, 0), x), rows.flatMap((row, i) => row.map((_, j) => columns[j][i])))).toBeLessThan(1e-15)
  })

  it('does not overflow', () => {
    const big = HostArray.from('f32', [1000, 1001, -1000])
    expect(distance(evaluate((t: Tensor) => softmax(t), big), [1 / (1 + Math.E), Math.E / (1 + Math.E), 0])).toBeLessThan(1e-7)
    expect(distance(evaluate((t: Tensor) => logSoftmax(t), big), [-1.3132616, -0.3132617, -2001.3132616])).toBeLessThan(2e-4)
    expect(distance(evaluate((t: Tensor) => logSumExp(t), big), [1001.3132617])).toBeLessThan(1e-4)
  })

  it('computes in f32 what comes in bf16, and gives bf16', () => {
    const narrow = HostArray.of('bf16', [64], new Array<number>(64).fill(0.5))
    const result = evaluate((t: Tensor) => softmax(t), narrow)
    expect([result.dtype, result.data[0]]).toEqual(['bf16', 1 / 64])
    expect(lower((t: Tensor) => softmax(t), tensorType('bf16', [4, 8])).text).toMatch(/stablehlo.exponential %\d+ : tensor<4x8xf32>/)
  })

  it('has the gradient of its definition, also a second time', () => {
    checkGradient({ build: (t) => softmax(t), inputs: [x] })
    checkGradient({ build: (t) => softmax(t, 0), inputs: [x] })
    checkGradient({ build: (t) => logSoftmax(t), inputs: [x] })
    checkGradient({ build: (t) => logSumExp(t, 1), inputs: [x] })
    checkGradient({ build: (t) => logSumExp(t, undefined, { keepDims: true }), inputs: [x] })
    checkGradient({ build: (t) => grad((u: Tensor) => reduceSum(exponential(softmax(u))))(t), inputs: [x] })
  })

  it('gives logarithms and sums that agree with the definition', () => {
    expect(distance(evaluate((t: Tensor) => logSoftmax(t), x), rows.flatMap((row) => naiveSoftmax(row).map(Math.log)))).toBeLessThan(1e-14)
    const sums = rows.map((row) => Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)))
    expect(distance(evaluate((t: Tensor) => logSumExp(t, -1), x), sums)).toBeLessThan(1e-14)
    expect(evaluate((t: Tensor) => logSumExp(t, 1, { keepDims: true }), x).shape).toEqual([3, 1])
    expect(evaluate((t: Tensor) => logSumExp(t), HostArray.from('f32', [-Infinity, -Infinity])).item()).toBe(-Infinity)
  })

  it('refuses integers', () => {
    expect(traceError((t) => softmax(t), tensorType('i32', [4]))).toMatchInlineSnapshot(`"softmax: needs a float type, got i32[4]: convert it first"`)
  })
})

describe('maskedSoftmax', () => {
  const mask = HostArray.from('bool', [[true, false, true, true, false], [false, false, false, false, false], [true, true, true, true, true]])
  const attend = (t: Tensor, m: Tensor) => maskedSoftmax(t, m)

  it('spreads over what is not masked, and gives zeros where there is nothing', () => {
    const [a, , c, d] = rows[0]
    const [p, q, r] = naiveSoftmax([a, c, d])
    expect(distance(evaluate(attend, x, mask), [p, 0, q, r, 0, 0, 0, 0, 0, 0, ...naiveSoftmax(rows[2])])).toBeLessThan(1e-15)
  })

  it('does not look at masked elements', () => {
    const spoilt = HostArray.from('f32', [[1, NaN, Infinity], [NaN, NaN, NaN]])
    const shown = HostArray.from('bool', [[true, false, false], [false, false, false]])
    const weigh = (t: Tensor, m: Tensor) => grad((u: Tensor) => reduceSum(multiply(maskedSoftmax(u, m), constant([[1, 2, 3], [4, 5, 6]]))))(t)
    expect(evaluate(attend, spoilt, shown).toNested()).toEqual([[1, 0, 0], [0, 0, 0]])
    expect(evaluate(weigh, spoilt, shown).toNested()).toEqual([[0, 0, 0], [0, 0, 0]])
  })

  it('has the right gradient, zero in a row with nothing to attend to', () => {
    checkGradient({ build: (t, m) => maskedSoftmax(t, m), inputs: [x, mask] })
  })

  it('stretches a mask with axes of size 1', () => {
    const narrow = HostArray.from('bool', [[true, true, false, false, false]])
    expect((evaluate(attend, x, narrow).toNested() as number[][]).every((row) => Math.abs(row[0] + row[1] - 1) < 1e-15)).toBe(true)
  })

  it('treats unmasked -inf as something to attend to only beside finite scores', () => {
    const scores = HostArray.from('f32', [[-Infinity, 1], [-Infinity, -Infinity]])
    expect(evaluate(attend, scores, HostArray.from('bool', [[true, true], [true, true]])).toNested()).toEqual([[0, 1], [0, 0]])
  })
})
