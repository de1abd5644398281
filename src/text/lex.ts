import { ParseError, type RelatedPlace, type SourceText } from './parse-error.ts'

/**
 * Reads StableHLO text token by token. It works on character codes and keeps the current token only, so that reading is linear
 * and needs no memory of its own; long strings are found with `indexOf`. Types and dense constants read the characters
 * themselves and come back with `restart`.
 */
export const token = {
  end: 0,
  /** `stablehlo.add`, `dense`, `x` */
  word: 1,
  /** `12`, `0xFF` */
  integer: 2,
  /** `1.5e-3` */
  float: 3,
  string: 4,
  /** `%name` */
  value: 5,
  /** `@name`, `@"name"` */
  symbol: 6,
  /** `#name` */
  hash: 7,
  /** `!name` */
  bang: 8,
  /** `^name` */
  label: 9,
  punctuation: 10,
} as const
export type TokenKind = (typeof token)[keyof typeof token]

const LETTER = 1
const DIGIT = 2
const HEX = 4
/** `$` and `.`, inside words. */
const INNER = 8
/** `-`, inside the names of values, labels and aliases. */
const DASH = 16
const WORD = LETTER | DIGIT | INNER
const SUFFIX = WORD | DASH

const charClass = new Uint8Array(128)
for (let c = 0; c < 128; c++) {
  const letter = (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95
  const digit = c >= 48 && c <= 57
  const hex = digit || (c >= 97 && c <= 102) || (c >= 65 && c <= 70)
  charClass[c] = (letter ? LETTER : 0) | (digit ? DIGIT : 0) | (hex ? HEX : 0) | (c === 36 || c === 46 ? INNER : 0) | (c === 45 ? DASH : 0)
}
/** Whether a character code is in one of the classes; false past the end of the text (NaN). */
const isIn = (c: number, classes: number): boolean => c < 128 && (charClass[c] & classes) !== 0

export const isDigit = (c: number): boolean => c >= 48 && c <= 57
export const isSpace = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9

/** The next place of a character, remembered, so that asking all along a text costs one pass over it. */
class Occurrences {
  readonly #text: string
  readonly #character: string
  /** There is none from `#from` to `#at`, which is the next or the end of the text. */
  #from = 0
  #at = -1

  constructor(text: string, character: string) {
    this.#text = text
    this.#character = character
  }

  next(from: number): number {
    if (from > this.#at) {
      const found = this.#text.indexOf(this.#character, from)
      this.#from = from
      this.#at = found < 0 ? this.#text.length : found
    } else if (from < this.#from) {
      // Back over a few characters that are read again.
      for (let i = from; i < this.#from; i++) if (this.#text[i] === this.#character) return i
      this.#from = from
    }
    return this.#at
  }
}

export class Lexer implements SourceText {
  readonly text: string
  readonly file: string
  protected kind: TokenKind = token.end
  /** The current token is `text.slice(start, end)`. */
  protected start = 0
  protected end = 0
  /** Where the token before ended. */
  protected previousEnd = 0
  readonly #backslashes: Occurrences
  readonly #newlines: Occurrences

  constructor(text: string, file: string) {
    this.text = text
    this.file = file
    this.#backslashes = new Occurrences(text, '\\')
    this.#newlines = new Occurrences(text, '\n')
    this.end = text.charCodeAt(0) === 0xfeff ? 1 : 0
    this.advance()
  }

  /** Goes to the next token. */
  protected advance(): void {
    this.previousEnd = this.end
    const { text } = this
    const start = this.skipSpace(this.end)
    this.start = start
    const c = text.charCodeAt(start)
    if (isIn(c, LETTER)) {
      this.kind = token.word
      this.end = this.#run(start + 1, WORD)
      return
    }
    switch (c) {
      case 37: // %
        return this.#sigil(token.value, 'a value')
      case 35: // #
        if (text.startsWith('-}', start + 1)) return this.#punctuation(3)
        return this.#sigil(token.hash, 'an attribute')
      case 33: // !
        return this.#sigil(token.bang, 'a type')
      case 94: // ^
        return this.#sigil(token.label, 'a block')
      case 34: // "
        this.kind = token.string
        this.end = this.stringEnd(start)
        return
      case 64: // @
        return this.#symbol()
      case 45: // -
        return this.#punctuation(text.charCodeAt(start + 1) === 62 ? 2 : 1)
      case 58: // :
        return this.#punctuation(text.charCodeAt(start + 1) === 58 ? 2 : 1)
      case 123: // {
        return this.#punctuation(text.startsWith('-#', start + 1) ? 3 : 1)
      case 40: // (
      case 41:
      case 42: // *
      case 43: // +
      case 44: // ,
      case 47: // /
      case 59: // ;
      case 60: // <
      case 61: // =
      case 62: // >
      case 63: // ?
      case 91: // [
      case 93:
      case 124: // |
      case 125: // }
        return this.#punctuation(1)
    }
    if (isDigit(c)) return this.#number()
    this.kind = token.end
    this.end = start
    if (start < text.length) this.errorAt(start, `unexpected character ${JSON.stringify(String.fromCodePoint(text.codePointAt(start)!))}`)
  }

  /** Goes to the token at or after `offset`. */
  protected restart(offset: number): void {
    this.end = offset
    this.advance()
  }

  /** The first place at or after `offset` that is neither space nor comment. */
  protected skipSpace(offset: number): number {
    const { text } = this
    let i = offset
    for (;;) {
      const c = text.charCodeAt(i)
      if (c === 32 || c === 10 || c === 13 || c === 9) i++
      else if (c === 47 && text.charCodeAt(i + 1) === 47) i = this.lineEnd(i)
      else return i
    }
  }

  /** Where the line of `offset` ends. */
  protected lineEnd(offset: number): number {
    const end = this.text.indexOf('\n', offset)
    return end < 0 ? this.text.length : end
  }

  /** The place after the string literal that begins at `offset`. */
  protected stringEnd(offset: number): number {
    const { text } = this
    let from = offset + 1
    const newline = this.#newlines.next(from)
    for (;;) {
      const quote = text.indexOf('"', from)
      if (quote < 0 || quote > newline) this.errorAt(offset, `expected '"' to end this string on its line`)
      const backslash = this.#backslashes.next(from)
      if (quote < backslash) return quote + 1
      from = backslash + 2
    }
  }

  protected tokenText(): string {
    return this.text.slice(this.start, this.end)
  }

  /** Whether the current token is this punctuation or word; a lone `%`, `@`, `#`, `!`, `^` or `"` stands for any token of that kind. */
  peek(expected: string): boolean {
    const { kind, start } = this
    if (kind === token.end) return false
    if (this.end - start === expected.length) return this.text.startsWith(expected, start)
    return expected.length === 1 && kind >= token.string && kind !== token.punctuation && this.text.startsWith(expected, start)
  }

  /** Consumes the token if it is this punctuation or word. */
  accept(expected: string): boolean {
    if (this.end - this.start !== expected.length || !this.text.startsWith(expected, this.start) || this.kind === token.end) return false
    this.advance()
    return true
  }

  /** Consumes this punctuation or word. `purpose` ends the message: `to close a tensor type`. */
  expect(expected: string, purpose?: string): void {
    if (!this.accept(expected)) this.error(`expected '${expected}'${purpose ? ` ${purpose}` : ''}`)
  }

  /** Fails at the current token, or behind the token before if that stands on an earlier line: what is missing belongs there. */
  protected error(message: string, related?: readonly RelatedPlace[]): never {
    this.errorAt(this.errorOffset(), message, related)
  }

  protected errorOffset(): number {
    const newline = this.text.indexOf('\n', this.previousEnd)
    return this.kind === token.end || (newline >= 0 && newline < this.start) ? this.previousEnd : this.start
  }

  protected errorAt(offset: number, message: string, related?: readonly RelatedPlace[], cause?: unknown): never {
    throw new ParseError(this, offset, message, related, cause)
  }

  #run(from: number, classes: number): number {
    const { text } = this
    let i = from
    // Written out, because this loop sees every character of a name: also before the engine has compiled it.
    let c = text.charCodeAt(i)
    while (c < 128 && (charClass[c] & classes) !== 0) c = text.charCodeAt(++i)
    return i
  }

  #punctuation(length: number): void {
    this.kind = token.punctuation
    this.end = this.start + length
  }

  /** `%12`, `%name`: digits only, or a name. */
  #sigil(kind: TokenKind, what: string): void {
    const { start, text } = this
    this.kind = kind
    const c = text.charCodeAt(start + 1)
    this.end = isDigit(c) ? this.#run(start + 1, DIGIT) : this.#run(start + 1, SUFFIX)
    if (this.end === start + 1) this.errorAt(start, `expected the name of ${what} after '${text[start]}'`)
  }

  #symbol(): void {
    const { start, text } = this
    this.kind = token.symbol
    const c = text.charCodeAt(start + 1)
    if (c === 34) this.end = this.stringEnd(start + 1)
    else if (isIn(c, LETTER)) this.end = this.#run(start + 2, WORD)
    else this.errorAt(start, `expected a name after '@'`)
  }

  #number(): void {
    const { start, text } = this
    this.kind = token.integer
    if (text.charCodeAt(start) === 48 && text.charCodeAt(start + 1) === 120 && isIn(text.charCodeAt(start + 2), HEX)) {
      this.end = this.#run(start + 3, HEX)
      return
    }
    let i = this.#run(start + 1, DIGIT)
    if (text.charCodeAt(i) === 46) {
      this.kind = token.float
      i = this.#run(i + 1, DIGIT)
      const e = text.charCodeAt(i)
      if (e === 101 || e === 69) {
        const sign = text.charCodeAt(i + 1)
        const digits = sign === 43 || sign === 45 ? i + 2 : i + 1
        if (isDigit(text.charCodeAt(digits))) i = this.#run(digits, DIGIT)
      }
    }
    this.end = i
  }
}
