import { DifferentiationError } from '../ir/errors.ts'
import { type Operation, Tensor, type Value, resolveAlias } from '../ir/module.ts'
import type { Cotangent } from '../ir/op-definition.ts'
import { sameType, shortType } from '../ir/types.ts'
import { optimizationBarrier } from '../ops/optimization-barrier.ts'
import { zeros } from '../ops/constant.ts'
import { captureLocation, currentFrame, currentRule, withRule } from '../trace/frame.ts'
import { flatten, unflatten, type TreeStructure } from '../trace/tree.ts'
import { cloneOperations, outsideOperands } from './clone.ts'
import { ReverseWalk } from './reverse.ts'
import { type Rule, type RuleContext, makeAlias } from './rule.ts'

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** The same values, through which no gradient flows. */
export function stopGradient<T>(tree: T): T {
  const { leaves, structure } = flatten(tree, isTensor, 'the argument of stopGradient')
  return unflatten(structure, leaves.map((leaf) => makeAlias(leaf, true))) as T
}

/** Runs `fn` as the content of a rule and gives its output as aliases that the rule's gradient comes from. */
function runInRule<Output>(rule: Rule, fn: () => Output): Output {
  const { block } = currentFrame()
  const start = block.operations.length
  const output = withRule(rule, () => {
    const result = fn()
    const { leaves, structure } = flatten(result, isTensor, 'the output')
    // A rule is found by its ops; a function that only passes its arguments on has none.
    return block.operations.length === start && leaves.length ? (unflatten(structure, optimizationBarrier(leaves)) as Output) : result
  }, rule.location)
  const { leaves, structure } = flatten(output, isTensor, 'the output')
  rule.outputs = leaves.map((leaf) => makeAlias(leaf, true))
  return unflatten(structure, rule.outputs) as Output
}

/**
 * A function with a gradient of its own. `forward` gives `[output, residuals]`; `backward` gets the residuals and the cotangent
 * of the output (zeros where there is none) and gives the cotangents of the arguments, one per argument with its structure
 * (`null` for none). Throws `DifferentiationError` if `backward` gives the wrong types.
 */
export function customVjp<Args extends readonly unknown[], Output, Residuals>(
  forward: (...args: Args) => readonly [Output, Residuals],
  backward: (residuals: Residuals, cotangent: Output) => { readonly [K in keyof Args]: unknown },
): (...args: Args) => Output {
  return function call(...args) {
    const location = captureLocation(call)
    const inputs = flatten(args, isTensor, 'the arguments of a function with a custom gradient')
    const rule = new CustomRule(currentRule() as Rule | undefined, inputs.leaves, inputs.structure, location)
    rule.backwardFunction = backward as (residuals: unknown, cotangent: unknown) => unknown
    const output = runInRule(rule, () => {
      const [result, residuals] = forward(...args)
      const flat = flatten(residuals, isTensor, 'the residuals')
      rule.residuals = flat.leaves
      rule.residualStructure = flat.structure
      rule.outputStructure = flatten(result, isTensor, 'the output').structure
      return result
    })
    // `backward` reads the residuals as further outputs of the rule, so that a gradient of the gradient flows through them.
    rule.residuals = rule.residuals.map((residual) => makeAlias(residual, true))
    rule.outputs = [...rule.outputs, ...rule.residuals]
    return output
  }
}

class CustomRule implements Rule {
  readonly parent: Rule | undefined
  readonly inputs: readonly Tensor[]
  readonly inputStructure: TreeStructure
  readonly location: Rule['location']
  outputs: readonly Tensor[] = []
  residuals: readonly Tensor[] = []
  residualStructure: TreeStructure | undefined
  outputStructure: TreeStructure | undefined
  backwardFunction: ((residuals: unknown, cotangent: unknown) => unknown) | undefined

  constructor(parent: Rule | undefined, inputs: readonly Tensor[], inputStructure: TreeStructure, location: Rule['location']) {
    this.parent = parent
    this.inputs = inputs
    this.inputStructure = inputStructure
    this.location = location
  }

  backward({ operations, cotangents, accumulate }: RuleContext): void {
    const outputCount = this.outputs.length - this.residuals.length
    this.#backThroughResiduals(operations, cotangents.slice(outputCount), accumulate)
    const own = cotangents.slice(0, outputCount)
    if (own.every((cotangent) => !cotangent)) return
    const filled = own.map((cotangent, i) => cotangent ?? zeros(this.outputs[i].type))
    const gradients = this.backwardFunction!(
      unflatten(this.residualStructure!, this.residuals),
      unflatten(this.outputStructure!, filled),
    )
    gradientLeaves(this.inputStructure, gradients).forEach((gradient, i) => {
      const input = this.inputs[i]
      if (gradient && !sameType(gradient.type, input.type))
        throw new DifferentiationError(
          `backward of a custom gradient gave ${shortType(gradient.type)} for an argument of type ${shortType(input.type)}`,
          this.location,
        )
      accumulate(input, gradient)
    })
  }

  /**
   * What reaches the residuals comes from a gradient of this rule's gradient; it goes back through a copy of the ops that made them,
   * which stands outside the rule, so that yet another gradient can follow it. The compiler merges the copy with the original.
   */
  #backThroughResiduals(operations: readonly Operation[], cotangents: readonly Cotangent[], accumulate: RuleContext['accumulate']): void {
    if (cotangents.every((cotangent) => !cotangent)) return
    const inputs = [...new Set(this.inputs)]
    const { copies, value } = cloneOperations(operations, new Map(), this)
    const walk = new ReverseWalk({ operations: copies, base: currentRule() as Rule | undefined, sources: inputs })
    this.residuals.forEach((residual, i) => walk.accumulate(value(residual.alias!.value), cotangents[i]))
    walk.run()
    inputs.forEach((input) => accumulate(input, walk.cotangent(input)))
  }

  clone(map: (value: Value) => Value, parent: Rule | undefined): Rule {
    const copy = new CustomRule(parent, this.inputs.map(map) as Tensor[], this.inputStructure, this.location)
    copy.outputs = this.outputs.map(map) as Tensor[]
    copy.residuals = copy.outputs.slice(this.outputs.length - this.residuals.length)
    copy.residualStructure = this.residualStructure
    copy.outputStructure = this.outputStructure
    copy.backwardFunction = this.backwardFunction
    return copy
  }
}

/** Gradients in the order of the arguments' leaves; a `null` stands for all leaves under it. */
function gradientLeaves(structure: TreeStructure, gradients: unknown): (Tensor | null)[] {
  const leaves: (Tensor | null)[] = []
  const walk = (node: TreeStructure, value: unknown): void => {
    if (node.kind === 'leaf') leaves.push(isTensor(value) ? value : null)
    else if (node.kind === 'array') node.items.forEach((item, i) => walk(item, (value as unknown[] | null | undefined)?.[i]))
    else if (node.kind === 'object') node.keys.forEach((key, i) => walk(node.items[i], (value as Record<string, unknown> | null | undefined)?.[key]))
  }
  walk(structure, gradients)
  return leaves
}

/**
 * Rematerialisation: `checkpoint(layer)` computes the same as `layer`, but nothing inside it is kept for the gradient; the
 * backward pass computes it again from the inputs. Saves memory for about a third more time.
 */
export function checkpoint<Args extends readonly unknown[], Output>(fn: (...args: Args) => Output): (...args: Args) => Output {
  return function call(...args) {
    const rule = new CheckpointRule(currentRule() as Rule | undefined, captureLocation(call))
    const { block } = currentFrame()
    const start = block.operations.length
    const output = runInRule(rule, () => fn(...args))
    rule.inputs = outsideOperands(block.operations.slice(start))
    return output
  }
}

class CheckpointRule implements Rule {
  readonly parent: Rule | undefined
  readonly location: Rule['location']
  inputs: readonly Value[] = []
  outputs: readonly Tensor[] = []

  constructor(parent: Rule | undefined, location: Rule['location']) {
    this.parent = parent
    this.location = location
  }

  backward({ operations, cotangents, canonical, accumulate }: RuleContext): void {
    // Constants are cheap and shared; everything else passes a barrier, or the compiler would merge the copy with the original.
    const origins = [...new Set(this.inputs.map((input) => canonical(input) ?? resolveAlias(input)))].filter((value) => !isConstant(value))
    const barriers = optimizationBarrier(origins as Tensor[])
    const map = new Map<Value, Value>(origins.map((origin, i) => [origin, barriers[i]]))
    const { copies, value } = cloneOperations(operations, map, this)
    const walk = new ReverseWalk({
      operations: copies,
      base: currentRule() as Rule | undefined,
      sources: barriers.filter((_, i) => canonical(origins[i]) !== undefined),
    })
    this.outputs.forEach((output, i) => walk.accumulate(value(output.alias!.value), cotangents[i]))
    walk.run()
    origins.forEach((origin, i) => accumulate(origin, walk.cotangent(barriers[i])))
  }

  clone(map: (value: Value) => Value, parent: Rule | undefined): Rule {
    const copy = new CheckpointRule(parent, this.location)
    copy.inputs = this.inputs.map(map)
    copy.outputs = this.outputs.map(map) as Tensor[]
    return copy
  }
}

const isConstant = (value: Value): boolean => value.definition !== undefined && value.definition.operands.length === 0 && value.definition.regions.length === 0
