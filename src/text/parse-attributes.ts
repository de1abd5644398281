import { type Attribute, unitAttribute } from '../ir/attributes.ts'
import { type DType, dtypeFromText, dtypes } from '../ir/dtypes.ts'
import { f64FromBits, floatFromBits, roundFloat } from '../ir/float-bits.ts'
import { typeText } from '../ir/types.ts'
import { token } from './lex.ts'
import { readDense } from './parse-dense.ts'
import { isScalarType, TypeParser } from './parse-types.ts'

/** Attributes. Those of dialects are kept as their text; the codecs of the ops give them meaning. */
export abstract class AttributeParser extends TypeParser {
  attribute(): Attribute {
    this.parts++
    switch (this.kind) {
      case token.string:
        return { kind: 'string', value: this.string() }
      case token.integer:
      case token.float:
        return this.#number()
      case token.symbol:
        return this.#symbolReference()
      case token.hash:
        return this.#hash()
      case token.bang:
        return { kind: 'type', type: this.type() }
      case token.word:
        return this.#word()
      case token.punctuation:
        if (this.peek('[')) return this.#array()
        if (this.peek('{')) return { kind: 'dictionary', entries: this.dictionary() }
        if (this.peek('-')) return this.#number()
        if (this.peek('(')) return { kind: 'type', type: this.type() }
    }
    return this.error('expected attribute value')
  }

  #array(): Attribute {
    const elements: Attribute[] = []
    this.enter()
    this.expect('[')
    if (!this.accept(']')) {
      do elements.push(this.attribute())
      while (this.accept(','))
      this.expect(']')
    }
    this.leave()
    return { kind: 'array', elements }
  }

  /** `{name = value, flag}` */
  protected dictionary(): Record<string, Attribute> {
    const entries: Record<string, Attribute> = {}
    this.enter()
    this.expect('{')
    while (!this.peek('}')) {
      const at = this.start
      const name = this.kind === token.string ? this.string() : this.kind === token.word ? this.#takeWord() : this.error('expected attribute name')
      if (Object.hasOwn(entries, name)) this.errorAt(at, `duplicate key '${name}' in dictionary attribute`)
      const value = this.accept('=') ? this.attribute() : unitAttribute
      if (name === '__proto__') Object.defineProperty(entries, name, { value, enumerable: true, configurable: true, writable: true })
      else entries[name] = value
      if (!this.accept(',')) break
    }
    this.expect('}')
    this.leave()
    return entries
  }

  /** Items between brackets, separated by commas. */
  protected list<T>(opening: string, closing: string, item: () => T): T[] {
    this.expect(opening)
    const items: T[] = []
    if (this.accept(closing)) return items
    do items.push(item())
    while (this.accept(','))
    this.expect(closing)
    return items
  }

  /** The value of a string literal. Bytes that are no UTF-8 become lone surrogates U+DC80 to U+DCFF, which `quote` writes back. */
  string(): string {
    if (this.kind !== token.string) this.fail('expected string')
    const value = unescape(this.text.slice(this.start + 1, this.end - 1), (index) => this.errorAt(this.start + 1 + index, 'unknown escape in string literal'))
    this.advance()
    return value
  }

  /** The name after `@`. */
  symbol(): string {
    if (this.kind !== token.symbol) this.fail('expected a symbol such as @main')
    const text = this.text.slice(this.start + 1, this.end)
    const name = text.startsWith('"') ? unescape(text.slice(1, -1), (index) => this.errorAt(this.start + 2 + index, 'unknown escape in symbol')) : text
    this.advance()
    return name
  }

  #takeWord(): string {
    const text = this.tokenText()
    this.advance()
    return text
  }

  #symbolReference(): Attribute {
    const { start } = this
    const name = this.symbol()
    if (!this.peek('::')) return { kind: 'symbol', name }
    let end = this.previousEnd
    while (this.accept('::')) {
      this.symbol()
      end = this.previousEnd
    }
    return { kind: 'dialect', text: this.text.slice(start, end).replace(/\s+/g, '') }
  }

  #hash(): Attribute {
    const at = this.start
    const name = this.text.slice(at + 1, this.end)
    const angle = this.text.charCodeAt(this.end) === 60
    if (!angle && !name.includes('.')) {
      const alias = this.attributeAliases.get(name)
      if (!alias) return this.errorAt(at, `undefined symbol alias id '${name}': no #${name} = ... stands before this`)
      this.countParts(alias.size)
      this.advance()
      return alias.attribute
    }
    if (!angle) {
      this.advance()
      return { kind: 'dialect', text: `#${name}` }
    }
    const opening = this.end
    const text = `#${name}${this.delimitedText(opening)}`
    this.checkDialectAttribute(name, opening)
    return { kind: 'dialect', text }
  }

  /** Errors in the struct attributes of StableHLO are reported where they are, also when no op reads them. */
  protected abstract checkDialectAttribute(name: string, opening: number): void

  #word(): Attribute {
    switch (this.tokenText()) {
      case 'true':
        this.advance()
        return { kind: 'bool', value: true }
      case 'false':
        this.advance()
        return { kind: 'bool', value: false }
      case 'unit':
        this.advance()
        return unitAttribute
      case 'dense':
        return this.#dense()
      case 'array':
        return this.#denseArray()
      case 'sparse':
      case 'dense_resource': {
        const { start } = this
        return this.#typedText(this.tokenText() + this.#arguments(), start)
      }
      case 'affine_map':
      case 'affine_set':
      case 'strided':
      case 'opaque':
      case 'loc':
        return { kind: 'dialect', text: this.tokenText() + this.#arguments() }
      case 'distinct': {
        const head = this.tokenText() + this.#arguments()
        return { kind: 'dialect', text: this.peek('<') ? head + this.delimitedText(this.start) : head }
      }
    }
    return { kind: 'type', type: this.type() }
  }

  /** What stands in brackets right after the current word. */
  #arguments(): string {
    const opening = this.skipSpace(this.end)
    const c = this.text.charCodeAt(opening)
    if (c !== 60 && c !== 40 && c !== 91) this.errorAt(this.end, `expected '<' after ${this.tokenText()}`)
    return this.delimitedText(opening)
  }

  /** Elements that are not read here, with the type after them. */
  #typedText(body: string, at: number): Attribute {
    if (!this.accept(':')) this.errorAt(at, `expected ':' and a type after these elements`)
    return { kind: 'dialect', text: `${body} : ${typeText(this.type())}` }
  }

  /** `1`, `-2 : i32`, `0x7F800000 : f32`, `1.5` */
  #number(): Attribute {
    const at = this.start
    const negative = this.accept('-')
    if (this.kind !== token.integer && this.kind !== token.float) return this.error('expected attribute value')
    const isFloat = this.kind === token.float
    const text = this.tokenText()
    if (text.length > 1000) this.error('number is too long')
    this.advance()
    const type = this.accept(':') ? this.#numberType(isFloat) : isFloat ? 'f64' : 'i64'
    const dtype = dtypeFromText(type)
    if (isFloat) return { kind: 'float', value: roundTo(dtype, Number(negative ? `-${text}` : text)), type }
    const value = negative ? -BigInt(text) : BigInt(text)
    if (dtype && dtypes[dtype].kind === 'float') return this.#hexFloat(text, value, dtype, at)
    if (type === 'i1' && (value === 0n || value === 1n || value === -1n)) return { kind: 'integer', value: value === 0n ? 0n : 1n, type }
    const width = /^([su]?)i(\d+)$/.exec(type)
    if (width || type === 'index') {
      const high = 1n << BigInt(width ? Math.min(Number(width[2]), 4096) : 64)
      const [min, max] = width?.[1] === 'u' ? [0n, high] : width?.[1] === 's' ? [-high / 2n, high / 2n] : [-high / 2n, high]
      if (value < min || value >= max) this.errorAt(at, 'integer constant out of range for attribute')
      // `255 : i8` and `-1 : i8` are the same bits; the text has the signed one.
      return { kind: 'integer', value: width?.[1] ? value : BigInt.asIntN(width ? Number(width[2]) : 64, value), type }
    }
    return this.errorAt(at, `integer literal not valid for specified type ${type}`)
  }

  #numberType(isFloat: boolean): string {
    const text = this.tokenText()
    const dtype = dtypeFromText(text)
    if (this.kind !== token.word || !isScalarType(text)) return this.error(`expected a ${isFloat ? 'float' : 'number'} type`)
    if (isFloat && !(dtype && dtypes[dtype].kind === 'float') && !/^f\d/.test(text)) this.error(`floating point value not valid for specified type ${text}`)
    this.advance()
    return text
  }

  #hexFloat(text: string, pattern: bigint, dtype: DType, at: number): Attribute {
    const { bits, text: type } = dtypes[dtype]
    if (!text.startsWith('0x')) this.errorAt(at, 'integer literal not valid for specified type; write a decimal point')
    if (pattern < 0n || pattern >> BigInt(bits)) this.errorAt(at, `hexadecimal float has more than the ${bits} bits of ${type}`)
    const value = bits === 64 ? f64FromBits(pattern) : floatFromBits(dtype, Number(pattern))
    return { kind: 'float', value, type, hex: text }
  }

  /** `dense<...> : tensor<...>`. The type stands behind the elements, so these are found first and read after it. */
  #dense(): Attribute {
    const at = this.start
    const opening = this.skipSpace(this.end)
    const { text } = this
    if (text.charCodeAt(opening) !== 60) this.errorAt(this.end, `expected '<' after dense`)
    const start = this.skipSpace(opening + 1)
    let close: number
    if (text.charCodeAt(start) === 34) close = this.skipSpace(this.stringEnd(start))
    else {
      close = this.#elementsEnd(start)
      if (close < 0) this.errorAt(opening, `expected '>' to close dense<`)
    }
    if (text.charCodeAt(close) !== 62) this.errorAt(close, `expected '>' after the elements`)
    let end = close
    while (end > start && isSpaceBefore(text, end)) end--
    this.restart(close + 1)
    this.expect(':', 'and a tensor type after dense<...>')
    const typeAt = this.start
    const type = this.type()
    if (type.kind === 'tensor' && !type.quantization)
      return { kind: 'dense', value: readDense({ text, start, end, errorAt: (offset, message) => this.errorAt(offset, message) }, type) }
    if (type.kind === 'tensor') this.errorAt(typeAt, 'elements of a quantized type are written in its storage type')
    if (type.kind !== 'opaque' || !/^(?:tensor|vector)</.test(type.text)) this.errorAt(typeAt, 'elements literal must be a shaped type')
    return { kind: 'dialect', text: this.text.slice(at, this.previousEnd) }
  }

  /** The '>' after a list; strings may stand in it. */
  #elementsEnd(start: number): number {
    const { text } = this
    for (let i = start; ; i++) {
      const c = text.charCodeAt(i)
      if (c === 62) return i
      if (c === 34) i = this.stringEnd(i) - 1
      else if (c === 47 && text.charCodeAt(i + 1) === 47) i = this.lineEnd(i)
      // No element begins with these: the '>' is missing.
      else if (!(c >= 0) || c === 123 || c === 125 || c === 37) return -1
    }
  }

  /** `array<i64: 1, 2>` */
  #denseArray(): Attribute {
    this.advance()
    this.expect('<')
    const elementType = this.tokenText()
    const dtype = this.kind === token.word ? dtypeFromText(elementType) : undefined
    const info = dtype && dtypes[dtype]
    if (!dtype || !info || info.kind === 'complex') return this.error(`expected an integer or float element type after 'array<'`)
    this.advance()
    const elements: (bigint | number | boolean)[] = []
    if (this.accept(':')) {
      do {
        if (info.kind === 'bool') elements.push(this.#boolean())
        else if (info.kind === 'float') {
          const at = this.start
          const value = this.#number()
          elements.push(value.kind === 'float' ? roundTo(dtype, value.value) : this.errorAt(at, 'expected a floating-point number'))
        } else {
          const at = this.start
          const value = this.integer()
          const high = 1n << BigInt(info.bits)
          if (value >= high || value < -(high / 2n)) this.errorAt(at, `integer constant out of range for ${elementType}`)
          elements.push(info.kind === 'signed' ? BigInt.asIntN(info.bits, value) : value)
        }
      } while (this.accept(','))
    }
    this.expect('>', 'to close an array')
    return { kind: 'denseArray', elementType, elements }
  }

  #boolean(): boolean {
    if (this.accept('true')) return true
    if (this.accept('false')) return false
    const at = this.start
    const value = this.integer()
    return value === 1n || value === -1n ? true : value === 0n ? false : this.errorAt(at, 'expected true or false')
  }
}

const roundTo = (dtype: DType | undefined, value: number): number => (dtype && dtypes[dtype].kind === 'float' ? roundFloat(dtype, value) : value)

const isSpaceBefore = (text: string, end: number): boolean => text.charCodeAt(end - 1) <= 32

/** The text of a literal between its quotes. */
function unescape(raw: string, fail: (index: number) => never): string {
  if (!raw.includes('\\')) return raw
  const parts: Uint8Array[] = []
  let from = 0
  for (let i = raw.indexOf('\\'); i >= 0; i = raw.indexOf('\\', from)) {
    if (i > from) parts.push(Buffer.from(raw.slice(from, i), 'utf8'))
    const code = raw.slice(i + 1, i + 3)
    const simple = simpleEscapes[code[0]]
    if (simple !== undefined) {
      parts.push(Uint8Array.of(simple))
      from = i + 2
    } else if (/^[0-9a-fA-F]{2}$/.test(code)) {
      parts.push(Uint8Array.of(parseInt(code, 16)))
      from = i + 3
    } else fail(i)
  }
  parts.push(Buffer.from(raw.slice(from), 'utf8'))
  return decode(Buffer.concat(parts))
}
const simpleEscapes: Readonly<Record<string, number>> = { '"': 34, '\\': 92, n: 10, t: 9 }

/** UTF-8, with U+DC80 to U+DCFF for the bytes that are none. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!text.includes('\ufffd')) return text
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const b = bytes[i]
    const length = b < 0x80 ? 1 : b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2
    const piece = bytes.subarray(i, i + length)
    const character = piece.toString('utf8')
    if (Buffer.from(character, 'utf8').equals(piece)) {
      out += character
      i += length
    } else {
      out += String.fromCharCode(0xdc00 + b)
      i++
    }
  }
  return out
}
