import { einsumArrays } from '../host/einsum.ts'
import { DifferentiationError } from '../ir/errors.ts'
import type { Operation, Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, isTensorType, shortType } from '../ir/types.ts'
import { quote } from '../ir/attributes.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, functional, operandList } from './assembly.ts'
import { broadcastInDim } from './broadcast.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { agreeWithInferred, compatibleSize } from './inferred-types.ts'
import { isPromotable } from './reducer.ts'
import { needTensor, withShape } from './result-type.ts'
import { transpose } from './transpose.ts'

/** Sums of products over labelled axes as older programs have them; `lib/einsum` is what new ones use. Source: StableHLO, "einsum". */

/** `, config = "ij,jk->ik"` */
const configPiece: Piece = {
  covers: ['einsum_config'],
  print: (operation, printer) => printer.text(`, config = ${quote(operation.attributes.einsum_config)}`),
  parse: (parser, state) => {
    parser.expect(',')
    parser.expect('config')
    parser.expect('=')
    state.attributes.einsum_config = { kind: 'string', value: parser.string() }
  },
}

interface Equation {
  readonly inputs: readonly string[]
  readonly result: string
}

/** Reads `ij,jk->ik`; undefined if it is not of that form for so many operands. */
function readEquation(config: string, operands: number): Equation | undefined {
  const match = /^([A-Za-z]*(?:,[A-Za-z]*)?)->([A-Za-z]*)$/.exec(config.replace(/\s+/g, ''))
  if (!match) return undefined
  const inputs = match[1].split(',')
  const [, , result] = match
  const known = new Set(inputs.join(''))
  return inputs.length === operands && new Set(result).size === result.length && [...result].every((label) => known.has(label)) ? { inputs, result } : undefined
}

function inferEinsum({ operands, attributes: { einsum_config: config }, results, fail }: InferContext<{ readonly einsum_config: string }>): readonly Type[] {
  const types = operands.map((type, i) => needTensor(`operand ${i}`, type, fail))
  const equation = readEquation(config, types.length)
  if (!equation) return fail(`config ${quote(config)} is not of the form "${types.length === 1 ? 'ij->i' : 'ij,jk->ik'}" with letters for axes`)
  const sizes = new Map<string, number>()
  types.forEach((type, i) => {
    const labels = equation.inputs[i]
    if (labels.length !== type.shape.length) fail(`'${labels}' has ${labels.length} labels, operand ${i} is ${shortType(type)}`)
    if (type.dtype !== types[0].dtype) fail(`operands differ in element type: ${types.map(shortType).join(' and ')}`)
    type.shape.forEach((size, axis) => {
      const before = sizes.get(labels[axis])
      if (before !== undefined && !compatibleSize(before, size)) fail(`label '${labels[axis]}' is ${before} and ${size}: ${types.map(shortType).join(' and ')}`)
      if (before === undefined || before === DYNAMIC) sizes.set(labels[axis], size)
    })
  })
  const inferred = withShape(types[0], [...equation.result].map((label) => sizes.get(label)!))
  // Sums may be kept in a wider type than the operands have.
  const declared = results?.[0]
  if (declared && isTensorType(declared) && declared.dtype !== inferred.dtype && isPromotable(inferred, declared)) return agreeWithInferred([{ ...inferred, dtype: declared.dtype }], results, fail)
  return agreeWithInferred([inferred], results, fail)
}

function equationOf(operation: Operation): Equation {
  const { inputs, result } = readEquation(operation.attributes.einsum_config, operation.operands.length)!
  if (inputs.some((labels) => new Set(labels).size !== labels.length))
    throw new DifferentiationError(`${operation.name} that takes a diagonal has no gradient here: write it with gather or select`, operation.location)
  return { inputs, result }
}

export const einsumOp = defineOp({
  name: 'stablehlo.einsum',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: { einsum_config: codec.string },
  assembly: form(operandList, configPiece, attributeDictionary, functional),
  infer: inferEinsum,
  evaluate: ({ operation, arrays, attributes: { einsum_config }, resultTypes }) => {
    const { inputs, result } = readEquation(einsum_config, operation.operands.length)!
    return [einsumArrays(arrays, inputs, result, resultTypes[0] as TensorType)]
  },
  vjp: ({ operation, operands, cotangents: [d], needed }) => {
    if (!d) return [null, null]
    const { inputs, result } = equationOf(operation)
    return operands.map((operand, i) => {
      if (!needed[i]) return null
      const [own, other] = [inputs[i], inputs[1 - i]]
      // Labels that were summed over in this operand alone come back by repeating.
      const known = [...own].filter((label) => result.includes(label) || other.includes(label)).join('')
      return repeatAlong(einsum(`${result},${other}->${known}`, d, operands[1 - i]), known, own, operand.shape)
    })
  },
})

export const unaryEinsumOp = defineOp({
  name: 'stablehlo.unary_einsum',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { einsum_config: codec.string },
  assembly: form(operandList, configPiece, attributeDictionary, functional),
  infer: inferEinsum,
  evaluate: ({ arrays, attributes: { einsum_config }, resultTypes }) => {
    const { inputs, result } = readEquation(einsum_config, 1)!
    return [einsumArrays(arrays, inputs, result, resultTypes[0] as TensorType)]
  },
  vjp: ({ operation, operands: [operand], cotangents: [d] }) => {
    if (!d) return [null]
    const { inputs: [own], result } = equationOf(operation)
    const known = [...own].filter((label) => result.includes(label)).join('')
    return [repeatAlong(transpose(d, [...known].map((label) => result.indexOf(label))), known, own, operand.shape)]
  },
})

/** `x` with the axes `known`, repeated along the other axes of `labels`. */
const repeatAlong = (x: Tensor, known: string, labels: string, shape: readonly number[]): Tensor =>
  known === labels ? x : broadcastInDim(x, shape, [...known].map((label) => labels.indexOf(label)))

/** Emits `stablehlo.einsum`: `'ij,jk->ik'`. Throws `OpError`. */
export const einsum = (config: string, lhs: Tensor, rhs: Tensor): Tensor => emit(einsumOp, [lhs, rhs], { einsum_config: config }).results[0] as Tensor

/** Emits `stablehlo.unary_einsum`: sums over axes and puts the others in order, `'ij->j'`; XLA no longer takes it. Throws `OpError`. */
export const unaryEinsum = (config: string, operand: Tensor): Tensor => emit(unaryEinsumOp, [operand], { einsum_config: config }).results[0] as Tensor
