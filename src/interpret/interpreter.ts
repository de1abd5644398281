import { EngramError, InputError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Block, type Func, type Module, type Operation, type Region, type Value } from '../ir/module.ts'
import type { EvaluateContext, HostValue } from '../ir/op-definition.ts'
import { compatibleShape, isTensorType, shortType } from '../ir/types.ts'

/**
 * The reference interpreter: it says what a program must compute. It walks the operations in order and asks each op's
 * definition for its meaning; it knows no op itself.
 */

/** An error inside an op's evaluation that is not the user's typed error, with the op and its place. */
export class EvaluationError extends EngramError {
  override readonly name = 'EvaluationError'
  constructor(operation: Operation, cause: unknown) {
    const place = operation.location?.describe()
    super(`${operation.name}: ${cause instanceof Error ? cause.message : String(cause)}${place ? `\n  at ${place}` : ''}`, { code: 'EVALUATION', cause })
  }
}

export interface InterpretOptions {
  /** Called after every operation with its results, for tracing and debugging. */
  readonly onOperation?: (operation: Operation, results: readonly HostValue[]) => void
  /** State that ops share in this run, given to look at or to continue it. */
  readonly shared?: Map<string, unknown>
}

/**
 * Runs `@main` (or the only function) of a module. Inputs must have the types of its arguments.
 * Throws `InputError` for wrong inputs, `EvaluationError` for a failing op.
 */
export function interpret(module: Module, inputs: readonly HostValue[], options: InterpretOptions = {}): readonly HostValue[] {
  const { main } = module
  checkInputs(main, inputs)
  return new Interpreter(module, options).func(main, inputs)
}

function checkInputs(func: Func, inputs: readonly HostValue[]): void {
  const types = func.argumentTypes
  if (inputs.length !== types.length)
    throw new InputError(`@${func.name} takes ${types.length} inputs, got ${inputs.length}`, 'INPUT_COUNT')
  types.forEach((type, i) => {
    const input = inputs[i]
    if (isTensorType(type) && !(input instanceof HostArray && input.dtype === type.dtype && compatibleShape(input.shape, type.shape)))
      throw new InputError(`input ${i} of @${func.name}: expected ${shortType(type)}, got ${input instanceof HostArray ? shortType(input.type) : input.kind}`, 'INPUT_TYPE')
  })
}

type Environment = Map<Value, HostValue>

class Interpreter {
  readonly #module: Module
  readonly #options: InterpretOptions
  readonly #shared: Map<string, unknown>

  constructor(module: Module, options: InterpretOptions) {
    this.#module = module
    this.#options = options
    this.#shared = options.shared ?? new Map()
  }

  func(func: Func, inputs: readonly HostValue[]): readonly HostValue[] {
    return this.#block(func.block, inputs, new Map())
  }

  #region(region: Region, inputs: readonly HostValue[], environment: Environment): readonly HostValue[] {
    return this.#block(region.block, inputs, environment)
  }

  #block(block: Block, inputs: readonly HostValue[], environment: Environment): readonly HostValue[] {
    block.arguments.forEach((argument, i) => environment.set(argument, inputs[i]))
    const { operations } = block
    const dying = lastUses(block)
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i]
      const operands = operation.operands.map((operand) => environment.get(operand)!)
      if (operation.definition.traits?.terminator) {
        for (const value of dying[i]) environment.delete(value)
        return operands
      }
      const results = this.#operation(operation, operands, environment)
      for (let j = 0; j < results.length; j++) environment.set(operation.results[j], results[j])
      for (const value of dying[i]) environment.delete(value)
      this.#options.onOperation?.(operation, results)
    }
    return []
  }

  #operation(operation: Operation, operands: readonly HostValue[], environment: Environment): readonly HostValue[] {
    const context: EvaluateContext<any> = {
      operation,
      operands,
      arrays: operands as readonly HostArray[],
      attributes: operation.attributes,
      regions: operation.regions,
      resultTypes: operation.results.map((result) => result.type),
      module: this.#module,
      run: (region, inputs) => this.#region(region, inputs, environment),
      call: (symbol, inputs) => {
        const callee = this.#module.find(symbol)
        if (!callee) throw new InputError(`the module has no function @${symbol}`, 'UNKNOWN_SYMBOL')
        return this.func(callee, inputs)
      },
      shared: this.#shared,
    }
    try {
      return operation.definition.evaluate(context)
    } catch (error) {
      throw error instanceof EngramError ? error : new EvaluationError(operation, error)
    }
  }
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
