import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, negate, subtract } from '../../src/ops/arithmetic.ts'
import { compare } from '../../src/ops/compare.ts'
import { abs } from '../../src/ops/elementwise-unary.ts'
import { argSort, sort, sortAscending, sortDescending, sortWithIndices } from '../../src/ops/sort.ts'
import { lower } from '../../src/program/lower.ts'
import { ravel, unravel } from '../support/arrays.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)

/** Sorts every line along an axis with the language's own stable sort. */
function naive(x: HostArray, axis: number, order: (a: number, b: number) => number): number[] {
  const out = Array.from(x.data as ArrayLike<number>)
  for (let flat = 0; flat < out.length; flat++) {
    const index = unravel(flat, x.shape)
    if (index[axis] !== 0) continue
    const places = Array.from({ length: x.shape[axis] }, (_, i) => ravel(index.map((at, k) => (k === axis ? i : at)), x.shape))
    const line = places.map((place) => x.data[place] as number).sort(order)
    places.forEach((place, i) => (out[place] = line[i]))
  }
  return out
}

const inputs = fc
  .array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.integer({ min: 0, max: shape.length - 1 }),
      values: fc.array(fc.integer({ min: -4, max: 4 }), { minLength: shape.reduce((a, b) => a * b, 1), maxLength: shape.reduce((a, b) => a * b, 1) }),
    }),
  )

describe('sort', () => {
  it.each(['f32', 'i32', 'bf16'] as const)('sorts lines of %s, by a plain and by any comparator', (dtype) => {
    fc.assert(
      fc.property(inputs, ({ shape, axis, values }) => {
        const x = HostArray.of(dtype, shape, values)
        const results = runOps(
          (t) => [
            sortAscending(t, axis),
            sortDescending(t, axis - shape.length),
            sort(t, axis, (a, b) => compare(negate(a), negate(b), 'LT')),
            sort(t, axis, (a, b) => compare(b, a, 'GT')),
          ],
          x,
        )
        const up = naive(x, axis, (a, b) => a - b)
        const down = naive(x, axis, (a, b) => b - a)
        expect(results.map((result) => Array.from(result.data as ArrayLike<number>))).toEqual([up, down, down, up])
      }),
    )
  })

  it('keeps the order of equal elements, and carries others along', () => {
    const x = HostArray.from('i32', [2, 1, 2, 1, 0])
    const [values, indices, byHand] = runOps((t) => {
      const sorted = sortWithIndices(t)
      return [sorted.values, sorted.indices, argSort(t, 0, { descending: true })]
    }, x)
    expect([values, indices, byHand].map((y) => y.toNested())).toEqual([[0, 1, 1, 2, 2], [4, 1, 3, 0, 2], [0, 2, 1, 3, 4]])
    const pairs = runOps((a, b) => sort([a, b], 0, ([a, b], [c, d]) => compare(add(a, b), add(c, d), 'LT')), x, HostArray.from('i32', [0, 9, -3, 1, 1]))
    expect(pairs.map((y) => y.toNested())).toEqual([[2, 0, 2, 1, 1], [-3, 1, 0, 1, 9]])
  })

  it('compares by values from outside and constants', () => {
    const x = HostArray.from('f32', [[3, -1, 4, -1, -5, 9, 2, -6], [1, 8, -8, 0, 3, -3, 2, -2]])
    const distance = (v: number) => Math.abs(v - 2)
    const sorted = runOp((t, center) => sort(t, 1, (a, b) => compare(abs(subtract(a, center)), add(abs(subtract(b, center)), 0), 'LT')), x, HostArray.from('f32', 2))
    expect(sorted.toNested()).toEqual([[3, -1, 4, -1, -5, 9, 2, -6], [1, 8, -8, 0, 3, -3, 2, -2]].map((line) => line.sort((a, b) => distance(a) - distance(b))))
  })

  it('puts -0 before 0 and NaN last in the total order', () => {
    const x = HostArray.from('f32', [NaN, 0, -0, Infinity, -1])
    const [up, down, places] = runOps((t) => [sortAscending(t), sortDescending(t), argSort(t)], x)
    expect(up.toNested()).toEqual([-1, -0, 0, Infinity, NaN])
    expect(down.toNested()).toEqual([NaN, Infinity, 0, -0, -1])
    expect(places.toNested()).toEqual([4, 2, 1, 3, 0])
    const wide = HostArray.from('f64', [NaN, 0, -0, -1])
    expect(runOp((t) => argSort(t), wide).toNested()).toEqual([3, 2, 1, 0])
    const negative = new HostArray(f32(3), new Float32Array(Uint32Array.of(0x3f800000, 0xffc00000, 0xff800000).buffer))
    expect(runOp((t) => argSort(t), negative).toNested()).toEqual([1, 2, 0])
  })

  it('sorts 64-bit integers, booleans and complex elements beside them', () => {
    expect(runOp((t) => sortAscending(t), HostArray.of('i64', [3], [2n ** 60n + 1n, 2n ** 60n, -1n])).toNested()).toEqual([-1n, 2n ** 60n, 2n ** 60n + 1n])
    expect(runOp((t) => sortAscending(t), HostArray.from('bool', [true, false, true])).toNested()).toEqual([false, true, true])
    const complex = new HostArray(tensorType('c64', [2]), Float32Array.of(1, 2, 3, 4))
    const [, moved] = runOps((t, c) => sort([t, c], 0, ([a], [b]) => compare(a, b, 'LT')), HostArray.from('f32', [2, 1]), complex)
    expect(moved.toNested()).toEqual([[3, 4], [1, 2]])
  })

  it('prints in the generic form', () => {
    expect(lower((x: Tensor) => sortAscending(x), f32(2, 3)).text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<2x3xf32>) -> tensor<2x3xf32> {
          %0 = "stablehlo.sort"(%arg0) <{dimension = 1 : i64, is_stable = true}> ({
          ^bb0(%arg1: tensor<f32>, %arg2: tensor<f32>):
            %1 = stablehlo.compare LT, %arg1, %arg2, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
            stablehlo.return %1 : tensor<i1>
          }) : (tensor<2x3xf32>) -> tensor<2x3xf32>
          return %0 : tensor<2x3xf32>
        }
      }
      "
    `)
  })

  it('says what is wrong', () => {
    expect(traceError((x) => sortAscending(x, 2), f32(2, 3))).toMatchInlineSnapshot(`"sort: axis 2 is out of range for rank 2"`)
    expect(traceError((x, y) => sort([x, y], 0, ([a], [b]) => compare(a, b, 'LT')), f32(2, 3), i32(3, 2))).toMatchInlineSnapshot(`"sort: inputs differ in shape: input 1 is i32[3,2], input 0 is f32[2,3] [sort_c3]"`)
    expect(traceError((x) => sort(x, 0, (a) => a), f32(2))).toMatchInlineSnapshot(`"sort: comparator must return tensor<i1> but got 'tensor<f32>' [sort_c5]"`)
    expect(traceError(() => sort([], 0, ([a]) => a))).toMatchInlineSnapshot(`"sort: needs at least one tensor [sort_c1]"`)
  })
})
