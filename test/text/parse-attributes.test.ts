import { describe, expect, it } from 'vitest'
import { type Attribute, attributeText, quote } from '../../src/ir/attributes.ts'
import type { DenseElements } from '../../src/ir/dense.ts'
import { attributeFailure, readAttribute } from './read.ts'

const dense = (text: string): DenseElements => {
  const attribute = readAttribute(text)
  if (attribute.kind !== 'dense') throw new Error(`${text} is not dense`)
  return attribute.value
}
const values = (text: string) => dense(text).toArray().toNested()
const hexText = (bytes: ArrayBufferView): string => `"0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}"`

describe('attributes', () => {
  it.each<[string, Attribute]>([
    ['1', { kind: 'integer', value: 1n, type: 'i64' }],
    ['-7 : i32', { kind: 'integer', value: -7n, type: 'i32' }],
    ['255 : i8', { kind: 'integer', value: -1n, type: 'i8' }],
    ['255 : ui8', { kind: 'integer', value: 255n, type: 'ui8' }],
    ['0xFF : index', { kind: 'integer', value: 255n, type: 'index' }],
    ['1.5', { kind: 'float', value: 1.5, type: 'f64' }],
    ['-0.1 : f32', { kind: 'float', value: Math.fround(-0.1), type: 'f32' }],
    ['1.0e-3 : f64', { kind: 'float', value: 1e-3, type: 'f64' }],
    ['0x7F800000 : f32', { kind: 'float', value: Infinity, type: 'f32', hex: '0x7F800000' }],
    ['true', { kind: 'bool', value: true }],
    ['unit', { kind: 'unit' }],
    ['@main', { kind: 'symbol', name: 'main' }],
    ['@"a b"', { kind: 'symbol', name: 'a b' }],
    ['@a::@b', { kind: 'dialect', text: '@a::@b' }],
    ['[1, "x", [], {}]', { kind: 'array', elements: [{ kind: 'integer', value: 1n, type: 'i64' }, { kind: 'string', value: 'x' }, { kind: 'array', elements: [] }, { kind: 'dictionary', entries: {} }] }],
    ['{b, "c d" = 2 : i32}', { kind: 'dictionary', entries: { b: { kind: 'unit' }, 'c d': { kind: 'integer', value: 2n, type: 'i32' } } }],
    ['array<i64: 1, -2>', { kind: 'denseArray', elementType: 'i64', elements: [1n, -2n] }],
    ['array<i1: true, false>', { kind: 'denseArray', elementType: 'i1', elements: [true, false] }],
    ['array<f32: 1.5>', { kind: 'denseArray', elementType: 'f32', elements: [1.5] }],
    ['array<i64>', { kind: 'denseArray', elementType: 'i64', elements: [] }],
    ['tensor<2xf32>', { kind: 'type', type: { kind: 'tensor', dtype: 'f32', shape: [2] } }],
    ['#stablehlo<precision DEFAULT>', { kind: 'dialect', text: '#stablehlo<precision DEFAULT>' }],
    ['#sdy.sharding<@mesh, [{"data"}, {}], replicated={"x"}>', { kind: 'dialect', text: '#sdy.sharding<@mesh, [{"data"}, {}], replicated={"x"}>' }],
    ['affine_map<(d0, d1) -> (d1)>', { kind: 'dialect', text: 'affine_map<(d0, d1) -> (d1)>' }],
    ['loc("a":1:2)', { kind: 'dialect', text: 'loc("a":1:2)' }],
  ])('reads %s', (text, expected) => {
    expect(readAttribute(text)).toEqual(expected)
    expect(readAttribute(attributeText(expected))).toEqual(expected)
  })

  it('leaves comments, lines and needless space out of foreign text', () => {
    expect(readAttribute('#other.x< a,\n  // a comment with >\n  [b]\n>')).toEqual({ kind: 'dialect', text: '#other.x<a, [b]>' })
  })

  it('keeps names that JavaScript gives a meaning', () => {
    const attribute = readAttribute('{__proto__ = 1, constructor = 2}')
    expect(attributeText(attribute)).toBe('{__proto__ = 1 : i64, constructor = 2 : i64}')
  })

  it('resolves aliases', () => {
    expect(readAttribute('[#one, #one]', '#one = 1 : i32')).toEqual(readAttribute('[1 : i32, 1 : i32]'))
    expect(readAttribute('#other.x<#m, #m.b>', '#m = affine_map<(d0) -> (d0)>')).toEqual({ kind: 'dialect', text: '#other.x<affine_map<(d0) -> (d0)>, #m.b>' })
  })

  it.each(['plain', 'quote " and \\', 'line\nend\ttab', 'žluťoučký 🐎', 'nul \u0000', '', '//', '\\22'])('strings come back: %j', (text) => {
    expect(readAttribute(quote(text))).toEqual({ kind: 'string', value: text })
  })

  it('keeps the bytes of strings that are no UTF-8', () => {
    const attribute = readAttribute('"\\08\\C3\\FF\\E2\\82"')
    expect(attributeText(attribute)).toBe('"\\08\\C3\\FF\\E2\\82"')
    expect(readAttribute('"\\C3\\A9"')).toEqual({ kind: 'string', value: 'é' })
  })
})

describe('dense constants', () => {
  it('reads lists and repeated values', () => {
    expect(values('dense<[[1, -2], [3, 4]]> : tensor<2x2xi32>')).toEqual([[1, -2], [3, 4]])
    expect(values('dense<5> : tensor<2x2xi64>')).toEqual([[5n, 5n], [5n, 5n]])
    expect(dense('dense<5> : tensor<2x2xi64>').isSplat).toBe(true)
    expect(values('dense<1.5> : tensor<f32>')).toBe(1.5)
    expect(values('dense<[true, false]> : tensor<2xi1>')).toEqual([true, false])
    expect(values('dense<> : tensor<0x3xf32>')).toEqual([])
    expect(values('dense<[]> : tensor<0xf32>')).toEqual([])
    expect(values('dense<0> : tensor<2x0xi64>')).toEqual([[], []])
    expect(values('dense<[(1.0,2.0), (-3.0, 0x7F800000)]> : tensor<2xcomplex<f32>>')).toEqual([[1, 2], [-3, Infinity]])
    expect(values('dense<(1.0, 2.0)> : tensor<2xcomplex<f64>>')).toEqual([[1, 2], [1, 2]])
    expect(values('dense<[1, // one\n 2]> : tensor<2xindex>')).toEqual([1n, 2n])
  })

  it('rounds to the element type, and reads bits', () => {
    expect(values('dense<[0.1, 1.0e+30, -0.0]> : tensor<3xf32>')).toEqual([Math.fround(0.1), Math.fround(1e30), -0])
    expect(values('dense<[0.3, 0x7F80, 0xFF80, 0x7FC0]> : tensor<4xbf16>')).toEqual([0.30078125, Infinity, -Infinity, NaN])
    expect(values('dense<[0x7FF0000000000000, 1.]> : tensor<2xf64>')).toEqual([Infinity, 1])
    expect(values('dense<[0xFF, 255, -128]> : tensor<3xi8>')).toEqual([-1, -1, -128])
    expect(values('dense<[18446744073709551615, 0x10]> : tensor<2xui64>')).toEqual([18446744073709551615n, 16n])
    expect(values('dense<[-9223372036854775808, 9223372036854775807]> : tensor<2xi64>')).toEqual([-9223372036854775808n, 9223372036854775807n])
  })

  it('reads bytes', () => {
    expect(values(`dense<${hexText(Float32Array.of(1, -2.5, Infinity))}> : tensor<3xf32>`)).toEqual([1, -2.5, Infinity])
    expect(values(`dense<${hexText(BigInt64Array.of(1n, -1n))}> : tensor<2xi64>`)).toEqual([1n, -1n])
    expect(values(`dense<${hexText(Float64Array.of(1, 2, 3, 4))}> : tensor<2xcomplex<f64>>`)).toEqual([[1, 2], [3, 4]])
    expect(values('dense<"0x0F07"> : tensor<2xi4>')).toEqual([-1, 7])
    expect(values('dense<"0xC03F80BF"> : tensor<2xbf16>')).toEqual([1.5, -1])
    expect(values('dense<"0x0100FF"> : tensor<3xi1>')).toEqual([true, false, true])
    expect(values('dense<"0x0D02"> : tensor<10xi1>')).toEqual([true, false, true, true, false, false, false, false, false, true])
    expect(values('dense<"0xFF"> : tensor<9xi1>')).toEqual(Array(9).fill(true))
    expect(dense('dense<"0x0000803F"> : tensor<5xf32>').isSplat).toBe(true)
  })

  it('keeps the bits of every NaN in its text', () => {
    for (const text of ['dense<"0xC0FFC07F"> : tensor<2xbf16>', 'dense<"0x01FE007E"> : tensor<2xf16>']) expect(attributeText(readAttribute(text))).toBe(text)
    expect(attributeText(readAttribute('dense<[0xFFC0, 1.0]> : tensor<2xbf16>'))).toBe('dense<"0xC0FF803F"> : tensor<2xbf16>')
  })

  it('keeps elements of types that are not ours as text', () => {
    expect(readAttribute('dense<[1, 2]> : vector<2xi32>')).toEqual({ kind: 'dialect', text: 'dense<[1, 2]> : vector<2xi32>' })
    expect(readAttribute('dense_resource<blob> : tensor<2xf32>')).toEqual({ kind: 'dialect', text: 'dense_resource<blob> : tensor<2xf32>' })
  })

  it.each([
    ['dense<[1, 2]> : tensor<3xi32>', 'inferred shape of elements literal ([2]) does not match type ([3])'],
    ['dense<[[1], [2, 3]]> : tensor<2x2xi32>', 'ranks are not consistent between elements'],
    ['dense<[1, [2]]> : tensor<2xi32>', 'ranks are not consistent between elements'],
    ['dense<[1 2]> : tensor<2xi32>', `expected ',' or ']'`],
    ['dense<[1, ]> : tensor<2xi32>', 'expected an integer'],
    ['dense<[1, 2> : tensor<2xi32>', `expected ',' or ']'`],
    ['dense<[1]> : tensor<?xi32>', 'elements literal type must have static shape'],
    ['dense<256> : tensor<2xi8>', 'integer constant out of range for 8 bits'],
    ['dense<-1> : tensor<2xui8>', 'integer constant out of range for 8 bits'],
    ['dense<1> : tensor<2xf32>', 'expected floating-point elements, but parsed integer'],
    ['dense<1.0> : tensor<2xi32>', 'expected integer elements, but parsed floating-point'],
    ['dense<0x1FFFF> : tensor<2xbf16>', 'hexadecimal float has more than the 16 bits of bf16'],
    ['dense<maybe> : tensor<2xi1>', 'expected true or false'],
    ['dense<(1.0)> : tensor<2xcomplex<f32>>', `expected ','`],
    ['dense<"0x00"> : tensor<2xf32>', 'elements hex data size is invalid: 1 bytes, the type takes 8'],
    ['dense<"0x0G"> : tensor<1xi8>', 'expected a hexadecimal digit'],
    ['dense<"abc"> : tensor<1xi8>', 'expected "0x..." with two hexadecimal digits for each byte'],
    ['dense<[1]> : i32', 'elements literal must be a shaped type'],
    ['dense<[1]> : tensor<1x!quant.uniform<i8:f32, 1.0>>', 'elements of a quantized type are written in its storage type'],
    ['300 : i8', 'integer constant out of range for attribute'],
    ['1 : f32', 'integer literal not valid for specified type'],
    ['1.0 : i32', 'floating point value not valid for specified type i32'],
    ['array<i8: 300>', 'integer constant out of range for i8'],
    ['{b, b}', `duplicate key 'b' in dictionary attribute`],
    ['"open', `expected '"' to end this string on its line`],
    ['"\\q"', 'unknown escape in string literal'],
    ['#nowhere', `undefined symbol alias id 'nowhere'`],
    ['#stablehlo.dot<foo = [0]>', 'expected one of: `lhs_batching_dimensions`'],
    ['#stablehlo.gather<offset_dims = [0], offset_dims = [1]>', 'duplicated `offset_dims` entry'],
    ['#stablehlo.conv<[c, 0, f]x[0, i, o]->[b, 0, f]>', 'Unexpected dimension c, expecting b, f'],
    ['#stablehlo.conv<[b, f, 1]x[o, 0, i]->[f, b, 0]>', 'Expected spatial dimensions 0 not specified'],
    ['$', 'unexpected character "$"'],
  ])('refuses %s', (text, message) => expect(attributeFailure(text)).toContain(message))
})
