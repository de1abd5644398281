import { describe, expect, it } from 'vitest'
import { dequantizeArray, quantizeArray } from '../../src/host/quantize.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { isScale, quantizationFault } from '../../src/ir/infer.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { type Quantization, type TensorType, tensorType } from '../../src/ir/types.ts'
import { add, negate } from '../../src/ops/arithmetic.ts'
import { uniformDequantize, uniformQuantize } from '../../src/ops/uniform-quantize.ts'
import { parseModule } from '../../src/text/parse.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const quantized = (dtype: TensorType['dtype'], shape: number[], parts: Partial<Quantization> = {}): TensorType => ({
  kind: 'tensor',
  dtype,
  shape,
  quantization: { expressed: 'f32', scales: [0.5], zeroPoints: [3n], ...parts },
})
const run = (text: string, ...inputs: HostArray[]): unknown[] => (interpret(parseModule(text), inputs) as HostArray[]).map((array) => array.toNested())

describe('quantized numbers', () => {
  it('are the nearest step, halves to the even one, within the storage', () => {
    const quantize = (values: number[], type: TensorType) => quantizeArray(HostArray.from('f32', values), type).toNested()
    expect(quantize([0, 0.25, 0.75, -0.25, 1, NaN, Infinity, -1000], quantized('i8', [8]))).toEqual([3, 4, 4, 2, 5, 0, 127, -128])
    expect(quantize([100, -100], quantized('i8', [2], { storageMin: -5n, storageMax: 7n }))).toEqual([7, -5])
    expect(quantize([100, -100], quantized('u8', [2]))).toEqual([203, 0])
    expect(quantize([1e30], quantized('i32', [1]))).toEqual([2147483647])
  })
  it('have a scale for each index of an axis', () => {
    const parts = { scales: [1, 2, 4], zeroPoints: [0n, 1n, -1n], axis: 1 }
    const stored = HostArray.from('i8', [[[1], [3], [0]], [[-1], [1], [-1]]])
    const numbers = dequantizeArray(stored, { expressed: 'f32', ...parts })
    expect(numbers.toNested()).toEqual([[[1], [4], [4]], [[-1], [0], [0]]])
    expect(quantizeArray(numbers, quantized('i8', [2, 3, 1], parts)).toNested()).toEqual(stored.toNested())
  })
  it('come from numbers and go back, in builders', () => {
    const x = HostArray.from('f32', [0.1, 0.9, -3])
    expect(runOp((t) => uniformDequantize(uniformQuantize(t, 'i8', { scales: [0.5], zeroPoints: [0n] })), x).toNested()).toEqual([0, 1, -3])
    expect(traceError((t) => uniformDequantize(t), f32(2))).toMatchInlineSnapshot(`"uniform_dequantize: operand #0 must be ranked tensor of quantized values, but got 'tensor<2xf32>' of f32 [uniform_dequantize_i1]"`)
    expect(traceError((t) => uniformQuantize(t, 'i8', { scales: [1], zeroPoints: [0n] }), tensorType('i32', [2]))).toMatchInlineSnapshot(`"uniform_quantize: operand #0 must be ranked tensor of floating-point or quantized values, but got 'tensor<2xi32>' [uniform_quantize_i1]"`)
    expect(traceError((t) => uniformQuantize(t, 'i8', { scales: [1, 2], zeroPoints: [0n, 0n], axis: 1 }), f32(2))).toMatchInlineSnapshot(`"uniform_quantize: result must be ranked tensor of quantized values, but got 'tensor<2x!quant.uniform<i8:f32:1, {1.000000e+00,2.000000e+00}>>' [quantized_element_type_c12]"`)
    expect(traceError((t) => uniformQuantize(t, 'i8', { scales: [1], zeroPoints: [300n] }), f32(2))).toMatchInlineSnapshot(`"uniform_quantize: result must be ranked tensor of quantized values, but got 'tensor<2x!quant.uniform<i8:f32, 1.000000e+00:300>>' [quantized_element_type_c8]"`)
  })
})

describe('ops on quantized tensors', () => {
  const q = '!quant.uniform<i8:f32, 0.5:3>'
  it('compute on the numbers that are meant, and move stored integers as they are', () => {
    const text = `
func.func @main(%x: tensor<3xf32>, %y: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xi8>, tensor<3xi1>, tensor<f32>) {
  %0 = stablehlo.uniform_quantize %x : (tensor<3xf32>) -> tensor<3x${q}>
  %1 = stablehlo.uniform_quantize %y : (tensor<3xf32>) -> tensor<3x${q}>
  %2 = stablehlo.multiply %0, %1 : (tensor<3x${q}>, tensor<3x${q}>) -> tensor<3x!quant.uniform<i8:f32, 0.25>>
  %3 = stablehlo.uniform_dequantize %2 : (tensor<3x!quant.uniform<i8:f32, 0.25>>) -> tensor<3xf32>
  %4 = stablehlo.reverse %0, dims = [0] : tensor<3x${q}>
  %5 = stablehlo.bitcast_convert %4 : (tensor<3x${q}>) -> tensor<3xi8>
  %6 = stablehlo.compare LT, %0, %1 : (tensor<3x${q}>, tensor<3x${q}>) -> tensor<3xi1>
  %c = stablehlo.constant dense<0.0> : tensor<f32>
  %z = stablehlo.uniform_quantize %c : (tensor<f32>) -> tensor<${q}>
  %7 = "stablehlo.reduce"(%0, %z) ({
  ^bb0(%a: tensor<${q}>, %b: tensor<${q}>):
    %s = stablehlo.add %a, %b : tensor<${q}>
    stablehlo.return %s : tensor<${q}>
  }) {dimensions = array<i64: 0>} : (tensor<3x${q}>, tensor<${q}>) -> tensor<${q}>
  %8 = stablehlo.uniform_dequantize %7 : (tensor<${q}>) -> tensor<f32>
  return %3, %5, %6, %8 : tensor<3xf32>, tensor<3xi8>, tensor<3xi1>, tensor<f32>
}`
    expect(run(text, HostArray.from('f32', [1, 2.5, -1]), HostArray.from('f32', [3, 0.5, 0]))).toEqual([[3, 1.25, 0], [1, 8, 5], [true, false, true], 2.5])
  })
  it('contract integers to wider ones', () => {
    const text = `
func.func @main(%x: tensor<2x2xf32>, %y: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %0 = stablehlo.uniform_quantize %x : (tensor<2x2xf32>) -> tensor<2x2x${q}>
  %1 = stablehlo.uniform_quantize %y : (tensor<2x1xf32>) -> tensor<2x1x!quant.uniform<i8:f32, 0.25>>
  %2 = stablehlo.dot_general %0, %1, contracting_dims = [1] x [0] : (tensor<2x2x${q}>, tensor<2x1x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x1x!quant.uniform<i32:f32, 0.125>>
  %3 = stablehlo.uniform_dequantize %2 : (tensor<2x1x!quant.uniform<i32:f32, 0.125>>) -> tensor<2x1xf32>
  return %3 : tensor<2x1xf32>
}`
    expect(run(text, HostArray.from('f32', [[1, 2], [3, -4]]), HostArray.from('f32', [[0.25], [0.5]]))).toEqual([[[1.25], [-1.25]]])
  })
  it('add with a scale for each index, but do not negate so', () => {
    const parts = { scales: [1, 2], zeroPoints: [0n, 0n], axis: 0 }
    const x = HostArray.from('f32', [3, 5])
    expect(runOp((t) => uniformDequantize(add(uniformQuantize(t, 'i8', parts), uniformQuantize(t, 'i8', parts))), x).toNested()).toEqual([6, 8])
    expect(traceError((t) => negate(uniformQuantize(t, 'i8', parts)), f32(2))).toMatchInlineSnapshot(`"negate: operand #0 must be ranked tensor of number, boolean or per-tensor quantized values, but got 'tensor<2x!quant.uniform<i8:f32:0, {1.000000e+00,2.000000e+00}>>'"`)
    expect(traceError((t) => add(uniformQuantize(t, 'i8', parts), uniformQuantize(t, 'i4', parts)), f32(2))).toMatchInlineSnapshot(`"add: mismatched operands and result quantization storage types: tensor<2x!quant.uniform<i8:f32:0, {1.000000e+00,2.000000e+00}>>, tensor<2x!quant.uniform<i4:f32:0, {1.000000e+00,2.000000e+00}>> [add_c3]"`)
  })
})

describe('quantized types', () => {
  it('obey their rules', () => {
    expect(quantizationFault(quantized('i8', [2]))).toBeUndefined()
    expect(quantizationFault(quantized('i8', [2], { zeroPoints: [128n] }))).toBe('quantized_element_type_c8')
    expect(quantizationFault(quantized('i4', [2], { zeroPoints: [-9n] }))).toBe('quantized_element_type_c8')
    expect(quantizationFault(quantized('i8', [2], { storageMin: 0n, storageMax: 300n }))).toBe('quantized_element_type_c2')
    expect(quantizationFault(quantized('i8', [2], { axis: 1 }))).toBe('quantized_element_type_c12')
    expect(quantizationFault(quantized('i8', [2], { axis: 0 }))).toBe('quantized_element_type_c13')
  })
  it('have scales that the expressed type can hold', () => {
    expect([1, 65504, 2 ** -24].map((scale) => isScale(scale, 'f16'))).toEqual([true, true, true])
    expect([0, -1, 65536, 2 ** -25, Infinity, NaN].map((scale) => isScale(scale, 'f16'))).toEqual([false, false, false, false, false, false])
    expect(() => parseModule('func.func private @f(tensor<1x!quant.uniform<i4:f16, 10.550400e+04>>)')).toThrow('scale 1.055040e+05 out of expressed type range')
  })
})
