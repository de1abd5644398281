import { attributeText } from '../ir/attributes.ts'
import { InputError, OpError, TraceError } from '../ir/errors.ts'
import { copyFunction } from '../ir/copy.ts'
import type { Location } from '../ir/location.ts'
import { type Func, type Module, Tensor, isDeclaration } from '../ir/module.ts'
import { namedFunctions, reachableFunctions } from '../ir/symbols.ts'
import { type TensorType, type Type, DYNAMIC, isTensorType, sameType, shortType, shortTypes } from '../ir/types.ts'
import { callOp } from '../ops/call.ts'
import { parseModule } from '../text/parse.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation, currentFrame, uniqueName } from '../trace/frame.ts'
import { checkModule } from '../verify/verify.ts'

/**
 * StableHLO text that another framework wrote, as a function of the tensor language. Its functions become private functions of the module
 * under construction, once however often they are called, so the text grows by one call. A gradient puts their operations where the call
 * stood, and differentiates each by its own rule.
 */
export interface ImportOptions {
  /** The function to call; `main` if there is one, else the only public function. */
  readonly entry?: string
  /** What the text is called in messages and locations; `<text>` if nothing is said. */
  readonly file?: string
  /** What the function is called in the module that calls it; the name of the imported module or of the entry if nothing is said. */
  readonly name?: string
}

/** Takes the tensors that the entry takes, in order; gives one tensor, or an array if the entry has not exactly one result. */
export interface ImportedFunction<Result extends Tensor | readonly Tensor[] = Tensor> {
  (...args: Tensor[]): Result
  /** Types of the arguments: `lower(imported, ...imported.inputs)`. */
  readonly inputs: readonly TensorType[]
  /** Types of the results. */
  readonly outputs: readonly TensorType[]
  /** The module that was read. It must not be changed. */
  readonly module: Module
}

/**
 * Reads and verifies a StableHLO module and gives its `@main`, or the function `entry` names, as a function that can be called in a trace,
 * differentiated, lowered and run. `Result` says whether there is one result: `importStableHLO<Tensor[]>(text)` for several.
 * Throws `ParseError` and `VerifyError` with line, column and caret, `InputError` if the module has no such function or one that cannot
 * be called with tensors of known shapes. The function throws `OpError` for arguments of other types than it takes.
 */
export function importStableHLO<Result extends Tensor | readonly Tensor[] = Tensor>(
  text: string | Uint8Array,
  options: ImportOptions = {},
): ImportedFunction<Result> {
  const { file = '<text>' } = options
  const module = parseModule(text, { file, allowForeignOps: true })
  checkModule(module, { source: { file, get text() { return typeof text === 'string' ? text : Buffer.from(text).toString('utf8') } } })
  const entry = findEntry(module, options.entry, file)
  checkSignature(entry, file)
  checkNoRecursion(entry, module, file)
  const name = options.name ?? (entry.name === 'main' ? (module.name ?? 'imported') : entry.name)
  const inputs = entry.argumentTypes as TensorType[]
  const linked = new WeakMap<Module, Func>()
  const call = (...args: Tensor[]): Result => {
    const location = captureLocation(call)
    checkArguments(name, inputs, args, location)
    const target = currentFrame().module
    let func = linked.get(target)
    if (!func) linked.set(target, (func = link(module, entry, name, target)))
    const { results } = emit(callOp, args, { callee: func.name }, { results: func.resultTypes })
    return (results.length === 1 ? results[0] : [...results]) as unknown as Result
  }
  Object.defineProperty(call, 'name', { value: name })
  return Object.assign(call, { inputs, outputs: entry.resultTypes as TensorType[], module })
}

function findEntry(module: Module, wanted: string | undefined, file: string): Func {
  const named = module.find(wanted ?? 'main')
  const open = module.functions.filter((func) => func.visibility === 'public')
  const found = named ?? (wanted === undefined && open.length === 1 ? open[0] : undefined)
  if (!found) {
    const names = module.functions.map((func) => `@${func.name}`).join(', ')
    const what = wanted === undefined ? 'has no function @main and not just one public function: name one with the option entry' : `has no function @${wanted}`
    throw new InputError(`${file}: the module ${what}; ${names ? `it has ${names}` : 'it has no functions'}`, 'UNKNOWN_ENTRY')
  }
  if (isDeclaration(found)) throw new InputError(`${file}: @${found.name} is only declared: it has no body to import`, 'DECLARED_ONLY')
  return found
}

/** Where the function stands, for messages. */
const placeOf = (func: Func, file: string): string => `${func.location?.describe() ?? file}: @${func.name}`

/** Arguments and results must be tensors whose shapes are known. */
function checkSignature(func: Func, file: string): void {
  const check = (types: readonly Type[], what: string): void =>
    types.forEach((type, i) => {
      if (!isTensorType(type))
        throw new InputError(`${placeOf(func, file)}: ${what} ${i} is ${shortType(type)}: only functions of tensors can be imported`, 'NOT_A_TENSOR')
      if (type.unranked || type.shape.includes(DYNAMIC))
        throw new InputError(
          `${placeOf(func, file)}: ${what} ${i} is ${shortType(type)}, whose shape is open: a traced program has static shapes. ` +
            'Export the function with concrete shapes, or refine the module to them first',
          'DYNAMIC_SHAPE',
        )
    })
  check(func.argumentTypes, 'argument')
  check(func.resultTypes, 'result')
}

/** A function that reaches itself could neither be inlined nor compiled. */
function checkNoRecursion(entry: Func, module: Module, file: string): void {
  const state = new Map<Func, 'open' | 'done'>()
  const visit = (func: Func): void => {
    state.set(func, 'open')
    for (const named of namedFunctions(func, module)) {
      if (state.get(named) === 'open') throw new InputError(`${placeOf(named, file)} calls itself, through @${func.name}: StableHLO has no recursion`, 'RECURSION')
      if (!state.has(named)) visit(named)
    }
    state.set(func, 'done')
  }
  visit(entry)
}

function checkArguments(name: string, inputs: readonly TensorType[], args: readonly unknown[], location: Location): void {
  const taken = `${name} takes ${inputs.length} tensor(s) ${shortTypes(inputs)}`
  args.forEach((arg, i) => {
    if (!(arg instanceof Tensor)) {
      const given = arg === undefined || arg === null ? String(arg) : typeof arg === 'object' ? `an ${Array.isArray(arg) ? 'array' : 'object'}` : `the ${typeof arg} ${String(arg)}`
      throw new TraceError(`${taken}: argument ${i} is ${given}, expected a tensor\n  at ${location.describe()}`, 'BAD_TREE')
    }
  })
  const given = shortTypes((args as Tensor[]).map((arg) => arg.type))
  if (args.length !== inputs.length) throw new OpError('call', `${taken}, it is given ${args.length}: ${given}`, undefined, location)
  inputs.forEach((type, i) => {
    const { type: actual } = args[i] as Tensor
    if (!sameType(actual, type))
      throw new OpError('call', `${taken}, it is given ${given}: argument ${i} is ${shortType(actual)}, not ${shortType(type)}`, undefined, location)
  })
}

/** Instructions for the buffers of a whole program, which mean nothing for a function inside one. */
const bufferAttributes = new Set(['tf.aliasing_output', 'jax.buffer_donor'])

/** Puts the entry and all that it reaches into another module, under names that are free there; gives the entry's copy. */
function link(source: Module, entry: Func, name: string, target: Module): Func {
  mergeAttributes(source, target, name)
  mergeForeign(source, target, name)
  const names = new Map<string, string>()
  const taken = new Set<string>()
  for (const func of reachableFunctions([entry], source)) {
    const free = uniqueName(target, func === entry ? name : func.name, taken)
    names.set(func.name, free)
    taken.add(free)
  }
  for (const [old, free] of names) target.functions.push(copyFunction(source.find(old)!, free, (symbol) => names.get(symbol) ?? symbol))
  const copy = target.find(names.get(entry.name)!)!
  const kept = ([key]: [string, unknown]): boolean => !bufferAttributes.has(key)
  copy.argumentAttributes = copy.argumentAttributes.map((attributes) => Object.fromEntries(Object.entries(attributes).filter(kept)))
  return copy
}

/** What the module says of the whole program (`mhlo.num_partitions`) must hold for the program it becomes part of. */
function mergeAttributes(source: Module, target: Module, name: string): void {
  for (const [key, attribute] of Object.entries(source.attributes)) {
    const [theirs, ours] = [attribute, target.attributes[key]].map((each) => each && attributeText(each))
    if (ours !== undefined && ours !== theirs)
      throw new InputError(`${name}: its module has the attribute ${key} = ${theirs}, the program it is called in has ${key} = ${ours}`, 'MODULE_CONFLICT')
  }
  target.attributes = { ...target.attributes, ...source.attributes }
}

/** Items of other dialects (`sdy.mesh @mesh = ...`) come along; attributes name them in their own ways, so they keep their names. */
function mergeForeign(source: Module, target: Module, name: string): void {
  const symbolOf = (line: string): string | undefined => /@("[^"]*"|[\w$.-]+)/.exec(line)?.[0]
  for (const line of source.foreign) {
    if (target.foreign.includes(line)) continue
    const symbol = symbolOf(line)
    const other = symbol && target.foreign.find((each) => symbolOf(each) === symbol)
    if (other) throw new InputError(`${name}: its module has ${line}, the program it is called in has ${other}: rename one of them`, 'MODULE_CONFLICT')
    target.foreign.push(line)
  }
}
