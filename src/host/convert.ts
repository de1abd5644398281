import { type DType, dtypes, integerRange } from '../ir/dtypes.ts'
import { f32Bits, f32FromBits, f64Bits, f64FromBits, floatFromBits, floatToBits, roundFloat } from '../ir/float-bits.ts'
import { HostArray, type HostData } from '../ir/host-array.ts'
import type { TensorType } from '../ir/types.ts'
import { wrapInteger } from './elementwise.ts'

/**
 * Changes of element type, as XLA and the StableHLO interpreter make them: floats to integers are truncated and limited to the
 * range (NaN gives 0), integers wrap around, anything but zero is `true`, complex numbers lose the imaginary part, and every
 * rounding happens once, from the exact value.
 */

/** The elements of `operand` as `dtype`. */
export function convertArray(operand: HostArray, dtype: DType): HostArray {
  if (operand.dtype === dtype) return operand
  const from = dtypes[operand.dtype]
  const to = dtypes[dtype]
  const out = HostArray.zeros(dtype, operand.shape)
  if (from.kind === 'complex' || to.kind === 'complex') {
    const parts = from.kind === 'complex' ? realParts(operand, from.part) : operand
    if (to.kind !== 'complex') return convertArray(parts, dtype)
    const real = convertArray(parts, to.part).data
    for (let i = 0; i < real.length; i++) out.data[2 * i] = real[i]
    if (from.kind === 'complex') for (let i = 1; i < operand.data.length; i += 2) out.data[i] = operand.data[i]
    return out
  }
  const x = operand.data
  const y = out.data
  if (to.kind === 'bool') for (let i = 0; i < y.length; i++) y[i] = Number(x[i]) === 0 ? 0 : 1
  else if (to.kind === 'float') toFloat(x, from.bits, dtype, y as Float32Array)
  else if (from.kind === 'float') fromFloat(x as Float32Array, dtype, y)
  else if (to.bits === 64) {
    // BigInt stores wrap by themselves.
    for (let i = 0; i < y.length; i++) y[i] = BigInt(x[i])
  } else if (from.bits === 64) for (let i = 0; i < y.length; i++) y[i] = wrapInteger(dtype, Number(BigInt.asIntN(32, x[i] as bigint)))
  else for (let i = 0; i < y.length; i++) y[i] = wrapInteger(dtype, x[i] as number)
  return out
}

function realParts(operand: HostArray, part: DType): HostArray {
  const real = HostArray.zeros(part, operand.shape)
  for (let i = 0; i < real.data.length; i++) real.data[i] = operand.data[2 * i]
  return real
}

function toFloat(x: HostData, fromBits: number, dtype: DType, y: Float32Array): void {
  // Not by the first element: there may be none.
  const big = x instanceof BigInt64Array || x instanceof BigUint64Array
  if (!big && (dtype === 'f32' || dtype === 'f64')) return y.set(x as Float32Array)
  const wide = big || fromBits > 24
  for (let i = 0; i < y.length; i++) {
    const value = big ? exactEnough(x[i] as bigint, dtype) : (x[i] as number)
    y[i] = roundFloat(dtype, dtype === 'bf16' && wide ? oddF32(value) : value)
  }
}

/** A 64-bit integer as a double that rounds to `dtype` as the integer itself would: to odd, unless `dtype` is f64. */
function exactEnough(value: bigint, dtype: DType): number {
  const near = Number(value)
  if (dtype === 'f64') return near
  const error = value - BigInt(near)
  if (error === 0n) return near
  // Towards zero first, then the last bit says that something was cut off.
  const bits = f64Bits(near)
  return f64FromBits((error > 0n) === near > 0 ? bits | 1n : (bits - 1n) | 1n)
}

/** A double as an f32 rounded to odd, from which rounding to bf16 gives what rounding the double once would. */
function oddF32(value: number): number {
  const near = Math.fround(value)
  if (near === value || value !== value) return near
  const bits = f32Bits(near)
  return f32FromBits(((Math.abs(near) > Math.abs(value) ? bits - 1 : bits) | 1) >>> 0)
}

function fromFloat(x: Float32Array, dtype: DType, y: HostData): void {
  const { min, max } = integerRange(dtype)
  if (dtypes[dtype].bits === 64) {
    // 2 ** 64 and 2 ** 63 are doubles, the largest integers below them are not.
    const [low, high] = [Number(min), Number(max)]
    for (let i = 0; i < y.length; i++) y[i] = x[i] !== x[i] ? 0n : x[i] >= high ? max : x[i] <= low ? min : BigInt(Math.trunc(x[i]))
    return
  }
  const [low, high] = [Number(min), Number(max)]
  for (let i = 0; i < y.length; i++) y[i] = x[i] !== x[i] ? 0 : x[i] >= high ? high : x[i] <= low ? low : Math.trunc(x[i])
}

/** The bits of `operand` read as elements of another type; the widths may differ by the last axis. Little-endian, low elements first. */
export function bitcastArray(operand: HostArray, type: TensorType): HostArray {
  const [from, to] = [dtypes[operand.dtype].bits, dtypes[type.dtype].bits]
  if (from % 8 === 0 && to % 8 === 0) return HostArray.fromBytes(type, operand.toBytes().slice())
  const out = HostArray.zeros(type.dtype, type.shape)
  const bits = new Uint8Array(operand.size * from)
  for (let i = 0; i < operand.size; i++) {
    const code = elementBits(operand, i)
    for (let b = 0; b < from; b++) bits[i * from + b] = Number((code >> BigInt(b)) & 1n)
  }
  for (let i = 0; i < out.size; i++) {
    let code = 0n
    for (let b = to - 1; b >= 0; b--) code = (code << 1n) | BigInt(bits[i * to + b])
    storeBits(out, i, code)
  }
  return out
}

function elementBits(array: HostArray, i: number): bigint {
  const { kind, bits } = dtypes[array.dtype]
  if (kind === 'complex') {
    const half = BigInt(bits / 2)
    const part = (j: number) => (bits === 64 ? BigInt(f32Bits(array.data[j] as number)) : f64Bits(array.data[j] as number))
    return part(2 * i) | (part(2 * i + 1) << half)
  }
  if (kind === 'float') return bits === 64 ? f64Bits(array.data[i] as number) : BigInt(floatToBits(array.dtype, array.data[i] as number))
  return BigInt.asUintN(bits, BigInt(array.data[i]))
}

function storeBits(array: HostArray, i: number, code: bigint): void {
  const { kind, bits } = dtypes[array.dtype]
  if (kind === 'complex') {
    const half = bits / 2
    const part = (shift: number) => {
      const word = BigInt.asUintN(half, code >> BigInt(shift))
      return half === 32 ? f32FromBits(Number(word)) : f64FromBits(word)
    }
    array.data[2 * i] = part(0)
    array.data[2 * i + 1] = part(half)
  } else if (kind === 'float') array.data[i] = bits === 64 ? f64FromBits(code) : floatFromBits(array.dtype, Number(code))
  else if (bits === 64) array.data[i] = code
  else array.data[i] = Number(kind === 'signed' ? BigInt.asIntN(bits, code) : code)
}

/**
 * Each element rounded to a float format of the given widths and kept in its own type: mantissa ties to even, too large becomes
 * infinity, what would be denormal becomes zero, NaN becomes infinity if there is no mantissa.
 */
export function reducePrecisionArray(operand: HostArray, exponentBits: number, mantissaBits: number): HostArray {
  const info = dtypes[operand.dtype]
  if (info.kind !== 'float') throw new TypeError(`${operand.dtype} is not a float type`)
  const { exponentBits: ownExponent, mantissaBits: ownMantissa } = info.float
  const width = BigInt(info.bits)
  const cut = BigInt(Math.max(ownMantissa - mantissaBits, 0))
  const mantissaMask = (1n << BigInt(ownMantissa)) - 1n
  const signMask = 1n << (width - 1n)
  const infinity = ((1n << BigInt(ownExponent)) - 1n) << BigInt(ownMantissa)
  const bias = 2 ** (ownExponent - 1) - 1
  const newBias = 2 ** (exponentBits - 1) - 1
  const [largest, smallest] = [BigInt(bias + newBias), BigInt(bias - newBias)]
  const out = HostArray.zeros(operand.dtype, operand.shape)
  const isNaN = (code: bigint) => (code & infinity) === infinity && (code & mantissaMask) !== 0n
  for (let i = 0; i < out.size; i++) {
    let code = elementBits(operand, i)
    const sign = code & signMask
    if (isNaN(code)) {
      if (mantissaBits === 0) storeBits(out, i, sign | infinity)
      else out.data[i] = operand.data[i]
      continue
    }
    code ^= sign
    if (cut > 0n) {
      const half = (1n << (cut - 1n)) - 1n
      code = ((code + half + ((code >> cut) & 1n)) >> cut) << cut
    }
    if (exponentBits < ownExponent) {
      const exponent = code >> BigInt(ownMantissa)
      if (exponent > largest) code = infinity
      else if (exponent <= smallest) code = 0n
    }
    storeBits(out, i, sign | code)
  }
  return out
}
