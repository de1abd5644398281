import { type DType, dtypes } from '../ir/dtypes.ts'
import { roundFloat } from '../ir/float-bits.ts'
import { HostArray, type HostData, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount } from '../ir/types.ts'
import type { FloatLoop } from './float-loops.ts'

/**
 * Exact arithmetic on host arrays: each element is computed in double precision (or in integers) and rounded once to the
 * result's type, so f32 and narrower basic arithmetic is correctly rounded; integers wrap around.
 */

/** A complex result is written here by a scalar function: `[re, im]`. */
export type ComplexOut = Float64Array
const complexOut: ComplexOut = new Float64Array(2)

/** What one element becomes, per kind of element type; a kind that is absent is not supported by the op. */
export interface UnaryScalars {
  readonly float?: (x: number) => number
  /** Integers of up to 32 bits; the result is wrapped to the type. `bits` is the type's width. */
  readonly integer?: (x: number, bits: number, signed: boolean) => number
  readonly bigint?: (x: bigint, signed: boolean) => bigint
  readonly bool?: (x: number) => number
  readonly complex?: (re: number, im: number, out: ComplexOut) => void
}
export interface BinaryScalars {
  /** All elements of two float stores at once, for ops that are worth a loop of their own; the same as `float` element by element. */
  readonly floats?: FloatLoop
  readonly float?: (a: number, b: number) => number
  readonly integer?: (a: number, b: number, bits: number, signed: boolean) => number
  readonly bigint?: (a: bigint, b: bigint, signed: boolean) => bigint
  readonly bool?: (a: number, b: number) => number
  readonly complex?: (aRe: number, aIm: number, bRe: number, bIm: number, out: ComplexOut) => void
}

/** Brings an integer result into the range of a type of up to 32 bits, wrapping around. */
export function wrapInteger(dtype: DType, value: number): number {
  const { kind, bits } = dtypes[dtype]
  if (bits === 32) return kind === 'signed' ? value | 0 : value >>> 0
  const mask = (1 << bits) - 1
  const low = value & mask
  return kind === 'signed' && low >> (bits - 1) ? low - (1 << bits) : low
}

/** Rounds every element of a float store to `dtype` where the store itself does not. */
export function roundStore(dtype: DType, data: HostData): void {
  if (dtype === 'f32' || dtype === 'f64') return
  for (let i = 0; i < data.length; i++) data[i] = roundFloat(dtype, data[i] as number)
}

/** Applies a scalar function to each element. */
export function mapUnary(scalars: UnaryScalars, operand: HostArray, type: TensorType): HostArray {
  const { dtype } = operand
  const info = dtypes[dtype]
  const out = allocate(type.dtype, elementCount(type.shape))
  const { data } = operand
  const count = operand.size
  switch (info.kind) {
    case 'float': {
      const f = need(scalars.float, dtype)
      const x = data as Float32Array
      const y = out as Float32Array
      for (let i = 0; i < count; i++) y[i] = f(x[i])
      if (dtypes[type.dtype].kind === 'float') roundStore(type.dtype, out)
      break
    }
    case 'bool': {
      const f = need(scalars.bool, dtype)
      for (let i = 0; i < count; i++) out[i] = f(data[i] as number)
      break
    }
    case 'complex': {
      const f = need(scalars.complex, dtype)
      const toComplex = dtypes[type.dtype].kind === 'complex'
      for (let i = 0; i < count; i++) {
        f(data[2 * i] as number, data[2 * i + 1] as number, complexOut)
        if (toComplex) {
          out[2 * i] = complexOut[0]
          out[2 * i + 1] = complexOut[1]
        } else out[i] = complexOut[0]
      }
      break
    }
    default: {
      const signed = info.kind === 'signed'
      if (info.bits === 64) {
        const f = need(scalars.bigint, dtype)
        for (let i = 0; i < count; i++) out[i] = f(data[i] as bigint, signed)
      } else {
        const f = need(scalars.integer, dtype)
        for (let i = 0; i < count; i++) out[i] = wrapInteger(dtype, f(data[i] as number, info.bits, signed))
      }
    }
  }
  return new HostArray(type, out)
}

/** Applies a scalar function to each pair of elements of two arrays of one type. */
export function mapBinary(scalars: BinaryScalars, lhs: HostArray, rhs: HostArray, type: TensorType): HostArray {
  const { dtype } = lhs
  const info = dtypes[dtype]
  const count = lhs.size
  const out = allocate(type.dtype, count)
  const a = lhs.data
  const b = rhs.data
  switch (info.kind) {
    case 'float': {
      const x = a as Float32Array
      const y = b as Float32Array
      const z = out as Float32Array
      if (scalars.floats) scalars.floats(x, y, z)
      else {
        const f = need(scalars.float, dtype)
        for (let i = 0; i < count; i++) z[i] = f(x[i], y[i])
      }
      if (dtypes[type.dtype].kind === 'float') roundStore(type.dtype, out)
      break
    }
    case 'bool': {
      const f = need(scalars.bool, dtype)
      for (let i = 0; i < count; i++) out[i] = f(a[i] as number, b[i] as number)
      break
    }
    case 'complex': {
      const f = need(scalars.complex, dtype)
      for (let i = 0; i < count; i++) {
        f(a[2 * i] as number, a[2 * i + 1] as number, b[2 * i] as number, b[2 * i + 1] as number, complexOut)
        out[2 * i] = complexOut[0]
        out[2 * i + 1] = complexOut[1]
      }
      break
    }
    default: {
      const signed = info.kind === 'signed'
      if (info.bits === 64) {
        const f = need(scalars.bigint, dtype)
        for (let i = 0; i < count; i++) out[i] = f(a[i] as bigint, b[i] as bigint, signed)
      } else {
        const f = need(scalars.integer, dtype)
        for (let i = 0; i < count; i++) out[i] = wrapInteger(dtype, f(a[i] as number, b[i] as number, info.bits, signed))
      }
    }
  }
  return new HostArray(type, out)
}

function need<F>(f: F | undefined, dtype: DType): F {
  if (!f) throw new TypeError(`no semantics for element type ${dtype}`)
  return f
}
