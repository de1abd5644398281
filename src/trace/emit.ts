import { OpError } from '../ir/errors.ts'
import { inferTypes } from '../ir/infer.ts'
import type { Location } from '../ir/location.ts'
import { type Module, Operation, type Region, type Value } from '../ir/module.ts'
import type { AttributeCodecs, AttributesOf, InferContext, OpDefinition } from '../ir/op-definition.ts'
import type { Type } from '../ir/types.ts'
import { captureLocation, checkVisible, currentFrame, currentRule } from './frame.ts'

export interface EmitOptions {
  readonly regions?: readonly Region[]
  /** Result types, for ops whose results cannot be inferred. */
  readonly results?: readonly Type[]
}

const noRegions: readonly Region[] = []

/** What an op's rule sees while it is emitted. A class, for it is made for every op: rules take `fail` out of it, most never call it. */
class EmitContext<A> implements InferContext<A> {
  readonly #definition: OpDefinition
  readonly #location: Location
  readonly operands: readonly Type[]
  readonly attributes: A
  readonly regions: readonly Region[]
  readonly results: readonly Type[] | undefined
  readonly values: readonly Value[]
  readonly module: Module

  constructor(
    definition: OpDefinition,
    operands: readonly Type[],
    attributes: A,
    regions: readonly Region[],
    results: readonly Type[] | undefined,
    values: readonly Value[],
    module: Module,
    location: Location,
  ) {
    this.#definition = definition
    this.#location = location
    this.operands = operands
    this.attributes = attributes
    this.regions = regions
    this.results = results
    this.values = values
    this.module = module
  }

  get lookup(): InferContext<A>['lookup'] {
    return (symbol) => this.module.find(symbol)
  }

  get fail(): InferContext<A>['fail'] {
    return (detail, rule) => {
      throw new OpError(this.#definition.name.replace(/^stablehlo\./, ''), detail, rule, this.#location)
    }
  }
}

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
  const context = new EmitContext(definition, types, attributes, regions, options.results, operands, frame.module, location)
  const results = inferTypes(definition, context)
  const operation = new Operation(frame.block, definition, operands, attributes, results, regions, location)
  operation.rule = currentRule()
  frame.block.operations.push(operation)
  return operation
}
