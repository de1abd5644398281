import { type DType, dtypes, elementBytes, integerRange, isFloat } from './dtypes.ts'
import { InputError } from './errors.ts'
import { decodeFloats, encodeFloats, roundFloat } from './float-bits.ts'
import { type TensorType, elementCount, shortType, tensorType } from './types.ts'

/**
 * Storage of a host array. One JavaScript element per tensor element, holding its exact value: floats narrower than f32
 * are kept as the f32 of the same value, sub-byte integers as a byte each, `bool` as 0 or 1; complex elements take two
 * (real, imaginary).
 */
export type HostData =
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array

/** Numbers nested as the shape says, or a plain number for rank 0. */
export type NestedNumbers = number | bigint | boolean | readonly NestedNumbers[]

/** An empty (zeroed) store for `count` elements of `dtype`. */
export function allocate(dtype: DType, count: number): HostData {
  const info = dtypes[dtype]
  switch (info.kind) {
    case 'bool':
      return new Uint8Array(count)
    case 'float':
      return dtype === 'f64' ? new Float64Array(count) : new Float32Array(count)
    case 'complex':
      return info.part === 'f64' ? new Float64Array(2 * count) : new Float32Array(2 * count)
    case 'signed':
      return info.bits <= 8 ? new Int8Array(count)
        : info.bits === 16 ? new Int16Array(count)
        : info.bits === 32 ? new Int32Array(count)
        : new BigInt64Array(count)
    case 'unsigned':
      return info.bits <= 8 ? new Uint8Array(count)
        : info.bits === 16 ? new Uint16Array(count)
        : info.bits === 32 ? new Uint32Array(count)
        : new BigUint64Array(count)
  }
}

/** A dense row-major array in this process's memory. */
export class HostArray {
  readonly type: TensorType
  readonly data: HostData

  /** Takes `data` as it is; its length must be the element count (twice that if complex). */
  constructor(type: TensorType, data: HostData) {
    this.type = type
    this.data = data
    const want = elementCount(type.shape) * (dtypes[type.dtype].kind === 'complex' ? 2 : 1)
    if (data.length !== want)
      throw new InputError(`${shortType(type)} takes ${want} stored elements, got ${data.length}`, 'ARRAY_LENGTH')
  }

  get dtype(): DType {
    return this.type.dtype
  }
  get shape(): readonly number[] {
    return this.type.shape
  }
  /** Number of elements. */
  get size(): number {
    return elementCount(this.type.shape)
  }

  static zeros(dtype: DType, shape: readonly number[]): HostArray {
    return new HostArray(tensorType(dtype, shape), allocate(dtype, elementCount(shape)))
  }

  /**
   * An array of `dtype` from numbers nested as its shape. Floats are rounded to `dtype`; an integer out of range, a ragged
   * nesting or a fraction for an integer type throws `InputError`.
   */
  static from(dtype: DType, values: NestedNumbers): HostArray {
    const shape: number[] = []
    for (let level = values; Array.isArray(level); level = level[0]) {
      shape.push(level.length)
      if (level.length === 0) break
    }
    const array = HostArray.zeros(dtype, shape)
    let next = 0
    const fill = (value: NestedNumbers, depth: number): void => {
      if (Array.isArray(value)) {
        if (depth >= shape.length || value.length !== shape[depth])
          throw new InputError(`ragged array: expected ${shape[depth] ?? 'a number'} at depth ${depth}, got ${value.length} elements`, 'ARRAY_RAGGED')
        for (const item of value) fill(item, depth + 1)
      } else {
        if (depth !== shape.length)
          throw new InputError(`ragged array: expected ${shape[depth]} elements at depth ${depth}, got a number`, 'ARRAY_RAGGED')
        storeScalar(array, next++, value as number | bigint | boolean)
      }
    }
    fill(values, 0)
    return array
  }

  /** An array over flat `values` in row-major order. */
  static of(dtype: DType, shape: readonly number[], values: ArrayLike<number | bigint | boolean>): HostArray {
    const array = HostArray.zeros(dtype, shape)
    if (values.length !== array.size)
      throw new InputError(`${shortType(array.type)} takes ${array.size} values, got ${values.length}`, 'ARRAY_LENGTH')
    for (let i = 0; i < values.length; i++) storeScalar(array, i, values[i])
    return array
  }

  /** Bytes as NumPy and XLA lay them out: little-endian, row-major, one byte for an element of less than 8 bits. */
  toBytes(): Uint8Array {
    const { data, dtype } = this
    const info = dtypes[dtype]
    if (info.kind === 'float' && info.bits < 32) return encodeFloats(dtype, data as Float32Array)
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  }

  /** The inverse of `toBytes`. Throws `InputError` if the length is wrong. Copies if `bytes` is not aligned. */
  static fromBytes(type: TensorType, bytes: Uint8Array): HostArray {
    const count = elementCount(type.shape)
    const want = count * elementBytes(type.dtype)
    if (bytes.byteLength !== want)
      throw new InputError(`${shortType(type)} takes ${want} bytes, got ${bytes.byteLength}`, 'ARRAY_LENGTH')
    const info = dtypes[type.dtype]
    if (info.kind === 'float' && info.bits < 32) return new HostArray(type, decodeFloats(type.dtype, bytes))
    const store = allocate(type.dtype, 0)
    const aligned = bytes.byteOffset % store.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice()
    const View = store.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => HostData
    return new HostArray(type, new View(aligned.buffer, aligned.byteOffset, want / store.BYTES_PER_ELEMENT))
  }

  /** The value at flat position `i`; a complex element is `[re, im]`. */
  at(i: number): number | bigint | boolean | [number, number] {
    const kind = dtypes[this.dtype].kind
    if (kind === 'complex') return [Number(this.data[2 * i]), Number(this.data[2 * i + 1])]
    if (kind === 'bool') return this.data[i] !== 0
    return this.data[i]
  }

  /** The only element of a one-element array, as a number. */
  item(): number {
    if (this.size !== 1) throw new InputError(`item() needs one element, this is ${shortType(this.type)}`, 'ARRAY_LENGTH')
    return Number(this.data[0])
  }

  /** Nested plain arrays; rank 0 gives the value. */
  toNested(): unknown {
    const build = (axis: number, offset: number): unknown => {
      if (axis === this.shape.length) return this.at(offset)
      const step = elementCount(this.shape.slice(axis + 1))
      return Array.from({ length: this.shape[axis] }, (_, i) => build(axis + 1, offset + i * step))
    }
    return build(0, 0)
  }
}

function storeScalar(array: HostArray, i: number, value: number | bigint | boolean): void {
  const { data, dtype } = array
  const info = dtypes[dtype]
  if (info.kind === 'complex') {
    data[2 * i] = Number(value)
  } else if (isFloat(dtype)) {
    data[i] = roundFloat(dtype, Number(value))
  } else if (info.kind === 'bool') {
    data[i] = value ? 1 : 0
  } else {
    if (typeof value === 'number' && !Number.isInteger(value))
      throw new InputError(`${value} is not an integer, needed for ${dtype}`, 'ARRAY_VALUE')
    const exact = BigInt(value)
    const { min, max } = integerRange(dtype)
    if (exact < min || exact > max) throw new InputError(`${exact} does not fit ${dtype} (${min} to ${max})`, 'ARRAY_VALUE')
    data[i] = info.bits === 64 ? exact : Number(exact)
  }
}
