import { DenseElements } from '../ir/dense.ts'
import { type DType, dtypes, elementBytes } from '../ir/dtypes.ts'
import { f64FromBits, floatFromBits, floatToBits, roundFloat } from '../ir/float-bits.ts'
import { HostArray, type HostData, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount, sameShape, tensorType } from '../ir/types.ts'
import { isDigit, isSpace } from './lex.ts'

/** What stands between the angle brackets of `dense<...>`, and where. */
export interface DenseBody {
  readonly text: string
  readonly start: number
  readonly end: number
  errorAt(offset: number, message: string): never
}

/** The value of `dense<...> : type`. It reads the characters themselves: constants are most of a large text. */
export function readDense(body: DenseBody, type: TensorType): DenseElements {
  const { text, start } = body
  const count = elementCount(type.shape)
  if (count < 0 || type.unranked) body.errorAt(start, 'elements literal type must have static shape')
  if (!Number.isSafeInteger(count)) body.errorAt(start, 'the type has more elements than can be counted')
  if (text.charCodeAt(start) === 34) return readHexString(body, type, count)
  if (start === body.end) {
    if (count !== 0) body.errorAt(start, `expected ${count} elements, as the type has`)
    return DenseElements.of(HostArray.zeros(type.dtype, type.shape))
  }
  return new ListReader(body, type, count).read()
}

/** `"0x0000803F..."`: the bytes of all elements, or of one that is repeated. */
function readHexString(body: DenseBody, type: TensorType, count: number): DenseElements {
  const { text, start, end } = body
  const digits = end - start - 4
  if (text.charCodeAt(end - 1) !== 34 || !text.startsWith('0x', start + 1) || digits < 0 || digits % 2)
    body.errorAt(start, 'expected "0x..." with two hexadecimal digits for each byte')
  const bytes = Buffer.from(text.slice(start + 3, end - 1), 'hex')
  // Decoding stops at the first character that is no digit.
  if (bytes.length !== digits / 2) body.errorAt(start + 3 + 2 * bytes.length, 'expected a hexadecimal digit')
  const { dtype } = type
  const size = elementBytes(dtype)
  if (bytes.length === count * size) return fromBytes(type, bytes)
  if (dtype === 'bool' && bytes.length === Math.ceil(count / 8) && !(bytes.length === 1 && isSplatByte(bytes[0])))
    return DenseElements.of(new HostArray(type, Uint8Array.from({ length: count }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1)))
  if (bytes.length === size && count > 0) return DenseElements.splat(type, fromBytes(tensorType(dtype, []), bytes).values)
  return body.errorAt(start, `elements hex data size is invalid: ${bytes.length} bytes, the type takes ${count * size}`)
}

/** As one byte for all of several booleans; every other byte is eight booleans, as older text has them. */
const isSplatByte = (byte: number): boolean => byte === 0 || byte === 1 || byte === 0xff

function fromBytes(type: TensorType, bytes: Uint8Array): DenseElements {
  const dense = DenseElements.fromBytes(tensorType(type.dtype, type.shape), bytes)
  const { kind, bits } = dtypes[type.dtype]
  const { data } = dense.values
  if (kind === 'bool') for (let i = 0; i < data.length; i++) data[i] = data[i] ? 1 : 0
  // Only the low bits of a byte count in types of less than 8 bits.
  if (kind === 'signed' && bits < 8) for (let i = 0; i < data.length; i++) data[i] = ((data[i] as number) << (32 - bits)) >> (32 - bits)
  if (kind === 'unsigned' && bits < 8) for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) & (2 ** bits - 1)
  return dense
}

/** `[[1, 2], [3, 4]]`, or one element for all. */
class ListReader {
  readonly #body: DenseBody
  readonly #type: TensorType
  readonly #count: number
  readonly #data: HostData
  readonly #writer: ElementWriter
  /** Bits of NaNs of narrow floats that their value cannot give back, by place. */
  readonly #odd = new Map<number, number>()
  #at: number

  constructor(body: DenseBody, type: TensorType, count: number) {
    this.#body = body
    this.#type = type
    this.#count = count
    // Each element takes a character at least: a short text cannot ask for much memory.
    const most = Math.min(count, body.end - body.start)
    this.#data = allocate(type.dtype, body.text.charCodeAt(body.start) === 91 ? most : 1)
    this.#writer = elementWriter(type.dtype, this.#data, this.#odd)
    this.#at = body.start
  }

  read(): DenseElements {
    const type = tensorType(this.#type.dtype, this.#type.shape)
    if (this.#body.text.charCodeAt(this.#at) !== 91) {
      this.#element(0)
      if (this.#at !== this.#body.end) this.#fail(`expected '>' after the element`)
      const scalar = new HostArray(tensorType(type.dtype, []), this.#data)
      return type.shape.length ? DenseElements.splat(type, scalar) : DenseElements.of(scalar)
    }
    const shape = this.#list()
    if (!sameShape(shape, type.shape))
      this.#body.errorAt(this.#body.start, `inferred shape of elements literal ([${shape.join(', ')}]) does not match type ([${type.shape.join(', ')}])`)
    const array = new HostArray(type, this.#data)
    if (this.#odd.size === 0) return DenseElements.of(array)
    const bytes = array.toBytes().slice()
    const size = elementBytes(type.dtype)
    for (const [index, pattern] of this.#odd) for (let k = 0; k < size; k++) bytes[index * size + k] = pattern >> (8 * k)
    return DenseElements.fromBytes(type, bytes)
  }

  /** Reads nested brackets without recursion and gives their shape. */
  #list(): number[] {
    const { text, end } = this.#body
    const shape: number[] = []
    const counts: number[] = []
    let leaves = -1
    let next = 0
    // Whether an element or a closed bracket stands right before.
    let after = false
    for (;;) {
      this.#space()
      const c = this.#at < end ? text.charCodeAt(this.#at) : NaN
      if (c === 91 && !after) {
        if (leaves >= 0 && counts.length >= leaves) this.#fail('tensor literal is invalid; ranks are not consistent between elements')
        if (counts.length > 1000) this.#fail('lists are nested more than 1000 deep')
        counts.push(0)
        this.#at++
      } else if (c === 93 && (after || counts[counts.length - 1] === 0)) {
        const depth = counts.length - 1
        const size = counts.pop()!
        if (shape[depth] === undefined) shape[depth] = size
        else if (shape[depth] !== size) this.#fail('tensor literal is invalid; ranks are not consistent between elements')
        this.#at++
        if (depth === 0) break
        counts[depth - 1]++
        after = true
      } else if (c === 44 && after) {
        this.#at++
        after = false
      } else if (after || !(c >= 0)) this.#fail(`expected ',' or ']'`)
      else {
        if (leaves < 0) leaves = counts.length
        else if (leaves !== counts.length) this.#fail('tensor literal is invalid; ranks are not consistent between elements')
        if (next >= this.#count) this.#fail(`expected no more than ${this.#count} elements, as the type has`)
        this.#element(next++)
        counts[leaves - 1]++
        after = true
      }
    }
    this.#space()
    if (this.#at !== end) this.#fail(`expected '>' after the list`)
    // The levels below an empty list are not seen: `[]` for 0x3.
    if (next === 0 && this.#count === 0 && shape.every((size, axis) => size === this.#type.shape[axis])) return [...this.#type.shape]
    return shape
  }

  /** One element, complex or not, into place `index`. */
  #element(index: number): void {
    if (dtypes[this.#type.dtype].kind !== 'complex') return this.#scalar(index)
    this.#punctuation(40, '(')
    this.#space()
    this.#scalar(2 * index)
    this.#space()
    this.#punctuation(44, ',')
    this.#space()
    this.#scalar(2 * index + 1)
    this.#space()
    this.#punctuation(41, ')')
    if (this.#at < this.#body.end) this.#space()
  }

  #scalar(index: number): void {
    const { text, end } = this.#body
    const start = this.#at
    let i = start
    for (; i < end; i++) {
      const c = text.charCodeAt(i)
      if (c === 44 || c === 93 || c === 41 || isSpace(c)) break
    }
    this.#at = i
    const problem = this.#writer(text, start, i, index)
    if (problem) this.#body.errorAt(start, problem)
    if (i < end && isSpace(text.charCodeAt(i))) this.#space()
  }

  #space(): void {
    const { text, end } = this.#body
    while (this.#at < end) {
      const c = text.charCodeAt(this.#at)
      if (isSpace(c)) this.#at++
      else if (c === 47 && text.charCodeAt(this.#at + 1) === 47) {
        const newline = text.indexOf('\n', this.#at)
        this.#at = newline < 0 ? end : newline
      } else return
    }
  }

  #punctuation(code: number, character: string): void {
    if (this.#body.text.charCodeAt(this.#at) !== code) this.#fail(`expected '${character}'`)
    this.#at++
  }

  #fail(message: string): never {
    return this.#body.errorAt(this.#at, message)
  }
}

/** Stores the number at `text[start..end)`; gives what is wrong with it, if anything is. */
type ElementWriter = (text: string, start: number, end: number, index: number) => string | undefined

function elementWriter(dtype: DType, data: HostData, odd: Map<number, number>): ElementWriter {
  const info = dtypes[dtype]
  switch (info.kind) {
    case 'bool':
      return (text, start, end, index) => {
        const word = text.slice(start, end)
        if (word !== 'true' && word !== 'false' && word !== '1' && word !== '0' && word !== '-1') return 'expected true or false'
        data[index] = word === 'true' || word === '1' || word === '-1' ? 1 : 0
        return undefined
      }
    case 'float':
      return floatWriter(dtype, data, odd)
    case 'complex':
      return floatWriter(info.part, data, odd)
    default:
      return integerWriter(info.bits, info.kind === 'unsigned', data)
  }
}

function floatWriter(dtype: DType, data: HostData, odd: Map<number, number>): ElementWriter {
  const { bits } = dtypes[dtype]
  return (text, start, end, index) => {
    const value = readFloat(text, start, end)
    if (value !== undefined) {
      data[index] = roundFloat(dtype, value)
      return undefined
    }
    const word = text.slice(start, end)
    if (!/^0x[0-9a-fA-F]{1,16}$/.test(word)) return /^-?\d+$/.test(word) ? 'expected floating-point elements, but parsed integer' : 'expected a floating-point number'
    const pattern = BigInt(word)
    if (pattern >> BigInt(bits)) return `hexadecimal float has more than the ${bits} bits of ${dtype}`
    const exact = bits === 64 ? f64FromBits(pattern) : floatFromBits(dtype, Number(pattern))
    data[index] = exact
    if (exact !== exact && bits < 32 && floatToBits(dtype, exact) !== Number(pattern)) odd.set(index, Number(pattern))
    return undefined
  }
}

/** A decimal number with a point; undefined if it is anything else. */
function readFloat(text: string, start: number, end: number): number | undefined {
  let i = text.charCodeAt(start) === 45 ? start + 1 : start
  const first = i
  while (i < end && isDigit(text.charCodeAt(i))) i++
  if (i === first || text.charCodeAt(i) !== 46 || i >= end) return undefined
  i++
  while (i < end && isDigit(text.charCodeAt(i))) i++
  if (i < end) {
    if ((text.charCodeAt(i) | 32) !== 101) return undefined
    i++
    const sign = text.charCodeAt(i)
    if (sign === 43 || sign === 45) i++
    const exponent = i
    while (i < end && isDigit(text.charCodeAt(i))) i++
    if (i === exponent || i < end) return undefined
  }
  return Number(text.slice(start, end))
}

function integerWriter(bits: number, unsigned: boolean, data: HostData): ElementWriter {
  // Without a sign in the type, both readings of the bits can be written.
  const high = 2n ** BigInt(bits)
  const low = unsigned ? 0n : -(high / 2n)
  const wide = bits === 64
  const limit = Number(high)
  return (text, start, end, index) => {
    const negative = text.charCodeAt(start) === 45
    let i = negative ? start + 1 : start
    const first = i
    let value = 0
    for (; i < end; i++) {
      const c = text.charCodeAt(i)
      if (!isDigit(c)) break
      value = value * 10 + c - 48
    }
    if (i === end && i > first && value <= Number.MAX_SAFE_INTEGER) {
      if (negative ? value > -Number(low) : value >= limit) return `integer constant out of range for ${bits} bits`
      data[index] = wide ? BigInt(negative ? -value : value) : negative ? -value : value
      return undefined
    }
    const word = text.slice(first, end)
    if (word.length > 100 || !/^(?:\d+|0x[0-9a-fA-F]+)$/.test(word))
      return /^\d+\.\d*/.test(word) ? 'expected integer elements, but parsed floating-point' : 'expected an integer'
    const exact = negative ? -BigInt(word) : BigInt(word)
    if (exact < low || exact >= high) return `integer constant out of range for ${bits} bits`
    data[index] = wide ? BigInt.asIntN(64, exact) : Number(exact)
    return undefined
  }
}
