import type { Value } from '../ir/module.ts'
import { sameType, shortType, tokenType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, operandList, resultType } from './assembly.ts'
import { defineOp, notDifferentiable } from './define.ts'

/** Tokens, which put ops with effects in order. */

const noGradient = notDifferentiable('tokens carry no numbers')

/** ` : !stablehlo.token`, which is the type of the operands too. */
const tokenTypes: Piece = {
  print: resultType.print,
  parse: (parser, state) => {
    resultType.parse(parser, state)
    state.operandTypes = state.references.map(() => state.results[0])
  },
}

/** A token after all others. Source: specification, "after_all". */
export const afterAllOp = defineOp({
  name: 'stablehlo.after_all',
  operands: ['inputs...'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, tokenTypes),
  traits: { operandTypes: 'any' },
  infer: ({ operands, fail }) => {
    operands.forEach((type, i) => {
      if (!sameType(type, tokenType)) fail(`inputs[${i}] must be a token, got ${shortType(type)}`, 'after_all_i1')
    })
    return [tokenType]
  },
  evaluate: () => [{ kind: 'token' }],
  vjp: noGradient,
})

/** The first token; older programs have it where `after_all` without operands stands now. Source: StableHLO, "create_token". */
export const createTokenOp = defineOp({
  name: 'stablehlo.create_token',
  operands: [],
  results: ['output'],
  regions: [],
  attributes: {},
  assembly: form(attributeDictionary, resultType),
  infer: () => [tokenType],
  evaluate: () => [{ kind: 'token' }],
  vjp: noGradient,
})

/** A token that is there when all of `tokens` are; with none, the first. Throws `OpError`. */
export const afterAll = (tokens: readonly Value[]): Value => emit(afterAllOp, tokens, {}).results[0]
