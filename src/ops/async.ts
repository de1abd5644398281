import type { Tensor, Value } from '../ir/module.ts'
import type { HostFuture, OpDefinition } from '../ir/op-definition.ts'
import { type FutureType, type Type, sameType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { allReduceOp, reduceScatterOp } from './collective-reductions.ts'
import { allGatherOp, allToAllOp, collectiveBroadcastOp, collectivePermuteOp } from './collectives.ts'
import { returnedTypes } from './control-flow.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { dynamicSliceOp, dynamicUpdateSliceOp } from './dynamic-slice.ts'
import { compatibleType } from './elementwise-rules.ts'
import { emitReturn } from './return.ts'
import { sliceOp } from './slice-pad.ts'
import { evaluateSteps } from './steps.ts'

/** A collective op or a slice that goes on while the program does other things. Source: StableHLO, "async_start", "async_done". */

/** What may run on its own. */
const allowed = new Set<OpDefinition>([
  allGatherOp, allReduceOp, allToAllOp, collectiveBroadcastOp, collectivePermuteOp, reduceScatterOp, sliceOp, dynamicSliceOp, dynamicUpdateSliceOp,
])

/** Futures of compatible elements. */
const compatibleFutures = (a: Type, b: FutureType): boolean =>
  a.kind === 'future' && a.elements.length === b.elements.length && a.elements.every((element, i) => compatibleType(element, b.elements[i]))

const incompatible = (inferred: readonly Type[], declared: readonly Type[]): string =>
  `inferred type(s) ${quoted(inferred)} are incompatible with return type(s) of operation ${quoted(declared)}`
const quoted = (types: readonly Type[]): string => types.map((type) => `'${typeText(type)}'`).join(', ')

/** Begins the one op of its region and gives a future of its results. */
export const asyncStartOp = defineOp({
  name: 'stablehlo.async_start',
  operands: ['operands...'],
  results: ['result'],
  regions: ['body'],
  attributes: {},
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'any' },
  infer: ({ operands, regions: [body], results, fail }) => {
    const { operations, arguments: parameters } = body.block
    if (operations.length !== 2) fail('region must contain exactly one operation and a return')
    if (!allowed.has(operations[0].definition)) fail('region must contain a collective or slice operation')
    if (operands.length !== parameters.length) fail(`number of operands (${operands.length}) must match number of region arguments (${parameters.length})`)
    operands.forEach((operand, i) => {
      if (!sameType(operand, parameters[i].type))
        fail(`type of operand ${i} ('${typeText(operand)}') must match the region argument ('${typeText(parameters[i].type)}')`)
    })
    const inferred: FutureType = { kind: 'future', elements: returnedTypes(body) }
    const declared = results?.[0]
    if (declared && !compatibleFutures(declared, inferred)) fail(incompatible([inferred], [declared]))
    return [declared ?? inferred]
  },
  *steps({ operands, regions: [body] }) {
    return yield { kind: 'start', region: body, inputs: operands }
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is made asynchronous'),
})

/** Waits for what `async_start` began and gives its results. */
export const asyncDoneOp = defineOp({
  name: 'stablehlo.async_done',
  operands: ['future'],
  results: ['results...'],
  regions: [],
  attributes: {},
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'any' },
  infer: ({ operands: [future], results, fail }) => {
    if (future?.kind !== 'future') return fail(`operand #0 must be future type, but got '${future ? typeText(future) : 'nothing'}'`)
    if (results && !(results.length === future.elements.length && results.every((result, i) => compatibleType(result, future.elements[i]))))
      fail(incompatible(future.elements, results))
    return results ?? future.elements
  },
  *steps({ operands: [future] }) {
    return yield { kind: 'wait', future: future as HostFuture }
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is made asynchronous'),
})

/** Begins `build`, which makes one collective op or slice from `inputs`; the result is a future for `asyncDone`. Throws `OpError`. */
export function asyncStart(inputs: readonly Tensor[], build: (...inputs: Tensor[]) => Tensor | readonly Tensor[]): Value {
  const region = buildRegion('body of async_start', inputs.map(({ type }) => type), (values) => emitReturn([build(...(values as Tensor[]))].flat() as Value[]))
  return emit(asyncStartOp, inputs, {}, { regions: [region] }).results[0]
}

/** The results of what `asyncStart` began. Throws `OpError`. */
export const asyncDone = (future: Value): Tensor[] => [...emit(asyncDoneOp, [future], {}).results] as Tensor[]
