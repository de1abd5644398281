import { dtypes } from '../ir/dtypes.ts'
import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { and, or } from '../ops/bitwise.ts'
import { concatenate } from '../ops/concatenate.ts'
import { fill } from '../ops/constant.ts'
import { bitcastConvert, convert } from '../ops/convert.ts'
import { maximum, minimum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { reduce, reduceMax } from '../ops/reduce.ts'

/**
 * Scores with their position in the low bits of the mantissa, so that one maximum of floats carries both: for a bin of 2^b entries the score
 * keeps its sign, its exponent and all but b bits of its mantissa. Floats of one sign compare as their bits do, so of two scores that differ
 * in a bit that is kept the larger still wins; of others the position decides. Nothing infinite or NaN may come in.
 */

const bitsType = { f32: 'i32', f64: 'i64' } as const

const integers = (x: Tensor): Tensor => bitcastConvert(x, bitsType[x.dtype as keyof typeof bitsType])

/** How many low bits a position below `rows` takes. */
export const positionBits = (rows: number): number => Math.max(1, Math.ceil(Math.log2(rows)))

/** `x` with its position along `axis` in place of its low bits. */
function withPosition(x: Tensor, axis: number): Tensor {
  const bits = integers(x)
  const kept = and(bits, -(2 ** positionBits(x.shape[axis])))
  return bitcastConvert(or(kept, iota(bits.type, axis)), x.dtype)
}

export interface Survivors {
  /** Scores with positions in their low bits: `[..., perBin L]`. */
  readonly packed: Tensor
  /** Which entry each is: `i32[..., perBin L]`, in `[0, R L)`. */
  readonly places: Tensor
}

/** The best one or two of each bin of scores `[..., R, L]`, whose entry `(r, l)` is entry `r L + l` and in bin `l`; L is a power of two. */
export function bestPacked(scores: Tensor, perBin: 1 | 2): Survivors {
  const axis = scores.rank - 2
  const [rows, bins] = scores.shape.slice(axis)
  const entries = withPosition(scores, axis)
  const packed = perBin === 1 ? reduceMax(entries, axis) : concatenate(bestTwo(entries, axis), axis)
  const bits = integers(packed)
  const row = convert(and(bits, 2 ** positionBits(rows) - 1), 'i32')
  const bin = and(iota(row.type, axis), bins - 1)
  return { packed, places: add(multiply(row, bins), bin) }
}

/** The best and the second best along an axis, without a look at positions. */
function bestTwo(entries: Tensor, axis: number): Tensor[] {
  const none = fill(-Infinity, entries.type)
  const start = fill(-Infinity, tensorType(entries.dtype, []))
  return reduce([entries, none], [start, start], [axis], ([a, second], [b, other]) => [maximum(a, b), maximum(minimum(a, b), maximum(second, other))])
}

/** What the score of an entry that is not there is at most, packed and unpacked: minus the largest float that has the low bits clear. */
export function lowestPacked(dtype: Tensor['dtype'], rows: number): number {
  const info = dtypes[dtype]
  const lost = info.kind === 'float' ? 2 ** (positionBits(rows) - info.float.mantissaBits) : 0
  return -largestFinite(dtype) * ((2 - lost) / (2 - lost / 2 ** positionBits(rows)))
}

/** The scores of packed survivors, rounded toward zero to the bits that they kept. */
export function unpackedScores(packed: Tensor, rows: number): Tensor {
  const bits = integers(packed)
  return bitcastConvert(and(bits, -(2 ** positionBits(rows))), packed.dtype)
}
