import type { AssemblyPrinter } from '../ir/assembly.ts'
import { dictionaryText, entryText, quote, symbolText } from '../ir/attributes.ts'
import { TraceError } from '../ir/errors.ts'
import type { Location } from '../ir/location.ts'
import { type Block, type DiscardableAttributes, type Func, type Module, Operation, type Region, type Value, isDeclaration, walkOperations } from '../ir/module.ts'
import { type Type, typeText } from '../ir/types.ts'

/**
 * StableHLO text from the program in memory, in the pretty form that the upstream parser reads. The same module always gives
 * the same text. Values are named `%0`, `%1`, ... and arguments `%arg0`, ... in order.
 */
export interface PrintOptions {
  /** Add `loc(...)` with scope and call site to every op, or with the scope alone where there is one: that survives edits of the source. */
  readonly locations?: boolean | 'scopes'
  /** MLIR's generic form for every op instead of its own. */
  readonly generic?: boolean
}

/** The text of a module. */
export const printModule = (module: Module, options: PrintOptions = {}): string => new Printer(options).module(module)

/** The text of one operation, for messages; values outside it have the given names, or are named in order of use. */
export const printOperation = (operation: Operation, names?: ReadonlyMap<Value, string>): string => new Printer({}).single(operation, names)

/** The names that the values of a module have in its text: `%0`, `%arg1`, `%2#1`. */
export function valueNames(module: Module): ReadonlyMap<Value, string> {
  const printer = new Printer({})
  printer.module(module)
  const { names } = printer
  // Forms such as `applies stablehlo.add` show nothing of the region they stand for.
  let hidden = 0
  const name = (value: Value): unknown => names.has(value) || names.set(value, `%inner${hidden++}`)
  eachFunction(module, (func) => {
    for (const block of func.body.blocks)
      walkOperations(block, (operation) => {
        operation.results.forEach(name)
        for (const region of operation.regions) for (const inner of region.blocks) inner.arguments.forEach(name)
      })
  })
  return names
}

function eachFunction(module: Module, visit: (func: Func) => void): void {
  module.functions.forEach(visit)
  for (const inner of module.modules) eachFunction(inner, visit)
}

class Printer implements AssemblyPrinter {
  readonly #options: PrintOptions
  readonly #out: string[] = []
  readonly names = new Map<Value, string>()
  #nextResult = 0
  #nextArgument = 0
  #indent = ''
  #single = false
  #given: ReadonlyMap<Value, string> = new Map()

  constructor(options: PrintOptions) {
    this.#options = options
  }

  module(module: Module): string {
    this.#module(module)
    return this.#out.join('')
  }

  #module(module: Module): void {
    const indent = this.#indent
    this.text(`${indent}module${module.name === undefined ? '' : ` @${symbolText(module.name)}`}`)
    if (Object.keys(module.attributes).length) this.text(` attributes ${dictionaryText(module.attributes)}`)
    this.text(' {\n')
    this.#indent = indent + '  '
    for (const line of module.foreign) this.text(`${this.#indent}${line}\n`)
    for (const inner of module.modules) this.#module(inner)
    for (const func of module.functions) this.#func(func)
    this.#indent = indent
    this.text(`${indent}}\n`)
  }

  single(operation: Operation, given: ReadonlyMap<Value, string> = this.#given): string {
    this.#single = true
    this.#given = given
    this.#operation(operation)
    return this.#out.join('').trim()
  }

  #func(func: Func): void {
    this.#nextResult = 0
    this.#nextArgument = 0
    const declared = isDeclaration(func)
    this.text(`${this.#indent}func.func ${func.visibilityImplied ? '' : `${func.visibility} `}@${symbolText(func.name)}(`)
    func.block.arguments.forEach((argument, i) => {
      if (i) this.text(', ')
      if (!declared) {
        this.blockArgument(argument)
        this.value(argument)
        this.text(': ')
      }
      this.type(argument.type)
      this.#attributesAfterType(func.argumentAttributes[i])
    })
    this.text(')')
    const { resultTypes } = func
    if (resultTypes.length) {
      const annotated = resultTypes.map((_, i) => Object.keys(func.resultAttributes[i] ?? {}).length > 0)
      const parentheses = resultTypes.length > 1 || annotated.includes(true)
      this.text(parentheses ? ' -> (' : ' -> ')
      resultTypes.forEach((type, i) => {
        if (i) this.text(', ')
        this.type(type)
        this.#attributesAfterType(func.resultAttributes[i])
      })
      if (parentheses) this.text(')')
    }
    if (func.discardable && Object.keys(func.discardable).length) this.text(` attributes ${dictionaryText(func.discardable)}`)
    if (declared) return this.text('\n')
    this.text(' {\n')
    this.#block(func.block)
    this.text(`${this.#indent}}\n`)
  }

  #attributesAfterType(attributes: DiscardableAttributes | undefined): void {
    if (attributes && Object.keys(attributes).length) this.text(` ${dictionaryText(attributes)}`)
  }

  #block(block: Block): void {
    const indent = this.#indent
    this.#indent = indent + '  '
    for (const operation of block.operations) {
      this.text(this.#indent)
      this.#operation(operation)
      this.text('\n')
    }
    this.#indent = indent
  }

  #operation(operation: Operation): void {
    const { results, definition } = operation
    const known = results.length ? this.#given.get(results[0]) : undefined
    if (known !== undefined) {
      results.forEach((result) => this.names.set(result, this.#given.get(result)!))
      this.text(results.length === 1 ? `${known} = ` : `${known.replace(/#0$/, '')}:${results.length} = `)
    } else if (results.length) {
      const name = `%${this.#nextResult++}`
      if (results.length === 1) {
        this.names.set(results[0], name)
        this.text(`${name} = `)
      } else {
        results.forEach((result, i) => this.names.set(result, `${name}#${i}`))
        this.text(`${name}:${results.length} = `)
      }
    }
    if (definition.assembly === 'generic' || this.#options.generic || definition.assembly.fits?.(operation) === false) this.#generic(operation)
    else {
      // The prefix may be left out right inside a function only.
      this.text(operation.block.region.parent instanceof Operation ? definition.name : definition.name.replace(/^func\./, ''))
      definition.assembly.print(operation, this)
    }
    const { locations } = this.#options
    if (locations && operation.location) this.text(locations === 'scopes' ? scopeText(operation.location) : locationText(operation.location))
  }

  #generic(operation: Operation): void {
    this.text(`"${operation.name}"(`)
    this.values(operation.operands)
    this.text(')')
    const properties = inherentEntries(operation, [])
    if (properties.length) this.text(` <{${properties.join(', ')}}>`)
    if (operation.regions.length) {
      this.text(' (')
      operation.regions.forEach((region, i) => {
        if (i) this.text(', ')
        this.region(region)
      })
      this.text(')')
    }
    this.#attributesAfterType(operation.discardable)
    this.text(' : ')
    this.functionType(operation.operands.map((operand) => operand.type), operation.results.map((result) => result.type))
  }

  text(text: string): void {
    this.#out.push(text)
  }

  newline(): void {
    this.#out.push('\n', this.#indent)
  }

  value(value: Value): void {
    let name = this.names.get(value) ?? this.#given.get(value)
    if (name === undefined) {
      if (!this.#single) throw new TraceError('a value is used that the program does not define: a tensor left the trace that made it', 'LEAKED_TENSOR')
      name = `%outside${this.#nextArgument++}`
      this.names.set(value, name)
    }
    this.#out.push(name)
  }

  values(values: readonly Value[]): void {
    for (let i = 0; i < values.length; i++) {
      if (i) this.#out.push(', ')
      this.value(values[i])
    }
  }

  type(type: Type): void {
    this.#out.push(typeText(type))
  }

  functionType(inputs: readonly Type[], outputs: readonly Type[]): void {
    this.#out.push('(', inputs.map(typeText).join(', '), ') -> ')
    if (outputs.length === 1) this.type(outputs[0])
    else this.#out.push('(', outputs.map(typeText).join(', '), ')')
  }

  attributes(operation: Operation, except: readonly string[]): void {
    const entries = inherentEntries(operation, except)
    if (operation.discardable)
      for (const [name, value] of Object.entries(operation.discardable)) entries.push(entryText(name, value))
    if (entries.length) this.text(` {${entries.join(', ')}}`)
  }

  region(region: Region, options: { bare?: boolean } = {}): void {
    this.text('{\n')
    region.blocks.forEach((block, i) => {
      if (block.arguments.length && !options.bare) {
        for (const argument of block.arguments) this.blockArgument(argument)
        this.text(`${this.#indent}^bb${i}(`)
        block.arguments.forEach((argument, j) => {
          if (j) this.text(', ')
          this.value(argument)
          this.text(': ')
          this.type(argument.type)
        })
        this.text('):\n')
      }
      this.#block(block)
    })
    this.text(`${this.#indent}}`)
  }

  blockArgument(value: Value, like?: Value): void {
    this.names.set(value, this.#given.get(value) ?? (like ? this.names.get(like)! : `%arg${this.#nextArgument++}`))
  }
}

/** `name = value` of the attributes that the op's definition has codecs for. */
function inherentEntries(operation: Operation, except: readonly string[]): string[] {
  const entries: string[] = []
  const codecs = operation.definition.attributes
  for (const name in codecs) {
    const value = operation.attributes[name]
    if (value === undefined || except.includes(name)) continue
    const text = codecs[name].print(value)
    entries.push(text === 'unit' ? symbolText(name) : `${symbolText(name)} = ${text}`)
  }
  return entries
}

/** ` loc("scope")` */
const scopeText = ({ scope }: Location): string => (scope ? ` loc(${quote(scope)})` : '')

/** `"file":line:column`, `callsite("file":line:column at "caller":line:column)` */
function placeText({ callSite: site, caller }: Location): string {
  const place = site ? `${quote(site.file)}:${site.line}:${site.column}` : 'unknown'
  return caller ? `callsite(${place} at ${placeText(caller)})` : place
}

/** ` loc("scope"("file":line:column))` */
function locationText(location: Location): string {
  const place = placeText(location)
  return location.scope ? ` loc(${quote(location.scope)}(${place}))` : ` loc(${place})`
}
