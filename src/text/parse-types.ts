import { type Attribute, attributeText } from '../ir/attributes.ts'
import { type DType, dtypeFromText } from '../ir/dtypes.ts'
import { DYNAMIC, type TensorType, type Type, tokenType, typeText } from '../ir/types.ts'
import { isDigit, token } from './lex.ts'
import { type QuantizedElement, QuantizedParser } from './parse-quantized.ts'

/** Characters of a tensor type that is remembered. */
const longestKnown = 200

/** What follows `tensor<2x3x`. */
type ElementType =
  | { readonly kind: 'plain'; readonly dtype: DType }
  | QuantizedElement
  | { readonly kind: 'foreign' }

/** Types. Those of other dialects are kept as their text. */
export abstract class TypeParser extends QuantizedParser {
  /** Types by their text: the same few stand everywhere in a program. */
  readonly #tensors = new Map<string, TensorType | Type>()

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
    if (text === '!quant.uniform' && this.text.charCodeAt(this.end) === 60) return this.quantized()
    const type = this.#dialectType()
    if (type.kind === 'opaque') {
      const storage = dtypeFromText(type.text)
      if (storage) return { kind: 'plain', dtype: storage }
      // An alias of a quantized type: read the text that it stands for.
      if (type.text.startsWith('!quant.uniform<')) return new ElementReader(type.text, this.file, (reader) => reader.quantized()).element
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

}

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
