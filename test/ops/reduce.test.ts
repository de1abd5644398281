import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply, subtract } from '../../src/ops/arithmetic.ts'
import { compare } from '../../src/ops/compare.ts'
import { fill } from '../../src/ops/constant.ts'
import { convert } from '../../src/ops/convert.ts'
import { reduce, reduceAnd, reduceMax, reduceMin, reduceOr, reduceProd, reduceSum } from '../../src/ops/reduce.ts'
import { reshape } from '../../src/ops/reshape.ts'
import { select } from '../../src/ops/select.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const scalar = (value: number, dtype: 'f32' | 'i32' | 'i64' | 'bf16' = 'f32') => fill(value, tensorType(dtype, []))
const numbers = (x: unknown) => Array.from((x as HostArray).data as ArrayLike<number | bigint>, Number)

/** The plain definition: every element goes to the result that its kept axes name. */
function naive<T>(x: HostArray, axes: readonly number[], init: T, combine: (a: T, b: number) => T): T[] {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
  const out = new Array<T>(kept.reduce((count, axis) => count * x.shape[axis], 1)).fill(init)
  for (let flat = 0; flat < x.size; flat++) {
    const index: number[] = []
    for (let axis = x.shape.length - 1, rest = flat; axis >= 0; rest = Math.floor(rest / x.shape[axis]), axis--) index[axis] = rest % x.shape[axis]
    const at = kept.reduce((position, axis) => position * x.shape[axis] + index[axis], 0)
    out[at] = combine(out[at], Number(x.data[flat]))
  }
  return out
}

const shapeAndAxes = fc
  .array(fc.constantFrom<number[]>(0, 1, 2, 3, 5), { minLength: 0, maxLength: 4 })
  .chain((shape) => fc.record({ shape: fc.constant(shape), axes: fc.subarray(shape.map((_, axis) => axis)) }))

describe('reduce', () => {
  it('agrees with plain loops for all patterns of axes', () => {
    fc.assert(
      fc.property(shapeAndAxes, fc.integer({ min: 1, max: 1000 }), ({ shape, axes }, seed) => {
        const count = shape.reduce((a, b) => a * b, 1)
        const x = HostArray.of('i32', shape, Array.from({ length: count }, (_, i) => ((i + 1) * seed * 7919) % 23 - 11))
        const [sum, max, min, product] = runOps(
          (t) => [
            reduce(t, scalar(0, 'i32'), axes, add),
            reduce(t, scalar(-99, 'i32'), axes, (a, b) => select(compare(a, b, 'GT'), a, b)),
            reduceMin(t, axes),
            reduceProd(convert(t, 'i64'), axes),
          ],
          x,
        )
        expect(numbers(sum)).toEqual(naive(x, axes, 0, (a, b) => a + b))
        expect(numbers(max)).toEqual(naive(x, axes, -99, Math.max))
        expect(numbers(min)).toEqual(naive(x, axes, 2 ** 31 - 1, Math.min))
        expect([...product.data]).toEqual(naive(x, axes, 1n, (a, b) => BigInt.asIntN(64, a * BigInt(b))))
      }),
      { numRuns: 150 },
    )
  })

  it('keeps NaN, infinities and the extremes of integers', () => {
    const x = HostArray.from('f32', [[1, NaN, 3], [-Infinity, -1, -2]])
    expect(evaluate((t: Tensor) => [reduceMax(t, 1), reduceMin(t, 1)], x).map((y) => y.toNested())).toEqual([[NaN, -1], [NaN, -Infinity]])
    const none = HostArray.zeros('f32', [2, 0])
    expect(evaluate((t: Tensor) => [reduceMax(t, 1), reduceSum(t, 1), reduceProd(t, 1)], none).map((y) => y.toNested())).toEqual([[-Infinity, -Infinity], [0, 0], [1, 1]])
    expect(evaluate((t: Tensor) => reduceMax(t), HostArray.zeros('i8', [0])).item()).toBe(-128)
    expect(evaluate((t: Tensor) => reduceMax(t), HostArray.zeros('f8E4M3FN', [0])).item()).toBe(-448)
    expect(evaluate((t: Tensor) => reduceAnd(t), HostArray.zeros('u8', [0])).item()).toBe(255)
  })

  it('accumulates f32 in double precision and narrower floats step by step', () => {
    const x = HostArray.of('f32', [3], [1, 2 ** -24, 2 ** -24])
    expect(evaluate((t: Tensor) => reduceSum(t), x).item()).toBe(1 + 2 ** -23)
    const ones = HostArray.of('bf16', [300], new Array(300).fill(1))
    expect(evaluate((t: Tensor) => [reduceSum(t), reduceSum(convert(t, 'f32'))], ones).map((y) => y.item())).toEqual([256, 300])
  })

  it('wraps integers around and combines bits', () => {
    expect(evaluate((t: Tensor) => [reduceSum(t), reduceProd(t), reduceOr(t), reduceAnd(t)], HostArray.from('u8', [200, 100, 5])).map((y) => y.item())).toEqual([49, 160, 237, 0])
    expect(evaluate((t: Tensor) => [reduceSum(t), reduceOr(t), reduceAnd(t)], HostArray.from('bool', [true, false])).map((y) => y.toNested())).toEqual([true, true, false])
    expect(evaluate((t: Tensor) => reduceSum(t), HostArray.of('i64', [2], [2n ** 62n, 2n ** 62n])).toNested()).toBe(-(2n ** 63n))
  })

  it('sums complex numbers through the region', () => {
    const x = new HostArray(tensorType('c64', [3]), Float32Array.of(1, 2, 3, 4, 5, 6))
    expect(evaluate((t: Tensor) => reduceSum(t), x).toNested()).toEqual([9, 12])
  })

  it('runs any body, with what is accumulated first', () => {
    const x = HostArray.from('f32', [[1, 2, 4], [8, 16, 32]])
    const difference = evaluate((t: Tensor) => reduce(t, scalar(100), [1], (a, b) => subtract(a, b)), x)
    expect(difference.toNested()).toEqual([93, 44])
    const captured = evaluate((t: Tensor, s: Tensor) => reduce(t, scalar(0), [1], (a, b) => add(a, multiply(b, s))), x, HostArray.from('f32', 2))
    expect(captured.toNested()).toEqual([14, 112])
  })

  it('runs a body for many results side by side, with values from outside and constants', () => {
    const x = HostArray.of('f32', [3, 7], Array.from({ length: 21 }, (_, i) => ((i * 5) % 9) - 4))
    const body = (a: number, b: number) => a - 2 * b * 0.5
    const [columns, rows] = runOps(
      (t, s) => [0, 1].map((axis) => reduce(t, scalar(10), [axis], (a, b) => subtract(a, multiply(multiply(b, s), 0.5)))),
      x,
      HostArray.from('f32', 2),
    )
    expect(numbers(columns)).toEqual(naive(x, [0], 10, body))
    expect(numbers(rows)).toEqual(naive(x, [1], 10, body))
  })

  it('prints as upstream does: compact for one commutative op on the arguments in order, else with a reducer', () => {
    const program = lower(
      (x: Tensor, i: Tensor) => [
        reduceSum(x, 1),
        reduce(x, scalar(0), [0], (a, b) => add(b, a)),
        ...reduce([x, i], [scalar(0), scalar(0, 'i32')], [0, 1], ([a, b], [c, d]) => [add(a, c), add(b, d)]),
      ],
      f32(2, 3),
      tensorType('i32', [2, 3]),
    )
    expect(program.text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<2x3xf32>, %arg1: tensor<2x3xi32>) -> (tensor<2xf32>, tensor<3xf32>, tensor<f32>, tensor<i32>) {
          %0 = stablehlo.constant dense<0.0> : tensor<f32>
          %1 = stablehlo.reduce(%arg0 init: %0) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
          %2 = stablehlo.reduce(%arg0 init: %0) across dimensions = [0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<3xf32>
           reducer(%arg2: tensor<f32>, %arg3: tensor<f32>)  {
            %3 = stablehlo.add %arg3, %arg2 : tensor<f32>
            stablehlo.return %3 : tensor<f32>
          }
          %4 = stablehlo.constant dense<0> : tensor<i32>
          %5:2 = stablehlo.reduce(%arg0 init: %0), (%arg1 init: %4) across dimensions = [0, 1] : (tensor<2x3xf32>, tensor<2x3xi32>, tensor<f32>, tensor<i32>) -> (tensor<f32>, tensor<i32>)
           reducer(%arg4: tensor<f32>, %arg6: tensor<f32>) (%arg5: tensor<i32>, %arg7: tensor<i32>)  {
            %6 = stablehlo.add %arg4, %arg6 : tensor<f32>
            %7 = stablehlo.add %arg5, %arg7 : tensor<i32>
            stablehlo.return %6, %7 : tensor<f32>, tensor<i32>
          }
          return %1, %2, %5#0, %5#1 : tensor<2xf32>, tensor<3xf32>, tensor<f32>, tensor<i32>
        }
      }
      "
    `)
  })

  it('says what is wrong', () => {
    const fails = (body: (x: Tensor, i: Tensor) => unknown) => traceError(body as (...inputs: Tensor[]) => unknown, f32(2, 3), tensorType('i32', [2, 3]))
    expect(fails((x) => reduceSum(x, 2))).toMatchInlineSnapshot(`"reduce_sum: axis 2 is out of range for rank 2"`)
    expect(fails((x) => reduceSum(x, [0, -2]))).toMatchInlineSnapshot(`"reduce_sum: axes [0,-2] name an axis twice"`)
    expect(fails((x, i) => reduce([x, i], [scalar(0), scalar(0)], [0], (a) => a))).toMatchInlineSnapshot(`"reduce: The element-type of reduction-region's argument at index 3 is expected to be promotable from 'i32', but got 'f32' [reduce_c6]"`)
    expect(fails((x) => reduce(x, scalar(0), [0], (a) => compare(a, a, 'EQ')))).toMatchInlineSnapshot(`"reduce: The type of reduction-region's parameter at index 0 is different than the corresponding result type: 'tensor<f32>' vs 'tensor<i1>' [reduce_c6]"`)
    expect(fails((x) => reduce([x, x], [scalar(0), scalar(0)], [0], ([a]) => [a]))).toMatchInlineSnapshot(`"reduce: Reduction-region here must produce 2 tensors, but produces 1 instead [reduce_c6]"`)
    expect(fails((x, i) => reduce([x, reduceSum(i, 0)], [scalar(0), scalar(0, 'i32')], [0], (a) => a))).toMatchInlineSnapshot(`"reduce: expects all inputs to have compatible shapes. Shape at input-index 1 is not compatible with shape at input-index 0: i32[3] and f32[2,3] [reduce_c1]"`)
    expect(fails((x) => grad((t: Tensor) => reduce(t, scalar(0), [0, 1], (a, b) => reshape(reshape(add(a, b), [1]), [])))(x))).toMatchInlineSnapshot(`"reduce: no gradient for this body: it is known for bodies of element-wise ops on values of rank 0. Write the function with reduceSum, reduceProd, reduceMax and reduceMin, or give it its own rule"`)
  })

  it('shares the gradient of a maximum among ties', () => {
    const x = HostArray.from('f32', [[1, 3, 3], [2, 2, 2]])
    const dx = evaluate((t: Tensor) => grad((u: Tensor) => reduceSum(multiply(reduceMax(u, 1), fill(6, f32(2)))))(t), x)
    expect(dx.toNested()).toEqual([[0, 3, 3], [2, 2, 2]])
  })

  it('differentiates a product with zeros, twice', () => {
    const x = HostArray.from('f32', [0, 2, 3])
    expect(evaluate((t: Tensor) => grad((u: Tensor) => reduceProd(u))(t), x).toNested()).toEqual([6, 0, 0])
    const second = evaluate((t: Tensor) => grad((u: Tensor) => reduceSum(grad((v: Tensor) => reduceProd(v))(u)))(t), x)
    expect(second.toNested()).toEqual([5, 3, 2])
  })
})
