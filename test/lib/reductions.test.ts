import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { argMax, argMin } from '../../src/lib/arg-extreme.ts'
import { cummax, cumprod, cumsum } from '../../src/lib/cumulative.ts'
import { mean, standardDeviation, variance } from '../../src/lib/mean.ts'
import { globalNorm, l2Normalize, norm, rmsNormalize } from '../../src/lib/norm.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { distance, randomArray } from './random-array.ts'

const x = randomArray([3, 7])
const rows = x.toNested() as number[][]
const sum = (line: readonly number[]): number => line.reduce((a, b) => a + b, 0)
const meanOf = (line: readonly number[]): number => sum(line) / line.length
const varianceOf = (line: readonly number[]): number => meanOf(line.map((v) => (v - meanOf(line)) ** 2))
const lengthOf = (line: readonly number[]): number => Math.sqrt(sum(line.map((v) => v * v)))

describe('means and norms', () => {
  it('agree with their definitions', () => {
    const along = (fn: (t: Tensor) => Tensor, expected: readonly number[]) => expect(distance(evaluate(fn, x), expected)).toBeLessThan(1e-14)
    along((t) => mean(t, 1), rows.map(meanOf))
    along((t) => mean(t), [meanOf(rows.flat())])
    along((t) => variance(t, -1), rows.map(varianceOf))
    along((t) => standardDeviation(t), [Math.sqrt(varianceOf(rows.flat()))])
    along((t) => norm(t, 1), rows.map(lengthOf))
    along((t) => l2Normalize(t), rows.flatMap((row) => row.map((v) => v / Math.sqrt(lengthOf(row) ** 2 + 1e-6))))
    along((t) => rmsNormalize(t), rows.flatMap((row) => row.map((v) => v / Math.sqrt(lengthOf(row) ** 2 / 7 + 1e-6))))
    along((t) => globalNorm({ a: t, b: [t] }), [Math.SQRT2 * lengthOf(rows.flat())])
    expect(evaluate((t: Tensor) => mean(t, [0, 1], { keepDims: true }), x).shape).toEqual([1, 1])
  })

  it('sum narrow floats in f32', () => {
    const many = HostArray.of('bf16', [4096], new Array<number>(4096).fill(1))
    expect(evaluate((t: Tensor) => mean(t), many).item()).toBe(1)
    expect(evaluate((t: Tensor) => norm(t), many).item()).toBe(64)
    expect(evaluate((t: Tensor) => globalNorm([t]), many).dtype).toBe('f32')
  })

  it('keep a zero row at zero, with a finite gradient', () => {
    checkGradient({ build: (t) => l2Normalize(t, -1, 1e-2), inputs: [HostArray.zeros('f64', [2, 3])] })
    expect(evaluate((t: Tensor) => l2Normalize(t), HostArray.zeros('f32', [1, 2])).toNested()).toEqual([[0, 0]])
  })

  it('have gradients', () => {
    for (const build of [
      (t: Tensor) => mean(t, 0), (t: Tensor) => variance(t, 1), (t: Tensor) => standardDeviation(t, 1), (t: Tensor) => norm(t, 0),
      (t: Tensor) => l2Normalize(t, 0), (t: Tensor) => rmsNormalize(t), (t: Tensor) => globalNorm([t, t]),
    ]) checkGradient({ build, inputs: [x] })
  })

  it('refuse integers and empty trees', () => {
    expect([traceError((t) => mean(t), tensorType('i32', [3])), traceError(() => globalNorm({}), tensorType('f32', []))]).toMatchInlineSnapshot(`
      [
        "mean: needs a float type, got i32[3]: convert it first",
        "globalNorm: the tree has no tensors",
      ]
    `)
  })
})

describe('cumulative functions', () => {
  const prefixes = (line: readonly number[], combine: (a: number, b: number) => number): number[] =>
    line.map((_, i) => line.slice(0, i + 1).reduce(combine))

  it('agree with their definitions, also from the end and along other axes', () => {
    const check = (fn: (t: Tensor) => Tensor, expected: readonly number[]) => expect(distance(evaluate(fn, x), expected)).toBeLessThan(1e-12)
    check((t) => cumsum(t), rows.flatMap((row) => prefixes(row, (a, b) => a + b)))
    check((t) => cumprod(t), rows.flatMap((row) => prefixes(row, (a, b) => a * b)))
    check((t) => cummax(t), rows.flatMap((row) => prefixes(row, (a, b) => Math.max(a, b))))
    check((t) => cumsum(t, -1, { reverse: true }), rows.flatMap((row) => prefixes(row.toReversed(), (a, b) => a + b).reverse()))
    const columns = rows[0].map((_, j) => prefixes(rows.map((row) => row[j]), (a, b) => a + b))
    check((t) => cumsum(t, 0), rows.flatMap((row, i) => row.map((_, j) => columns[j][i])))
  })

  it('take integers and booleans', () => {
    expect(evaluate((t: Tensor) => cumsum(t), HostArray.from('i32', [1, 2, 3, 4, 5])).toNested()).toEqual([1, 3, 6, 10, 15])
    expect(evaluate((t: Tensor) => cumsum(t), HostArray.from('bool', [false, true, false])).toNested()).toEqual([false, true, true])
    expect(evaluate((t: Tensor) => cumprod(t), HostArray.from('bool', [true, false, true])).toNested()).toEqual([true, false, false])
    expect(evaluate((t: Tensor) => cummax(t), HostArray.from('i32', [-5, -9, 2])).toNested()).toEqual([-5, -5, 2])
    expect(evaluate((t: Tensor) => cumsum(t), HostArray.zeros('f32', [2, 0])).shape).toEqual([2, 0])
  })

  it('have gradients, products also through zeros', () => {
    checkGradient({ build: (t) => cumsum(t), inputs: [x] })
    checkGradient({ build: (t) => cumsum(t, 0, { reverse: true }), inputs: [x] })
    checkGradient({ build: (t) => cummax(t), inputs: [x] })
    checkGradient({ build: (t) => cumprod(t), inputs: [HostArray.from('f64', [2, 0, 3, 0.5, -1])] })
  })
})

describe('argMax and argMin', () => {
  const ties = HostArray.from('f32', [[1, 3, 3, 2], [0, -1, -1, 0], [NaN, 5, NaN, 7]])
  it('give the first of equal elements, and the first NaN', () => {
    expect(evaluate((t: Tensor) => argMax(t), ties).toNested()).toEqual([1, 0, 0])
    expect(evaluate((t: Tensor) => argMin(t), ties).toNested()).toEqual([0, 1, 0])
    expect(evaluate((t: Tensor) => argMax(t, 0, { keepDims: true }), ties).toNested()).toEqual([[2, 2, 2, 2]])
    expect(evaluate((t: Tensor) => argMax(t), HostArray.from('i32', [4, -1, 9, 9])).toNested()).toBe(2)
    expect(evaluate((t: Tensor) => argMax(t), HostArray.from('f32', [-Infinity, -Infinity])).toNested()).toBe(0)
  })
  it('refuse an empty axis', () => {
    expect(traceError((t) => argMax(t), tensorType('f32', [3, 0]))).toMatchInlineSnapshot(`"argMax: axis 1 of f32[3,0] is empty"`)
  })
})
