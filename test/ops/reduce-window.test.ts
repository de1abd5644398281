import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply, subtract } from '../../src/ops/arithmetic.ts'
import { compare } from '../../src/ops/compare.ts'
import { fill } from '../../src/ops/constant.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { reduceWindow, reduceWindowMax, reduceWindowSum, selectAndScatter } from '../../src/ops/reduce-window.ts'
import { reshape } from '../../src/ops/reshape.ts'
import { select } from '../../src/ops/select.ts'
import { lower } from '../../src/program/lower.ts'
import { build, ravel, unravel } from '../support/arrays.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const scalar = (value: number) => fill(value, f32())

interface Axis { size: number; window: number; stride: number; low: number; high: number; base: number; spread: number }
const axes = fc.array(
  fc.record({
    size: fc.integer({ min: 0, max: 5 }),
    window: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    low: fc.integer({ min: -1, max: 2 }),
    high: fc.integer({ min: -1, max: 2 }),
    base: fc.integer({ min: 1, max: 2 }),
    spread: fc.integer({ min: 1, max: 2 }),
  }),
  { minLength: 1, maxLength: 3 },
)

/** The specification's words: pad and dilate with the initial value, then reduce each window. */
function naive(x: HostArray, list: readonly Axis[], init: number, combine: (a: number, b: number) => number): { shape: number[]; values: number[] } {
  const shape = list.map(({ size, window, stride, low, high, base, spread }) => {
    const padded = low + (size === 0 ? 0 : (size - 1) * base + 1) + high
    const reach = (window - 1) * spread + 1
    return padded <= 0 || reach > padded ? 0 : Math.floor((padded - reach) / stride) + 1
  })
  const windows = list.map(({ window }) => window)
  const count = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
  const values = Array.from({ length: count(shape) }, (_, flat) => {
    const place = unravel(flat, shape)
    let sum = init
    for (let k = 0; k < count(windows); k++) {
      const index = unravel(k, windows).map((element, i) => (place[i] * list[i].stride + element * list[i].spread - list[i].low) / list[i].base)
      const inside = index.every((at, i) => Number.isInteger(at) && at >= 0 && at < list[i].size)
      sum = combine(sum, inside ? (x.data[ravel(index, x.shape)] as number) : init)
    }
    return sum
  })
  return { shape, values }
}

describe('reduce_window', () => {
  it('agrees with plain loops, by a kernel and by any body', () => {
    fc.assert(
      fc.property(axes, (list) => {
        const x = build('f32', list.map(({ size }) => size), (index) => (index.reduce((sum, i) => sum * 5 + i, 1) % 7) - 2)
        const options = {
          strides: list.map(({ stride }) => stride),
          padding: list.map(({ low, high }): [number, number] => [low, high]),
          baseDilations: list.map(({ base }) => base),
          windowDilations: list.map(({ spread }) => spread),
        }
        const sizes = list.map(({ window }) => window)
        const results = runOps(
          (t) => [
            reduceWindow(t, scalar(3), sizes, add, options),
            reduceWindowMax(t, sizes, options),
            reduceWindow(t, scalar(1), sizes, (a, b) => subtract(a, b), options),
          ],
          x,
        )
        const wanted = [naive(x, list, 3, (a, b) => a + b), naive(x, list, -Infinity, Math.max), naive(x, list, 1, (a, b) => a - b)]
        expect(results.map((y) => ({ shape: [...y.shape], values: Array.from(y.data as Float32Array) }))).toEqual(wanted)
      }),
      { numRuns: 150 },
    )
  })

  it('takes several operands', () => {
    const [largest, places] = runOps(
      (x, i) =>
        reduceWindow([x, i], [scalar(-Infinity), scalar(-1)], [2], ([a, i], [b, j]) => {
          const first = compare(a, b, 'GE')
          return [select(first, a, b), select(first, i, j)]
        }),
      HostArray.from('f32', [1, 5, 2, 7]),
      HostArray.from('f32', [0, 1, 2, 3]),
    )
    expect([largest.toNested(), places.toNested()]).toEqual([[5, 5, 7], [1, 1, 3]])
  })

  it('keeps 64-bit integers and complex numbers', () => {
    expect(runOp((x) => reduceWindowSum(x, [2]), HostArray.of('i64', [3], [2n ** 60n, 1n, 2n])).toNested()).toEqual([2n ** 60n + 1n, 3n])
    expect(runOp((x) => reduceWindowSum(x, [2]), new HostArray(tensorType('c64', [2]), Float32Array.of(1, 2, 3, 4))).toNested()).toEqual([[4, 6]])
  })

  it('covers a line with padding "same"', () => {
    const x = HostArray.from('f32', [1, 2, 3, 4, 5])
    expect(runOps((t) => [reduceWindowSum(t, [3], { padding: 'same' }), reduceWindowSum(t, [2], { padding: 'same', strides: [2] })], x).map((y) => y.toNested())).toEqual([
      [3, 6, 9, 12, 9],
      [3, 7, 5],
    ])
  })

  it('gives the first of equal elements the gradient of a maximum', () => {
    const x = HostArray.from('f32', [[1, 3, 3, 0]])
    const dx = runOp((t) => grad((u: Tensor) => reduceSum(multiply(reduceWindowMax(u, [1, 2], { strides: [1, 2] }), 2)))(t), x)
    expect(dx.toNested()).toEqual([[0, 2, 2, 0]])
    expect(runOp((t) => grad((u: Tensor) => reduceSum(reduceWindowMax(u, [1, 3])))(t), x).toNested()).toEqual([[0, 2, 0, 0]])
  })

  it('prints in the generic form', () => {
    const program = lower((x: Tensor) => reduceWindowMax(x, [2, 2], { strides: [2, 2], padding: [[0, 1], [0, 0]] }), f32(4, 4))
    expect(program.text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<4x4xf32>) -> tensor<2x2xf32> {
          %0 = stablehlo.constant dense<0xFF800000> : tensor<f32>
          %1 = "stablehlo.reduce_window"(%arg0, %0) <{window_dimensions = array<i64: 2, 2>, window_strides = array<i64: 2, 2>, base_dilations = array<i64: 1, 1>, window_dilations = array<i64: 1, 1>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}> ({
          ^bb0(%arg1: tensor<f32>, %arg2: tensor<f32>):
            %2 = stablehlo.maximum %arg1, %arg2 : tensor<f32>
            stablehlo.return %2 : tensor<f32>
          }) : (tensor<4x4xf32>, tensor<f32>) -> tensor<2x2xf32>
          return %1 : tensor<2x2xf32>
        }
      }
      "
    `)
  })

  it('says what is wrong', () => {
    expect(traceError((x) => reduceWindowSum(x, [2]), f32(4, 4))).toMatchInlineSnapshot(`"reduce_window: the window [2] needs an entry for each of 2 axes"`)
    expect(traceError((x) => reduceWindowSum(x, [2, 0]), f32(4, 4))).toMatchInlineSnapshot(`"reduce_window: expects window to have positive value for 1-th window dimension, but got 0. [reduce_window_c5]"`)
    expect(traceError((x) => reduceWindowSum(x, [2, 2], { strides: [1, -1] }), f32(4, 4))).toMatchInlineSnapshot(`"reduce_window: expects window to have positive stride for 1-th window dimension, but got -1. [reduce_window_c7]"`)
    expect(traceError((x) => reduceWindowSum(x, [2, 2], { padding: [[1, 1]] }), f32(4, 4))).toMatchInlineSnapshot(`"reduce_window: expects padding-entries to have same dimension-size as size of window dimensions (2), but got: 1. [reduce_window_c12]"`)
    expect(traceError((x) => reduceWindow(x, scalar(0), [2], (a) => compare(a, a, 'EQ')), f32(4))).toMatchInlineSnapshot(`"reduce_window: The type of reduction-region's parameter at index 0 is different than the corresponding result type: 'tensor<f32>' vs 'tensor<i1>' [reduce_window_c13]"`)
    expect(traceError((x) => grad((t: Tensor) => reduceSum(reduceWindow(t, scalar(1), [2], (a, b) => reshape(reshape(add(a, b), [1]), []))))(x), f32(4))).toMatchInlineSnapshot(`"reduce_window: no gradient for this body: it is known for bodies of element-wise ops on values of rank 0"`)
  })
})

describe('select_and_scatter', () => {
  it('adds to the chosen places, in windows that may overlap', () => {
    const operand = HostArray.from('i32', [[1, 5], [2, 5], [3, 6], [4, 4]])
    const source = HostArray.from('i32', [[5, 6], [7, 8]])
    const result = runOp((x, y) => selectAndScatter(x, y, fill(0, tensorType('i32', [])), [3, 1], { strides: [2, 1], padding: [[0, 1], [0, 0]] }), operand, source)
    expect(result.toNested()).toEqual([[0, 0], [0, 0], [5, 14], [7, 0]])
  })

  it('says what is wrong', () => {
    expect(traceError((x, y) => selectAndScatter(x, y, scalar(0), [2]), f32(4), f32(4))).toMatchInlineSnapshot(`"select_and_scatter: source is f32[4], but the window has f32[3] places on operand f32[4] [select_and_scatter_c2]"`)
    expect(traceError((x, y) => selectAndScatter(x, y, scalar(0), [2]), f32(4), tensorType('i32', [3]))).toMatchInlineSnapshot(`"select_and_scatter: The element-type of reduction-region's result type at index 0 is expected to be promotable from the op's corresponding init-value element-type: 'tensor<i32>' vs 'tensor<f32>' [select_and_scatter_c10]"`)
  })
})
