import type { Attribute } from '../ir/attributes.ts'
import { quote } from '../ir/attributes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import { type Func, type Module, type Region, Tensor, isDeclaration } from '../ir/module.ts'
import type { InferContext, VjpContext } from '../ir/op-definition.ts'
import { type Type, shortTypes, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildFunction, currentFrame } from '../trace/frame.ts'
import { type TreeStructure, flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { attributeDictionary, form, functional, operandList, symbolCall } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { compatibleType, compatibleTypes } from './elementwise-rules.ts'
import { funcReturnOp } from './return.ts'
import { evaluateSteps } from './steps.ts'

/** Calls of functions of the same module: `func.call` and `composite`. */

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** Result types of a call, checked against the function if the module around it is known. */
function inferCall({ operands, results, lookup, module, fail }: InferContext<unknown>, symbol: string, rule?: string): readonly Type[] {
  const callee = lookup(symbol)
  if (!callee) return results && !module ? results : fail(`'${symbol}' does not reference a valid function: the module has no @${symbol}`, rule)
  if (!compatibleTypes(operands, callee.argumentTypes))
    fail(`@${symbol} takes ${shortTypes(callee.argumentTypes)}, it is given ${shortTypes(operands)}`, rule)
  if (results && !compatibleTypes(results, callee.resultTypes))
    fail(`@${symbol} returns ${shortTypes(callee.resultTypes)}, not ${shortTypes(results)}`, rule)
  return results ?? callee.resultTypes
}

/** The body of a function that is differentiated. */
function calledBody({ operation, lookup }: VjpContext<unknown>, symbol: string): Region {
  const callee = lookup(symbol)
  if (callee && !isDeclaration(callee)) return callee.body
  throw new DifferentiationError(`${operation.name} of @${symbol} has no gradient: ${callee ? 'it is only declared' : 'the module has no such function'}`, operation.location)
}

/** Source: MLIR's `func` dialect. */
export const callOp = defineOp({
  name: 'func.call',
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: { callee: codec.symbol },
  assembly: form(symbolCall('callee', 'symbol'), attributeDictionary, functional),
  traits: { operandTypes: 'any' },
  infer: (context) => inferCall(context, context.attributes.callee),
  *steps({ attributes: { callee }, operands }) {
    return yield { kind: 'call', symbol: callee, inputs: operands }
  },
  evaluate: evaluateSteps,
  vjp: (context) => {
    context.expand(calledBody(context, context.attributes.callee))
    return []
  },
})

const namespaced = /^[a-zA-Z][a-zA-Z0-9_]*(\.[a-zA-Z0-9_$]+)+$/

/** Checks a composite's operands or results against those of its decomposition. */
function demand(what: 'operand' | 'result', types: readonly Type[], wanted: readonly Type[], rule: string, fail: InferContext<unknown>['fail']): void {
  if (types.length !== wanted.length) fail(`has ${types.length} ${what}(s), but decomposition has ${wanted.length}`, rule)
  types.forEach((type, i) => {
    if (!compatibleType(type, wanted[i]))
      fail(`${what} at index ${i} has type '${typeText(type)}', but decomposition has type '${typeText(wanted[i])}'`, rule)
  })
}

/** An op made of others, with its meaning as a function: a target may know a better way. Source: specification, "composite". */
export const compositeOp = defineOp({
  name: 'stablehlo.composite',
  operands: ['inputs...'],
  results: ['results...'],
  regions: [],
  attributes: {
    name: codec.string,
    composite_attributes: codec.optional(codec.anyAttribute),
    decomposition: codec.symbol,
    version: codec.optional(codec.i32),
    composite_regions: codec.optional(codec.anyAttribute),
  },
  assembly: form(
    {
      covers: ['name'],
      print: (operation, printer) => printer.text(` ${quote(operation.attributes.name)}`),
      parse: (parser, state) => {
        state.attributes.name = { kind: 'string', value: parser.string() }
      },
    },
    operandList,
    attributeDictionary,
    functional,
  ),
  traits: { operandTypes: 'any' },
  infer: (context) => {
    const { attributes: { name, decomposition }, operands, results, lookup, module, fail } = context
    if (!namespaced.test(name))
      fail(`name must be a valid namespaced op name such as "my_namespace.my_op", got ${quote(name)}`, 'composite_c1')
    const callee = lookup(decomposition)
    if (!callee) return results && !module ? results : fail(`'${decomposition}' does not reference a valid function`, 'composite_c2')
    demand('operand', operands, callee.argumentTypes, 'composite_c3', fail)
    if (results) demand('result', results, callee.resultTypes, 'composite_c4', fail)
    return results ?? callee.resultTypes
  },
  *steps({ attributes: { decomposition }, operands }) {
    return yield { kind: 'call', symbol: decomposition, inputs: operands }
  },
  evaluate: evaluateSteps,
  // The composite itself stays, for a target that knows a better way to its results.
  vjp: (context) => {
    const { operands, cotangents, needed, pullback, attributes } = context
    return pullback(calledBody(context, attributes.decomposition), operands, () => cotangents, { active: needed }).inputs
  },
})

interface OutlinedFunction {
  readonly func: Func
  readonly result: TreeStructure
}

/** A private function of the module, made from `fn`, which takes a tree. */
function outline(name: string, types: readonly Type[], inputs: TreeStructure, fn: (tree: unknown) => unknown): OutlinedFunction {
  let result: TreeStructure | undefined
  const func = buildFunction(name, types, (values) => {
    const flat = flatten(fn(unflatten(inputs, values)), isTensor, `the result of ${name}`)
    result = flat.structure
    emit(funcReturnOp, flat.leaves, {})
    return flat.leaves.map((leaf) => leaf.type)
  })
  return { func, result: result! }
}

/**
 * Emits `stablehlo.composite "name"`, whose decomposition is what `fn` does: `composite('my.gelu', [x], (x) => ...)`. `fn` may use its
 * arguments only, no tensors from outside. Throws `OpError` if the name has no namespace, `TraceError` for tensors from outside.
 */
export function composite<R>(
  name: string,
  args: readonly Tensor[],
  fn: (...args: Tensor[]) => R,
  options: { attributes?: Readonly<Record<string, Attribute>>; version?: number } = {},
): R {
  const inputs = flatten(args, isTensor, `the arguments of ${name}`).structure
  const { func, result } = outline(name, args.map((arg) => arg.type), inputs, (tree) => fn(...(tree as Tensor[])))
  const operation = emit(
    compositeOp,
    args,
    {
      name,
      composite_attributes: options.attributes && { kind: 'dictionary', entries: options.attributes },
      decomposition: func.name,
      version: options.version,
    },
    { results: func.resultTypes },
  )
  return unflatten(result, operation.results) as R
}

/**
 * Makes `fn` a function of the module, which every call of the result calls instead of repeating its ops. It is traced once for every
 * combination of argument types. `fn` takes trees of tensors and may use nothing else from outside. Throws `TraceError` if it does.
 */
export function outlined<Args extends readonly unknown[], R>(name: string, fn: (...args: Args) => R): (...args: Args) => R {
  const known = new WeakMap<Module, Map<string, OutlinedFunction>>()
  return (...args) => {
    const { module } = currentFrame()
    let variants = known.get(module)
    if (!variants) known.set(module, (variants = new Map()))
    const { leaves, structure } = flatten(args, isTensor, `the arguments of ${name}`)
    const types = leaves.map((leaf) => leaf.type)
    const key = shortTypes(types) + leafPaths(structure).join()
    let made = variants.get(key)
    if (!made) variants.set(key, (made = outline(name, types, structure, (tree) => fn(...(tree as Args)))))
    const operation = emit(callOp, leaves, { callee: made.func.name }, { results: made.func.resultTypes })
    return unflatten(made.result, operation.results) as R
  }
}
