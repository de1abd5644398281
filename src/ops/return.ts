import type { HostValue } from '../ir/op-definition.ts'
import type { Value } from '../ir/module.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, operandList, operandTypes } from './assembly.ts'
import { defineOp, zeroGradient } from './define.ts'

/** An op that ends a block with the values that the block gives. */
export const terminator = (name: string, ends: true | 'function') =>
  defineOp({
    name,
    operands: ['operands...'],
    results: [],
    regions: [],
    attributes: {},
    assembly: form(operandList, attributeDictionary, operandTypes(false)),
    traits: { terminator: ends, effect: true, operandTypes: 'any' },
    infer: () => [],
    evaluate: ({ operands }): readonly HostValue[] => operands,
    vjp: zeroGradient('it ends a block'),
  })

/** Ends the region of an op. Source: specification, "return". */
export const returnOp = terminator('stablehlo.return', true)
/** Ends a function. */
export const funcReturnOp = terminator('func.return', 'function')

/** Ends the region under construction with these values. */
export const emitReturn = (values: readonly Value[]): void => void emit(returnOp, values, {})
