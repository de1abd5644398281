import { TraceError } from '../ir/errors.ts'
import { Func, Module, type Operation, Tensor, resolveAlias, walkOperations } from '../ir/module.ts'
import { type TensorType, isTensorType } from '../ir/types.ts'
import { funcReturnOp } from '../ops/return.ts'
import { emit } from '../trace/emit.ts'
import { withFrame } from '../trace/frame.ts'
import { type MapTree, type TreeStructure, flatten, unflatten } from '../trace/tree.ts'
import { removeDeadOperations } from '../ir/dead-operations.ts'
import { reachableFunctions } from '../ir/symbols.ts'

/** The types of a function's arguments, nested as the arguments are. */
export type SpecOf<T> = MapTree<T, Tensor, TensorType>

export interface TracedFunction {
  readonly func: Func
  readonly module: Module
  readonly inputs: TreeStructure
  readonly outputs: TreeStructure
}

export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor
export const isTypeSpec = (value: unknown): value is TensorType =>
  typeof value === 'object' && value !== null && (value as TensorType).kind === 'tensor' && isTensorType(value as TensorType)

/**
 * Runs `fn` once on symbolic tensors of the given types and returns what it did as a function of a new module.
 * Throws `TraceError` if arguments or results are not plain nested tensors, `OpError` where a model is wrong.
 */
export function traceFunction(name: string, fn: (...args: any[]) => unknown, specs: readonly unknown[]): TracedFunction {
  const { leaves: types, structure: inputs } = flatten(specs, isTypeSpec, `the types given to lower() (specs of ${name})`)
  const module = new Module(name)
  const func = new Func('main', types)
  let outputs: TreeStructure | undefined
  withFrame({ block: func.block, parent: undefined, constants: new Map(), what: `function ${name}`, module }, () => {
    const args = unflatten(inputs, func.block.arguments) as unknown[]
    const result = fn(...args)
    if (result instanceof Promise) throw new TraceError(`${name} returned a promise: a traced function must not be async`, 'BAD_TREE')
    const flat = flatten(result, isTensor, `the result of ${name}`)
    outputs = flat.structure
    emit(funcReturnOp, flat.leaves, {})
    func.resultTypes = flat.leaves.map((leaf) => leaf.type)
  })
  module.functions.unshift(func)
  module.functions.forEach(finish)
  dropUnusedFunctions(module, func)
  return { func, module, inputs, outputs: outputs! }
}

/** Makes every operand a value that the program defines, and drops what nothing uses. */
function finish(func: Func): void {
  walkOperations(func.block, (operation: Operation) => {
    if (operation.operands.some((operand) => operand.alias)) operation.operands = operation.operands.map(resolveAlias)
  })
  removeDeadOperations(func.block)
}

/** Functions whose calls are gone: not used, or replaced by their operations for a gradient. */
function dropUnusedFunctions(module: Module, main: Func): void {
  if (module.functions.length === 1) return
  const used = reachableFunctions([main], module)
  const kept = module.functions.filter((func) => used.has(func))
  module.functions.splice(0, module.functions.length, ...kept)
}
