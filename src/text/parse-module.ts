import type { Attribute } from '../ir/attributes.ts'
import { type DiscardableAttributes, Func, Module } from '../ir/module.ts'
import type { Type } from '../ir/types.ts'
import { token } from './lex.ts'
import { OperationParser } from './parse-operations.ts'
import { singleSpaced } from './parse-types.ts'

interface Argument {
  readonly name: string | undefined
  readonly offset: number
  readonly type: Type
  readonly attributes: DiscardableAttributes
}
interface Signature {
  readonly name: string
  readonly visibility: 'public' | 'private' | undefined
  readonly arguments: readonly Argument[]
  readonly results: readonly Type[]
  readonly resultAttributes: DiscardableAttributes[]
  readonly attributes: DiscardableAttributes
  /** Where the function stands. */
  readonly at: number
}

const hasEntries = (attributes: object): boolean => Object.keys(attributes).length > 0

/** Modules, functions, aliases, and what else stands at module level. */
export class ModuleParser extends OperationParser {
  #modules = 0

  /** The whole text: one module, or functions and modules that have an implied one around them. */
  parse(): Module {
    const implied = new Module()
    const symbols = new Map<string, number>()
    while (this.kind !== token.end) this.#item(implied, symbols)
    this.resolveLocations()
    const { functions, foreign, modules } = implied
    return modules.length === 1 && functions.length === 0 && foreign.length === 0 ? modules[0] : implied
  }

  #item(module: Module, symbols: Map<string, number>): void {
    if (this.kind === token.hash) return this.#attributeAlias()
    if (this.kind === token.bang) return this.#typeAlias()
    if (this.accept('{-#')) return this.#skipMetadata()
    if (this.kind === token.word) {
      if (this.peek('module') || this.peek('builtin.module')) return this.#module(module)
      if (this.peek('func.func') || this.peek('func')) return this.#func(module, symbols)
      if (this.tokenText().includes('.') && !this.definition(this.tokenText())) return this.#foreignItem(module)
    }
    if (this.kind === token.string) {
      const name = this.text.slice(this.start + 1, this.end - 1)
      if (name === 'builtin.module') return this.#genericModule(module)
      if (name === 'func.func') return this.#genericFunc(module, symbols)
      if (name.includes('.') && !this.definition(name)) return this.#foreignItem(module)
    }
    this.error(`expected a function or a module; operations stand inside functions`)
  }

  /** `#name = attribute` */
  #attributeAlias(): void {
    const { at, name } = this.#aliasName('#')
    if (this.attributeAliases.has(name) || this.isLocationAlias(name)) this.errorAt(at, `redefinition of attribute alias id '${name}'`)
    if (this.locationAlias(name)) return
    const before = this.parts
    const attribute = this.attribute()
    this.attributeAliases.set(name, { attribute, size: this.#aliasSize(at, before) })
  }

  /** `!name = type` */
  #typeAlias(): void {
    const { at, name } = this.#aliasName('!')
    if (this.typeAliases.has(name)) this.errorAt(at, `redefinition of type alias id '${name}'`)
    const before = this.parts
    const type = this.type()
    this.typeAliases.set(name, { type, size: this.#aliasSize(at, before) })
  }

  #aliasName(sigil: string): { at: number; name: string } {
    const at = this.start
    const name = this.text.slice(at + 1, this.end)
    if (name.includes('.')) this.errorAt(at, `alias names with a '.' are reserved for dialects: ${sigil}${name}`)
    this.advance()
    this.expect('=', 'in an alias definition')
    return { at, name }
  }

  #aliasSize(at: number, before: number): number {
    const size = this.parts - before + 1
    if (size > largestAlias) this.errorAt(at, `this alias stands for more than ${largestAlias} parts`)
    return size
  }

  /** `{-# dialect_resources: ... #-}`: data that the text does not refer to in a way we keep. */
  #skipMetadata(): void {
    const end = this.text.indexOf('#-}', this.start)
    if (end < 0) this.error(`expected '#-}' to end the file metadata`)
    this.restart(end + 3)
  }

  /** `module @name attributes {...} { ... }` */
  #module(parent: Module): void {
    this.advance()
    const module = new Module(this.kind === token.symbol ? this.symbol() : undefined)
    if (this.accept('attributes')) module.attributes = this.attributes()
    parent.modules.push(module)
    this.#moduleBody(module)
  }

  #moduleBody(module: Module): void {
    if (++this.#modules > deepestModules) this.error(`modules are nested more than ${deepestModules} deep`)
    const symbols = new Map<string, number>()
    this.expect('{', 'to begin a module')
    while (!this.peek('}')) {
      if (this.kind === token.end) this.error(`expected '}' to end the module`)
      this.#item(module, symbols)
    }
    this.advance()
    this.trailingLocation(undefined)
    this.#modules--
  }

  /** `"builtin.module"() <{sym_name = "name"}> ({ ... }) {attributes} : () -> ()` */
  #genericModule(parent: Module): void {
    this.advance()
    const properties = this.#genericHead()
    const { sym_name: name, ...attributes } = properties
    const module = new Module(name?.kind === 'string' ? name.value : undefined)
    parent.modules.push(module)
    this.expect('(')
    this.#moduleBody(module)
    this.expect(')')
    module.attributes = { ...attributes, ...this.attributes() }
    this.expect(':')
    this.functionType()
    this.trailingLocation(undefined)
  }

  /** `() <{...}>` */
  #genericHead(): Record<string, Attribute> {
    this.expect('(')
    this.expect(')')
    if (!this.accept('<')) return {}
    const properties = this.attributes()
    this.expect('>')
    return properties
  }

  /** `func.func public @name(%a: type {...}) -> (type {...}) attributes {...} { ... }` */
  #func(module: Module, symbols: Map<string, number>): void {
    const at = this.start
    this.advance()
    const hidden = this.accept('private') || this.accept('nested')
    const visibility = hidden ? 'private' : this.accept('public') ? 'public' : undefined
    const nameAt = this.start
    const name = this.symbol()
    const parameters = this.list('(', ')', () => this.#argument())
    const results: Type[] = []
    const resultAttributes: DiscardableAttributes[] = []
    const result = (): void => {
      results.push(this.type())
      resultAttributes.push(this.attributes())
    }
    if (this.accept('->')) {
      if (this.peek('(')) this.list('(', ')', result)
      else {
        results.push(this.type())
        resultAttributes.push({})
      }
    }
    const attributes = this.accept('attributes') ? this.attributes() : {}
    this.#checkSymbol(name, nameAt, symbols)
    const func = this.#makeFunc(module, { name, visibility, arguments: parameters, results, resultAttributes, attributes, at })
    if (this.peek('{')) {
      const unnamed = parameters.find((argument) => argument.name === undefined)
      if (unnamed) this.errorAt(unnamed.offset, 'expected SSA identifier: the arguments of a function with a body need names')
      this.isolated(() => {
        parameters.forEach((argument, i) => this.define(argument.name!, argument.offset, [func.block.arguments[i]]))
        this.blocks(func.body)
      })
      this.#checkBody(func, at)
    }
    this.trailingLocation(func)
  }

  #argument(): Argument {
    const offset = this.start
    let name: string | undefined
    if (this.kind === token.value) {
      name = this.operand().name
      this.expect(':')
    }
    const type = this.type()
    const attributes = this.attributes()
    this.trailingLocation(undefined)
    return { name, offset, type, attributes }
  }

  #makeFunc(module: Module, signature: Signature): Func {
    const func = new Func(signature.name, signature.arguments.map((argument) => argument.type), { visibility: signature.visibility })
    func.visibilityImplied = signature.visibility === undefined
    func.argumentAttributes = signature.arguments.map((argument) => argument.attributes)
    func.resultTypes = signature.results
    func.resultAttributes = signature.resultAttributes
    if (hasEntries(signature.attributes)) func.discardable = signature.attributes
    func.location = this.locationAt(signature.at)
    module.functions.push(func)
    return func
  }

  #checkSymbol(name: string, at: number, symbols: Map<string, number>): void {
    const before = symbols.get(name)
    if (before !== undefined) this.errorAt(at, `redefinition of symbol named '${name}'`, [{ offset: before, message: `'${name}' is already defined here` }])
    symbols.set(name, at)
  }

  #checkBody(func: Func, at: number): void {
    if (func.body.blocks.length !== 1) this.errorAt(at, `'func.func' op needs a body of one block, has ${func.body.blocks.length}: branches are not supported`)
    if (func.block.operations.length === 0) this.errorAt(at, `'func.func' op body is empty: expected at least a terminator such as return`)
  }

  /** `"func.func"() <{function_type = ..., sym_name = "name"}> ({ ... }) {attributes} : () -> ()` */
  #genericFunc(module: Module, symbols: Map<string, number>): void {
    const at = this.start
    this.advance()
    const properties = this.#genericHead()
    // The attributes stand behind the body, so the body is read first, into a region of its own.
    this.expect('(')
    let func: Func | undefined
    this.isolated(() => {
      const begin = this.start
      func = this.#genericSignature(module, properties, at)
      if (!func) this.errorAt(begin, `expected function_type and sym_name in the properties of "func.func"`)
      func.body.blocks.length = 0
      this.blocks(func.body)
    })
    this.expect(')')
    const made = func!
    if (made.body.blocks.length) this.#checkBody(made, at)
    else this.#declare(made, properties)
    const name = made.name
    this.#checkSymbol(name, at, symbols)
    const extra = this.attributes()
    if (hasEntries(extra)) made.discardable = { ...made.discardable, ...extra }
    this.expect(':')
    this.functionType()
    this.trailingLocation(made)
  }

  #genericSignature(module: Module, properties: Record<string, Attribute>, at: number): Func | undefined {
    const { function_type: type, sym_name: name, sym_visibility: visibility, arg_attrs: args, res_attrs: res, ...rest } = properties
    if (type?.kind !== 'type' || type.type.kind !== 'opaque' || name?.kind !== 'string') return undefined
    const { inputs, outputs } = new ModuleParser(type.type.text, this.file, new Map(), false).functionType()
    const dictionaries = (attribute: Attribute | undefined, count: number): DiscardableAttributes[] =>
      Array.from({ length: count }, (_, i) => {
        const each = attribute?.kind === 'array' ? attribute.elements[i] : undefined
        return each?.kind === 'dictionary' ? each.entries : {}
      })
    const attributes = dictionaries(args, inputs.length)
    return this.#makeFunc(module, {
      name: name.value,
      visibility: visibility?.kind === 'string' ? (visibility.value === 'public' ? 'public' : 'private') : undefined,
      arguments: inputs.map((input, i) => ({ name: undefined, offset: at, type: input, attributes: attributes[i] })),
      results: outputs,
      resultAttributes: dictionaries(res, outputs.length),
      attributes: rest,
      at,
    })
  }

  /** A declaration has the arguments of its type and no operations. */
  #declare(func: Func, properties: Record<string, Attribute>): void {
    const type = properties.function_type
    const inputs = type.kind === 'type' && type.type.kind === 'opaque' ? new ModuleParser(type.type.text, this.file, new Map(), false).functionType().inputs : []
    func.body.blocks.push(...new Func(func.name, inputs).body.blocks)
  }

  /** An op of another dialect at module level, such as `sdy.mesh @mesh = <["x"=2]>`: kept as its text, to the end of its line or brackets. */
  #foreignItem(module: Module): void {
    const { text, start } = this
    let i = start
    let end = start
    for (;;) {
      const c = text.charCodeAt(i)
      if (!(c >= 0) || c === 10 || c === 125 || (c === 47 && text.charCodeAt(i + 1) === 47)) break
      if (c === 34) i = this.stringEnd(i)
      else if (c === 60 || c === 40 || c === 91 || c === 123) {
        this.delimitedText(i)
        i = this.previousEnd
      } else i++
      end = i
    }
    module.foreign.push(singleSpaced(text.slice(start, end)).trim())
    this.restart(i)
  }
}

/** Parts of one alias, with the aliases in it written out. */
const largestAlias = 1_000_000
const deepestModules = 100
