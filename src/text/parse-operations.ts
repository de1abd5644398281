import type { AssemblyParser, OperandReference, ParsedOperation } from '../ir/assembly.ts'
import type { Attribute } from '../ir/attributes.ts'
import { EngramError } from '../ir/errors.ts'
import type { Location } from '../ir/location.ts'
import { Block, Operation, Region } from '../ir/module.ts'
import type { AttributeCodec, OpDefinition } from '../ir/op-definition.ts'
import type { Type } from '../ir/types.ts'
import { foreignOp } from './foreign.ts'
import { token } from './lex.ts'
import { ParseError } from './parse-error.ts'
import { ValueParser } from './parse-values.ts'

interface ResultNames {
  readonly name: string
  readonly count: number
  readonly offset: number
}

/** What a region puts aside while it is read. */
interface OuterState {
  readonly names: string[]
  readonly block: Block | undefined
  readonly op: string | undefined
  readonly resultCount: number
  readonly dictionaryAt: number | undefined
}

/** Regions inside each other; deeper text is refused before it can exhaust the stack. */
const deepestRegions = 256
/** `%x:N = ...` */
const mostResults = 100_000

const noAttributes: Readonly<Record<string, Attribute>> = {}
const noRegions: readonly Region[] = []

/** Operations in generic form and in the ops' own forms, with the values that they define and use. */
export abstract class OperationParser extends ValueParser implements AssemblyParser {
  readonly #catalogue: ReadonlyMap<string, OpDefinition>
  readonly #allowForeign: boolean
  readonly #foreign = new Map<string, OpDefinition>()
  readonly #codecs = new Map<OpDefinition, readonly (readonly [string, AttributeCodec<unknown>])[]>()
  #regions = 0
  #block: Block | undefined
  /** The op whose own form is being read, for messages. */
  #op: string | undefined
  #resultCount = 0
  /** Where the attribute dictionary of the form being read stands, if it has one: attributes that do not fit are reported there. */
  #dictionaryAt: number | undefined

  constructor(text: string, file: string, catalogue: ReadonlyMap<string, OpDefinition>, allowForeign: boolean) {
    super(text, file)
    this.#catalogue = catalogue
    this.#allowForeign = allowForeign
  }

  get resultCount(): number {
    return this.#resultCount
  }

  /** The definition of an op, for forms that name one inside: `applies stablehlo.add`. */
  definition(name: string): OpDefinition | undefined {
    return this.#catalogue.get(name)
  }

  override fail(message: string): never {
    this.error(this.#op ? `custom op '${this.#op}' ${message}` : message)
  }

  identifier(expected: string): string {
    if (this.kind !== token.word) this.fail(`expected valid keyword: ${expected}`)
    const text = this.tokenText()
    this.advance()
    return text
  }

  attributes(): Record<string, Attribute> {
    if (!this.peek('{')) return {}
    this.#dictionaryAt = this.start
    return this.dictionary()
  }

  region(bare?: readonly { name: OperandReference; type: Type }[]): Region {
    const region = new Region()
    const outer = this.#enterRegion()
    if (bare) {
      if (bare.some(({ type }) => type === undefined)) this.fail(`expected a type for each of the ${bare.length} arguments`)
      const block = this.#addBlock(region, bare.map((argument) => argument.type))
      bare.forEach(({ name }, i) => this.define(name.name, name.offset, [block.arguments[i]]))
    }
    this.blocks(region)
    this.#leaveRegion(outer)
    return region
  }

  /** Reads `{ ... }` into a region whose first block may be there already. */
  protected blocks(region: Region): void {
    this.expect('{')
    let block = region.blocks[0]
    if (!block && this.kind !== token.label && !this.peek('}')) block = this.#addBlock(region, [])
    while (!this.accept('}')) {
      if (this.kind === token.label) block = this.#blockHeader(region)
      else if (this.kind === token.end) this.error(`expected '}' to end the region`)
      else {
        this.#block = block
        this.#operation()
      }
    }
  }

  /** `^bb0(%a: type, %b: type):` */
  #blockHeader(region: Region): Block {
    this.advance()
    const block = this.#addBlock(region, [])
    if (this.peek('('))
      this.list('(', ')', () => {
        const { name, offset } = this.operand()
        this.expect(':')
        this.define(name, offset, [block.addArgument(this.type())])
        this.trailingLocation(undefined)
      })
    this.expect(':', 'after the block')
    return block
  }

  #addBlock(region: Region, types: readonly Type[]): Block {
    const block = new Block(region, types)
    region.blocks.push(block)
    return block
  }

  /** Names defined from now on end with `#leaveRegion`, which takes back what this gives. */
  #enterRegion(): OuterState {
    if (++this.#regions > deepestRegions) this.error(`regions are nested more than ${deepestRegions} deep`)
    const outer: OuterState = { names: this.enterScope(), block: this.#block, op: this.#op, resultCount: this.#resultCount, dictionaryAt: this.#dictionaryAt }
    this.#op = undefined
    return outer
  }

  #leaveRegion(outer: OuterState): void {
    this.leaveScope(outer.names)
    this.#block = outer.block
    this.#op = outer.op
    this.#resultCount = outer.resultCount
    this.#dictionaryAt = outer.dictionaryAt
    this.#regions--
  }

  /** One operation, appended to the current block. */
  #operation(): void {
    const results = this.kind === token.value ? this.#resultNames() : undefined
    const at = this.start
    // Now, because the places inside the op's regions come after this one.
    const location = this.locationAt(at)
    if (this.kind === token.string) {
      const name = this.string()
      const known = this.#lookUp(name, at, true)
      const parsed = this.#generic()
      this.#finish(known ?? this.#foreignOp(name, Object.keys(parsed.properties)), parsed, at, location, results)
    } else if (this.kind === token.word) {
      const text = this.tokenText()
      const name = text.includes('.') ? text : `func.${text}`
      const definition = this.#lookUp(name, at, false)!
      this.advance()
      this.#finish(definition, this.#ownForm(definition, at, results), at, location, results)
    } else this.error(results ? 'expected operation name in quotes' : 'expected an operation')
  }

  /** `%a, %b:2 =` */
  #resultNames(): ResultNames[] {
    const names: ResultNames[] = []
    do {
      if (this.kind !== token.value) this.error('expected the name of a result')
      const name = this.tokenText()
      const offset = this.start
      this.advance()
      let count = 1
      if (this.accept(':')) {
        const at = this.start
        count = this.smallInteger('a number of results')
        if (count < 1 || count > mostResults) this.errorAt(at, `expected named operation to have at least 1 result and at most ${mostResults}`)
      }
      names.push({ name, count, offset })
    } while (this.accept(','))
    this.expect('=', 'after SSA name')
    return names
  }

  /** The op's definition; undefined for a foreign op that is accepted. */
  #lookUp(name: string, at: number, generic: boolean): OpDefinition | undefined {
    const known = this.#catalogue.get(name)
    if (known || (generic && this.#allowForeign)) return known
    const dialect = name.includes('.') ? name.slice(0, name.indexOf('.')) : name
    return this.errorAt(
      at,
      `unknown op '${name}': it is not in the catalogue. ` +
        (dialect === 'stablehlo'
          ? 'Check the spelling, or update Engram if the op is newer than it'
          : `Lower the program to StableHLO before it is read` +
            (generic ? `, or allow foreign ops, which can be read and printed but not run` : `: ops of '${dialect}' can only be read in generic form, "${name}"(...)`)),
    )
  }

  #foreignOp(name: string, properties: readonly string[]): OpDefinition {
    const key = [name, ...properties].join(' ')
    let definition = this.#foreign.get(key)
    if (!definition) {
      definition = foreignOp(name, properties)
      this.#foreign.set(key, definition)
    }
    return definition
  }

  /** `(%a, %b) <{properties}> ({region}) {attributes} : (a, b) -> c` */
  #generic(): ParsedOperation & { properties: Readonly<Record<string, Attribute>> } {
    const references = this.list('(', ')', () => this.operand())
    if (this.peek('[')) this.error('branches to blocks are not supported: StableHLO has structured control flow only')
    let properties = noAttributes
    if (this.accept('<')) {
      properties = this.dictionary()
      this.expect('>')
    }
    const regions: Region[] = []
    if (this.accept('(')) {
      do regions.push(this.region())
      while (this.accept(','))
      this.expect(')')
    }
    const attributes = this.peek('{') ? this.dictionary() : noAttributes
    this.expect(':', 'and the type of the operation')
    const { inputs, outputs } = this.functionType()
    return { operands: this.resolveAll(references, inputs), results: outputs, attributes, regions, properties }
  }

  #ownForm(definition: OpDefinition, at: number, results: readonly ResultNames[] | undefined): ParsedOperation {
    const { name, assembly } = definition
    if (assembly === 'generic') return this.errorAt(at, `'${name}' has no form of its own: write it in generic form, "${name}"(...)`)
    const outer = this.#op
    this.#op = name
    this.#resultCount = results ? results.reduce((sum, { count }) => sum + count, 0) : 0
    this.#dictionaryAt = undefined
    let parsed: ParsedOperation
    try {
      parsed = assembly.parse(this)
    } catch (error) {
      if (error instanceof ParseError || isStackOverflow(error)) throw error
      // The op's own code has refused what it was given.
      return this.errorAt(at, `custom op '${name}' ${(error as Error).message}`, undefined, error)
    }
    this.#op = outer
    return parsed
  }

  #finish(
    definition: OpDefinition,
    parsed: ParsedOperation & { properties?: Readonly<Record<string, Attribute>> },
    at: number,
    location: Location,
    names: readonly ResultNames[] | undefined,
  ): void {
    const block = this.#block ?? this.errorAt(at, 'expected an operation inside a function')
    const regions = parsed.regions ?? noRegions
    this.#checkRegions(definition, regions, at)
    const { attributes, discardable } = this.#readAttributes(definition, parsed, at)
    const operation = new Operation(block, definition, parsed.operands, attributes, parsed.results, regions, location)
    operation.discardable = discardable
    block.operations.push(operation)
    this.trailingLocation(operation)
    if (names) this.#nameResults(operation, names, at)
  }

  #nameResults(operation: Operation, names: readonly ResultNames[], at: number): void {
    const { results } = operation
    const wanted = names.reduce((sum, { count }) => sum + count, 0)
    if (results.length === 0) this.errorAt(names[0].offset, 'cannot name an operation with no results')
    if (wanted !== results.length) this.errorAt(at, `operation defines ${results.length} results but was provided ${wanted} to bind`)
    let next = 0
    for (const { name, count, offset } of names) {
      this.define(name, offset, names.length === 1 ? results : results.slice(next, next + count))
      next += count
    }
  }

  /** Every op of StableHLO has regions of one block; passes rely on it. */
  #checkRegions(definition: OpDefinition, regions: readonly Region[], at: number): void {
    if (regions.length === 0 || !this.#catalogue.has(definition.name)) return
    regions.forEach((region, i) => {
      if (region.blocks.length !== 1)
        this.errorAt(at, `'${definition.name}' op region #${i} ('${definition.regions[i] ?? '?'}') failed to verify constraint: region with 1 blocks`)
    })
  }

  /** The op's attributes through its codecs, and the others as they are. */
  #readAttributes(
    definition: OpDefinition,
    { attributes: raw, properties }: { attributes: Readonly<Record<string, Attribute>>; properties?: Readonly<Record<string, Attribute>> },
    at: number,
  ): { attributes: Record<string, unknown>; discardable: Record<string, Attribute> | undefined } {
    const place = properties ? at : (this.#dictionaryAt ?? at)
    let codecs = this.#codecs.get(definition)
    if (!codecs) {
      codecs = Object.entries(definition.attributes as Record<string, AttributeCodec<unknown>>)
      this.#codecs.set(definition, codecs)
    }
    const attributes: Record<string, unknown> = {}
    let used = 0
    for (const [name, codec] of codecs) {
      const value = properties && Object.hasOwn(properties, name) ? properties[name] : Object.hasOwn(raw, name) ? raw[name] : undefined
      if (value === undefined) {
        if (!codec.optional) this.errorAt(at, `'${definition.name}' op requires attribute '${name}'`)
        continue
      }
      used++
      const read = this.#decode(definition, name, codec, value, place)
      if (read === undefined) this.errorAt(place, `'${definition.name}' op attribute '${name}' failed to satisfy constraint: ${codec.expected}`)
      attributes[name] = read
    }
    let discardable: Record<string, Attribute> | undefined
    if (used < Object.keys(raw).length || (properties && properties !== noAttributes)) {
      const known = definition.attributes
      for (const name of Object.keys(raw)) if (!Object.hasOwn(known, name)) (discardable ??= {})[name] = raw[name]
      for (const name of Object.keys(properties ?? noAttributes)) {
        if (Object.hasOwn(known, name)) continue
        this.errorAt(at, `'${definition.name}' op has no property '${name}'; it has ${codecs.map(([each]) => each).join(', ') || 'none'}`)
      }
    }
    return { attributes, discardable }
  }

  #decode(definition: OpDefinition, name: string, codec: AttributeCodec<unknown>, value: Attribute, at: number): unknown {
    try {
      return codec.parse(value)
    } catch (error) {
      if (isStackOverflow(error)) throw error
      const reason = error instanceof EngramError ? error.message : codec.expected
      return this.errorAt(at, `'${definition.name}' op attribute '${name}' failed to satisfy constraint: ${reason}`, undefined, error)
    }
  }
}

export const isStackOverflow = (error: unknown): boolean => error instanceof RangeError && error.message.includes('call stack')
