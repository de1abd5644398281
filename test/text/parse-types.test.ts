import { describe, expect, it } from 'vitest'
import { dtypeNames, dtypes } from '../../src/ir/dtypes.ts'
import { DYNAMIC, type TensorType, tensorType, typeText } from '../../src/ir/types.ts'
import { parseModule } from '../../src/text/parse.ts'
import { parseFailure, readType, typeFailure } from './read.ts'

describe('types', () => {
  it.each(dtypeNames)('reads a tensor of %s', (dtype) => {
    const type = tensorType(dtype, [2, 3])
    expect(typeText(type)).toBe(`tensor<2x3x${dtypes[dtype].text}>`)
    expect(readType(typeText(type))).toEqual(type)
    expect(readType(`tensor<${dtypes[dtype].text}>`)).toEqual(tensorType(dtype, []))
  })

  it('reads sizes that are zero, unknown or written with space', () => {
    expect(readType('tensor<0x1x?xi8>')).toEqual(tensorType('i8', [0, 1, DYNAMIC]))
    expect(readType('tensor< 4 x 5 x f32 >')).toEqual(tensorType('f32', [4, 5]))
    expect(readType('tensor<*xf32>')).toEqual({ ...tensorType('f32', []), unranked: true })
  })

  it.each([
    'tensor<4x!quant.uniform<i8:f32, 2.000000e+00:15>>',
    'tensor<4x!quant.uniform<i8<-127:127>:f32, 5.000000e-01>>',
    'tensor<4x2x!quant.uniform<u8:f32:1, {1.000000e-01:-30,2.000000e-01}>>',
    'tensor<2x4x!quant.uniform<i8:f32:{0:1, 1:2}, {{2.000000e+00:20,3.000000e+00:30}, {3.500000e+00:35,4.000000e+00}}>>',
    'tensor<20x!quant.uniform<i8:f32, 0.003921548291748646:-128>>',
    'tensor<?x4x?xf32, #stablehlo.bounds<3, ?, 5>>',
    'tensor<4xf32, #sparse_tensor.encoding<{map = (d0) -> (d0 : compressed)}>>',
    'tensor<4xf32, "a string">',
    'tuple<tensor<2xf32>, tuple<>, !stablehlo.token>',
    '!stablehlo.future<tensor<2xf32>, tensor<i32>>',
    '!other.type<[1, "x>"], (a) -> b>',
    'memref<2xf32, strided<[1], offset: ?>>',
    'tensor<2xi3>',
    'tensor<2x!other.element>',
    'vector<4xf32>',
    'index',
    'si8',
    '(tensor<f32>) -> (tensor<f32>, tensor<i1>)',
    '() -> ()',
  ])('keeps %s', (text) => expect(typeText(readType(text))).toBe(text))

  it('has one form for types that are the same', () => {
    expect(readType('tensor<?xf32, #stablehlo.type_extensions<bounds = [3]>>')).toEqual(readType('tensor<?xf32, #stablehlo.bounds<3>>'))
    expect(readType('tensor<4xf32, #stablehlo.bounds<?>>')).toEqual(tensorType('f32', [4]))
    expect(readType('tensor<4x!quant.uniform<i8<-128:127>:f32, 2.0>>')).toEqual(readType('tensor<4x!quant.uniform<i8:f32, 2.0>>'))
    expect(readType('tensor<4x!quant.uniform<ui8:f32, 2.0>>')).toEqual(readType('tensor<4x!quant.uniform<u8:f32, 2.0>>'))
  })

  it('resolves aliases, inside other types and foreign text too', () => {
    const aliases = '!t = tensor<2xf32>\n!q = !quant.uniform<i8:f32, 2.0:1>\n#e = #other.encoding<1>\n#c = "x"'
    expect(readType('tuple<!t, !t>', aliases)).toEqual(readType('tuple<tensor<2xf32>, tensor<2xf32>>'))
    expect(readType('tensor<4x!q>', aliases)).toEqual(readType('tensor<4x!quant.uniform<i8:f32, 2.0:1>>'))
    expect(typeText(readType('tensor<4xf32, #e>', aliases))).toBe('tensor<4xf32, #other.encoding<1>>')
    expect(typeText(readType('!other.type<#c, !t, #c.d, #c<1>>', aliases))).toBe('!other.type<"x", tensor<2xf32>, #c.d, #c<1>>')
  })

  it('gives equal types one object', () => {
    const { argumentTypes } = parseModule('func.func private @f(tensor<2xf32>, tensor<2xf32>)').functions[0]
    expect(argumentTypes[0]).toBe(argumentTypes[1])
  })

  it('keeps a tensor with everything apart', () => {
    const type = readType('tensor<?x4x!quant.uniform<i4:f16:1, {0.5:1, 0.25}>, #stablehlo.bounds<7, ?>>') as TensorType
    expect(type).toEqual({
      kind: 'tensor',
      dtype: 'i4',
      shape: [DYNAMIC, 4],
      bounds: [7, DYNAMIC],
      quantization: { expressed: 'f16', scales: [0.5, 0.25], zeroPoints: [1n, 0n], axis: 1 },
    })
  })

  it('says what is wrong, and where', () => {
    expect(typeFailure('tensor<2xf32\n  )')).toMatchInlineSnapshot(`
      "model.mlir:1:34: expected '>' to close a tensor type
        1 | func.func private @f(tensor<2xf32
          |                                  ^"
    `)
    expect(typeFailure('tensor<2f32>')).toMatchInlineSnapshot(`
      "model.mlir:1:30: expected 'x' in dimension list
        1 | func.func private @f(tensor<2f32>)
          |                              ^"
    `)
    expect(typeFailure('tensor<99999999999999999xf32>')).toContain('dimension size is too large')
    expect(typeFailure('tensor<2x>')).toContain('expected an element type such as f32')
    expect(typeFailure('tensor<2xcomplex<i32>>')).toContain('expected f32 or f64 in a complex type')
    expect(typeFailure('%x : %y')).toContain('expected non-function type')
    expect(typeFailure('!t')).toContain(`undefined symbol alias id 't'`)
    expect(typeFailure('!stablehlo.future<i32>')).toContain(`future element type must be a ranked tensor, but got 'i32'`)
    expect(typeFailure('tensor<?x?xf32, #stablehlo.bounds<3>>')).toContain('Bounds length is 1, expected to be equal to rank(2) of the tensor')
    expect(typeFailure('tensor<4xf32, #stablehlo.bounds<3>>')).toContain('Static dimension 0 cannot have a bound')
    expect(typeFailure('tensor<4x!quant.uniform<f32:f32, 1.0>>')).toContain('expected a storage type such as i8')
    expect(typeFailure('tensor<4x!quant.uniform<i8:f32:0, {1.0, {2.0}}>>')).toContain('nested unevenly')
    expect(typeFailure('!other.type<[1)>')).toContain(`')' closes no bracket that is open here`)
    expect(parseFailure('func.func private @f(!other.type<[1')).toContain(`expected '>' to close this '<'`)
  })
})
