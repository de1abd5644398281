import type { Attribute } from '../ir/attributes.ts'
import { DifferentiationError, EngramError } from '../ir/errors.ts'
import { Tensor } from '../ir/module.ts'
import type { EvaluateContext, HostValue, VjpRule } from '../ir/op-definition.ts'
import type { TensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, symbolCall } from './assembly.ts'
import * as codec from './codecs.ts'
import { checkCustomCall } from './custom-call-rules.ts'
import { defineOp } from './define.ts'

/** What a custom call of a certain target means, so that it can be interpreted and differentiated. */
export interface CustomCallMeaning {
  readonly target: string
  evaluate(context: EvaluateContext<any>): readonly HostValue[]
  readonly vjp?: VjpRule<any>
}

const meanings = new Map<string, CustomCallMeaning>()

/** Makes the meaning of a custom call known. */
export function defineCustomCall(meaning: CustomCallMeaning): CustomCallMeaning {
  meanings.set(meaning.target, meaning)
  return meaning
}

/** Calls something that the compiler or the runtime knows by name. Source: specification, "custom_call". */
export const customCallOp = defineOp({
  name: 'stablehlo.custom_call',
  operands: ['inputs...'],
  results: ['results...'],
  regions: [],
  attributes: {
    call_target_name: codec.string,
    has_side_effect: codec.optional(codec.bool, false),
    backend_config: codec.optional(codec.anyAttribute),
    api_version: codec.optional(codec.i32, 1),
    called_computations: codec.optional(codec.arrayOf(codec.symbol)),
    operand_layouts: codec.optional(codec.anyAttribute),
    result_layouts: codec.optional(codec.anyAttribute),
    output_operand_aliases: codec.optional(codec.anyAttribute),
  },
  assembly: form(symbolCall('call_target_name', 'string'), attributeDictionary, functional),
  traits: { effect: (attributes) => attributes.has_side_effect === true, operandTypes: 'any' },
  infer: (context) => {
    checkCustomCall(context.attributes, context)
    return context.results ?? context.fail('needs result types')
  },
  evaluate: (context) => {
    const target = context.attributes.call_target_name
    const meaning = meanings.get(target)
    if (!meaning)
      throw new EngramError(
        `custom_call @${target} has no meaning in the interpreter; known are ${[...meanings.keys()].join(', ') || 'none'}. Give it one with defineCustomCall`,
        { code: 'UNKNOWN_CUSTOM_CALL' },
      )
    return meaning.evaluate(context)
  },
  vjp: (context) => {
    const meaning = meanings.get(context.attributes.call_target_name)
    if (!meaning?.vjp)
      throw new DifferentiationError(
        `custom_call @${context.attributes.call_target_name} has no gradient: wrap it with customVjp`,
        context.operation.location,
      )
    return meaning.vjp(context)
  },
})

export interface CustomCallOptions {
  readonly hasSideEffect?: boolean
  /** A string (API version 1 to 3) or a dictionary (version 4). */
  readonly backendConfig?: Attribute
  readonly apiVersion?: number
  readonly calledComputations?: readonly string[]
  /** Attributes that StableHLO does not name, such as `mhlo.backend_config`. */
  readonly discardable?: Readonly<Record<string, Attribute>>
}

/** Emits `stablehlo.custom_call @target` with results of the given types. */
export function customCall(target: string, inputs: readonly Tensor[], results: readonly TensorType[], options: CustomCallOptions = {}): Tensor[] {
  const operation = emit(
    customCallOp,
    inputs,
    {
      call_target_name: target,
      has_side_effect: options.hasSideEffect,
      backend_config: options.backendConfig,
      api_version: options.apiVersion,
      called_computations: options.calledComputations,
    },
    { results },
  )
  operation.discardable = options.discardable
  return [...operation.results] as Tensor[]
}
