import type { Value } from '../ir/module.ts'
import type { HostTuple } from '../ir/op-definition.ts'
import { type Type, sameType, shortType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, functional, operandList, parseIntegerList } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { needNonNegative } from './inferred-types.ts'

/** ` : tuple<...>`, which also says what the operands are. */
const tupleType: Piece = {
  print: (operation, printer) => {
    printer.text(' : ')
    printer.type(operation.results[0].type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    const type = parser.type()
    if (type.kind !== 'tuple') return parser.fail('expected tuple type')
    state.operandTypes = [...type.elements]
    state.results = [type]
  },
}

/** `[1]` right after the operand. */
const indexPiece: Piece = {
  covers: ['index'],
  print: (operation, printer) => printer.text(`[${operation.attributes.index}]`),
  parse: (parser, state) => {
    const [index] = parseIntegerList(parser)
    if (index === undefined) return parser.fail('expected an index')
    state.attributes.index = { kind: 'integer', value: BigInt(index), type: 'i32' }
  },
}

/** Values as one. Source: specification, "tuple". */
export const tupleOp = defineOp({
  name: 'stablehlo.tuple',
  operands: ['val...'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, tupleType),
  traits: { operandTypes: 'any' },
  infer: ({ operands, results, fail }) => {
    const type: Type = { kind: 'tuple', elements: operands }
    const declared = results?.[0]
    if (declared && !sameType(declared, type)) fail(`inferred type(s) '${typeText(type)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, 'tuple_c1')
    return [declared ?? type]
  },
  evaluate: ({ operands }) => [{ kind: 'tuple', elements: operands }],
  vjp: notDifferentiable('tuples are only for programs of others: pass tensors one by one'),
})

/** One value of a tuple. Source: specification, "get_tuple_element". */
export const getTupleElementOp = defineOp({
  name: 'stablehlo.get_tuple_element',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { index: codec.i32 },
  assembly: form(operandList, indexPiece, attributeDictionary, functional),
  traits: { operandTypes: 'any' },
  infer: ({ operands: [operand], attributes: { index }, results, fail }) => {
    if (operand.kind !== 'tuple') return fail(`needs a tuple, got ${shortType(operand)}`, 'get_tuple_element_i1')
    needNonNegative('index', index, fail, 'get_tuple_element_c1', 32)
    if (index >= operand.elements.length)
      fail(`index ${index} is out of bounds of operand with size ${operand.elements.length}`, 'get_tuple_element_c1')
    const element = operand.elements[index]
    const declared = results?.[0]
    if (declared && !sameType(declared, element)) fail(`inferred type(s) '${typeText(element)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, 'get_tuple_element_c2')
    return [element]
  },
  evaluate: ({ operands: [operand], attributes: { index } }) => [(operand as HostTuple).elements[index]],
  vjp: notDifferentiable('tuples are only for programs of others: pass tensors one by one'),
})

/** Values as one value. */
export const tuple = (values: readonly Value[]): Value => emit(tupleOp, values, {}).results[0]

/** The value at `index` of a tuple. Throws `OpError`. */
export const getTupleElement = (operand: Value, index: number): Value => emit(getTupleElementOp, [operand], { index }).results[0]
