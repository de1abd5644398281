import { describe, expect, it } from 'vitest'
import { interpret } from '../../src/interpret/interpreter.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { constant } from '../../src/ops/constant.ts'
import { dynamicBroadcastInDim, dynamicIota, dynamicReshape } from '../../src/ops/dynamic-shape.ts'
import { dynamicGather, dynamicPad, realDynamicSlice } from '../../src/ops/dynamic-window.ts'
import { parseModule } from '../../src/text/parse.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const list = (length: number) => tensorType('i64', [length])
const i64 = (...values: number[]) => HostArray.from('i64', values)
const table = HostArray.from('f32', [[1, 2, 3], [4, 5, 6]])

describe('shapes that are operands', () => {
  it('say the result when the program runs', () => {
    expect(runOp((x, n) => dynamicBroadcastInDim(x, n, [1]), HostArray.from('f32', [1, 2]), i64(3, 2)).toNested()).toEqual([[1, 2], [1, 2], [1, 2]])
    expect(runOp((n) => dynamicIota(n, 0, tensorType('i32', [-1, 2])), i64(3, 2)).toNested()).toEqual([[0, 0], [1, 1], [2, 2]])
    expect(runOp((x, n) => dynamicReshape(x, n), table, i64(3, 1, 2)).shape).toEqual([3, 1, 2])
    expect(runOp((x, n) => dynamicReshape(x, n), HostArray.zeros('f32', [0, 3]), i64(3, 0)).shape).toEqual([3, 0])
  })

  it('say windows when the program runs', () => {
    const pad = (low: number, high: number, interior: number) =>
      runOp((x, v, l, h, n) => dynamicPad(x, v, l, h, n, f32(-1)), HostArray.from('f32', [1, 2]), HostArray.from('f32', 0), i64(low), i64(high), i64(interior)).toNested()
    expect(pad(1, 0, 2)).toEqual([0, 1, 0, 0, 2])
    expect(pad(-1, 1, 0)).toEqual([2, 0])
    expect(runOp((x, a, b, s) => realDynamicSlice(x, a, b, s), table, i64(0, 1), i64(2, 3), i64(1, 1)).toNested()).toEqual([[2, 3], [5, 6]])
    const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], index_vector_dim: 1 }
    expect(runOp((x, i, n) => dynamicGather(x, i, n, rows), table, HostArray.from('i32', [1, 7]), i64(1, 2)).toNested()).toEqual([[4, 5], [4, 5]])
  })

  it('are refused where they do not go with the operand or the declared type', () => {
    const run = (build: Parameters<typeof runOp>[0], ...inputs: HostArray[]) => () => runOp(build, ...inputs)
    expect(run((x, n) => dynamicReshape(x, n), table, i64(4, 2))).toThrow('dynamic_reshape: input has 6 elements, but output_shape has 8 [dynamic_reshape_c2]')
    expect(run((x, n) => dynamicReshape(x, n, f32(2, 3)), table, i64(3, 2))).toThrow(`output shape [3, 2] is incompatible with return type of operation 'tensor<2x3xf32>' [dynamic_reshape_c4]`)
    expect(run((x, n) => dynamicBroadcastInDim(x, n, [0]), HostArray.from('f32', [1, 2]), i64(3))).toThrow('[dynamic_broadcast_in_dim_c5]')
    expect(run((n) => dynamicIota(n, 0, f32(-1)), i64(-2))).toThrow('[dynamic_iota_c2]')
    expect(run((x, a, b, s) => realDynamicSlice(x, a, b, s), HostArray.from('f32', [1, 2]), i64(1), i64(3), i64(1))).toThrow('slice 1:3 at axis 0 does not lie within its size 2 [real_dynamic_slice_c4]')
    expect(run((x, a, b, s) => realDynamicSlice(x, a, b, s), HostArray.from('f32', [1, 2]), i64(0), i64(2), i64(0))).toThrow('stride 0 at axis 0 must be positive')
    const rows = { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], index_vector_dim: 1 }
    expect(run((x, i, n) => dynamicGather(x, i, n, rows), table, HostArray.from('i32', [1]), i64(1, 4))).toThrow('[dynamic_gather_c21]')
  })

  it('are checked at once where they are constants', () => {
    expect(traceError((x) => dynamicReshape(x, constant([4, 2], 'i64')), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_reshape: number of output elements (8) doesn't match expected number of elements (6) [dynamic_reshape_c2]"`)
    expect(traceError((x) => dynamicReshape(x, constant([3, 2], 'i64'), f32(6, -1)), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_reshape: output shape [3, 2] is incompatible with return type of operation 'tensor<6x?xf32>' [dynamic_reshape_c4]"`)
    expect(traceError((x) => dynamicBroadcastInDim(x, constant([3], 'i64'), [0]), f32(2))).toMatchInlineSnapshot(`"dynamic_broadcast_in_dim: size of operand dimension 0 (2) is not compatible with size of result dimension 0 (3) [dynamic_broadcast_in_dim_c5]"`)
    expect(traceError(() => dynamicIota(constant([-1], 'i64'), 0, f32(4)))).toMatchInlineSnapshot(`"dynamic_iota: output shape [-1] is incompatible with return type of operation 'tensor<4xf32>' [dynamic_iota_c2]"`)
    expect(traceError(() => dynamicIota(constant([4], 'i64'), 1, f32(4)))).toMatchInlineSnapshot(`"dynamic_iota: iota dimension cannot go beyond the output rank. [dynamic_iota_c1]"`)
    expect(traceError((x) => dynamicPad(x, constant(0), constant([0], 'i64'), constant([0], 'i64'), constant([-1], 'i64')), f32(2))).toMatchInlineSnapshot(`"dynamic_pad: interior_padding must be non-negative, but got -1 [dynamic_pad_c3]"`)
    expect(traceError((x) => dynamicPad(x, constant(0), constant([1], 'i64'), constant([0], 'i64'), constant([0], 'i64'), f32(4)), f32(2))).toMatchInlineSnapshot(`"dynamic_pad: expected output dimension at index 0 to equal 3, but got 4 [dynamic_pad_c4]"`)
  })

  it('have rules on their lists', () => {
    expect(traceError((x, n) => dynamicReshape(x, n), f32(2, 3), tensorType('f32', [2]))).toMatchInlineSnapshot(`"dynamic_reshape: operand #1 must be statically shaped 1-dimensional tensor of integer values, but got 'tensor<2xf32>' [dynamic_reshape_i2]"`)
    expect(traceError((x, n) => dynamicReshape(x, n, f32(6)), f32(2, 3), list(2))).toMatchInlineSnapshot(`"dynamic_reshape: result should have a rank equal to the number of elements in output_shape: 'tensor<6xf32>' and 2 elements [dynamic_reshape_c4]"`)
    expect(traceError((x, n) => dynamicBroadcastInDim(x, n, [0, 0]), f32(2, 3), list(2))).toMatchInlineSnapshot(`"dynamic_broadcast_in_dim: broadcast_dimensions should not have duplicates [dynamic_broadcast_in_dim_c4]"`)
    expect(traceError((x, n) => dynamicBroadcastInDim(x, n, [0]), f32(2, 3), list(2))).toMatchInlineSnapshot(`"dynamic_broadcast_in_dim: broadcast_dimensions size (1) does not match operand rank (2) [dynamic_broadcast_in_dim_c2]"`)
    expect(traceError((x, n) => dynamicBroadcastInDim(x, n, [0, 2]), f32(2, 3), list(2))).toMatchInlineSnapshot(`"dynamic_broadcast_in_dim: broadcast_dimensions contains invalid value 2 for result with rank 2 [dynamic_broadcast_in_dim_c3]"`)
    expect(traceError((x, n) => dynamicBroadcastInDim(x, n, [0, 1]), f32(2, 3), list(1))).toMatchInlineSnapshot(`"dynamic_broadcast_in_dim: result rank (1) is less than operand rank (2) [dynamic_broadcast_in_dim_c3]"`)
    expect(traceError((x, a, b, s) => realDynamicSlice(x, a, b, s), f32(2), list(2), list(1), list(1))).toMatchInlineSnapshot(`"real_dynamic_slice: has mismatched number of operand rank (1) and start_indices size (2) [real_dynamic_slice_c2]"`)
    expect(traceError((x, v, l) => dynamicPad(x, v, l, l, l), f32(2), f32(), list(2))).toMatchInlineSnapshot(`"dynamic_pad: padding operands size (2) must match operand rank (1) [dynamic_pad_c2]"`)
  })
})

describe('sizes that the program leaves open', () => {
  const program = parseModule(`
func.func @main(%x: tensor<?x3xf32>, %y: tensor<?x3xf32>, %n: tensor<2xi64>) -> tensor<?x?xf32> {
  %0 = stablehlo.add %x, %y : tensor<?x3xf32>
  %1 = stablehlo.convert %0 : (tensor<?x3xf32>) -> tensor<?x3xi32>
  %2 = stablehlo.transpose %1, dims = [1, 0] : (tensor<?x3xi32>) -> tensor<3x?xi32>
  %3 = stablehlo.compare GT, %2, %2 : (tensor<3x?xi32>, tensor<3x?xi32>) -> tensor<3x?xi1>
  %4 = stablehlo.negate %2 : tensor<3x?xi32>
  %5 = stablehlo.select %3, %2, %4 : tensor<3x?xi1>, tensor<3x?xi32>
  %6 = stablehlo.convert %5 : (tensor<3x?xi32>) -> tensor<3x?xf32>
  %7 = stablehlo.concatenate %6, %6, dim = 0 : (tensor<3x?xf32>, tensor<3x?xf32>) -> tensor<?x?xf32>
  %8 = stablehlo.dot_general %7, %x, contracting_dims = [1] x [0] : (tensor<?x?xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %9 = stablehlo.reduce(%8 init: %c) applies stablehlo.add across dimensions = [1] : (tensor<?x3xf32>, tensor<f32>) -> tensor<?xf32>
  %10 = stablehlo.dynamic_reshape %9, %n : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %10 : tensor<?x?xf32>
}`)
  const ones = (rows: number) => HostArray.of('f32', [rows, 3], Array.from({ length: 3 * rows }, () => 1))

  it('are those of the values', () => {
    const [result] = interpret(program, [ones(2), ones(2), i64(2, 3)]) as HostArray[]
    expect(result.toNested()).toEqual([[-12, -12, -12], [-12, -12, -12]])
    expect((interpret(program, [ones(0), ones(0), i64(6, 1)]) as HostArray[])[0].shape).toEqual([6, 1])
  })
  it('must go together', () => {
    expect(() => interpret(program, [ones(2), ones(3), i64(2, 3)])).toThrow('add: operands differ in shape: (f32[2,3], f32[3,3]) [add_c1]')
  })
  it('may have limits', () => {
    const bounded = parseModule(`
func.func @main(%x: tensor<?x2xf32, #stablehlo.bounds<5, ?>>) -> tensor<2x?xf32, #stablehlo.bounds<?, 5>> {
  %0 = stablehlo.reshape %x : (tensor<?x2xf32, #stablehlo.bounds<5, ?>>) -> tensor<2x?xf32, #stablehlo.bounds<?, 5>>
  return %0 : tensor<2x?xf32, #stablehlo.bounds<?, 5>>
}`)
    expect((interpret(bounded, [HostArray.from('f32', [[1, 2], [3, 4], [5, 6]])]) as HostArray[])[0].toNested()).toEqual([[1, 2, 3], [4, 5, 6]])
  })
})
