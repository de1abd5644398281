import { Copier } from '../ir/copy.ts'
import type { Location } from '../ir/location.ts'
import { type Block, type Operation, type Value, resolveAlias } from '../ir/module.ts'
import { currentFrame, currentRule } from '../trace/frame.ts'
import type { Rule } from './rule.ts'

/**
 * Appends copies of operations to the block under construction, with operands replaced by `map`; results of the copies are
 * added to `map`. `base` is the rule that the originals stand in: the copies stand in the current one. `caller` is where the call
 * stands, if the originals are the body of a function.
 */
export function cloneOperations(operations: readonly Operation[], map: Map<Value, Value>, base: Rule | undefined, caller?: Location): Clones {
  const { block } = currentFrame()
  const cloner = new Cloner(map, base, currentRule() as Rule | undefined, caller)
  if (operations.length) cloner.standsIn(operations[0].block, block)
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

class Cloner extends Copier {
  readonly #rules = new Map<Rule | undefined, Rule | undefined>()
  readonly #pairs: [Operation, Operation][] = []
  /** The call that the copies take the place of. */
  readonly #caller: Location | undefined

  constructor(map: Map<Value, Value>, base: Rule | undefined, current: Rule | undefined, caller: Location | undefined) {
    super(map)
    this.#rules.set(base, current)
    this.#caller = caller
  }

  /** The operations of `original` are copied to `copy`. */
  standsIn(original: Block, copy: Block): void {
    this.blocks.set(original, copy)
  }

  /** A value in the copy; one that is an alias is looked up under every identity it has. */
  override value = (value: Value): Value => {
    for (let v: Value | undefined = value; v; v = v.alias?.value) {
      const mapped = this.map.get(v)
      if (!mapped) continue
      if (v === value) return mapped
      return this.#aliasOf(value, mapped, stopsOnTheWay(value, this.map))
    }
    // An alias that a walk inside the original made is out of sight in the copy; what it stands for is not.
    const target = value.alias && this.blocks.get(value.block)
    return target && target !== value.block ? this.#aliasOf(value, this.value(value.alias!.value), value.alias!.stopGradient, target) : value
  }

  /** Copies of aliases are aliases of the copies, so that stopped gradients stay stopped. */
  #aliasOf(original: Value, target: Value, stopGradient: boolean, block: Block = target.block): Value {
    const Constructor = original.constructor as new (type: Value['type'], block: Block, definition: undefined, index: number) => Value
    const copy = new Constructor(original.type, block, undefined, -1)
    copy.alias = { value: target, stopGradient }
    this.map.set(original, copy)
    return copy
  }

  override operation(operation: Operation, block: Block): Operation {
    const copy = super.operation(operation, block)
    this.#pairs.push([operation, copy])
    return copy
  }

  protected override location({ location }: Operation): Location | undefined {
    return this.#caller && location ? location.calledFrom(this.#caller) : location
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
