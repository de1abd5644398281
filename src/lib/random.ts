import { type DType, dtypes, isInteger } from '../ir/dtypes.ts'
import { floatFromBits, floatToBits, f64Bits, f64FromBits, roundFloat } from '../ir/float-bits.ts'
import { Tensor } from '../ir/module.ts'
import { type TensorType, shortType, tensorType } from '../ir/types.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { or, shiftLeft, shiftRightLogical, xor } from '../ops/bitwise.ts'
import { compare } from '../ops/compare.ts'
import { concatenate, stack } from '../ops/concatenate.ts'
import { constant, fill, zeros } from '../ops/constant.ts'
import { bitcastConvert, convert } from '../ops/convert.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { expandDims, reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { slice } from '../ops/slice-pad.ts'
import { erfInv } from './erf.ts'
import { failIn } from './library-error.ts'
import { threefry2x32, threefryWords } from './threefry.ts'

/**
 * Random numbers as pure functions of a key, a `u32[2]` tensor: the same key always gives the same numbers, on every backend. A key is
 * used once: for drawing, for `splitKey` or for `foldIn` (its part i and the fold of i are the same key, as in JAX). Keys, splits and bits are those of `jax.random` with its default generator
 * (threefry2x32, partitionable); uniform numbers too, normal ones up to rounding.
 */

/** The key of a seed, an integer from 0 to 2^64 - 1. -> `u32[2]`. Throws `OpError`. */
export function randomKey(seed: number | bigint): Tensor {
  if (typeof seed === 'number' && !Number.isSafeInteger(seed)) failIn('randomKey', `seed ${seed} is not an integer that a number holds exactly`)
  const exact = BigInt(seed)
  if (exact < 0n || exact >= 1n << 64n) failIn('randomKey', `seed ${exact} is not in the range of 0 to 2^64 - 1`)
  return constant([Number(exact >> 32n), Number(exact & 0xffffffffn)], 'u32')
}

/** `count` independent keys from one, which must not be used again. Throws `OpError`. */
export function splitKey(key: Tensor, count = 2): Tensor[] {
  if (!Number.isInteger(count) || count < 1) failIn('splitKey', `count ${count} must be an integer of 1 or more`)
  const keys = stack(threefryWords(key, [count]), 1)
  return Array.from({ length: count }, (_, i) => reshape(slice(keys, [i, 0], [i + 1, 2]), [2]))
}

/** The key for a number, such as a step or a layer: a plain integer or an integer tensor of rank 0, taken modulo 2^32. Throws `OpError`. */
export function foldIn(key: Tensor, data: Tensor | number): Tensor {
  if (data instanceof Tensor && (data.rank !== 0 || !isInteger(data.dtype))) failIn('foldIn', `data must be an integer of rank 0, got ${shortType(data.type)}`)
  if (!(data instanceof Tensor) && !Number.isSafeInteger(data)) failIn('foldIn', `data ${data} is not an integer`)
  const type = tensorType('u32', [])
  const word = data instanceof Tensor ? convert(data, 'u32') : fill(Number(BigInt.asUintN(32, BigInt(data))), type)
  return concatenate(threefry2x32(key, zeros(type), word).map((part) => expandDims(part, 0)), 0)
}

/** Uniform bits of an unsigned type of 8 to 64 bits: key `u32[2]` -> `dtype[...shape]`. Throws `OpError`. */
export function randomBits(key: Tensor, shape: readonly number[], dtype: 'u8' | 'u16' | 'u32' | 'u64' = 'u32'): Tensor {
  const [high, low] = threefryWords(key, shape)
  if (dtype === 'u64') return or(shiftLeft(convert(high, 'u64'), 32), convert(low, 'u64'))
  return convert(xor(high, low), dtype)
}

export interface UniformOptions {
  /** Included; 0 by default. */
  readonly min?: number
  /** Not included, up to rounding; 1 by default. */
  readonly max?: number
}

const unsignedOf = { 8: 'u8', 16: 'u16', 32: 'u32', 64: 'u64' } as const

/** Numbers evenly distributed over `[min, max)`, of a float type of 16 bits or more: key `u32[2]` -> `type`. Throws `OpError`. */
export function uniform(key: Tensor, type: TensorType, { min = 0, max = 1 }: UniformOptions = {}): Tensor {
  const info = dtypes[type.dtype]
  if (info.kind !== 'float' || info.bits < 16) return failIn('uniform', `draws f64, f32, bf16 or f16, not ${shortType(type)}`)
  if (!(min < max)) failIn('uniform', `min ${min} must be less than max ${max}`)
  const { mantissaBits } = info.float
  const width = info.bits as 16 | 32 | 64
  const drawn = mantissaBits < 8 ? 8 : width
  const bits = convert(randomBits(key, type.shape, unsignedOf[drawn]), unsignedOf[width])
  // Random mantissas under the exponent of 1 are evenly distributed over [1, 2).
  const one = width === 64 ? f64Bits(1) : floatToBits(type.dtype, 1)
  const unit = subtract(bitcastConvert(or(shiftRightLogical(bits, drawn - mantissaBits), one), type.dtype), 1)
  if (min === 0 && max === 1) return unit
  return maximum(add(multiply(unit, roundFloat(type.dtype, max - min)), min), min)
}

/** Normally distributed numbers with mean 0 and variance 1: key `u32[2]` -> `type`. Throws `OpError`. */
export function normal(key: Tensor, type: TensorType): Tensor {
  if (dtypes[type.dtype].kind !== 'float') failIn('normal', `draws float types, not ${shortType(type)}`)
  return multiply(erfInv(uniform(key, type, { min: aboveMinusOne(type.dtype), max: 1 })), Math.SQRT2)
}

/** The number after -1 towards 0, so that the inverse error function stays finite. */
const aboveMinusOne = (dtype: DType): number =>
  dtype === 'f64' ? f64FromBits(f64Bits(-1) - 1n) : floatFromBits(dtype, floatToBits(dtype, -1) - 1)

/** The word below which a uniform 32-bit word lies with probability `p`. */
const threshold = (p: number): number => Math.min(Math.round(p * 2 ** 32), 2 ** 32 - 1)

/** True with probability `p` (to 2^-32): key `u32[2]` -> `bool[...shape]`. Throws `OpError` unless p is in [0, 1]. */
export function bernoulli(key: Tensor, p: number, shape: readonly number[]): Tensor {
  if (!(p >= 0 && p <= 1)) failIn('bernoulli', `probability ${p} must be in [0, 1]`)
  if (p === 1) return fill(true, tensorType('bool', shape))
  return compare(randomBits(key, shape), threshold(p), 'LT')
}

/**
 * Sets each element to 0 with probability `rate` and divides the others by `1 - rate`, so that the expectation stays.
 * Source: Srivastava et al. 2014. Throws `OpError` unless the rate is in [0, 1).
 */
export function dropout(key: Tensor, x: Tensor, rate: number): Tensor {
  if (!(rate >= 0 && rate < 1)) failIn('dropout', `rate ${rate} must be in [0, 1)`)
  if (rate === 0) return x
  const kept = bernoulli(key, 1 - rate, x.shape)
  return select(kept, multiply(x, 1 / (1 - rate)), zeros(x.type))
}
