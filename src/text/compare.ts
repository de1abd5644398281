import { dictionaryText } from '../ir/attributes.ts'
import { DenseElements } from '../ir/dense.ts'
import { type Block, type DiscardableAttributes, type Func, type Module, type Operation, type Value, isDeclaration } from '../ir/module.ts'
import type { AttributeCodec } from '../ir/op-definition.ts'
import { shortType, sameType, typeText } from '../ir/types.ts'
import { alignSequences } from './align.ts'
import { ComparedNames, type DifferencePlace, type OperationPair, differenceLines, differencePlaces, shortened } from './difference-lines.ts'

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
  /** The op of the first module that `op` stands for, if it is another. */
  readonly replaced: string | undefined
  /** The scopes that the op was built in: `layer3/attention`; empty at top level or if the text does not say. */
  readonly scope: string
  /** Where it stands in the second module: `b.mlir:7:3`; absent if it was removed. */
  readonly place: string | undefined
  /** Where it stands in the first module; absent if it was added. */
  readonly placeBefore: string | undefined
  /** What differs, a line each. */
  readonly details: readonly string[]
  /** The op in both modules, with a few unchanged ones around it: lines that begin with `- `, `+ ` or two spaces. */
  readonly lines: readonly string[]
}

export interface DiffOptions {
  /** Stop after this many differences; 1000 if nothing is said. */
  readonly limit?: number
}

/** Whether two modules are the same program. */
export const sameModule = (a: Module, b: Module): boolean => {
  const comparison = new Comparison(1)
  comparison.modules(a, b)
  return comparison.found.length === 0
}

/** What it takes to get from module `a` to module `b`, in order; empty if they are the same program. */
export function diffModules(a: Module, b: Module, options: DiffOptions = {}): ModuleDifference[] {
  const comparison = new Comparison(options.limit ?? 1000)
  comparison.modules(a, b)
  if (comparison.found.length === 0) return []
  const names = new ComparedNames(a, b, comparison.same)
  return comparison.found.map(({ details, at, ...difference }) => ({ ...difference, details: details(names), lines: at ? differenceLines(at, names) : [] }))
}

export interface DifferencesTextOptions {
  /** Places in files below this folder are shown relative to it. */
  readonly folder?: string
}

/**
 * The differences as text for people: a heading that names function, op, scope and place, what differs, then the op in both modules between
 * the ops around it.
 */
export function differencesText(differences: readonly ModuleDifference[], options: DifferencesTextOptions = {}): string {
  return differences
    .map((difference) => [heading(difference, options), ...difference.details.map((detail) => `  ${detail}`), ...difference.lines.map((line) => `  ${line}`)].join('\n') + '\n')
    .join('\n')
}

function heading({ kind, function: func, op, replaced, scope, place, placeBefore }: ModuleDifference, { folder }: DifferencesTextOptions): string {
  const what = op === undefined ? 'differs' : replaced !== undefined ? `${replaced} became ${op}` : kind === 'changed' ? `${op} differs` : `${op} was ${kind}`
  const shown = (text: string): string => (folder && text.startsWith(`${folder}/`) ? text.slice(folder.length + 1) : text)
  const places = [...(place ? [shown(place)] : []), ...(placeBefore && placeBefore !== place ? [place ? `was ${shown(placeBefore)}` : shown(placeBefore)] : [])]
  return `${func ?? 'module'}: ${what}${scope ? ` in ${scope}` : ''}${places.length ? ` (${places.join(', ')})` : ''}`
}

/** An attribute that is there as text, by name. */
type AttributeTexts = ReadonlyMap<string, string>

/** A difference before it is written down: names are known only once everything was compared. */
type Finding = Omit<ModuleDifference, 'details' | 'lines'> & {
  readonly details: (names: ComparedNames) => readonly string[]
  at: DifferencePlace | undefined
}

class Comparison {
  readonly found: Finding[] = []
  /** Values of the second module by those of the first that they stand for. */
  readonly same = new Map<Value, Value>()
  readonly #limit: number
  #func: string | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get #full(): boolean {
    return this.found.length >= this.#limit
  }

  #signature(details: readonly string[]): void {
    if (details.length === 0 || this.#full) return
    this.found.push({ kind: 'signature', function: this.#func, op: undefined, replaced: undefined, scope: '', place: undefined, placeBefore: undefined, details: () => details, at: undefined })
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
      ...unequalLists('argument', argumentTexts(a), argumentTexts(b)),
      ...unequalLists('result', resultTexts(a), resultTexts(b)),
      ...unequalAttributes(a.discardable, b.discardable),
      ...unequal('body', isDeclaration(a) ? 'none' : 'some', isDeclaration(b) ? 'none' : 'some'),
    ])
    this.#blocks(a.block, b.block)
  }

  #blocks(a: Block, b: Block): void {
    if (this.#full) return
    for (const [before, after] of alignedLists(a.arguments, b.arguments, ({ type }) => typeText(type))) if (before && after) this.same.set(before, after)
    const pairs = withReplacements(alignSequences(a.operations, b.operations, operationKey, nameKey))
    const differing: { at: number; finding: Finding }[] = []
    for (let at = 0; at < pairs.length && !this.#full; at++) {
      const finding = this.#pair(...pairs[at])
      if (finding) differing.push({ at, finding })
    }
    differencePlaces(pairs, differing.map(({ at }) => at)).forEach((place, i) => (differing[i].finding.at = place))
  }

  /** Compares an operation with the one opposite; gives what was found of themselves, not of what is in their regions. */
  #pair(a: Operation | undefined, b: Operation | undefined): Finding | undefined {
    const details = a && b ? this.#unequalOperations(a, b) : () => []
    a?.results.forEach((result, i) => {
      if (b && i < b.results.length) this.same.set(result, b.results[i])
    })
    const finding = details && this.#operationFinding(a, b, details)
    if (finding) this.found.push(finding)
    if (a && b && a.name === b.name)
      a.regions.forEach((region, i) => region.blocks.forEach((block, j) => {
        const other = b.regions[i]?.blocks[j]
        if (other) this.#blocks(block, other)
      }))
    return finding
  }

  #operationFinding(a: Operation | undefined, b: Operation | undefined, details: Finding['details']): Finding {
    return {
      kind: !b ? 'removed' : !a ? 'added' : 'changed',
      function: this.#func,
      op: (b ?? a!).name,
      replaced: a && b && a.name !== b.name ? a.name : undefined,
      scope: (b ?? a!).location?.scope || a?.location?.scope || '',
      place: b && placeOf(b),
      placeBefore: a && placeOf(a),
      details,
      at: undefined,
    }
  }

  /** What tells two operations apart; undefined if nothing does. */
  #unequalOperations(a: Operation, b: Operation): Finding['details'] | undefined {
    if (a.name !== b.name) return () => []
    const details = [...unequalTexts(attributeTexts(a), attributeTexts(b)), ...unequal('result types', typesText(a.results), typesText(b.results))]
    if (a.operands.length !== b.operands.length) details.push(...unequal('operands', typesText(a.operands), typesText(b.operands)))
    if (a.regions.length !== b.regions.length) details.push(...unequal('regions', String(a.regions.length), String(b.regions.length)))
    a.regions.forEach((region, i) => {
      const other = b.regions[i]
      if (!other) return
      const arguments_ = (blocks: readonly Block[]): string => blocks.map((block) => `(${typesText(block.arguments)})`).join(' ')
      details.push(...unequal(`arguments of region ${i}`, arguments_(region.blocks), arguments_(other.blocks)))
    })
    const operands = a.operands.length === b.operands.length ? a.operands.flatMap((operand, i) => (this.#sameValue(operand, b.operands[i]) ? [] : [i])) : []
    if (details.length + operands.length === 0) return undefined
    return ({ first, second }) => [
      ...operands.map((i) => `operand ${i}: ${describe(a.operands[i], first)} became ${describe(b.operands[i], second)}`),
      ...details,
    ]
  }

  #sameValue(a: Value, b: Value): boolean {
    return this.same.get(a) === b && sameType(a.type, b.type)
  }
}

/**
 * Where ops were taken out and others put in between the same neighbours, those of the same result types stand opposite each other: what
 * used the one uses the other, and does not differ by that.
 */
function withReplacements(pairs: readonly OperationPair[]): OperationPair[] {
  const replaced: OperationPair[] = []
  for (let i = 0; i < pairs.length; ) {
    let end = i
    while (end < pairs.length && !(pairs[end][0] && pairs[end][1])) end++
    const removed = pairs.slice(i, end).flatMap(([a]) => (a ? [a] : []))
    const added = pairs.slice(i, end).flatMap(([, b]) => (b ? [b] : []))
    replaced.push(...(removed.length && added.length ? alignSequences(removed, added, replacementKey, replacementKey) : pairs.slice(i, end)))
    if (end < pairs.length) replaced.push(pairs[end])
    i = end + 1
  }
  return replaced
}

const replacementKey = (operation: Operation): string => (operation.results.length ? typesText(operation.results) : operation.name)

const unequal = (what: string, a: string, b: string): string[] => (a === b ? [] : [`${what}: ${shortened(a)} became ${shortened(b)}`])

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

const argumentTexts = (func: Func): string[] => func.argumentTypes.map((type, i) => withAttributes(typeText(type), func.argumentAttributes[i]))
const resultTexts = (func: Func): string[] => func.resultTypes.map((type, i) => withAttributes(typeText(type), func.resultAttributes[i]))

/** In order if they are as many, otherwise so that as many as can be have an equal one opposite. */
const alignedLists = <T>(a: readonly T[], b: readonly T[], key: (element: T) => string): (readonly [T | undefined, T | undefined])[] =>
  a.length === b.length ? a.map((element, i) => [element, b[i]] as const) : alignSequences(a, b, key, key)

/** Differences of the arguments or results of two functions. */
function unequalLists(what: string, a: readonly string[], b: readonly string[]): string[] {
  const positions = (texts: readonly string[]) => texts.map((text, position) => ({ text, position }))
  return alignedLists(positions(a), positions(b), ({ text }) => text).flatMap(([before, after]) =>
    before && after ? unequal(`${what} ${after.position}`, before.text, after.text)
      : before ? [`- ${what} ${before.position}: ${shortened(before.text)}`]
      : [`+ ${what} ${after!.position}: ${shortened(after!.text)}`])
}

/** Constants may be written as one value or as all of them. */
const canonical = (value: unknown): unknown => (value instanceof DenseElements ? value.uniform() : value)

/** What the definition knows and what it does not, each as text. */
function attributeTexts({ definition, attributes, discardable }: Operation): AttributeTexts {
  const texts = new Map<string, string>()
  const codecs = definition.attributes as Record<string, AttributeCodec<unknown>>
  for (const name in codecs) if (attributes[name] !== undefined && attributes[name] !== codecs[name].absent) texts.set(name, codecs[name].print(canonical(attributes[name])))
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

/** An operand and where it comes from: `%arg2, f32[4]`, `%3 of stablehlo.add, f32[4]`. */
const describe = (value: Value, names: ReadonlyMap<Value, string>): string =>
  `${names.get(value) ?? 'a value'}${value.definition ? ` of ${value.definition.name}` : ''}, ${shortType(value.type)}`

function placeOf({ location }: Operation): string | undefined {
  const site = location?.callSite
  return site && `${site.file}:${site.line}:${site.column}`
}
