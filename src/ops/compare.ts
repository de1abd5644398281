import { type DType, dtypes } from '../ir/dtypes.ts'
import { f32Bits, f64Bits } from '../ir/float-bits.ts'
import { HostArray } from '../ir/host-array.ts'
import { Tensor } from '../ir/module.ts'
import { type TensorType, compatibleShape, isTensorType, shortTypes } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, literal, operandList, word } from './assembly.ts'
import { type TensorLike, alignOperands } from './broadcast.ts'
import * as codec from './codecs.ts'
import { defineOp, zeroGradient } from './define.ts'
import { checkDeclared, mergeSizes } from './elementwise-rules.ts'
import { onExpressed } from './quantized.ts'

export const comparisonDirections = ['EQ', 'NE', 'GE', 'GT', 'LE', 'LT'] as const
export type ComparisonDirection = (typeof comparisonDirections)[number]
export const comparisonTypes = ['FLOAT', 'TOTALORDER', 'SIGNED', 'UNSIGNED', 'NOTYPE'] as const
export type ComparisonType = (typeof comparisonTypes)[number]

/** How elements of a type are compared when nothing else is said. */
export function comparisonTypeOf(dtype: DType): ComparisonType {
  const { kind } = dtypes[dtype]
  return kind === 'signed' ? 'SIGNED' : kind === 'unsigned' || kind === 'bool' ? 'UNSIGNED' : 'FLOAT'
}

const compareTypePiece = word('compare_type', 'comparison_type', { comma: true })

/** Element-wise comparison. Source: specification, "compare". */
export const compareOp = defineOp({
  name: 'stablehlo.compare',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: {
    comparison_direction: codec.enumeration('comparison_direction', comparisonDirections),
    compare_type: codec.optional(codec.enumeration('comparison_type', comparisonTypes)),
  },
  assembly: form(
    word('comparison_direction', 'comparison_direction'),
    literal(','),
    operandList,
    {
      covers: ['compare_type'],
      print: (operation, printer) => {
        if (operation.attributes.compare_type) compareTypePiece.print(operation, printer)
      },
      parse: (parser, state) => {
        if (parser.peek(',')) compareTypePiece.parse(parser, state)
      },
    },
    attributeDictionary,
    functional,
  ),
  infer: ({ operands, attributes, results, fail }) => {
    const [lhs, rhs] = operands
    if (!isTensorType(lhs) || !isTensorType(rhs)) return fail(`needs tensors, got ${shortTypes(operands)}`)
    if (lhs.dtype !== rhs.dtype && !lhs.quantization && !rhs.quantization)
      fail(`operands differ in element type: ${shortTypes(operands)}; convert one of them`, 'compare_c1')
    if (!compatibleShape(lhs.shape, rhs.shape)) fail(`operands differ in shape: ${shortTypes(operands)}`, 'compare_c2')
    const type = attributes.compare_type
    if (type && type !== 'NOTYPE' && !lhs.quantization) {
      const natural = comparisonTypeOf(lhs.dtype)
      if (type !== natural && !(type === 'TOTALORDER' && natural === 'FLOAT'))
        fail(`compare_type ${type} does not go with element type ${lhs.dtype}, which compares as ${natural}`, 'compare_c3')
    }
    const inferred: TensorType = { ...mergeSizes([lhs, rhs], fail), dtype: 'bool', quantization: undefined }
    return [results ? checkDeclared(inferred, results[0], fail, 'compare_c1') : inferred]
  },
  evaluate: onExpressed(({ arrays: [lhs, rhs], attributes, resultTypes }) => [
    compareArrays(lhs, rhs, attributes.comparison_direction, attributes.compare_type, resultTypes[0] as TensorType),
  ]),
  vjp: zeroGradient('a comparison is constant almost everywhere'),
})

/** Compares element by element, giving `bool`. Numbers stand for constants. Throws `OpError`. */
export function compare(lhs: TensorLike, rhs: TensorLike, comparison_direction: ComparisonDirection, compare_type?: ComparisonType): Tensor {
  const [a, b] = alignOperands('compare', [lhs, rhs])
  return emit(compareOp, [a, b], { comparison_direction, compare_type: compare_type ?? comparisonTypeOf(a.dtype) }).results[0] as Tensor
}
export const equal = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'EQ')
export const notEqual = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'NE')
export const less = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'LT')
export const lessEqual = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'LE')
export const greater = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'GT')
export const greaterEqual = (lhs: TensorLike, rhs: TensorLike): Tensor => compare(lhs, rhs, 'GE')

/** Whether an ordering (`a` before, same as, after `b`: -1, 0, 1; undefined if unordered) satisfies a direction. */
const holds: Record<ComparisonDirection, (order: number | undefined) => boolean> = {
  EQ: (order) => order === 0,
  NE: (order) => order !== 0,
  LT: (order) => order === -1,
  LE: (order) => order === -1 || order === 0,
  GT: (order) => order === 1,
  GE: (order) => order === 1 || order === 0,
}

/** Position of a float in the IEEE total order, as an integer: -NaN, -inf, ..., -0, +0, ..., inf, NaN. */
export function totalOrderKey(dtype: DType, value: number): number | bigint {
  if (dtype === 'f64') {
    const bits = BigInt.asIntN(64, f64Bits(value))
    return bits < 0n ? BigInt.asIntN(64, bits ^ 0x7fffffffffffffffn) : bits
  }
  const bits = f32Bits(value) | 0
  return bits < 0 ? bits ^ 0x7fffffff : bits
}

export function compareArrays(lhs: HostArray, rhs: HostArray, direction: ComparisonDirection, type: ComparisonType | undefined, resultType: TensorType): HostArray {
  const count = lhs.size
  const out = new Uint8Array(count)
  const a = lhs.data as Float64Array
  const b = rhs.data as Float64Array
  if (type === 'TOTALORDER') {
    const test = holds[direction]
    for (let i = 0; i < count; i++) {
      const x = totalOrderKey(lhs.dtype, a[i])
      const y = totalOrderKey(rhs.dtype, b[i])
      out[i] = test(x < y ? -1 : x > y ? 1 : 0) ? 1 : 0
    }
  } else if (dtypes[lhs.dtype].kind === 'complex') {
    const test = holds[direction]
    for (let i = 0; i < count; i++) {
      const [re, im, re2, im2] = [a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1]]
      const order = re !== re || im !== im || re2 !== re2 || im2 !== im2 ? undefined
        : re < re2 || (re === re2 && im < im2) ? -1
        : re === re2 && im === im2 ? 0
        : 1
      out[i] = test(order) ? 1 : 0
    }
  } else
    switch (direction) {
      case 'EQ':
        for (let i = 0; i < count; i++) out[i] = a[i] === b[i] ? 1 : 0
        break
      case 'NE':
        for (let i = 0; i < count; i++) out[i] = a[i] !== b[i] ? 1 : 0
        break
      case 'LT':
        for (let i = 0; i < count; i++) out[i] = a[i] < b[i] ? 1 : 0
        break
      case 'LE':
        for (let i = 0; i < count; i++) out[i] = a[i] <= b[i] ? 1 : 0
        break
      case 'GT':
        for (let i = 0; i < count; i++) out[i] = a[i] > b[i] ? 1 : 0
        break
      case 'GE':
        for (let i = 0; i < count; i++) out[i] = a[i] >= b[i] ? 1 : 0
        break
    }
  return new HostArray(resultType, out)
}
