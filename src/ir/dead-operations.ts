import { type Block, type Operation, type Value, resolveAlias } from './module.ts'

/** Removes operations whose results nothing uses and that have no effect of their own, in nested regions too. */
export function removeDeadOperations(block: Block): void {
  const used = new Set<Value>()
  sweep(block, used)
}

function sweep(block: Block, used: Set<Value>): void {
  const kept: Operation[] = []
  for (let i = block.operations.length - 1; i >= 0; i--) {
    const operation = block.operations[i]
    if (!hasEffect(operation) && !operation.results.some((result) => used.has(result))) continue
    for (const region of operation.regions) for (const inner of region.blocks) sweep(inner, used)
    for (const operand of operation.operands) used.add(resolveAlias(operand))
    kept.push(operation)
  }
  block.operations = kept.reverse()
}

function hasEffect({ definition, attributes }: Operation): boolean {
  const effect = definition.traits?.effect ?? false
  return typeof effect === 'function' ? effect(attributes) : effect
}
