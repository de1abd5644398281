import { type DType, dtypes, isComplex, isFloat } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, DYNAMIC, compatibleShape, isTensorType, shortType, tensorType, typeText } from '../ir/types.ts'
import { bitcastArray, convertArray, reducePrecisionArray } from '../host/convert.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, functionalForm, operandList, sameOperandsAndResult, sameTypeForm } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { agree, needTensor } from './result-type.ts'
import { needNonNegative } from './inferred-types.ts'

/** Another element type for the same values. Source: specification, "convert". */
export const convertOp = defineOp({
  name: 'stablehlo.convert',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: sameTypeForm,
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const result = results?.[0]
    if (!result || !isTensorType(result)) return fail('needs a result type')
    if (!compatibleShape(operand.shape, result.shape))
      fail(`operand ${shortType(operand)} and result ${shortType(result)} differ in shape`, 'convert_c1')
    if (operand.quantization || result.quantization)
      fail(`cannot convert ${shortType(operand)} to ${shortType(result)}: use uniform_quantize or uniform_dequantize`, 'convert_i1')
    return [result]
  },
  evaluate: ({ arrays: [operand], resultTypes }) => [convertArray(operand, (resultTypes[0] as TensorType).dtype)],
  vjp: ({ operands: [operand], cotangents: [d], needed }) => [d && needed[0] ? convert(d, operand.dtype) : null],
})

/**
 * `x` with element type `dtype`. Floats become integers by truncation, limited to the range, NaN as 0; integers wrap around; anything
 * but zero is `true`; a complex number loses its imaginary part. The gradient is converted back. Throws `OpError`.
 */
export function convert(x: Tensor, dtype: DType): Tensor {
  if (x.dtype === dtype) return x
  return emit(convertOp, [x], {}, { results: [tensorType(dtype, x.shape)] }).results[0] as Tensor
}

const kindsMix = (a: DType, b: DType): boolean => isComplex(a) !== isComplex(b)

/** Another element type for the same bits. Source: specification, "bitcast_convert". */
export const bitcastConvertOp = defineOp({
  name: 'stablehlo.bitcast_convert',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    if (!results) return fail('needs a result type')
    const result = needTensor('result', results[0], fail, { perAxis: true })
    const types = `'${typeText(operand)}' and '${typeText(result)}'`
    if (kindsMix(operand.dtype, result.dtype)) fail(`cannot convert between real and complex types, but got: ${types}.`, 'bitcast_convert_c2')
    const [from, to] = [dtypes[operand.dtype].bits, dtypes[result.dtype].bits]
    const [wide, narrow] = from >= to ? [operand, result] : [result, operand]
    const ratio = Math.max(from, to) / Math.min(from, to)
    const outer = from === to ? narrow.shape : narrow.shape.slice(0, -1)
    if (narrow.shape.length !== wide.shape.length + (from === to ? 0 : 1) || !compatibleShape(outer, wide.shape))
      fail(`operand and result shapes must match except for the innermost dimension of the shape with the smaller element type. Got: ${types}.`, 'bitcast_convert_c1')
    const last = narrow.shape.at(-1)
    if (from !== to && last !== DYNAMIC && last !== ratio)
      fail(`requires compatible bit widths. Got: ${types}, but ${dtypes[narrow.dtype].bits} * ${last} != ${dtypes[wide.dtype].bits}.`, 'bitcast_convert_c1')
    return [result]
  },
  evaluate: ({ arrays: [operand], resultTypes }) => {
    const { dtype } = resultTypes[0] as TensorType
    const [from, to] = [dtypes[operand.dtype].bits, dtypes[dtype].bits]
    const shape = from === to ? operand.shape : from > to ? [...operand.shape, from / to] : operand.shape.slice(0, -1)
    return [bitcastArray(operand, tensorType(dtype, shape))]
  },
  // The bits of another type have no gradient; the bits of the same type are the value itself.
  vjp: ({ operands: [operand], cotangents: [d] }) => [d && d.dtype === operand.dtype ? d : null],
})

/**
 * The bits of `x` read as `dtype`. Same width: same shape. Narrower: a last axis is added, low bits first. Wider: the last axis, whose
 * size must be the ratio of the widths, goes away. No gradient flows. Throws `OpError`.
 */
export function bitcastConvert(x: Tensor, dtype: DType, shape?: readonly number[]): Tensor {
  const [from, to] = [dtypes[x.dtype].bits, dtypes[dtype].bits]
  const implied = from === to ? x.shape : from > to ? [...x.shape, from / to] : x.shape.slice(0, -1)
  return emit(bitcastConvertOp, [x], {}, { results: [tensorType(dtype, shape ?? implied)] }).results[0] as Tensor
}

/** `, format = e5m10` */
const format: Piece = {
  covers: ['exponent_bits', 'mantissa_bits'],
  print: ({ attributes }, printer) => printer.text(`, format = e${attributes.exponent_bits}m${attributes.mantissa_bits}`),
  parse: (parser, state) => {
    parser.expect(',')
    parser.expect('format')
    parser.expect('=')
    const text = parser.identifier('a format such as e5m10')
    const match = /^e(\d+)m(\d+)$/.exec(text)
    if (!match) return parser.fail(`expected exponent mantissa in format e#m#, saw ${text}`)
    state.attributes.exponent_bits = { kind: 'integer', value: BigInt(match[1]), type: 'i32' }
    state.attributes.mantissa_bits = { kind: 'integer', value: BigInt(match[2]), type: 'i32' }
  },
}

/** The rounding of a narrower float format. Source: specification, "reduce_precision". */
export const reducePrecisionOp = defineOp({
  name: 'stablehlo.reduce_precision',
  operands: ['operand'],
  results: ['output'],
  regions: [],
  attributes: { exponent_bits: codec.i32, mantissa_bits: codec.i32 },
  assembly: { ...form(operandList, format, attributeDictionary, sameOperandsAndResult), fits: ({ attributes }) => attributes.exponent_bits >= 0 && attributes.mantissa_bits >= 0 },
  infer: ({ operands, attributes: { exponent_bits, mantissa_bits }, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    if (!operand.quantization && !isFloat(operand.dtype)) fail(`operand ${shortType(operand)} must be of a float type`, 'reduce_precision_i1')
    if (exponent_bits < 1) fail(`exponent_bits is ${exponent_bits}, must be at least 1`, 'reduce_precision_c2')
    needNonNegative('mantissa_bits', mantissa_bits, fail, 'reduce_precision_c3', 32)
    return agree(operand, results, fail, 'reduce_precision_c1')
  },
  evaluate: ({ arrays: [operand], attributes: { exponent_bits, mantissa_bits } }) => [
    reducePrecisionArray(operand, exponent_bits, mantissa_bits),
  ],
  // The cotangent passes through the same rounding, as it would through a conversion there and back.
  vjp: ({ cotangents: [d], attributes: { exponent_bits, mantissa_bits } }) => [d && reducePrecision(d, exponent_bits, mantissa_bits)],
})

/**
 * `x` rounded to a float format with so many exponent and mantissa bits, in its own type; no infinities or NaNs are lost while there is
 * a mantissa bit, and what would be denormal becomes zero. The gradient is rounded the same way. Throws `OpError`.
 */
export function reducePrecision(x: Tensor, exponentBits: number, mantissaBits: number): Tensor {
  return emit(reducePrecisionOp, [x], { exponent_bits: exponentBits, mantissa_bits: mantissaBits }).results[0] as Tensor
}
