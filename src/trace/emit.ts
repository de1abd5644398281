import { OpError } from '../ir/errors.ts'
import { inferTypes } from '../ir/infer.ts'
import { Operation, type Region, type Value } from '../ir/module.ts'
import type { AttributeCodecs, AttributesOf, InferContext, OpDefinition } from '../ir/op-definition.ts'
import type { Type } from '../ir/types.ts'
import { captureLocation, checkVisible, currentFrame, currentRule } from './frame.ts'

export interface EmitOptions {
  readonly regions?: readonly Region[]
  /** Result types, for ops whose results cannot be inferred. */
  readonly results?: readonly Type[]
}

const noRegions: readonly Region[] = []

/**
 * Appends an op to the block under construction and returns it. Throws `OpError` with the user's call site if a constraint
 * of the op does not hold, `TraceError` if an operand belongs to another trace.
 */
export function emit<A extends AttributeCodecs>(
  definition: OpDefinition<A>,
  operands: readonly Value[],
  attributes: AttributesOf<A>,
  options: EmitOptions = {},
): Operation {
  const frame = currentFrame()
  const location = captureLocation(emit)
  const types: Type[] = new Array(operands.length)
  for (let i = 0; i < operands.length; i++) {
    if (operands[i].block !== frame.block) checkVisible(frame, operands[i], definition.name)
    types[i] = operands[i].type
  }
  const regions = options.regions ?? noRegions
  const context: InferContext<AttributesOf<A>> = {
    operands: types,
    attributes,
    regions,
    results: options.results,
    lookup: (symbol) => frame.module.find(symbol),
    values: operands,
    module: frame.module,
    fail(detail, rule): never {
      throw new OpError(definition.name.replace(/^stablehlo\./, ''), detail, rule, location)
    },
  }
  const results = inferTypes(definition, context)
  const operation = new Operation(frame.block, definition, operands, attributes, results, regions, location)
  operation.rule = currentRule()
  frame.block.operations.push(operation)
  return operation
}
