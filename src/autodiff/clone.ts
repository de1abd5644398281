import { type Block, Operation, Region, type Value, resolveAlias } from '../ir/module.ts'
import { currentFrame, currentRule } from '../trace/frame.ts'
import type { Rule } from './rule.ts'

/**
 * Appends copies of operations to the block under construction, with operands replaced by `map`; results of the copies are
 * added to `map`. `base` is the rule that the originals stand in: the copies stand in the current one.
 */
export function cloneOperations(operations: readonly Operation[], map: Map<Value, Value>, base: Rule | undefined): Clones {
  const { block } = currentFrame()
  const cloner = new Cloner(map, base, currentRule() as Rule | undefined)
  const copies = operations.map((operation) => cloner.operation(operation, block))
  for (const copy of copies) block.operations.push(copy)
  cloner.assignRules()
  return { copies, value: cloner.value }
}

export interface Clones {
  readonly copies: readonly Operation[]
  /** What a value of the original is in the copy. */
  readonly value: (value: Value) => Value
}

class Cloner {
  readonly #map: Map<Value, Value>
  readonly #rules = new Map<Rule | undefined, Rule | undefined>()
  readonly #pairs: [Operation, Operation][] = []

  constructor(map: Map<Value, Value>, base: Rule | undefined, current: Rule | undefined) {
    this.#map = map
    this.#rules.set(base, current)
  }

  /** A value in the copy; one that is an alias is looked up under every identity it has. */
  readonly value = (value: Value): Value => {
    for (let v: Value | undefined = value; v; v = v.alias?.value) {
      const mapped = this.#map.get(v)
      if (!mapped) continue
      if (v === value) return mapped
      return this.#aliasOf(value, mapped)
    }
    return value
  }

  /** Copies of aliases are aliases of the copies, so that stopped gradients stay stopped. */
  #aliasOf(original: Value, target: Value): Value {
    const Constructor = original.constructor as new (type: Value['type'], block: Block, definition: undefined, index: number) => Value
    const copy = new Constructor(original.type, target.block, undefined, -1)
    const stopped = stopsOnTheWay(original, this.#map)
    copy.alias = { value: target, stopGradient: stopped }
    this.#map.set(original, copy)
    return copy
  }

  operation(operation: Operation, block: Block): Operation {
    const regions = operation.regions.map((region) => this.region(region))
    const copy = new Operation(
      block,
      operation.definition,
      operation.operands.map(this.value),
      operation.attributes,
      operation.results.map((result) => result.type),
      regions,
      operation.location,
    )
    copy.discardable = operation.discardable
    operation.results.forEach((result, i) => this.#map.set(result, copy.results[i]))
    this.#pairs.push([operation, copy])
    return copy
  }

  region(region: Region): Region {
    const copy = new Region()
    for (const block of region.blocks) {
      const target = Region.ofBlock(block.arguments.map((argument) => argument.type)).block
      ;(target as { region: Region }).region = copy
      copy.blocks.push(target)
      block.arguments.forEach((argument, i) => this.#map.set(argument, target.arguments[i]))
      for (const operation of block.operations) target.operations.push(this.operation(operation, target))
    }
    return copy
  }

  /** Rules come last: a copy of a rule refers to values that the copied operations define. */
  assignRules(): void {
    for (const [original, copy] of this.#pairs) copy.rule = this.rule(original.rule as Rule | undefined)
  }

  rule(rule: Rule | undefined): Rule | undefined {
    if (!this.#rules.has(rule)) this.#rules.set(rule, rule!.clone(this.value, this.rule(rule!.parent)))
    return this.#rules.get(rule)
  }
}

function stopsOnTheWay(value: Value, map: ReadonlyMap<Value, Value>): boolean {
  for (let v: Value | undefined = value; v?.alias && !map.has(v); v = v.alias.value) if (v.alias.stopGradient) return true
  return false
}

/** Operands that operations use but do not define, as they stand there (aliases included), in order of first use. */
export function outsideOperands(operations: readonly Operation[]): Value[] {
  const defined = new Set<Value>()
  const outside = new Set<Value>()
  const visit = (operation: Operation): void => {
    for (const operand of operation.operands) if (!defined.has(resolveAlias(operand))) outside.add(operand)
    for (const region of operation.regions)
      for (const block of region.blocks) {
        block.arguments.forEach((argument) => defined.add(argument))
        block.operations.forEach(visit)
      }
    operation.results.forEach((result) => defined.add(result))
  }
  operations.forEach(visit)
  return [...outside]
}
