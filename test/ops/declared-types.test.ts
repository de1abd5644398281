import { describe, expect, test } from 'vitest'
import type { OpDefinition } from '../../src/ir/op-definition.ts'
import { DYNAMIC, type TensorType, shortType, tensorType } from '../../src/ir/types.ts'
import { concatenateOp } from '../../src/ops/concatenate.ts'
import { convertOp, reducePrecisionOp } from '../../src/ops/convert.ts'
import { dynamicSliceOp, dynamicUpdateSliceOp } from '../../src/ops/dynamic-slice.ts'
import { gatherOp } from '../../src/ops/gather-scatter.ts'
import { reshapeOp } from '../../src/ops/reshape.ts'
import { reverseOp } from '../../src/ops/reverse.ts'
import { padOp, sliceOp } from '../../src/ops/slice-pad.ts'
import { transposeOp } from '../../src/ops/transpose.ts'

/** What a parsed program may say that no builder says: result types, sizes that are not known, quantized elements. */

const f32 = (...shape: number[]) => tensorType('f32', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)
const quantized = (shape: number[], axis: number, scale = 1): TensorType => ({
  kind: 'tensor',
  dtype: 'i8',
  shape,
  quantization: { expressed: 'f32', scales: [scale], zeroPoints: [17n], axis },
})

function infer(definition: OpDefinition, operands: readonly TensorType[], attributes: Record<string, any>, result?: TensorType): string {
  const fail = (detail: string, rule?: string): never => {
    throw new Error(`${detail} [${rule}]`)
  }
  try {
    const [type] = definition.infer({ operands, attributes, regions: [], results: result && [result], lookup: () => undefined, fail })
    return shortType(type)
  } catch (error) {
    return (error as Error).message
  }
}

const gatherRows = {
  dimension_numbers: {
    offset_dims: [1],
    collapsed_slice_dims: [0],
    operand_batching_dims: [],
    start_indices_batching_dims: [],
    start_index_map: [0],
    index_vector_dim: 1,
  },
  slice_sizes: [1, 3],
}

describe('a declared result', () => {
  test('must agree', () => {
    expect(infer(transposeOp, [f32(2, 3)], { permutation: [1, 0] }, f32(2, 3))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<3x2xf32>' are incompatible with return type(s) of operation 'tensor<2x3xf32>' [transpose_c3]"`)
    expect(infer(transposeOp, [f32(2, 3)], { permutation: [1, 0] }, i32(3, 2))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<3x2xf32>' are incompatible with return type(s) of operation 'tensor<3x2xi32>' [transpose_c3]"`)
    expect(infer(reverseOp, [f32(2, 3)], { dimensions: [] }, f32(3, 3))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<2x3xf32>' are incompatible with return type(s) of operation 'tensor<3x3xf32>' [reverse_c1]"`)
    expect(infer(sliceOp, [f32(4)], { start_indices: [0], limit_indices: [4], strides: [2] }, f32(3))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<3xf32>' [slice_c5]"`)
    expect(infer(padOp, [f32(4), f32()], { edge_padding_low: [0], edge_padding_high: [1], interior_padding: [0] }, f32(4))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<5xf32>' are incompatible with return type(s) of operation 'tensor<4xf32>' [pad_c4]"`)
    expect(infer(concatenateOp, [f32(4), f32(1)], { dimension: 0 }, f32(4))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<5xf32>' are incompatible with return type(s) of operation 'tensor<4xf32>' [concatenate_c6]"`)
    expect(infer(concatenateOp, [f32(4), f32(1)], { dimension: 0 }, i32(5))).toMatchInlineSnapshot(`"inputs (f32[4], f32[1]) and result i32[5] differ in element type [concatenate_c5]"`)
    expect(infer(dynamicSliceOp, [f32(4), i32()], { slice_sizes: [2] }, f32(4))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<4xf32>' [dynamic_slice_c5]"`)
    expect(infer(dynamicUpdateSliceOp, [f32(4), f32(2), i32()], {}, f32(2))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<4xf32>' are incompatible with return type(s) of operation 'tensor<2xf32>' [dynamic_update_slice_c1]"`)
    expect(infer(convertOp, [f32(4)], {}, i32(3))).toMatchInlineSnapshot(`"operand f32[4] and result i32[3] differ in shape [convert_c1]"`)
    expect(infer(reducePrecisionOp, [f32(4)], { exponent_bits: 5, mantissa_bits: 2 }, f32(3))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<4xf32>' are incompatible with return type(s) of operation 'tensor<3xf32>' [reduce_precision_c1]"`)
    expect(infer(gatherOp, [f32(4, 3), i32(5)], gatherRows, f32(5, 4))).toMatchInlineSnapshot(`"inferred type(s) 'tensor<5x3xf32>' are incompatible with return type(s) of operation 'tensor<5x4xf32>' [gather_c22]"`)
    expect(infer(gatherOp, [f32(4, 3), i32(5)], gatherRows, i32(5, 3))).toMatchInlineSnapshot(`"operand f32[4,3] and result i32[5,3] differ in element type [gather_c23]"`)
    expect(infer(reshapeOp, [f32(4)], {}, i32(4))).toMatchInlineSnapshot(`"operand f32[4] and result i32[4] differ in element type [reshape_c1]"`)
  })
  test('may know more or less than is inferred', () => {
    expect(infer(transposeOp, [f32(2, DYNAMIC)], { permutation: [1, 0] }, f32(3, DYNAMIC))).toBe('f32[3,?]')
    expect(infer(gatherOp, [f32(DYNAMIC, 3), i32(DYNAMIC)], gatherRows)).toBe('f32[?,3]')
  })
})

test('sizes that are not known', () => {
  expect(infer(concatenateOp, [f32(DYNAMIC, 3), f32(2, DYNAMIC)], { dimension: 0 })).toBe('f32[?,3]')
  expect(infer(sliceOp, [f32(DYNAMIC)], { start_indices: [1], limit_indices: [9], strides: [2] })).toBe('f32[4]')
  expect(infer(padOp, [f32(DYNAMIC), f32()], { edge_padding_low: [0], edge_padding_high: [1], interior_padding: [0] })).toBe('f32[?]')
  expect(infer(reshapeOp, [f32(DYNAMIC)], {}, f32(DYNAMIC, 2))).toMatchInlineSnapshot(`"result #0 must be statically shaped or single bounded dimension tensor of number, boolean or quantized values, but got 'tensor<?x2xf32>' [reshape_i1]"`)
})

test('quantized elements', () => {
  expect(infer(transposeOp, [quantized([2, 3], 0)], { permutation: [1, 0] }, quantized([3, 2], 1))).toContain('i8')
  expect(infer(transposeOp, [quantized([2, 3], 0)], { permutation: [1, 0] }, quantized([3, 2], 1, 2))).toMatchInlineSnapshot(`"expect same quantization scales and zero_points but got tensor<3x2x!quant.uniform<i8:f32:1, {1.000000e+00:17}>> vs tensor<3x2x!quant.uniform<i8:f32:1, {2.000000e+00:17}>> [transpose_c1]"`)
  expect(infer(reverseOp, [quantized([2, 3], 0)], { dimensions: [0] })).toMatchInlineSnapshot(`"operand must not be quantized per axis, got tensor<2x3x!quant.uniform<i8:f32:0, {1.000000e+00:17}>> [undefined]"`)
  expect(infer(reshapeOp, [quantized([2, 1, 3], 1)], {}, quantized([2, 1, 3, 1], 1))).toContain('i8')
  expect(infer(reshapeOp, [quantized([1, 2, 3], 0)], {}, quantized([2, 1, 3], 1))).toMatchInlineSnapshot(`"product of dimensions before quantization dimension must match between operand and result for 1 and 2 [reshape_c3]"`)
  expect(infer(reshapeOp, [quantized([2, 3], 0)], {}, quantized([2, 3], 0, 2))).toMatchInlineSnapshot(`"expect same quantization scales and zero_points but got tensor<2x3x!quant.uniform<i8:f32:0, {1.000000e+00:17}>> vs tensor<2x3x!quant.uniform<i8:f32:0, {2.000000e+00:17}>> [reshape_c1]"`)
  expect(infer(convertOp, [quantized([2], 0)], {}, f32(2))).toMatchInlineSnapshot(`"cannot convert tensor<2x!quant.uniform<i8:f32:0, {1.000000e+00:17}>> to f32[2]: use uniform_quantize or uniform_dequantize [convert_i1]"`)
})
