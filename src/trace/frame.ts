import { TraceError } from '../ir/errors.ts'
import { Location } from '../ir/location.ts'
import { type Block, Func, Module, Region, type Value, type Tensor } from '../ir/module.ts'
import type { Type } from '../ir/types.ts'

/**
 * Tracing turns a TypeScript function into a region: the function runs once on symbolic tensors, and every op it calls is
 * appended to the block of the current frame. A frame is one function or region under construction; frames nest as regions do.
 * This room knows values and blocks but no particular op.
 */
export interface Frame {
  readonly block: Block
  /** The frame whose values can be used here too; absent for a function. */
  readonly parent: Frame | undefined
  /** Constants already emitted here, by type and value, so that each is emitted once. */
  constants: Map<string, Tensor>
  /** For errors: `body of while`. */
  readonly what: string
  /** The module that the function under construction goes to. */
  readonly module: Module
}

interface TraceState {
  frame: Frame | undefined
  scope: string
  /** If set, all ops get this location: those that differentiation makes belong to the op they differentiate. */
  location: Location | undefined
  /** The innermost function with its own differentiation rule. */
  rule: object | undefined
  /** Where it or the innermost scope was called. */
  around: Location | undefined
}
const state: TraceState = { frame: undefined, scope: '', location: undefined, rule: undefined, around: undefined }

export const isTracing = (): boolean => state.frame !== undefined

/** The frame under construction; throws `TraceError` outside a trace. */
export function currentFrame(): Frame {
  if (!state.frame)
    throw new TraceError('an op was called outside a trace: call it inside a function given to lower(), grad() or evaluate()', 'NOT_TRACING')
  return state.frame
}

export const currentScope = (): string => state.scope
export const currentRule = (): object | undefined => state.rule

/** Runs `build` with a new frame; the old one is current again afterwards, also after an error. */
export function withFrame<R>(frame: Frame, build: () => R): R {
  const before = { ...state }
  state.frame = frame
  if (!frame.parent) {
    state.scope = ''
    state.location = undefined
    state.rule = undefined
    state.around = undefined
  }
  try {
    return build()
  } finally {
    Object.assign(state, before)
  }
}

/**
 * Names the ops that `build` makes: `scope('layer3', () => ...)`. Scopes nest; the path is part of every op's location, and an op made too deep inside to know
 * the user's line has that of the scope.
 */
export function scope<R>(name: string, build: () => R): R {
  const before = { ...state }
  state.around = captureLocation(scope)
  state.scope = before.scope ? `${before.scope}/${name}` : name
  try {
    return build()
  } finally {
    state.scope = before.scope
    state.around = before.around
  }
}

/** Gives all ops that `build` makes this location. */
export function withLocation<R>(location: Location | undefined, build: () => R): R {
  const before = state.location
  state.location = location
  try {
    return build()
  } finally {
    state.location = before
  }
}

/** Marks all ops that `build` makes as belonging to a differentiation rule, of a function that was called `around` them if that is given. */
export function withRule<R>(rule: object | undefined, build: () => R, around = state.around): R {
  const before = { ...state }
  state.rule = rule
  state.around = around
  try {
    return build()
  } finally {
    state.rule = before.rule
    state.around = before.around
  }
}

/** Frames kept of a call site: enough to get out of derived functions to the user's line. */
const stackDepth = 12

/** The location of an op made now; the stack is captured but not formatted. `below`, a function that is running, is left out of it with all it called. */
export function captureLocation(below: (...args: never[]) => unknown): Location {
  if (state.location) return state.location
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = stackDepth
  Error.captureStackTrace(holder, below)
  Error.stackTraceLimit = limit
  return Location.fromStack(state.scope, holder, state.around)
}

/** Throws `TraceError` if a value cannot be used in the current frame: it belongs to another trace or to a finished region. */
export function checkVisible(frame: Frame, value: Value, user: string): void {
  for (let f: Frame | undefined = frame; f; f = f.parent) if (value.block === f.block) return
  throw new TraceError(
    `${user}: a tensor of another trace was used (in the ${frame.what}): it left the function or region that made it. ` +
      'Pass it in as an argument, or return it from the region',
    'LEAKED_TENSOR',
  )
}

/** A new region of one block, built by `build` from its arguments; `build` also ends the block. */
export function buildRegion(
  what: string,
  argumentTypes: readonly Type[],
  build: (inputs: Value[]) => void,
  options: { isolated?: boolean } = {},
): Region {
  const region = Region.ofBlock(argumentTypes)
  const parent = options.isolated ? undefined : currentFrame()
  const module = parent?.module ?? new Module()
  withFrame({ block: region.block, parent, constants: new Map(), what, module }, () => build(region.block.arguments))
  return region
}

/** A name for a private function of a module: `name`, with a number behind it if it is taken, there or in `reserved`. */
export function uniqueName(module: Module, name: string, reserved: ReadonlySet<string> = new Set()): string {
  let unique = name
  for (let i = 0; unique === 'main' || module.find(unique) || reserved.has(unique); i++) unique = `${name}_${i}`
  return unique
}

/**
 * A new private function in the module under construction; `build` makes its body and gives its result types. Its name is
 * made unique by a number.
 */
export function buildFunction(name: string, argumentTypes: readonly Type[], build: (inputs: Value[]) => readonly Type[]): Func {
  const { module } = currentFrame()
  const unique = uniqueName(module, name)
  const func = new Func(unique, argumentTypes, { visibility: 'private' })
  module.functions.push(func)
  const frame: Frame = { block: func.block, parent: undefined, constants: new Map(), what: `function ${unique}`, module }
  withFrame(frame, () => {
    func.resultTypes = build(func.block.arguments)
  })
  return func
}

/** Runs `build` so that its ops stand before position `position` of the current block instead of at its end. */
export function insertAt<R>(position: number, build: () => R): R {
  const frame = currentFrame()
  const { block, constants } = frame
  const tail = block.operations.splice(position)
  frame.constants = new Map()
  try {
    return build()
  } finally {
    frame.constants = constants
    for (const operation of tail) block.operations.push(operation)
  }
}
