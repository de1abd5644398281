import { dtypes } from '../ir/dtypes.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, compatibleShape, isTensorType, sameType, shortType, shortTypes } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { negate } from './arithmetic.ts'
import { type Piece, attributeDictionary, form, functional, operandList, sameTypeForm } from './assembly.ts'
import { zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { joinShapes } from './elementwise-rules.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { needTensor, withShape } from './result-type.ts'

/**
 * Complex numbers from their parts, and the parts. Cotangents go with the pairing `Re(cotangent * value)`, as those of complex
 * multiplication do, so the cotangent of an imaginary part comes back with its sign changed.
 */

const complexOf = (dtype: TensorType['dtype']): 'c64' | 'c128' | undefined => (dtype === 'f32' ? 'c64' : dtype === 'f64' ? 'c128' : undefined)
const partOf = (type: TensorType): TensorType => {
  const info = dtypes[type.dtype]
  return info.kind === 'complex' ? { ...type, dtype: info.part } : type
}

/** ` : complex type`, from which the types of the parts follow. */
const complexType: Piece = {
  print: (operation, printer) => {
    const { type } = operation.results[0]
    if (!isTensorType(type) || operation.operands.some((operand) => !sameType(operand.type, partOf(type)))) return functional.print(operation, printer)
    printer.text(' : ')
    printer.type(type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    if (parser.peek('(')) {
      const { inputs, outputs } = parser.functionType()
      if (outputs.length === 0) return parser.fail('expected non-function type')
      state.operandTypes = inputs
      state.results = outputs
      return
    }
    const type = parser.type()
    if (!isTensorType(type) || dtypes[type.dtype].kind !== 'complex') return parser.fail('expected tensor with complex element type')
    state.operandTypes = state.references.map(() => partOf(type))
    state.results = [type]
  },
}

/** Complex numbers from real and imaginary parts. Source: specification, "complex". */
export const complexOp = defineOp({
  name: 'stablehlo.complex',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, complexType),
  infer: ({ operands, results, fail }) => {
    const [lhs, rhs] = [needTensor('lhs', operands[0], fail), needTensor('rhs', operands[1], fail)]
    const dtype = complexOf(lhs.dtype) ?? fail(`parts must be f32 or f64, got ${shortTypes(operands)}`, 'complex_i1')
    if (lhs.dtype !== rhs.dtype || !compatibleShape(lhs.shape, rhs.shape)) fail(`parts differ in type: ${shortTypes(operands)}`, 'complex_c1')
    return agreeWithInferred([{ ...withShape(lhs, joinShapes([lhs, rhs]), lhs.bounds), dtype }], results, fail, 'complex_c3')
  },
  evaluate: ({ arrays: [lhs, rhs], resultTypes }) => {
    const type = resultTypes[0] as TensorType
    const out = allocate(type.dtype, lhs.size) as Float64Array
    const [re, im] = [lhs.data as Float64Array, rhs.data as Float64Array]
    for (let i = 0; i < re.length; i++) {
      out[2 * i] = re[i]
      out[2 * i + 1] = im[i]
    }
    return [new HostArray({ ...type, shape: lhs.shape }, out)]
  },
  vjp: ({ cotangents: [d], needed }) => [d && needed[0] ? real(d) : null, d && needed[1] ? negate(imag(d)) : null],
})
/** `lhs + i rhs`: `f32[n], f32[n] -> c64[n]`. Throws `OpError`. */
export const complex = (lhs: Tensor, rhs: Tensor): Tensor => emit(complexOp, [lhs, rhs], {}).results[0] as Tensor

/** The op that takes one part of complex numbers; `part` is its place. Real numbers are their own real part. */
const partOp = (name: 'real' | 'imag', part: 0 | 1, cotangent: (d: Tensor) => Tensor) =>
  defineOp({
    name: `stablehlo.${name}`,
    operands: ['operand'],
    results: ['result'],
    regions: [],
    attributes: {},
    assembly: sameTypeForm,
    infer: ({ operands, results, fail }) => {
      const operand = needTensor('operand', operands[0], fail)
      const { kind } = dtypes[operand.dtype]
      if (kind !== 'complex' && kind !== 'float') fail(`operand must be complex or float, got ${shortType(operand)}`, `${name}_i1`)
      return agreeWithInferred([partOf(operand)], results, fail, `${name}_c2`)
    },
    evaluate: ({ arrays: [operand], resultTypes }) => {
      const type = { ...(resultTypes[0] as TensorType), shape: operand.shape }
      const out = allocate(type.dtype, operand.size) as Float64Array
      if (dtypes[operand.dtype].kind === 'complex') for (let i = 0; i < out.length; i++) out[i] = operand.data[2 * i + part] as number
      else if (part === 0) out.set(operand.data as Float64Array)
      return [new HostArray(type, out)]
    },
    vjp: ({ operands: [operand], cotangents: [d] }) => {
      if (!d) return [null]
      if (dtypes[operand.dtype].kind === 'complex') return [cotangent(d)]
      return [part === 0 ? d : null]
    },
  })

export const realOp = partOp('real', 0, (d) => complex(d, zeros(d.type)))
/** The real parts: `c64[n] -> f32[n]`; real numbers as they are. Throws `OpError`. */
export const real = (operand: Tensor): Tensor => emit(realOp, [operand], {}).results[0] as Tensor

export const imagOp = partOp('imag', 1, (d) => complex(zeros(d.type), negate(d)))
/** The imaginary parts: `c64[n] -> f32[n]`; zeros for real numbers. Throws `OpError`. */
export const imag = (operand: Tensor): Tensor => emit(imagOp, [operand], {}).results[0] as Tensor
