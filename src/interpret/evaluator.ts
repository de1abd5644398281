import { EngramError, InputError, OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Block, type Func, type Module, type Operation, type Value, isDeclaration } from '../ir/module.ts'
import type { EvaluateContext, HostValue, ParallelPrograms } from '../ir/op-definition.ts'
import type { ProcessPlace } from '../ir/steps.ts'
import { DYNAMIC, type Type, compatibleShape, isTensorType, shortType } from '../ir/types.ts'

/** What evaluates the operations of one process, one after another. It knows no op: each op's definition says what it means. */

/** An error inside an op's evaluation that is not the user's typed error, with the op and its place. */
export class EvaluationError extends EngramError {
  override readonly name = 'EvaluationError'
  constructor(operation: Operation, cause: unknown) {
    const place = operation.location?.describe()
    super(`${operation.name}: ${cause instanceof Error ? cause.message : String(cause)}${place ? `\n  at ${place}` : ''}`, { code: 'EVALUATION', cause })
  }
}

/** Values by what defines them; one for a call of a function. */
export type Environment = Map<Value, HostValue>

export interface EvaluatorOptions {
  readonly process: ProcessPlace
  readonly shared: Map<string, unknown>
  readonly onOperation?: (operation: Operation, results: readonly HostValue[]) => void
  /** Runs functions of the module side by side. */
  readonly parallel: (programs: ParallelPrograms) => readonly HostValue[]
}

/** Functions that may call each other down to here; StableHLO has no use for recursion. */
export const deepestCall = 500

/** Throws if a call is nested too deeply, or if the function has no body. */
export function checkCall(func: Func, depth: number): void {
  if (depth > deepestCall)
    throw new EngramError(`calls are nested more than ${deepestCall} deep at @${func.name}: does it call itself?`, { code: 'CALL_DEPTH' })
  if (isDeclaration(func)) throw new InputError(`@${func.name} is only declared: it has no body to run`, 'DECLARED_ONLY')
}

/** Throws `InputError` if the inputs do not have the types of the function's arguments. */
export function checkInputs(func: Func, inputs: readonly HostValue[]): void {
  const types = func.argumentTypes
  if (inputs.length !== types.length)
    throw new InputError(`@${func.name} takes ${types.length} inputs, got ${inputs.length}`, 'INPUT_COUNT')
  types.forEach((type, i) => {
    const input = inputs[i]
    if (isTensorType(type) && !(input instanceof HostArray && input.dtype === type.dtype && (type.unranked || compatibleShape(input.shape, type.shape))))
      throw new InputError(`input ${i} of @${func.name}: expected ${shortType(type)}, got ${input instanceof HostArray ? shortType(input.type) : input.kind}`, 'INPUT_TYPE')
  })
}

/** The function that a symbol of the module names. */
export function findFunction(module: Module, symbol: string): Func {
  return module.find(symbol) ?? unknownSymbol(symbol)
}

function unknownSymbol(symbol: string): never {
  throw new InputError(`the module has no function @${symbol}`, 'UNKNOWN_SYMBOL')
}

export class Evaluator {
  readonly module: Module
  readonly options: EvaluatorOptions
  #depth = 0

  constructor(module: Module, options: EvaluatorOptions) {
    this.module = module
    this.options = options
  }

  func(func: Func, inputs: readonly HostValue[]): readonly HostValue[] {
    this.#depth++
    checkCall(func, this.#depth)
    const results = this.#block(func.block, inputs, new Map())
    this.#depth--
    return results
  }

  #block(block: Block, inputs: readonly HostValue[], environment: Environment): readonly HostValue[] {
    const dying = this.enter(block, inputs, environment)
    const { operations } = block
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i]
      const operands = operation.operands.map((operand) => environment.get(operand)!)
      if (operation.definition.traits?.terminator) {
        for (const value of dying[i]) environment.delete(value)
        return operands
      }
      this.leave(operation, this.operation(operation, operands, environment), dying[i], environment)
    }
    return []
  }

  /** Gives a block's arguments their values; gives the values that die at each operation. */
  enter(block: Block, inputs: readonly HostValue[], environment: Environment): readonly (readonly Value[])[] {
    block.arguments.forEach((argument, i) => environment.set(argument, inputs[i]))
    return lastUses(block)
  }

  /** Keeps an operation's results and forgets what nothing uses any more. */
  leave(operation: Operation, results: readonly HostValue[], dying: readonly Value[], environment: Environment): void {
    for (let i = 0; i < results.length; i++) environment.set(operation.results[i], results[i])
    for (const value of dying) environment.delete(value)
    this.options.onOperation?.(operation, results)
  }

  operation(operation: Operation, operands: readonly HostValue[], environment: Environment): readonly HostValue[] {
    try {
      return operation.definition.evaluate(this.context(operation, operands, environment))
    } catch (error) {
      throw evaluationError(operation, error)
    }
  }

  /**
   * Result types with the sizes that are known now. Where the program leaves sizes open, the op's own rule is asked again with the
   * types that the operands really have; it also says whether they go together.
   */
  #resultTypes(operation: Operation, operands: readonly HostValue[]): readonly Type[] {
    const declared = operation.results.map((result) => result.type)
    if (!operation.results.some(hasOpenSize) && !operation.operands.some(hasOpenSize)) return declared
    const types = operation.operands.map(({ type }, i): Type => {
      const value = operands[i]
      if (type.kind !== 'tensor' || !(value instanceof HostArray)) return type
      const { bounds: _, ...rest } = type
      return { ...rest, shape: value.shape }
    })
    const infer = (results: readonly Type[] | undefined): readonly Type[] =>
      operation.definition.infer({
        operands: types,
        attributes: operation.attributes,
        regions: operation.regions,
        results,
        lookup: (symbol) => this.module.find(symbol),
        fail: (detail, rule) => {
          throw new OpError(shortName(operation.name), detail, rule, operation.location)
        },
      })
    infer(declared)
    if (!operation.results.some(hasOpenSize)) return declared
    let inferred: readonly Type[]
    try {
      inferred = infer(undefined)
    } catch (error) {
      // Ops that are told their results' types find out the sizes themselves.
      if (error instanceof OpError) return declared
      throw error
    }
    return declared.map((type, i) => {
      const found = inferred[i]
      if (type.kind !== 'tensor' || found?.kind !== 'tensor' || found.shape.length !== type.shape.length) return type
      return { ...type, shape: type.shape.map((size, axis) => (size === DYNAMIC ? found.shape[axis] : size)) }
    })
  }

  context(operation: Operation, operands: readonly HostValue[], environment: Environment): EvaluateContext<any> {
    return {
      operation,
      operands,
      arrays: operands as readonly HostArray[],
      attributes: operation.attributes,
      regions: operation.regions,
      resultTypes: this.#resultTypes(operation, operands),
      module: this.module,
      run: (region, inputs) => this.#block(region.block, inputs, environment),
      call: (symbol, inputs) => this.func(findFunction(this.module, symbol), inputs),
      shared: this.options.shared,
      process: this.options.process,
      parallel: this.options.parallel,
    }
  }
}

/** The name in messages. */
const shortName = (name: string): string => name.replace(/^stablehlo\./, '')
const hasOpenSize = ({ type }: Value): boolean => type.kind === 'tensor' && type.shape.includes(DYNAMIC)

/** The user's typed errors pass; anything else is said to come from the operation. */
export function evaluationError(operation: Operation, error: unknown): unknown {
  if (error instanceof EngramError) return error
  if (error instanceof RangeError && /call stack/.test(error.message))
    return new EngramError(`${operation.name}: regions and calls are nested too deeply to be run`, { code: 'CALL_DEPTH', cause: error })
  return new EvaluationError(operation, error)
}

const lastUseCache = new WeakMap<Block, { count: number; dying: Value[][] }>()

/** Per operation of a block: the values of that block that nothing after it uses, so that their memory can go. */
function lastUses(block: Block): Value[][] {
  const known = lastUseCache.get(block)
  if (known && known.count === block.operations.length) return known.dying
  const dying: Value[][] = block.operations.map(() => [])
  const seen = new Set<Value>()
  const use = (value: Value, at: number): void => {
    if (value.block !== block || seen.has(value)) return
    seen.add(value)
    dying[at].push(value)
  }
  const usesOf = (operation: Operation, at: number): void => {
    operation.operands.forEach((operand) => use(operand, at))
    for (const region of operation.regions) for (const inner of region.blocks) for (const nested of inner.operations) usesOf(nested, at)
  }
  for (let i = block.operations.length - 1; i >= 0; i--) {
    block.operations[i].results.forEach((result) => use(result, i))
    usesOf(block.operations[i], i)
  }
  lastUseCache.set(block, { count: block.operations.length, dying })
  return dying
}
