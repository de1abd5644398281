import type { Attribute } from '../ir/attributes.ts'
import { attributeText } from '../ir/attributes.ts'
import { type DType, dtypeFromText, dtypes, integerRange, isInteger } from '../ir/dtypes.ts'
import { DYNAMIC, type Quantization, type TensorType, type Type, tokenType, typeText } from '../ir/types.ts'
import { Lexer, isDigit, isSpace, token } from './lex.ts'

/** Types and attributes inside each other; deeper text is refused before it can exhaust the stack. */
const deepestNesting = 1000
/** Characters of a tensor type that is remembered. */
const longestKnown = 200
/** Parts (an element, a bracket) that a text may have beyond its own length, with its aliases written out. */
const mostParts = 10_000_000

/** What follows `tensor<2x3x`. */
type ElementType =
  | { readonly kind: 'plain'; readonly dtype: DType }
  | { readonly kind: 'quantized'; readonly dtype: DType; readonly quantization: Quantization }
  | { readonly kind: 'foreign' }

/** Types. Those of other dialects are kept as their text. */
export abstract class TypeParser extends Lexer {
  /** `!name = type` */
  protected readonly typeAliases = new Map<string, { readonly type: Type; readonly size: number }>()
  /** `#name = attribute` */
  protected readonly attributeAliases = new Map<string, { readonly attribute: Attribute; readonly size: number }>()
  /** Types by their text: the same few stand everywhere in a program. */
  readonly #tensors = new Map<string, TensorType | Type>()
  #nesting = 0
  /** Parts read so far, with those that aliases stand for. */
  protected parts = 0

  abstract attribute(): Attribute

  /** A type, of any kind. */
  type(): Type {
    switch (this.kind) {
      case token.word:
        if (this.peek('tensor')) return this.#tensor()
        if (this.peek('tuple')) return this.#tuple()
        return this.#builtinType()
      case token.bang:
        return this.#dialectType()
      case token.punctuation:
        if (this.peek('(')) return this.#functionTypeAsText()
    }
    return this.error('expected non-function type')
  }

  /** `(a, b) -> c`, `(a) -> (b, c)` */
  functionType(): { inputs: Type[]; outputs: Type[] } {
    const inputs = this.#typeList()
    if (!this.accept('->')) this.error(`expected '->' in function type`)
    const outputs = this.peek('(') ? this.#typeList() : [this.type()]
    return { inputs, outputs }
  }

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

  #typeList(): Type[] {
    this.expect('(')
    const types: Type[] = []
    if (this.accept(')')) return types
    do types.push(this.type())
    while (this.accept(','))
    this.expect(')')
    return types
  }

  #functionTypeAsText(): Type {
    this.enter()
    const { inputs, outputs } = this.functionType()
    this.leave()
    const right = outputs.length === 1 ? typeText(outputs[0]) : `(${outputs.map(typeText).join(', ')})`
    return { kind: 'opaque', text: `(${inputs.map(typeText).join(', ')}) -> ${right}` }
  }

  #tuple(): Type {
    this.advance()
    this.enter()
    const elements = this.#typeArguments('a tuple type')
    this.leave()
    return { kind: 'tuple', elements }
  }

  /** `<a, b>` */
  #typeArguments(what: string): Type[] {
    this.expect('<')
    const types: Type[] = []
    if (this.accept('>')) return types
    do types.push(this.type())
    while (this.accept(','))
    this.expect('>', `to close ${what}`)
    return types
  }

  /** `i32`, `index`, `memref<...>`: not types of StableHLO values, kept as text. */
  #builtinType(): Type {
    const text = this.tokenText()
    if (isScalarType(text)) {
      this.advance()
      return { kind: 'opaque', text }
    }
    if (!/^(?:complex|vector|memref)$/.test(text)) this.error(`expected non-function type`)
    if (this.text.charCodeAt(this.end) !== 60) this.errorAt(this.end, `expected '<' in ${text} type`)
    return { kind: 'opaque', text: text + this.delimitedText(this.end) }
  }

  #dialectType(): Type {
    const name = this.tokenText().slice(1)
    const angle = this.text.charCodeAt(this.end) === 60
    if (!angle && !name.includes('.')) {
      const alias = this.typeAliases.get(name)
      if (!alias) return this.errorAt(this.start, `undefined symbol alias id '${name}': no !${name} = ... stands before this`)
      this.countParts(alias.size)
      this.advance()
      return alias.type
    }
    if (name === 'stablehlo.token') {
      this.advance()
      return tokenType
    }
    if (name === 'stablehlo.future') return this.#future()
    const body = angle ? this.delimitedText(this.end) : (this.advance(), '')
    return { kind: 'opaque', text: `!${name}${body}` }
  }

  #future(): Type {
    const at = this.start
    this.advance()
    const elements = this.nested(() => this.#typeArguments('a future type'))
    for (const element of elements)
      if (element.kind !== 'tensor' || element.unranked)
        this.errorAt(at, `future element type must be a ranked tensor, but got '${typeText(element)}'`)
    return { kind: 'future', elements }
  }

  #tensor(): Type {
    const { start, text } = this
    // Most types have been seen before: find the end without reading, and look the text up.
    let i = this.end
    let depth = 0
    for (;;) {
      const c = text.charCodeAt(i)
      if (c === 60) depth++
      else if (c === 62 && text.charCodeAt(i - 1) !== 45) depth--
      // Strings, long types and the end of the text (NaN): the reading proper deals with them.
      else if (c === 34 || !(c >= 0) || i > start + longestKnown) break
      i++
      if (depth === 0) break
    }
    const key = text.slice(start, i)
    const known = depth === 0 ? this.#tensors.get(key) : undefined
    if (known) {
      this.restart(i)
      return known
    }
    const type = this.#readTensor()
    if (this.previousEnd === i) this.#tensors.set(key, type)
    return type
  }

  #readTensor(): Type {
    const { start, text } = this
    const opening = this.skipSpace(this.end)
    if (text.charCodeAt(opening) !== 60) this.errorAt(this.end, `expected '<' in a tensor type`)
    const { shape, unranked, next } = this.#dimensions(opening + 1)
    this.restart(next)
    const element = this.#element()
    let type: TensorType | undefined
    if (element.kind !== 'foreign')
      type = {
        kind: 'tensor',
        dtype: element.dtype,
        shape,
        ...(element.kind === 'quantized' && { quantization: element.quantization }),
        ...(unranked && { unranked }),
      }
    if (this.accept(',')) {
      this.enter()
      const encoding = this.#encoding(shape)
      this.leave()
      if (type) type = { ...type, ...encoding }
    }
    if (!this.peek('>')) this.error(`expected '>' to close a tensor type`)
    const end = this.end
    this.advance()
    return type ?? { kind: 'opaque', text: singleSpaced(text.slice(start, end)) }
  }

  /** `2x?x`, `*x` */
  #dimensions(from: number): { shape: number[]; unranked: boolean; next: number } {
    const { text } = this
    const shape: number[] = []
    let unranked = false
    let i = from
    const times = (): void => {
      i = this.skipSpace(i)
      if (text.charCodeAt(i) !== 120) this.errorAt(i, `expected 'x' in dimension list`)
      i++
    }
    for (;;) {
      i = this.skipSpace(i)
      const c = text.charCodeAt(i)
      if (isDigit(c)) {
        const begin = i
        let size = 0
        for (; isDigit(text.charCodeAt(i)); i++) size = size * 10 + text.charCodeAt(i) - 48
        if (!Number.isSafeInteger(size)) this.errorAt(begin, 'dimension size is too large')
        shape.push(size)
        times()
      } else if (c === 63) {
        i++
        shape.push(DYNAMIC)
        times()
      } else if (c === 42 && shape.length === 0 && !unranked) {
        i++
        unranked = true
        times()
        return { shape, unranked, next: i }
      } else return { shape, unranked, next: i }
    }
  }

  #element(): ElementType {
    const text = this.tokenText()
    if (this.kind === token.word) {
      if (text === 'complex') return this.#complexElement()
      const dtype = dtypeFromText(text)
      if (dtype) {
        this.advance()
        return { kind: 'plain', dtype }
      }
      this.#builtinType()
      return { kind: 'foreign' }
    }
    if (this.kind !== token.bang) return this.error('expected an element type such as f32')
    if (text === '!quant.uniform' && this.text.charCodeAt(this.end) === 60) return this.#quantized()
    const type = this.#dialectType()
    if (type.kind === 'opaque') {
      const storage = dtypeFromText(type.text)
      if (storage) return { kind: 'plain', dtype: storage }
      // An alias of a quantized type: read the text that it stands for.
      if (type.text.startsWith('!quant.uniform<')) return new ElementReader(type.text, this.file, (a) => a.#quantized()).element
    }
    return { kind: 'foreign' }
  }

  #complexElement(): ElementType {
    this.advance()
    this.expect('<')
    const at = this.start
    const dtype = dtypeFromText(`complex<${this.tokenText()}>`)
    if (!dtype) return this.errorAt(at, 'expected f32 or f64 in a complex type')
    this.advance()
    this.expect('>', 'to close a complex type')
    return { kind: 'plain', dtype }
  }

  /** `!quant.uniform<i8<-128:127>:f32:0, {0.1:-3, 0.2}>` */
  #quantized(): ElementType {
    this.advance()
    this.expect('<')
    const storage = this.#quantizedDType('a storage type such as i8', isInteger)
    const range = this.accept('<') ? this.#storageRange(storage) : undefined
    this.expect(':')
    const expressed = this.#quantizedDType('an expressed type such as f32', (dtype) => dtypes[dtype].kind === 'float')
    let axis: number | undefined
    let blocks: { axis: number; size: number }[] | undefined
    if (this.accept(':')) {
      if (this.peek('{')) blocks = this.#blocks()
      else axis = this.smallInteger('an axis')
    }
    this.expect(',')
    const scales: number[] = []
    const zeroPoints: bigint[] = []
    const scaleShape: number[] = []
    this.#scales(0, scales, zeroPoints, scaleShape)
    this.expect('>', 'to close a quantized type')
    const quantization: Quantization = {
      expressed,
      ...(range && { storageMin: range[0], storageMax: range[1] }),
      scales,
      zeroPoints,
      ...(axis !== undefined && { axis }),
      ...(blocks && { blocks, scaleShape }),
    }
    return { kind: 'quantized', dtype: storage, quantization }
  }

  #quantizedDType(expected: string, fits: (dtype: DType) => boolean): DType {
    const dtype = this.kind === token.word ? dtypeFromText(this.tokenText().replace(/^u(?=\d)/, 'ui')) : undefined
    if (!dtype || !fits(dtype)) return this.error(`expected ${expected}`)
    this.advance()
    return dtype
  }

  /** `-128:127>`; undefined if it is what the storage type has anyway. */
  #storageRange(storage: DType): [bigint, bigint] | undefined {
    const low = this.integer()
    this.expect(':')
    const high = this.integer()
    this.expect('>')
    const { min, max } = integerRange(storage)
    return low === min && high === max ? undefined : [low, high]
  }

  #blocks(): { axis: number; size: number }[] {
    const blocks: { axis: number; size: number }[] = []
    this.expect('{')
    do {
      const axis = this.smallInteger('an axis')
      this.expect(':')
      blocks.push({ axis, size: this.smallInteger('a block size') })
    } while (this.accept(','))
    this.expect('}')
    return blocks
  }

  /** `0.1:-3`, or several of them nested in braces as `shape` then says. */
  #scales(depth: number, scales: number[], zeroPoints: bigint[], shape: number[]): void {
    if (!this.accept('{')) {
      if (depth !== shape.length) this.error(`expected '{': the scales are nested unevenly`)
      const negative = this.accept('-')
      if (this.kind !== token.float && this.kind !== token.integer) this.error('expected a scale')
      const scale = Number(this.tokenText())
      this.advance()
      scales.push(negative ? -scale : scale)
      zeroPoints.push(this.accept(':') ? this.integer() : 0n)
      return
    }
    const first = shape.length === depth
    if (first) {
      // A level below an element that has none.
      if (scales.length > 0) this.error('expected a scale: the scales are nested unevenly')
      shape.push(-1)
    }
    let count = 0
    this.nested(() => {
      do {
        this.#scales(depth + 1, scales, zeroPoints, shape)
        count++
      } while (this.accept(','))
      this.expect('}')
    })
    if (shape[depth] < 0) shape[depth] = count
    else if (shape[depth] !== count) this.error(`expected ${shape[depth]} scales in each of the braces`)
  }

  /** What stands after the element type: bounds of dynamic dimensions, or an attribute kept as text. */
  #encoding(shape: readonly number[]): Pick<TensorType, 'bounds' | 'encoding'> {
    const at = this.start
    const attribute = this.attribute()
    const text = attributeText(attribute)
    const list = /^#stablehlo\.(?:bounds<([^<>]*)>|type_extensions<\s*bounds\s*=\s*\[([^\]]*)\]\s*>)$/.exec(text)
    if (!list) return { encoding: text }
    const items = (list[1] ?? list[2]).split(',').map((item) => item.trim())
    const bounds = items.length === 1 && items[0] === '' ? [] : items.map((item) => this.#bound(item, at))
    if (bounds.length !== shape.length)
      this.errorAt(at, `Bounds length is ${bounds.length}, expected to be equal to rank(${shape.length}) of the tensor`)
    bounds.forEach((bound, axis) => {
      if (bound !== DYNAMIC && shape[axis] !== DYNAMIC)
        this.errorAt(at, `Static dimension ${axis} cannot have a bound, use ShapedType::kDynamic to indicate a missing bound`)
    })
    return bounds.some((bound) => bound !== DYNAMIC) ? { bounds } : {}
  }

  #bound(item: string, at: number): number {
    if (item === '?') return DYNAMIC
    const bound = /^-?\d+$/.test(item) ? Number(item) : NaN
    return Number.isSafeInteger(bound) ? Math.max(bound, DYNAMIC) : this.errorAt(at, `expected '?' or a size in bounds`)
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
        if (text.charCodeAt(i + 1) !== 61) closers.push(62)
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

/** Digits of an integer literal; the time to read one grows faster than its length. */
const longestInteger = 1000

/** Reads an element type from a text of its own. */
class ElementReader extends TypeParser {
  readonly element: ElementType
  constructor(text: string, file: string, read: (reader: TypeParser) => ElementType) {
    super(text, file)
    this.element = read(this)
  }
  attribute(): Attribute {
    return this.error('expected a type')
  }
}

/** `i32`, `si8`, `f80`, `index`: types without arguments that are no tensors. */
export const isScalarType = (text: string): boolean =>
  /^(?:[su]?i\d{1,8}|index|none|f80|f128|tf32)$/.test(text) || dtypeFromText(text) !== undefined

/** Text with every run of space made one blank. */
export const singleSpaced = (text: string): string => text.replace(/\/\/[^\n]*/g, ' ').replace(/\s+/g, ' ')
