import { dictionaryText } from '../ir/attributes.ts'
import { type Block, type DiscardableAttributes, type Func, type Module, Operation, type Value, isDeclaration } from '../ir/module.ts'
import type { AttributeCodec } from '../ir/op-definition.ts'
import { shortType, sameType, typeText } from '../ir/types.ts'
import { alignSequences } from './align.ts'
import { printOperation } from './print.ts'

/**
 * Whether two modules are the same program, and what differs if not. Structure counts: ops in order, attributes, types, which value
 * goes where, functions by name. Names of values, spacing, form (an op's own or the generic one), locations and the order of functions
 * do not.
 */
export interface ModuleDifference {
  /** `signature` is about a function or the module as a whole. */
  readonly kind: 'removed' | 'added' | 'changed' | 'signature'
  /** `@main`; absent for the module. */
  readonly function: string | undefined
  /** With its dialect: `stablehlo.add`; absent for `signature`. */
  readonly op: string | undefined
  /** The scopes that the op was built in: `layer3/attention`; empty at top level or if the text does not say. */
  readonly scope: string
  /** Where it stands in the second module, or in the first if it was removed: `a.mlir:7:3`. */
  readonly place: string | undefined
  /** What differs, a line each. */
  readonly details: readonly string[]
}

export interface DiffOptions {
  /** Stop after this many differences; 1000 if nothing is said. */
  readonly limit?: number
}

/** Whether two modules are the same program. */
export const sameModule = (a: Module, b: Module): boolean => diffModules(a, b, { limit: 1 }).length === 0

/** What it takes to get from module `a` to module `b`, in order; empty if they are the same program. */
export function diffModules(a: Module, b: Module, options: DiffOptions = {}): ModuleDifference[] {
  const comparison = new Comparison(options.limit ?? 1000)
  comparison.modules(a, b)
  return comparison.found
}

/** The differences as text for people: a heading that names function, op and scope, then lines that begin with - and +. */
export function differencesText(differences: readonly ModuleDifference[]): string {
  return differences
    .map(({ kind, function: func, op, scope, place, details }) => {
      const what = op === undefined ? 'differs' : kind === 'changed' ? `${op} differs` : `${op} was ${kind}`
      const heading = `${func ?? 'module'}: ${what}${scope ? ` in ${scope}` : ''}${place ? ` (${place})` : ''}`
      return `${heading}\n${details.map((detail) => `  ${detail}\n`).join('')}`
    })
    .join('\n')
}

/** An attribute that is there as text, by name. */
type AttributeTexts = ReadonlyMap<string, string>

class Comparison {
  readonly found: ModuleDifference[] = []
  readonly #limit: number
  #func: string | undefined
  /** Values of the second module by those of the first that they stand for. */
  #same = new Map<Value, Value>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get #full(): boolean {
    return this.found.length >= this.#limit
  }

  #add(difference: Omit<ModuleDifference, 'function'>): void {
    if (!this.#full) this.found.push({ ...difference, function: this.#func })
  }

  #signature(details: readonly string[]): void {
    if (details.length) this.#add({ kind: 'signature', op: undefined, scope: '', place: undefined, details })
  }

  modules(a: Module, b: Module): void {
    this.#func = undefined
    this.#signature([
      ...unequal('name', a.name === undefined ? 'none' : `@${a.name}`, b.name === undefined ? 'none' : `@${b.name}`),
      ...unequalAttributes(a.attributes, b.attributes),
      ...removedAndAdded([...a.foreign].sort(), [...b.foreign].sort()),
    ])
    const others = new Map(b.functions.map((func) => [func.name, func]))
    for (const func of a.functions) {
      const other = others.get(func.name)
      others.delete(func.name)
      this.#func = `@${func.name}`
      if (other) this.#functions(func, other)
      else this.#signature([`- function @${func.name}`])
    }
    for (const name of others.keys()) {
      this.#func = `@${name}`
      this.#signature([`+ function @${name}`])
    }
    this.#func = undefined
    if (a.modules.length !== b.modules.length) this.#signature([`- ${a.modules.length} modules inside`, `+ ${b.modules.length} modules inside`])
    else a.modules.forEach((inner, i) => this.modules(inner, b.modules[i]))
  }

  #functions(a: Func, b: Func): void {
    this.#signature([
      ...unequal('visibility', a.visibility, b.visibility),
      ...unequal('arguments', argumentsText(a), argumentsText(b)),
      ...unequal('results', resultsText(a), resultsText(b)),
      ...unequalAttributes(a.discardable, b.discardable),
      ...unequal('body', isDeclaration(a) ? 'none' : 'some', isDeclaration(b) ? 'none' : 'some'),
    ])
    this.#same = new Map()
    this.#blocks(a.block, b.block)
  }

  #blocks(a: Block, b: Block): void {
    if (this.#full) return
    a.arguments.forEach((argument, i) => {
      if (i < b.arguments.length) this.#same.set(argument, b.arguments[i])
    })
    const pairs = alignSequences(a.operations, b.operations, operationKey, nameKey)
    for (const [from, to] of pairs) {
      if (this.#full) return
      if (from && to) this.#operations(from, to)
      else if (from) this.#whole('removed', '-', from)
      else this.#whole('added', '+', to!)
    }
  }

  #whole(kind: 'removed' | 'added', sign: string, operation: Operation): void {
    this.#add({ kind, op: operation.name, ...origin(operation), details: [`${sign} ${oneLine(operation)}`] })
  }

  #operations(a: Operation, b: Operation): void {
    const details = [...this.#unequalOperands(a, b), ...unequalTexts(attributeTexts(a), attributeTexts(b)), ...unequal('result types', typesText(a.results), typesText(b.results))]
    a.results.forEach((result, i) => {
      if (i < b.results.length) this.#same.set(result, b.results[i])
    })
    if (a.regions.length !== b.regions.length) details.push(...unequal('regions', String(a.regions.length), String(b.regions.length)))
    a.regions.forEach((region, i) => {
      const other = b.regions[i]
      if (!other) return
      const arguments_ = (blocks: readonly Block[]): string => blocks.map((block) => `(${typesText(block.arguments)})`).join(' ')
      details.push(...unequal(`arguments of region ${i}`, arguments_(region.blocks), arguments_(other.blocks)))
    })
    if (details.length) {
      const [before, after] = [oneLine(a), oneLine(b)]
      // Values have other names there than in the whole text, so that only other operands do not show.
      const both = before === after ? [] : [`- ${before}`, `+ ${after}`]
      this.#add({ kind: 'changed', op: b.name, ...origin(b), details: [...details, ...both] })
    }
    a.regions.forEach((region, i) => region.blocks.forEach((block, j) => {
      const other = b.regions[i]?.blocks[j]
      if (other) this.#blocks(block, other)
    }))
  }

  #unequalOperands(a: Operation, b: Operation): string[] {
    if (a.operands.length !== b.operands.length) return unequal('operands', typesText(a.operands), typesText(b.operands))
    return a.operands.flatMap((operand, i) => {
      const other = b.operands[i]
      if (this.#same.get(operand) === other && sameType(operand.type, other.type)) return []
      return unequal(`operand ${i}`, describe(operand), describe(other))
    })
  }
}

const unequal = (what: string, a: string, b: string): string[] => (a === b ? [] : [`${what}: ${shortened(a)} became ${shortened(b)}`])

/** Long texts, of constants, in part. */
const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 160)}... (${text.length} characters)` : text)

function removedAndAdded(a: readonly string[], b: readonly string[]): string[] {
  const [before, after] = [new Set(a), new Set(b)]
  return [...a.filter((text) => !after.has(text)).map((text) => `- ${shortened(text)}`), ...b.filter((text) => !before.has(text)).map((text) => `+ ${shortened(text)}`)]
}

const sorted = (attributes: DiscardableAttributes | undefined): DiscardableAttributes =>
  Object.fromEntries(Object.entries(attributes ?? {}).sort(([x], [y]) => (x < y ? -1 : 1)))

const discardableTexts = (attributes: DiscardableAttributes | undefined): AttributeTexts =>
  new Map(Object.entries(attributes ?? {}).map(([name, value]) => [name, dictionaryText({ [name]: value })]))

const unequalAttributes = (a: DiscardableAttributes | undefined, b: DiscardableAttributes | undefined): string[] => unequalTexts(discardableTexts(a), discardableTexts(b))

function unequalTexts(a: AttributeTexts, b: AttributeTexts): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort().flatMap((name) => unequal(name, a.get(name) ?? 'none', b.get(name) ?? 'none'))
}

const typesText = (values: readonly Value[]): string => values.map(({ type }) => shortType(type)).join(', ')

const withAttributes = (text: string, attributes: DiscardableAttributes | undefined): string =>
  attributes && Object.keys(attributes).length ? `${text} ${dictionaryText(sorted(attributes))}` : text

const argumentsText = (func: Func): string => `(${func.argumentTypes.map((type, i) => withAttributes(typeText(type), func.argumentAttributes[i])).join(', ')})`
const resultsText = (func: Func): string => `(${func.resultTypes.map((type, i) => withAttributes(typeText(type), func.resultAttributes[i])).join(', ')})`

/** What the definition knows and what it does not, each as text. */
function attributeTexts({ definition, attributes, discardable }: Operation): AttributeTexts {
  const texts = new Map<string, string>()
  const codecs = definition.attributes as Record<string, AttributeCodec<unknown>>
  for (const name in codecs) if (attributes[name] !== undefined) texts.set(name, codecs[name].print(attributes[name]))
  for (const [name, text] of discardableTexts(discardable)) texts.set(name, text)
  return texts
}

const keys = new WeakMap<Operation, string>()

/** Equal for operations that differ in nothing but their operands' origin and what is in their regions. */
function operationKey(operation: Operation): string {
  let key = keys.get(operation)
  if (key === undefined) {
    const attributes = [...attributeTexts(operation)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => `${name}=${text}`)
    const types = (values: readonly Value[]): string => values.map(({ type }) => typeText(type)).join(',')
    key = `${operation.name} ${types(operation.operands)} ${types(operation.results)} ${operation.regions.length} ${attributes.join(' ')}`
    keys.set(operation, key)
  }
  return key
}

const nameKey = (operation: Operation): string => operation.name

/** Where an operand comes from: `argument 2, f32[4]`, `stablehlo.add at a.mlir:7:3, f32[4]`. */
function describe(value: Value): string {
  const { definition, index, type, block } = value
  const place = definition?.location?.callSite
  if (definition) {
    const which = definition.results.length > 1 ? `result ${index} of ` : ''
    return `${which}${definition.name}${place ? ` (line ${place.line})` : ''}, ${shortType(type)}`
  }
  return `argument ${index}${block.region.parent instanceof Operation ? ' of the region' : ''}, ${shortType(type)}`
}

function origin({ location }: Operation): { scope: string; place: string | undefined } {
  const site = location?.callSite
  return { scope: location?.scope ?? '', place: site && `${site.file}:${site.line}:${site.column}` }
}

function oneLine(operation: Operation): string {
  const text = printOperation(operation)
  const end = text.indexOf('\n')
  return shortened(end < 0 ? text : `${text.slice(0, end)} ...`)
}
