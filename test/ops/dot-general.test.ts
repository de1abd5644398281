import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { multiply } from '../../src/ops/arithmetic.ts'
import { convert } from '../../src/ops/convert.ts'
import { dotGeneral, matmul } from '../../src/ops/dot-general.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { lower } from '../../src/program/lower.ts'
import { build, ravel, unravel } from '../support/arrays.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const bf16 = (...shape: number[]) => tensorType('bf16', shape)

type Pair = [number[], number[]]

/** The plain definition, one multiplication at a time. */
function naive(lhs: HostArray, rhs: HostArray, [lb, rb]: Pair, [lc, rc]: Pair): { shape: number[]; values: number[] } {
  const free = (array: HostArray, used: number[]) => array.shape.map((_, axis) => axis).filter((axis) => !used.includes(axis))
  const [lf, rf] = [free(lhs, [...lb, ...lc]), free(rhs, [...rb, ...rc])]
  const shape = [...lb.map((axis) => lhs.shape[axis]), ...lf.map((axis) => lhs.shape[axis]), ...rf.map((axis) => rhs.shape[axis])]
  const contracted = lc.map((axis) => lhs.shape[axis])
  const count = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
  const values = Array.from({ length: count(shape) }, (_, flat) => {
    const at = unravel(flat, shape)
    let sum = 0
    for (let k = 0; k < count(contracted); k++) {
      const s = unravel(k, contracted)
      const [i, j] = [new Array<number>(lhs.shape.length), new Array<number>(rhs.shape.length)]
      lb.forEach((axis, n) => (i[axis] = at[n]))
      rb.forEach((axis, n) => (j[axis] = at[n]))
      lf.forEach((axis, n) => (i[axis] = at[lb.length + n]))
      rf.forEach((axis, n) => (j[axis] = at[lb.length + lf.length + n]))
      lc.forEach((axis, n) => (i[axis] = s[n]))
      rc.forEach((axis, n) => (j[axis] = s[n]))
      sum += Number(lhs.data[ravel(i, lhs.shape)]) * Number(rhs.data[ravel(j, rhs.shape)])
    }
    return sum
  })
  return { shape, values }
}

/** Sizes of the four groups of axes, and orders in which each side has its axes. */
const contractions = fc
  .record({
    batch: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
    contracted: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
    left: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
    right: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 2 }),
  })
  .chain(({ batch, contracted, left, right }) => {
    const side = (free: number[]) => {
      const sizes = [...batch, ...contracted, ...free]
      return fc.shuffledSubarray(sizes.map((_, i) => i), { minLength: sizes.length }).map((order) => ({
        shape: order.map((i) => sizes[i]),
        batching: batch.map((_, i) => order.indexOf(i)),
        contracting: contracted.map((_, i) => order.indexOf(batch.length + i)),
      }))
    }
    return fc.record({ lhs: side(left), rhs: side(right) })
  })

describe('dot_general', () => {
  it.each(['f32', 'i32', 'f64'] as const)('agrees with plain loops in %s', (dtype) => {
    fc.assert(
      fc.property(contractions, ({ lhs, rhs }) => {
        const value = (index: number[]) => ((index.reduce((sum, i) => sum * 7 + i, 3) * 31) % 17) - 8
        const [x, y] = [build(dtype, lhs.shape, value), build(dtype, rhs.shape, value)]
        const [batching, contracting]: Pair[] = [[lhs.batching, rhs.batching], [lhs.contracting, rhs.contracting]]
        const want = naive(x, y, batching, contracting)
        const got = runOp((a, b) => dotGeneral(a, b, { batching, contracting }), x, y)
        expect(got.shape).toEqual(want.shape)
        expect(Array.from(got.data as ArrayLike<number>)).toEqual(want.values)
      }),
      { numRuns: 100 },
    )
  })

  it('goes over tile edges', () => {
    for (const [m, k, n] of [[3, 70, 9], [1, 1, 1], [2, 5000, 13]] as const) {
      const x = build('f64', [m, k], ([i, j]) => (i * 3 + j) % 11)
      const y = build('f64', [k, n], ([i, j]) => (i + j * 5) % 7)
      expect(Array.from(runOp((a, b) => matmul(a, b), x, y).data as Float64Array)).toEqual(naive(x, y, [[], []], [[1], [0]]).values)
    }
  })

  it('sums in double precision and rounds once, but short sums in f32 step by step', () => {
    const sum = (count: number) => {
      const x = HostArray.of('f32', [1, count], Array.from({ length: count }, (_, i) => (i ? 2 ** -24 : 1)))
      return runOp((a, b) => matmul(a, b), x, HostArray.of('f32', [count, 1], new Array(count).fill(1))).item()
    }
    expect(sum(17)).toBe(1 + 2 ** -20)
    expect(sum(16)).toBe(1)
    const narrow = HostArray.of('bf16', [1, 300], new Array(300).fill(1.0078125))
    const wide = runOps((a) => [dotGeneral(a, a, { contracting: [[1], [1]] }), dotGeneral(a, a, { contracting: [[1], [1]], outputDtype: 'f32' })], narrow)
    expect(wide.map((y) => y.item())).toEqual([304, 300 * 1.0078125 ** 2])
  })

  it('multiplies integers, booleans and complex numbers', () => {
    expect(runOp((a) => matmul(a, a), HostArray.from('u8', [[100, 2], [3, 4]])).toNested()).toEqual([[22, 208], [56, 22]])
    const big = HostArray.of('i64', [1, 1], [2n ** 62n])
    expect(runOp((a, b) => matmul(a, b), big, HostArray.of('i64', [1, 1], [2n])).toNested()).toEqual([[-(2n ** 63n)]])
    expect(runOp((a) => matmul(a, a), HostArray.from('bool', [[true, true], [false, false]])).toNested()).toEqual([[true, true], [false, false]])
    const complex = new HostArray(tensorType('c64', [1, 2]), Float32Array.of(1, 2, 3, -1))
    expect(runOp((a) => dotGeneral(a, a, { contracting: [[1], [1]] }), complex).toNested()).toEqual([[[1 - 4 + 9 - 1, 4 - 6]]])
  })

  it('gives the cotangents the element types of the operands', () => {
    const [dx, dy] = runOps(
      (x, y) => grad((a: Tensor, b: Tensor) => reduceSum(multiply(matmul(a, b, { outputDtype: 'f32' }), 2)), { wrt: [0, 1] })(x, y),
      HostArray.from('bf16', [[1, 2]]),
      HostArray.from('bf16', [[3], [4]]),
    )
    expect([dx.dtype, dx.toNested(), dy.dtype, dy.toNested()]).toEqual(['bf16', [[6, 8]], 'bf16', [[2], [4]]])
  })

  it('prints as upstream does', () => {
    const algorithm = {
      lhs_precision_type: 'bf16',
      rhs_precision_type: 'bf16',
      accumulation_type: 'f32',
      lhs_component_count: 1,
      rhs_component_count: 1,
      num_primitive_operations: 3,
      allow_imprecise_accumulation: false,
    }
    const program = lower(
      (x: Tensor, y: Tensor) => [
        dotGeneral(x, y, { batching: [[0], [0]], contracting: [[2], [1]], precision: 'HIGHEST' }),
        dotGeneral(x, y, { contracting: [[], []], algorithm }),
        matmul(convert(x, 'bf16'), convert(y, 'bf16'), { outputDtype: 'f32' }),
      ],
      f32(2, 3, 4),
      f32(2, 4, 5),
    )
    expect(program.text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<2x3x4xf32>, %arg1: tensor<2x4x5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x4x2x4x5xf32>, tensor<2x3x5xf32>) {
          %0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
          %1 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [] x [], precision = [DEFAULT, DEFAULT], algorithm = <lhs_precision_type = bf16, rhs_precision_type = bf16, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 3, allow_imprecise_accumulation = false> : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x4x2x4x5xf32>
          %2 = stablehlo.convert %arg0 : (tensor<2x3x4xf32>) -> tensor<2x3x4xbf16>
          %3 = stablehlo.convert %arg1 : (tensor<2x4x5xf32>) -> tensor<2x4x5xbf16>
          %4 = stablehlo.dot_general %2, %3, batching_dims = [0] x [0], contracting_dims = [2] x [1], precision = [DEFAULT, DEFAULT] : (tensor<2x3x4xbf16>, tensor<2x4x5xbf16>) -> tensor<2x3x5xf32>
          return %0, %1, %4 : tensor<2x3x5xf32>, tensor<2x3x4x2x4x5xf32>, tensor<2x3x5xf32>
        }
      }
      "
    `)
  })

  it('says what is wrong', () => {
    const fails = (body: (x: Tensor, y: Tensor) => Tensor) => traceError(body as (...inputs: Tensor[]) => Tensor, f32(2, 8, 128), f32(3, 64, 32))
    expect(fails((x, y) => dotGeneral(x, y, { contracting: [[2], [1]] }))).toMatchInlineSnapshot(`"dot_general: contracting dimension sizes must match for lhs/rhs: lhs f32[2,8,128] axis 2 is 128, rhs f32[3,64,32] axis 1 is 64 [dot_general_c10]"`)
    expect(fails((x, y) => dotGeneral(x, y, { batching: [[0], [0]], contracting: [[], []] }))).toMatchInlineSnapshot(`"dot_general: batching dimension sizes must match for lhs/rhs: lhs f32[2,8,128] axis 0 is 2, rhs f32[3,64,32] axis 0 is 3 [dot_general_c9]"`)
    expect(fails((x, y) => dotGeneral(x, y, { batching: [[0], []], contracting: [[], []] }))).toMatchInlineSnapshot(`"dot_general: lhs and rhs should have the same number of batching dimensions, got [0] and [] [dot_general_c1]"`)
    expect(fails((x, y) => dotGeneral(x, y, { contracting: [[1], []] }))).toMatchInlineSnapshot(`"dot_general: lhs and rhs should have the same number of contracting dimensions, got [1] and [] [dot_general_c2]"`)
    expect(fails((x, y) => dotGeneral(x, y, { contracting: [[1, 1], [0, 1]] }))).toMatchInlineSnapshot(`"dot_general: has duplicated dimension from lhs_batching_dimensions and lhs_contracting_dimensions: 1 [dot_general_c3]"`)
    expect(fails((x, y) => dotGeneral(x, y, { contracting: [[3], [0]] }))).toMatchInlineSnapshot(`"dot_general: axis 3 is out of range for rank 3"`)
    expect(fails((x, y) => dotGeneral(x, convert(y, 'bf16'), { contracting: [[], []] }))).toMatchInlineSnapshot(`"dot_general: operands differ in element type: lhs f32[2,8,128], rhs bf16[3,64,32]; convert one of them [dot_general_c13]"`)
    expect(fails((x, y) => matmul(x, y))).toMatchInlineSnapshot(`"matmul: leading axes differ: lhs f32[2,8,128], rhs f32[3,64,32]"`)
    expect(fails((x, y) => matmul(x, reduceSum(y)))).toMatchInlineSnapshot(`"matmul: both operands need rank 2 or more: lhs f32[2,8,128], rhs f32[]"`)
    expect(traceError((x) => dotGeneral(x, x, { contracting: [[0], [0]], algorithm: { ...f16Algorithm, accumulation_type: 'bf16' } }), bf16(4))).toMatchInlineSnapshot(`"dot_general: dot algorithm not known to be supported on any hardware: {lhs:'f16', rhs:'f16', accum:'bf16', lhs_components:1, rhs_components:1, primitive_ops:1, imprecise:0} [dot_general_i10]"`)
  })
})

const f16Algorithm = {
  lhs_precision_type: 'f16',
  rhs_precision_type: 'f16',
  accumulation_type: 'f32',
  lhs_component_count: 1,
  rhs_component_count: 1,
  num_primitive_operations: 1,
  allow_imprecise_accumulation: false,
}
