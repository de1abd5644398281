import type { OperandReference } from '../ir/assembly.ts'
import type { Value } from '../ir/module.ts'
import { type Type, sameType, typeText } from '../ir/types.ts'
import { token } from './lex.ts'
import type { RelatedPlace } from './parse-error.ts'
import { StructParser } from './parse-structs.ts'

/** What a name stands for: all results of an op, or one argument. */
interface Definition {
  readonly values: readonly Value[]
  readonly offset: number
}

/** SSA values: what their names stand for, and where. */
export abstract class ValueParser extends StructParser {
  /** Values by name, `%` included. */
  #values = new Map<string, Definition>()
  /** Names that the innermost region has defined so far. */
  #names: string[] = []

  operand(): OperandReference {
    if (this.kind !== token.value) this.error('expected SSA operand')
    const offset = this.start
    let name = this.tokenText()
    this.advance()
    if (this.peek('#') && this.text.charCodeAt(this.start + 1) <= 57) {
      name += this.tokenText()
      this.advance()
    }
    return { name, offset }
  }

  operands(): OperandReference[] {
    const references: OperandReference[] = []
    if (this.kind !== token.value) return references
    do references.push(this.operand())
    // The comma before something else belongs to the op's form.
    while (this.peek(',') && this.text.charCodeAt(this.skipSpace(this.end)) === 37 && this.accept(','))
    return references
  }

  resolve(reference: OperandReference, type: Type): Value {
    const { name, offset } = reference
    const definition = this.#values.get(name)
    const value = definition ? definition.values[0] : this.#numbered(reference)
    if (value === undefined) return this.#undefined(reference)
    if (value.type !== type && !sameType(value.type, type))
      this.errorAt(
        offset,
        `use of value '${name}' expects different type than prior uses: '${typeText(type)}' vs '${typeText(value.type)}'`,
        this.#definedAt(name, value),
      )
    return value
  }

  resolveAll(references: readonly OperandReference[], types: readonly Type[]): Value[] {
    if (references.length !== types.length)
      this.fail(`number of operands and types do not match: got ${references.length} operands and ${types.length} types`)
    return references.map((reference, i) => this.resolve(reference, types[i]))
  }

  /** Names defined from now on end with `leaveScope`, which takes what this gives. */
  protected enterScope(): string[] {
    const outer = this.#names
    this.#names = []
    return outer
  }

  protected leaveScope(outer: string[]): void {
    for (const name of this.#names) this.#values.delete(name)
    this.#names = outer
  }

  /** Runs `read` without any of the values known so far: functions see nothing of what is around them. */
  protected isolated(read: () => void): void {
    const values = this.#values
    this.#values = new Map()
    const outer = this.enterScope()
    read()
    this.leaveScope(outer)
    this.#values = values
  }

  /** Names values; a name that is taken, also by a region around this, is an error. */
  protected define(name: string, offset: number, values: readonly Value[]): void {
    const before = this.#values.get(name)
    if (before) this.errorAt(offset, `redefinition of SSA value '${name}'`, [{ offset: before.offset, message: `'${name}' is already defined here` }])
    if (name.includes('#')) this.errorAt(offset, `'${name}' is not a name: the number after '#' counts the results of one op`)
    this.#values.set(name, { values, offset })
    this.#names.push(name)
  }

  /** `%x#1` */
  #numbered({ name, offset }: OperandReference): Value | undefined {
    const hash = name.indexOf('#')
    if (hash < 0) return undefined
    const base = name.slice(0, hash)
    const definition = this.#values.get(base)
    if (!definition) return undefined
    const value = definition.values[Number(name.slice(hash + 1))]
    if (!value)
      this.errorAt(offset, `reference to invalid result number '${name}': ${base} has ${definition.values.length} results`, [
        { offset: definition.offset, message: `${base} is defined here` },
      ])
    return value
  }

  #undefined({ name, offset }: OperandReference): never {
    const base = name.replace(/#.*/, '')
    // Only now, for the message: does a definition follow?
    const later = new RegExp(`${base.replaceAll('$', '\\$').replaceAll('.', '\\.')}(?::\\d+)?\\s*=[^=]`, 'g')
    later.lastIndex = offset + base.length
    const found = later.exec(this.text)
    const related: RelatedPlace[] = found ? [{ offset: found.index, message: `${base} is defined only here: a value cannot be used before` }] : []
    return this.errorAt(offset, `use of undeclared SSA value name '${name}'`, related)
  }

  #definedAt(name: string, value: Value): RelatedPlace[] {
    const definition = this.#values.get(name) ?? this.#values.get(name.replace(/#.*/, ''))
    return definition ? [{ offset: definition.offset, message: `'${name}' is defined here as '${typeText(value.type)}'` }] : []
  }
}
