import { type Region, type Value, resolveAlias } from '../ir/module.ts'
import type { Type } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'

/**
 * A copy of a region of one block whose arguments are `argumentTypes`: `places[i]` says which of them stands for the old argument `i`.
 * Values from outside the region are used as they are.
 */
export function copyRegion(region: Region, what: string, argumentTypes: readonly Type[], places: readonly number[], known: ReadonlyMap<Value, Value> = new Map()): Region {
  const map = new Map(known)
  const value = (operand: Value): Value => map.get(operand) ?? map.get(resolveAlias(operand)) ?? operand
  return buildRegion(what, argumentTypes, (inputs) => {
    region.block.arguments.forEach((argument, i) => map.set(argument, inputs[places[i]]))
    for (const operation of region.block.operations) {
      const regions = operation.regions.map((inner) => {
        const types = inner.block.arguments.map((argument) => argument.type)
        return copyRegion(inner, what, types, types.map((_, i) => i), map)
      })
      const results = operation.results.map((result) => result.type)
      const copy = emit(operation.definition, operation.operands.map(value), operation.attributes, { regions, results })
      operation.results.forEach((result, i) => map.set(result, copy.results[i]))
    }
  })
}
