import { dtypes } from './dtypes.ts'
import { f32Bits, f64Bits, floatToBits } from './float-bits.ts'
import { HostArray } from './host-array.ts'
import { type TensorType, doubleText, elementCount, sameShape, tensorType, typeText } from './types.ts'

/** Above this many elements a constant is printed as one hexadecimal string. */
const longestList = 64

/** The value of a `dense<...>` attribute: one value repeated, or an array. */
export class DenseElements {
  readonly type: TensorType
  /** All elements; one only if `isSplat`. */
  readonly values: HostArray
  /** Bytes that `values` cannot give back: those of narrow floats with other NaNs than the usual one. */
  readonly #bytes: Uint8Array | undefined

  private constructor(type: TensorType, values: HostArray, bytes?: Uint8Array) {
    this.type = type
    this.values = values
    this.#bytes = bytes
  }

  static splat(type: TensorType, scalar: HostArray): DenseElements {
    return new DenseElements(type, scalar)
  }
  static of(array: HostArray): DenseElements {
    return new DenseElements(array.type, array)
  }
  /** From bytes as `HostArray.fromBytes` reads them; the text keeps every bit. Throws `InputError` if the length is wrong. */
  static fromBytes(type: TensorType, bytes: Uint8Array): DenseElements {
    const array = HostArray.fromBytes(type, bytes)
    const info = dtypes[type.dtype]
    const narrow = info.kind === 'float' && info.bits < 32
    return new DenseElements(type, array, narrow && Buffer.compare(array.toBytes(), bytes) !== 0 ? bytes : undefined)
  }

  get isSplat(): boolean {
    return this.values.type.shape.length === 0 && this.type.shape.length > 0
  }

  /** The same value, as a splat if all elements are the same: MLIR makes no difference between the two. */
  uniform(): DenseElements {
    const { data, shape, dtype } = this.values
    const width = dtypes[dtype].kind === 'complex' ? 2 : 1
    if (shape.length === 0 || data.length === 0 || this.#bytes) return this
    for (let i = width; i < data.length; i++) if (!Object.is(data[i], data[i - width])) return this
    return DenseElements.splat(this.type, new HostArray(tensorType(dtype, []), data.slice(0, width) as Float32Array))
  }

  /** The whole array. */
  toArray(): HostArray {
    if (sameShape(this.type.shape, this.values.shape)) return this.values
    const array = HostArray.zeros(this.type.dtype, this.type.shape)
    if (dtypes[this.type.dtype].kind === 'complex') {
      for (let i = 0; i < array.data.length; i++) array.data[i] = this.values.data[i % 2]
    } else array.data.fill(this.values.data[0] as never)
    return array
  }

  /** The only value of a splat or a rank-0 constant, otherwise undefined. Complex gives undefined. */
  get scalar(): number | bigint | undefined {
    return this.values.data.length === 1 ? this.values.data[0] : undefined
  }

  /** `dense<1.0> : tensor<4xf32>` */
  text(): string {
    return `dense<${this.body()}> : ${typeText(this.type)}`
  }

  private body(): string {
    const { values } = this
    if (this.isSplat) return scalarText(values, 0)
    const count = elementCount(values.shape)
    if (count === 0) return ''
    if (count > longestList || this.#bytes) return `"0x${Buffer.from(this.#bytes ?? values.toBytes()).toString('hex').toUpperCase()}"`
    const nest = (axis: number, offset: number): string => {
      if (axis === values.shape.length) return scalarText(values, offset)
      const step = elementCount(values.shape.slice(axis + 1))
      return `[${Array.from({ length: values.shape[axis] }, (_, i) => nest(axis + 1, offset + i * step)).join(', ')}]`
    }
    return nest(0, 0)
  }
}

/** One element as MLIR writes it inside `dense<...>`; floats that have no decimal form are hexadecimal bits. */
function scalarText(array: HostArray, i: number): string {
  const info = dtypes[array.dtype]
  switch (info.kind) {
    case 'bool':
      return array.data[i] ? 'true' : 'false'
    case 'complex': {
      const part = new HostArray(tensorType(info.part, [2]), array.data.slice(2 * i, 2 * i + 2) as Float32Array)
      return `(${scalarText(part, 0)},${scalarText(part, 1)})`
    }
    case 'float': {
      const value = array.data[i] as number
      if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : doubleText(value)
      const bits = info.bits === 64 ? f64Bits(value) : info.bits === 32 ? f32Bits(value) : floatToBits(array.dtype, value)
      return '0x' + bits.toString(16).toUpperCase().padStart(Math.ceil(info.bits / 4), '0')
    }
    default:
      return String(array.data[i])
  }
}
