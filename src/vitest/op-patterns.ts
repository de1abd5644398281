import { dictionaryText } from '../ir/attributes.ts'
import { InputError } from '../ir/errors.ts'
import { type Module, type Operation, type Value, walkOperations } from '../ir/module.ts'
import type { AttributeCodec } from '../ir/op-definition.ts'
import { type Type, shortType, typeText } from '../ir/types.ts'

/** What a text has to be: contained as a whole, or matched. */
export type TextPattern = string | RegExp

/** A type: `f32[8,16]`, `tensor<8x16xf32>`, `f32[8,*]` for any size, `f32` for any shape, or a regular expression on `f32[8,16]`. */
export type TypePattern = string | RegExp

/** What an op has to be; what is not said may be anything. */
export interface OpDescription {
  /** `dot_general`, `stablehlo.dot_general`, or a regular expression on the name with its dialect. */
  readonly op?: TextPattern
  /**
   * By name: a text that the printed attribute contains, a regular expression on it, or a number, boolean, array or object that the
   * attribute's value equals, objects in the keys that are given.
   */
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Types of the operands in order, `undefined` for any; or one that some operand has. */
  readonly operands?: TypePattern | readonly (TypePattern | undefined)[]
  readonly results?: TypePattern | readonly (TypePattern | undefined)[]
  /** A scope that the op was built in, with those around it or without: `layer0/attention`, `attention`; or a regular expression on the whole path. */
  readonly scope?: TextPattern
  /** The function that the op stands in: `main`. */
  readonly function?: TextPattern
}

/** A name alone is `{ op }`. */
export type OpPattern = TextPattern | OpDescription
/** An op, or `{ not }`: an op that must not stand between the matches of the patterns before and after it. */
export type OpPatternStep = OpPattern | { readonly not: OpPattern }

/** An operation of a program and the function that it stands in. */
export interface PlacedOperation {
  readonly operation: Operation
  readonly function: string
}

/** All operations in the order of the text: functions one after another, a region's operations after the op that has it. */
export function placedOperations(module: Module): PlacedOperation[] {
  const placed: PlacedOperation[] = []
  for (const func of module.functions) for (const block of func.body.blocks) walkOperations(block, (operation) => void placed.push({ operation, function: func.name }))
  for (const inner of module.modules) placed.push(...placedOperations(inner))
  return placed
}

/** Something that was asked for and is not so. */
export interface Mismatch {
  readonly key: keyof OpDescription
  /** `its scope is layer0`. */
  readonly text: string
}

/** Why an operation does not match; empty if it does. */
export function mismatches({ operation, function: func }: PlacedOperation, pattern: OpPattern): Mismatch[] {
  const { op, attributes = {}, operands, results, scope, function: wantedFunction } = description(pattern)
  const place = operation.location?.scope ?? ''
  return [
    ...(op === undefined || matchesName(operation.name, op) ? [] : [{ key: 'op' as const, text: `it is ${operation.name}` }]),
    ...Object.entries(attributes).flatMap(([name, wanted]) => attributeMismatch(operation, name, wanted)),
    ...typesMismatch('operands', operation.operands, operands),
    ...typesMismatch('results', operation.results, results),
    ...(scope === undefined || matchesScope(place, scope) ? [] : [{ key: 'scope' as const, text: place ? `its scope is ${place}` : 'it has no scope' }]),
    ...(wantedFunction === undefined || matchesName(func, wantedFunction) ? [] : [{ key: 'function' as const, text: `it is in @${func}` }]),
  ]
}

/** The pattern as it was written, for messages. */
export function patternText(step: OpPatternStep): string {
  if (isNot(step)) return `not ${patternText(step.not)}`
  if (typeof step === 'string' || step instanceof RegExp) return String(step)
  const keys = Object.keys(step).filter((key) => step[key as keyof OpDescription] !== undefined)
  if (keys.length === 1 && step.op !== undefined) return String(step.op)
  return `{ ${keys.map((key) => `${key}: ${valueText(step[key as keyof OpDescription])}`).join(', ')} }`
}

export const isNot = (step: OpPatternStep): step is { readonly not: OpPattern } => typeof step === 'object' && 'not' in step

const knownKeys = new Set(['op', 'attributes', 'operands', 'results', 'scope', 'function'])

/** Throws `InputError` for patterns that say nothing or have unknown keys: a misspelt key would match anything. */
export function checkPattern(step: OpPatternStep, where: string): void {
  const pattern = isNot(step) ? step.not : step
  if (typeof pattern === 'string' || pattern instanceof RegExp) return
  const keys = typeof pattern === 'object' && pattern !== null && !Array.isArray(pattern) ? Object.keys(pattern) : []
  const unknown = keys.find((key) => !knownKeys.has(key))
  if (unknown !== undefined) throw new InputError(`${where}: a pattern has no ${unknown} (it has ${[...knownKeys].join(', ')}, or not)`)
  if (keys.length === 0) throw new InputError(`${where}: a pattern is an op's name, a regular expression, or an object with ${[...knownKeys].join(', ')}; got ${valueText(pattern)}`)
}

const description = (pattern: OpPattern): OpDescription => (typeof pattern === 'string' || pattern instanceof RegExp ? { op: pattern } : pattern)

/** A regular expression with the flag `g` would go on where it ended the last time. */
const tests = (expression: RegExp, text: string): boolean => new RegExp(expression.source, expression.flags.replace(/[gy]/g, '')).test(text)

const matchesName = (name: string, wanted: TextPattern): boolean =>
  wanted instanceof RegExp ? tests(wanted, name) : wanted.replace(/^@/, '') === name || (!wanted.includes('.') && name.endsWith(`.${wanted}`))

const matchesScope = (scope: string, wanted: TextPattern): boolean => (wanted instanceof RegExp ? tests(wanted, scope) : `/${scope}/`.includes(`/${wanted}/`))

function attributeMismatch({ definition, attributes, discardable }: Operation, name: string, wanted: unknown): Mismatch[] {
  const codec = (definition.attributes as Record<string, AttributeCodec<unknown>>)[name]
  const value: unknown = codec ? attributes[name] : undefined
  const other = discardable?.[name]
  if (value === undefined && other === undefined) return wanted === undefined ? [] : [{ key: 'attributes', text: `it has no ${name}, but ${attributeNames({ definition, attributes, discardable })}` }]
  const text = value === undefined ? dictionaryText({ [name]: other! }).replace(/^\{[^=]*= |\}$/g, '') : codec.print(value)
  const same =
    wanted instanceof RegExp ? tests(wanted, text)
      : typeof wanted === 'string' ? squeezed(text).includes(squeezed(wanted))
      : value === undefined ? includesValue(other, wanted) || includesValue((other as { value?: unknown }).value, wanted)
      : includesValue(value, wanted)
  return same ? [] : [{ key: 'attributes', text: `its ${name} is ${text}` }]
}

const attributeNames = ({ definition, attributes, discardable }: Pick<Operation, 'definition' | 'attributes' | 'discardable'>): string =>
  [...Object.keys(definition.attributes).filter((name) => attributes[name] !== undefined), ...Object.keys(discardable ?? {})].join(', ') || 'none at all'

const squeezed = (text: string): string => text.replace(/\s+/g, '')

/** Equal, for objects in the keys that are wanted; numbers of any kind are compared as numbers. */
function includesValue(value: unknown, wanted: unknown): boolean {
  if (typeof wanted === 'number' || typeof wanted === 'bigint') return (typeof value === 'number' || typeof value === 'bigint') && String(value) === String(wanted)
  if (Array.isArray(wanted)) return isList(value) && value.length === wanted.length && wanted.every((item, i) => includesValue(value[i], item))
  if (typeof wanted === 'object' && wanted !== null)
    return typeof value === 'object' && value !== null && Object.entries(wanted).every(([key, item]) => includesValue((value as Record<string, unknown>)[key], item))
  return Object.is(value, wanted)
}

const isList = (value: unknown): value is ArrayLike<unknown> => Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)

function typesMismatch(what: 'operands' | 'results', values: readonly Value[], wanted: OpDescription['operands']): Mismatch[] {
  if (wanted === undefined) return []
  const types = values.map(({ type }) => type)
  const same =
    typeof wanted === 'string' || wanted instanceof RegExp
      ? types.some((type) => matchesType(type, wanted))
      : types.length === wanted.length && wanted.every((each, i) => each === undefined || matchesType(types[i], each))
  return same ? [] : [{ key: what, text: `its ${what} are ${types.length ? types.map(shortType).join(', ') : 'none'}` }]
}

function matchesType(type: Type, wanted: TypePattern): boolean {
  const text = shortType(type)
  if (wanted instanceof RegExp) return tests(wanted, text)
  if (squeezed(wanted) === text || wanted === typeText(type)) return true
  if (type.kind !== 'tensor' || type.quantization) return false
  if (wanted === type.dtype) return true
  const [, dtype, sizes] = /^(\w+)\[(.*)\]$/.exec(squeezed(wanted)) ?? []
  if (dtype !== type.dtype || type.unranked) return false
  const parts = sizes === '' ? [] : sizes.split(',')
  return parts.length === type.shape.length && parts.every((part, i) => part === '*' || part === (type.shape[i] < 0 ? '?' : String(type.shape[i])))
}

function valueText(value: unknown): string {
  if (value instanceof RegExp || typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'any' : valueText(item))).join(', ')}]`
  if (typeof value === 'object' && value !== null) return `{ ${Object.entries(value).map(([key, item]) => `${key}: ${valueText(item)}`).join(', ')} }`
  return String(value)
}
