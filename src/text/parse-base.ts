import { type Attribute, attributeText } from '../ir/attributes.ts'
import { type Type, typeText } from '../ir/types.ts'
import { Lexer, isSpace, token } from './lex.ts'

/** Types and attributes inside each other; deeper text is refused before it can exhaust the stack. */
const deepestNesting = 1000
/** Parts (an element, a bracket) that a text may have beyond its own length, with its aliases written out. */
const mostParts = 10_000_000
/** Digits of an integer literal; the time to read one grows faster than its length. */
const longestInteger = 1000

/** What all parts of the grammar need: limits on nesting, aliases, integers, and text in brackets that is kept as it is. */
export abstract class ParserBase extends Lexer {
  /** `!name = type` */
  protected readonly typeAliases = new Map<string, { readonly type: Type; readonly size: number }>()
  /** `#name = attribute` */
  protected readonly attributeAliases = new Map<string, { readonly attribute: Attribute; readonly size: number }>()
  #nesting = 0
  /** Parts read so far, with those that aliases stand for. */
  protected parts = 0

  /** Begins a level; hostile nesting ends here. What nests deeply calls this itself, to spare the stack. */
  protected enter(): void {
    if (++this.#nesting > deepestNesting) this.error(`types and attributes are nested more than ${deepestNesting} deep`)
    this.parts++
  }

  protected leave(): void {
    this.#nesting--
  }

  /** Runs `read` one level deeper. */
  protected nested<R>(read: () => R): R {
    this.enter()
    const result = read()
    this.leave()
    return result
  }

  /** Counts what an alias stands for where it is used: aliases of aliases grow without bound in few characters. */
  protected countParts(size: number): void {
    this.parts += size
    if (this.parts > mostParts + 16 * this.text.length) this.error('the aliases of this text stand for too much: written out it would not fit in memory')
  }

  /** An integer that fits a JavaScript number. */
  protected smallInteger(expected: string): number {
    const at = this.start
    const value = Number(this.integer())
    return Number.isSafeInteger(value) ? value : this.errorAt(at, `${expected} cannot be as large as this`)
  }

  /** An integer with its sign. */
  integer(message = 'expected integer value'): bigint {
    const negative = this.accept('-')
    if (this.kind !== token.integer) this.fail(message)
    if (this.end - this.start > longestInteger) this.error('integer is too long')
    const value = BigInt(this.tokenText())
    this.advance()
    return negative ? -value : value
  }

  /** The text in the brackets that open here, and they. */
  bracketed(): string {
    if (!'<([{'.includes(this.text[this.start] ?? ' ')) this.fail('expected an opening bracket')
    return this.delimitedText(this.start)
  }

  /** Fails at the current token. */
  fail(message: string): never {
    this.error(message)
  }

  /**
   * The text from the opening bracket at `opening` to the one that closes it, and goes on behind it. Brackets and strings must
   * be balanced; comments are left out, space becomes one blank, and aliases are replaced by what they stand for.
   */
  protected delimitedText(opening: number): string {
    const { text } = this
    const pieces: string[] = []
    const closers: number[] = []
    let i = opening
    let from = opening
    const cut = (end: number, next: number, replacement: string): void => {
      pieces.push(text.slice(from, end), replacement)
      from = next
      i = next
    }
    for (;;) {
      const c = text.charCodeAt(i)
      if (c === 60) {
        if (i === opening || text.charCodeAt(i + 1) !== 61) closers.push(62)
      }
      else if (c === 40) closers.push(41)
      else if (c === 91) closers.push(93)
      else if (c === 123) closers.push(125)
      else if (c === 62 || c === 41 || c === 93 || c === 125) {
        // Neither `->` nor `>=` closes anything.
        if (c !== 62 || (text.charCodeAt(i - 1) !== 45 && text.charCodeAt(i + 1) !== 61)) {
          if (closers.pop() !== c) this.errorAt(i, `'${text[i]}' closes no bracket that is open here`)
          if (closers.length === 0) break
        }
      } else if (c === 34) {
        i = this.stringEnd(i)
        continue
      } else if (isSpace(c) || (c === 47 && text.charCodeAt(i + 1) === 47)) {
        const next = this.skipSpace(i)
        // Space at the brackets' inside says nothing.
        const edge = i - 1 === opening || (closers.length === 1 && text.charCodeAt(next) === closers[0])
        if (next === i + 1 && c === 32 && !edge) i++
        else cut(i, next, edge ? '' : ' ')
        continue
      } else if (c === 35 || c === 33) {
        const alias = this.#aliasAt(i)
        if (alias) {
          cut(i, alias.end, alias.text)
          continue
        }
      } else if (!(c >= 0)) this.errorAt(opening, `expected '${String.fromCharCode(closers[0])}' to close this '${text[opening]}'`)
      if (closers.length > deepestNesting) this.errorAt(i, `brackets are nested more than ${deepestNesting} deep`)
      i++
    }
    this.restart(i + 1)
    if (pieces.length === 0) return text.slice(opening, i + 1)
    pieces.push(text.slice(from, i + 1))
    return pieces.join('')
  }

  /** The alias whose name stands at `offset` in foreign text. */
  #aliasAt(offset: number): { end: number; text: string } | undefined {
    const pattern = /[#!]([A-Za-z_$][\w$-]*)(?![\w$.<-])/y
    pattern.lastIndex = offset
    const match = pattern.exec(this.text)
    if (!match) return undefined
    const end = pattern.lastIndex
    const attribute = this.text.charCodeAt(offset) === 35
    const alias = attribute ? this.attributeAliases.get(match[1]) : this.typeAliases.get(match[1])
    if (!alias) return undefined
    this.countParts(alias.size)
    return { end, text: 'attribute' in alias ? attributeText(alias.attribute) : typeText(alias.type) }
  }
}
