import type { Tensor } from '../ir/module.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, operandList, operandTypes } from './assembly.ts'
import { zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { needTensorsOrTokens } from './result-type.ts'

/** ` : a, b`, or `()` when there is nothing to hold back. */
const barrierTypes: Piece = operandTypes(true)

/** Keeps the compiler from moving or merging computation across it. Source: specification, "optimization_barrier". */
export const optimizationBarrierOp = defineOp({
  name: 'stablehlo.optimization_barrier',
  operands: ['operand...'],
  results: ['result...'],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, barrierTypes),
  infer: ({ operands, fail }) => {
    needTensorsOrTokens(operands, 'operand', fail)
    return operands
  },
  evaluate: ({ operands }) => operands,
  vjp: ({ operands, cotangents, needed }) => {
    const wanted = needed.flatMap((need, i) => (need ? [i] : []))
    const held = optimizationBarrier(wanted.map((i) => cotangents[i] ?? zeros(operands[i].type)))
    return operands.map((_, i) => (needed[i] ? held[wanted.indexOf(i)] : null))
  },
})

/** The same values, which nothing is moved or merged across. */
export const optimizationBarrier = (operands: readonly Tensor[]): Tensor[] =>
  operands.length ? ([...emit(optimizationBarrierOp, operands, {}).results] as Tensor[]) : []
