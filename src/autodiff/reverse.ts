import { isDifferentiable } from '../ir/dtypes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import { Func, type Operation, type Region, Tensor, type Value, walkOperations } from '../ir/module.ts'
import type { Cotangent, NotDifferentiable, VjpContext } from '../ir/op-definition.ts'
import { type TensorType, sameType, shortType } from '../ir/types.ts'
import { add } from '../ops/arithmetic.ts'
import { reduceSum } from '../ops/reduce.ts'
import { currentFrame, currentRule, insertAt, withLocation, withRule } from '../trace/frame.ts'
import { cloneOperations } from './clone.ts'
import { type Rule, makeAlias, ruleBelow } from './rule.ts'

export interface Tape {
  readonly operations: readonly Operation[]
  /** The rule that was current when the tape began: ops directly in it are walked one by one. */
  readonly base: Rule | undefined
  /** What is differentiated: aliases or values made for this tape alone. */
  readonly sources: readonly Value[]
}

const carriesGradient = (value: Value): boolean => value.type.kind === 'tensor' && isDifferentiable(value.type.dtype)

/** One walk back over a tape. */
export class ReverseWalk {
  readonly #tape: Tape
  readonly #sources: ReadonlySet<Value>
  readonly #active = new Set<Value>()
  /** Outputs of the tape's rules: aliases that count as values of their own. */
  readonly #ruleOutputs = new Set<Value>()
  readonly #ruleOperations = new Map<Rule, Operation[]>()
  readonly #cotangents = new Map<Value, Tensor>()

  constructor(tape: Tape) {
    this.#tape = tape
    this.#sources = new Set(tape.sources)
    for (const source of tape.sources) if (carriesGradient(source)) this.#active.add(source)
    for (const operation of tape.operations) this.#spread(operation)
  }

  /** Whether a value depends on a source. */
  isActive(value: Value): boolean {
    const canonical = this.#canonical(value)
    return canonical !== undefined && this.#active.has(canonical)
  }

  /** Adds to a value's cotangent; ignored if the value does not depend on a source. */
  accumulate(value: Value, cotangent: Cotangent): void {
    if (!cotangent) return
    const canonical = this.#canonical(value)
    if (!canonical || !this.#active.has(canonical)) return
    if (!sameType(canonical.type, cotangent.type))
      throw new TypeError(`cotangent of ${shortType(canonical.type)} has type ${shortType(cotangent.type)}`)
    const sum = this.#cotangents.get(canonical)
    this.#cotangents.set(canonical, sum ? add(sum, cotangent) : cotangent)
  }

  /** Walks; call after the seeds were given with `accumulate`. */
  run(): void {
    this.#back(this.#tape.operations)
  }

  /**
   * Copies the body of a function to where a call of it stands, and walks back through the copy as if it had stood there from the
   * beginning. So nothing is computed twice: the copy gives the results of the call.
   */
  expand(call: Operation, body: Region, cotangents: readonly Cotangent[]): void {
    const map = argumentMap(body, call.operands as readonly Tensor[])
    const { block } = call
    const { copies, value } = insertAt(block.operations.indexOf(call), () =>
      withRule(call.rule, () => cloneOperations(body.block.operations.slice(0, -1), map, undefined, call.location)),
    )
    for (const operation of copies) this.#spread(operation)
    body.block.operations.at(-1)!.operands.forEach((operand, i) => {
      const output = value(operand)
      call.results[i].alias = { value: output, stopGradient: false }
      this.accumulate(output, cotangents[i])
    })
    this.#back(copies)
  }

  #back(operations: readonly Operation[]): void {
    const done = new Set<Rule>()
    for (let i = operations.length - 1; i >= 0; i--) {
      const operation = operations[i]
      const rule = ruleBelow(operation, this.#tape.base)
      if (rule) {
        if (!done.has(rule)) this.#runRule(rule)
        done.add(rule)
      } else this.#runOperation(operation)
    }
  }

  cotangent(value: Value): Cotangent {
    const canonical = this.#canonical(value)
    return (canonical && this.#cotangents.get(canonical)) ?? null
  }

  /** The identity under which a value's cotangent is kept; undefined if a stopped gradient is in between. */
  #canonical(value: Value): Value | undefined {
    let v = value
    while (v.alias && !this.#sources.has(v) && !this.#ruleOutputs.has(v)) {
      if (v.alias.stopGradient) return undefined
      v = v.alias.value
    }
    return v
  }

  #spread(operation: Operation): void {
    const rule = ruleBelow(operation, this.#tape.base)
    if (rule) {
      const known = this.#ruleOperations.get(rule)
      if (known) {
        known.push(operation)
        return
      }
      this.#ruleOperations.set(rule, [operation])
      rule.outputs.forEach((output) => this.#ruleOutputs.add(output))
      if (rule.inputs.some((input) => this.isActive(input)))
        for (const output of rule.outputs) if (carriesGradient(output)) this.#active.add(output)
      return
    }
    if ((operation.definition.vjp as NotDifferentiable).zero) return
    if (!operation.operands.some((operand) => this.isActive(operand)) && this.capturesOf(operation.regions).length === 0) return
    for (const result of operation.results) if (carriesGradient(result)) this.#active.add(result)
  }

  /** Values from outside that regions use and that depend on a source. */
  capturesOf(regions: readonly Region[]): Tensor[] {
    const captured = new Set<Value>()
    for (const region of regions)
      for (const block of region.blocks)
        walkOperations(block, (operation) => {
          for (const operand of operation.operands) {
            const canonical = this.#canonical(operand)
            if (canonical && this.#active.has(canonical)) captured.add(canonical)
          }
        })
    return [...captured] as Tensor[]
  }

  #runRule(rule: Rule): void {
    const cotangents = rule.outputs.map((output) => this.#cotangents.get(output) ?? null)
    if (cotangents.every((cotangent) => !cotangent)) return
    withLocation(rule.location, () =>
      rule.backward({
        operations: this.#ruleOperations.get(rule)!,
        cotangents,
        canonical: (value) => {
          const canonical = this.#canonical(value)
          return canonical && this.#active.has(canonical) ? canonical : undefined
        },
        accumulate: (value, cotangent) => this.accumulate(value, cotangent),
      }),
    )
  }

  #runOperation(operation: Operation): void {
    const { vjp } = operation.definition
    const cotangents = operation.results.map((result) => this.#cotangents.get(result) ?? null)
    if (cotangents.every((cotangent) => !cotangent)) return
    if (typeof vjp !== 'function') {
      if (vjp.zero) return
      throw new DifferentiationError(`${operation.name} has no gradient: ${vjp.notDifferentiable}`, operation.location)
    }
    const context = new WalkContext(this, operation, cotangents)
    withLocation(operation.location, () => {
      const gradients = vjp(context)
      operation.operands.forEach((operand, i) => {
        if (context.needed[i]) this.accumulate(operand, gradients[i] ?? null)
      })
    })
  }
}

/** What an op's rule gets. A class, for it is made for every op: rules take out of it what they need, most little. */
class WalkContext implements VjpContext<any> {
  readonly #walk: ReverseWalk
  readonly operation: Operation
  readonly cotangents: readonly Cotangent[]
  readonly needed: readonly boolean[]
  readonly sum = reduceSum

  constructor(walk: ReverseWalk, operation: Operation, cotangents: readonly Cotangent[]) {
    this.#walk = walk
    this.operation = operation
    this.cotangents = cotangents
    this.needed = operation.operands.map((operand) => walk.isActive(operand))
  }

  get operands(): readonly Tensor[] {
    return this.operation.operands as readonly Tensor[]
  }
  get results(): readonly Tensor[] {
    return this.operation.results as readonly Tensor[]
  }
  get attributes(): any {
    return this.operation.attributes
  }
  get regions(): readonly Region[] {
    return this.operation.regions
  }
  get activeCaptures(): VjpContext<any>['activeCaptures'] {
    return (regions) => this.#walk.capturesOf(regions)
  }
  get accumulate(): VjpContext<any>['accumulate'] {
    return (value, cotangent) => this.#walk.accumulate(value, cotangent)
  }
  get inline(): VjpContext<any>['inline'] {
    return (region, inputs) => inlineRegion(this.operation, region, inputs)
  }
  get pullback(): VjpContext<any>['pullback'] {
    return (region, inputs, seed, options) => pullbackRegion(this.operation, region, inputs, seed, options)
  }
  get expand(): VjpContext<any>['expand'] {
    return (body) => this.#walk.expand(this.operation, body, this.cotangents)
  }
  get dependence(): VjpContext<any>['dependence'] {
    return (region, active) => {
      const sources = [...region.block.arguments.filter((_, i) => active[i]), ...this.#walk.capturesOf([region])]
      const spread = new ReverseWalk({ operations: region.block.operations, base: this.operation.rule as Rule | undefined, sources })
      return region.block.operations.at(-1)!.operands.map((output) => spread.isActive(output))
    }
  }
  get replace(): VjpContext<any>['replace'] {
    return (build) => {
      const { block, results: old } = this.operation
      const results = insertAt(block.operations.indexOf(this.operation), build)
      old.forEach((result, i) => {
        result.alias = { value: results[i], stopGradient: false }
      })
    }
  }
  get placeholder(): VjpContext<any>['placeholder'] {
    return (type: TensorType) => {
      const value = new Tensor(type, currentFrame().block, undefined, -1)
      return {
        value,
        define: (definition) => {
          value.alias = { value: definition, stopGradient: false }
        },
      }
    }
  }
  get lookup(): VjpContext<any>['lookup'] {
    return (symbol) => currentFrame().module.find(symbol)
  }
}

/** Copies a region's ops here, with `map` for its arguments. The region is the owner's, or the body of a function that it calls. */
function copyRegion(owner: Operation, region: Region, map: Map<Value, Value>): { copies: readonly Operation[]; outputs: Tensor[] } {
  const called = region.parent instanceof Func
  const base = called ? undefined : (owner.rule as Rule | undefined)
  const { copies, value } = cloneOperations(region.block.operations.slice(0, -1), map, base, called ? owner.location : undefined)
  return { copies, outputs: region.block.operations.at(-1)!.operands.map(value) as Tensor[] }
}

const argumentMap = (region: Region, inputs: readonly Tensor[]): Map<Value, Value> =>
  new Map<Value, Value>(region.block.arguments.map((argument, i) => [argument, inputs[i]]))

const inlineRegion = (owner: Operation, region: Region, inputs: readonly Tensor[]): readonly Tensor[] =>
  copyRegion(owner, region, argumentMap(region, inputs)).outputs

/** Copies a region's ops here and walks back over the copy. */
function pullbackRegion(
  owner: Operation,
  region: Region,
  inputs: readonly Tensor[],
  seed: (outputs: readonly Tensor[]) => readonly Cotangent[],
  { active, captured = [] }: { active?: readonly boolean[]; captured?: readonly Value[] } = {},
): { inputs: Cotangent[]; captured: Cotangent[] } {
  const inputAliases = inputs.map((input) => makeAlias(input, false))
  const capturedAliases = captured.map((value) => makeAlias(value as Tensor, false))
  const map = argumentMap(region, inputAliases)
  captured.forEach((value, i) => map.set(value, capturedAliases[i]))
  const { copies, outputs } = copyRegion(owner, region, map)
  // The other aliases are none of this walk's, but a gradient of the gradient may go through them.
  const sources = [...inputAliases.filter((_, i) => active === undefined || active[i]), ...capturedAliases]
  const walk = new ReverseWalk({ operations: copies, base: currentRule() as Rule | undefined, sources })
  const cotangents = seed(outputs)
  outputs.forEach((output, i) => walk.accumulate(output, cotangents[i]))
  walk.run()
  return {
    inputs: inputAliases.map((alias, i) => (active === undefined || active[i] ? walk.cotangent(alias) : null)),
    captured: capturedAliases.map((alias) => walk.cotangent(alias)),
  }
}
