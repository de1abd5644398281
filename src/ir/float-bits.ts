import { type DType, type FloatFormat, dtypes } from './dtypes.ts'

/**
 * Rounding to, and bit patterns of, every float format of StableHLO, from its description in `dtypes`. Rounding is to
 * nearest, ties to even. Overflow gives infinity where the format has one, NaN where it has only NaN, and the largest
 * finite value where it has neither (as ml_dtypes and XLA convert).
 */

const scratch = new ArrayBuffer(8)
const scratchF32 = new Float32Array(scratch)
const scratchU32 = new Uint32Array(scratch)
const scratchF64 = new Float64Array(scratch)
const scratchU64 = new BigUint64Array(scratch)

export const f32Bits = (value: number): number => ((scratchF32[0] = value), scratchU32[0])
export const f32FromBits = (bits: number): number => ((scratchU32[0] = bits), scratchF32[0])
export const f64Bits = (value: number): bigint => ((scratchF64[0] = value), scratchU64[0])
export const f64FromBits = (bits: bigint): number => ((scratchU64[0] = bits), scratchF64[0])

function format(dtype: DType): FloatFormat {
  const info = dtypes[dtype]
  if (info.kind !== 'float') throw new TypeError(`${dtype} is not a float type`)
  return info.float
}

/** The largest finite value of a format. */
export function largestFinite(dtype: DType): number {
  const { exponentBits, mantissaBits, bias, special } = format(dtype)
  const topExponent = 2 ** exponentBits - 1
  switch (special) {
    case 'ieee':
      return (2 - 2 ** -mantissaBits) * 2 ** (topExponent - 1 - bias)
    case 'finite-nan-all-ones':
      return (2 - 2 ** (1 - mantissaBits)) * 2 ** (topExponent - bias)
    case 'finite-nan-negative-zero':
    case 'finite-only':
      return (2 - 2 ** -mantissaBits) * 2 ** (topExponent - bias)
    case 'exponent-only':
      return 2 ** (topExponent - 1 - bias)
  }
}

/** Bit patterns of a f32 value rounded to bf16, ties to even; NaN stays NaN. `value` must be exact in f32. */
function roundBf16(value: number): number {
  if (value !== value) return NaN
  scratchF32[0] = value
  const bits = scratchU32[0]
  scratchU32[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000
  return scratchF32[0]
}

/**
 * Round `value` to the nearest value of `dtype`. bf16 goes through f32, as hardware and XLA do; all others are rounded
 * once from double precision.
 */
export function roundFloat(dtype: DType, value: number): number {
  if (dtype === 'f64') return value
  if (dtype === 'f32') return Math.fround(value)
  if (dtype === 'bf16') return roundBf16(Math.fround(value))
  return roundToFormat(dtype, value)
}

const formatLimits = new Map<DType, { max: number; minExponent: number; format: FloatFormat }>()
function limits(dtype: DType) {
  let known = formatLimits.get(dtype)
  if (!known) {
    const f = format(dtype)
    known = { max: largestFinite(dtype), minExponent: 1 - f.bias, format: f }
    formatLimits.set(dtype, known)
  }
  return known
}

function roundToFormat(dtype: DType, value: number): number {
  const { max, minExponent, format: f } = limits(dtype)
  if (f.special === 'exponent-only') return roundExponentOnly(value, f, max)
  if (value !== value) return f.special === 'finite-only' ? -0 : NaN
  if (value === 0) return f.special === 'finite-nan-negative-zero' ? 0 : value
  const magnitude = Math.abs(value)
  let rounded: number
  if (magnitude === Infinity) rounded = Infinity
  else {
    // The spacing of representable values around `magnitude`; dividing by a power of two is exact.
    scratchF64[0] = magnitude
    const exponent = Math.max(Math.max(scratchU32[1] >>> 20, 1) - 1023, minExponent)
    const step = 2 ** (exponent - f.mantissaBits)
    const quotient = magnitude / step
    const floor = Math.floor(quotient)
    const rest = quotient - floor
    rounded = (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor) * step
  }
  if (rounded > max)
    rounded = f.special === 'ieee' ? Infinity : f.special === 'finite-only' ? max : NaN
  const signedValue = value < 0 ? -rounded : rounded
  return f.special === 'finite-nan-negative-zero' && signedValue === 0 ? 0 : signedValue
}

/** f8E8M0FNU holds powers of two only: round to the nearest in the real numbers, ties to the even exponent code. */
function roundExponentOnly(value: number, f: FloatFormat, max: number): number {
  if (!(value > 0) || value === Infinity) return value === 0 ? 2 ** -f.bias : NaN
  const exponent = Math.floor(Math.log2(value))
  let low = exponent
  while (2 ** low > value) low--
  while (2 ** (low + 1) <= value) low++
  const fraction = value / 2 ** low
  const up = fraction > 1.5 || (fraction === 1.5 && (low + f.bias) % 2 !== 0)
  const result = 2 ** (up ? low + 1 : low)
  return result > max ? NaN : Math.max(result, 2 ** -f.bias)
}

/** The bits of a value that `dtype` represents exactly. Formats of up to 32 bits. */
export function floatToBits(dtype: DType, value: number): number {
  if (dtype === 'f32') return f32Bits(value)
  if (dtype === 'bf16') return value !== value ? 0x7fc0 : f32Bits(value) >>> 16
  const { exponentBits, mantissaBits, bias, special } = format(dtype)
  const topExponent = 2 ** exponentBits - 1
  if (special === 'exponent-only') return value !== value ? 0xff : Math.round(Math.log2(value)) + bias
  const signShift = exponentBits + mantissaBits
  if (value !== value)
    return special === 'ieee' ? (topExponent << mantissaBits) | (1 << (mantissaBits - 1))
      : special === 'finite-nan-all-ones' ? (1 << signShift) - 1
      : special === 'finite-nan-negative-zero' ? 1 << signShift
      : 0
  const negative = value < 0 || Object.is(value, -0)
  const sign = negative ? (1 << signShift) >>> 0 : 0
  const magnitude = Math.abs(value)
  if (magnitude === 0) return sign
  if (magnitude === Infinity) return (sign | (topExponent << mantissaBits)) >>> 0
  scratchF64[0] = magnitude
  const exponent = (scratchU32[1] >>> 20) - 1023
  if (exponent < 1 - bias) return (sign | Math.round(magnitude / 2 ** (1 - bias - mantissaBits))) >>> 0
  const mantissa = Math.round((magnitude / 2 ** exponent - 1) * 2 ** mantissaBits)
  return (sign | ((exponent + bias) << mantissaBits) | mantissa) >>> 0
}

/** The value of a bit pattern. Formats of up to 32 bits. */
export function floatFromBits(dtype: DType, bits: number): number {
  if (dtype === 'f32') return f32FromBits(bits)
  if (dtype === 'bf16') return f32FromBits((bits << 16) >>> 0)
  const { exponentBits, mantissaBits, bias, special } = format(dtype)
  const topExponent = 2 ** exponentBits - 1
  if (special === 'exponent-only') return bits === topExponent ? NaN : 2 ** (bits - bias)
  const negative = (bits >>> (exponentBits + mantissaBits)) & 1
  const exponent = (bits >>> mantissaBits) & topExponent
  const mantissa = bits & (2 ** mantissaBits - 1)
  if (special === 'ieee' && exponent === topExponent) return mantissa ? NaN : negative ? -Infinity : Infinity
  if (special === 'finite-nan-all-ones' && exponent === topExponent && mantissa === 2 ** mantissaBits - 1) return NaN
  if (special === 'finite-nan-negative-zero' && negative && exponent === 0 && mantissa === 0) return NaN
  const magnitude = exponent === 0
    ? mantissa * 2 ** (1 - bias - mantissaBits)
    : (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias)
  return negative ? -magnitude : magnitude
}

/** Little-endian bytes of narrow floats (under 32 bits) from their values. */
export function encodeFloats(dtype: DType, values: Float32Array): Uint8Array {
  if (dtypes[dtype].bits <= 8) return Uint8Array.from(values, (value) => floatToBits(dtype, value))
  const words = new Uint16Array(values.length)
  if (dtype === 'bf16') {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
    for (let i = 0; i < words.length; i++) words[i] = values[i] === values[i] ? bits[i] >>> 16 : 0x7fc0
  } else for (let i = 0; i < words.length; i++) words[i] = floatToBits(dtype, values[i])
  return new Uint8Array(words.buffer)
}

const decodeTables = new Map<DType, Float32Array>()

/** Values of narrow floats (under 32 bits) from their little-endian bytes. */
export function decodeFloats(dtype: DType, bytes: Uint8Array): Float32Array {
  const narrow = dtypes[dtype].bits <= 8
  const count = narrow ? bytes.length : bytes.length / 2
  const values = new Float32Array(count)
  if (dtype === 'bf16') {
    const bits = new Uint32Array(values.buffer)
    for (let i = 0; i < count; i++) bits[i] = ((bytes[2 * i] | (bytes[2 * i + 1] << 8)) << 16) >>> 0
    return values
  }
  let decode = decodeTables.get(dtype)
  if (!decode) {
    decode = Float32Array.from({ length: 2 ** dtypes[dtype].bits }, (_, bits) => floatFromBits(dtype, bits))
    decodeTables.set(dtype, decode)
  }
  for (let i = 0; i < count; i++) values[i] = decode[narrow ? bytes[i] & (decode.length - 1) : bytes[2 * i] | (bytes[2 * i + 1] << 8)]
  return values
}
