import type { Location } from '../ir/location.ts'
import { type Operation, type Tensor, type Value, Tensor as TensorClass } from '../ir/module.ts'
import type { Cotangent } from '../ir/op-definition.ts'
import { currentFrame } from '../trace/frame.ts'

/**
 * Reverse-mode differentiation on the ops as they are traced. The ops that a function emits are its tape: walking them
 * backwards, each op's own `vjp` emits the cotangents of its operands right behind them. Nothing is traced twice, so a
 * gradient of a gradient is the same walk over a longer tape.
 *
 * A `Rule` marks ops that are not walked one by one but have a differentiation of their own (`customVjp`, `checkpoint`).
 */
export interface Rule {
  /** The rule around this one. */
  readonly parent: Rule | undefined
  /** What the rule depends on; gradients go there. */
  readonly inputs: readonly Value[]
  /** Aliases of the values that left the rule; gradients come from there. Filled when the rule's function has ended. */
  outputs: readonly Tensor[]
  readonly location: Location | undefined
  /** Emits the cotangents, given the rule's own operations. */
  backward(context: RuleContext): void
  /** The same rule for a copy of its operations. */
  clone(map: (value: Value) => Value, parent: Rule | undefined): Rule
}

export interface RuleContext {
  readonly operations: readonly Operation[]
  /** One per output. */
  readonly cotangents: readonly Cotangent[]
  /** The identity of an active value to which its cotangent goes; undefined for a value that nothing flows to. */
  canonical(value: Value): Value | undefined
  accumulate(value: Value, cotangent: Cotangent): void
}

/** A second identity of a value. With `stopGradient` nothing flows from it to the value. */
export function makeAlias(value: Tensor, stopGradient: boolean): Tensor {
  const alias = new TensorClass(value.type, currentFrame().block, undefined, -1)
  alias.alias = { value, stopGradient }
  return alias
}

/** The outermost rule around an operation inside the rule `base`; undefined if it is in none. */
export function ruleBelow(operation: Operation, base: Rule | undefined): Rule | undefined {
  let rule = operation.rule as Rule | undefined
  if (rule === base) return undefined
  while (rule && rule.parent !== base) rule = rule.parent
  return rule
}
