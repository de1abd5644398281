import { topKArrays } from '../host/top-k.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, shortType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { attributeDictionary, form } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { needTensor, withShape } from './result-type.ts'
import { emitReturn } from './return.ts'
import { takeAlongAxis } from './take.ts'

/**
 * The `k` largest entries along the last axis, the largest first, and where they stand; equal entries in their order, NaN before all
 * others. Source: openxla/stablehlo, `ChloOps.td`.
 */
export const topKOp = defineOp({
  name: 'chlo.top_k',
  operands: ['operand'],
  results: ['values', 'indices'],
  regions: [],
  attributes: { k: codec.i64 },
  assembly: form(
    {
      covers: ['k'],
      print: (operation, printer) => {
        printer.text('(')
        printer.values(operation.operands)
        printer.text(`, k = ${operation.attributes.k})`)
      },
      parse: (parser, state) => {
        parser.expect('(')
        state.references = [parser.operand()]
        parser.expect(',')
        parser.expect('k')
        parser.expect('=')
        state.attributes.k = { kind: 'integer', value: parser.integer(), type: 'i64' }
        parser.expect(')')
      },
    },
    attributeDictionary,
    {
      print: (operation, printer) => {
        printer.text(' : ')
        printer.type(operation.operands[0].type)
        printer.text(' -> (')
        printer.type(operation.results[0].type)
        printer.text(', ')
        printer.type(operation.results[1].type)
        printer.text(')')
      },
      parse: (parser, state) => {
        parser.expect(':')
        state.operandTypes = [parser.type()]
        parser.expect('->')
        parser.expect('(')
        state.results = [parser.type()]
        parser.expect(',')
        state.results.push(parser.type())
        parser.expect(')')
      },
    },
  ),
  infer: ({ operands, attributes: { k }, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const rank = operand.shape.length
    if (rank < 1) fail(`operand's rank must be at least 1, got ${shortType(operand)}`)
    const size = operand.shape[rank - 1]
    if (k < 0 || (size !== DYNAMIC && size < k)) fail(`operand's last dimension must be at least ${k}, got ${shortType(operand)}`)
    const values = withShape(operand, operand.shape.with(rank - 1, k), operand.bounds)
    return agreeWithInferred([values, { ...withShape(values, values.shape, values.bounds), dtype: 'i32', quantization: undefined } as TensorType], results, fail)
  },
  evaluate: ({ arrays: [operand], attributes: { k } }) => topKArrays(operand, k),
  vjp: ({ operands: [operand], results: [, indices], cotangents: [d], pullback }) => {
    if (!d) return [null]
    const picked = buildRegion('top_k', [operand.type, indices.type], ([x, at]) => emitReturn([takeAlongAxis(x as Tensor, at as Tensor, -1)]))
    return [pullback(picked, [operand, indices], () => [d], { active: [true, false] }).inputs[0]]
  },
})

/** Emits `chlo.top_k`: `f32[...,n]` -> values `f32[...,k]`, indices `i32[...,k]`. Throws `OpError`. */
export function chloTopK(operand: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const [values, indices] = emit(topKOp, [operand], { k }).results as readonly Tensor[]
  return { values, indices }
}
