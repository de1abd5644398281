import { type DType, dtypes, integerRange } from '../../../src/ir/dtypes.ts'
import { floatFromBits, largestFinite, roundFloat } from '../../../src/ir/float-bits.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import { type TensorType, elementCount } from '../../../src/ir/types.ts'
import { type Random, seededRandom } from '../op-samples/sample.ts'

/** Input values of generated programs: everyday numbers and, in half of the arrays, those at the edges of the type. */

/** What an input may hold: `mild` has no special numbers, `small` has integers of a few units only, as indices are. */
export type ValueKind = 'any' | 'mild' | 'small'

/** Values of a type from a seed. Seed 0 counts: 0, 1, 2, ... */
export function drawValues(type: TensorType, seed: number, kind: ValueKind): HostArray {
  const info = dtypes[type.dtype]
  const random = seededRandom(seed)
  const edges = kind === 'any' && random() < 0.5
  const array = HostArray.zeros(type.dtype, type.shape)
  const part: DType = info.kind === 'complex' ? info.part : type.dtype
  const width = info.kind === 'complex' ? 2 : 1
  for (let i = 0; i < width * elementCount(type.shape); i++)
    array.data[i] = seed === 0 ? counted(part, i) : edges && random() < 0.4 ? edgeValue(part, random) : ordinaryValue(part, random, kind)
  return array
}

const counted = (dtype: DType, i: number): number | bigint => {
  const { kind, bits } = dtypes[dtype]
  if (kind === 'bool') return i % 2
  if (kind === 'float') return roundFloat(dtype, i % 8)
  const value = i % (bits < 4 ? 2 : 8)
  return bits === 64 ? BigInt(value) : value
}

function ordinaryValue(dtype: DType, random: Random, kind: ValueKind): number | bigint {
  const info = dtypes[dtype]
  if (info.kind === 'bool') return Number(random() < 0.5)
  if (info.kind === 'float') {
    // Halves and quarters make ties for rounding ops and equal elements for sorts.
    const value = random() * 8 - 4
    return roundFloat(dtype, random() < 0.3 ? Math.round(value * 4) / 4 : kind !== 'mild' && random() < 0.2 ? value * 10 ** Math.floor(random() * 9 - 4) : value)
  }
  const { min, max } = integerRange(dtype)
  const [low, high] = [Math.max(Number(min), -4), Math.min(Number(max), kind === 'small' ? 7 : 12)]
  const value = low + Math.floor(random() * (high - low + 1))
  return info.bits === 64 ? BigInt(value) : value
}

/** The numbers at which something changes: extremes, zeros of both signs, denormals, infinities, NaN, neighbours of integers' limits. */
function edgeValue(dtype: DType, random: Random): number | bigint {
  const info = dtypes[dtype]
  const choose = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]
  if (info.kind === 'bool') return Number(random() < 0.5)
  if (info.kind === 'float') {
    const largest = largestFinite(dtype)
    const { mantissaBits } = info.float
    const [denormal, normal] = info.bits <= 32 ? [floatFromBits(dtype, 1), floatFromBits(dtype, 2 ** mantissaBits)] : [5e-324, 2.2250738585072014e-308]
    const edges = [0, -0, NaN, Infinity, -Infinity, largest, -largest, denormal, -denormal, normal, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 127, 128, 255, 256, 2 ** 31, -(2 ** 31), 2 ** 63]
    // Formats without infinities or NaN have nothing to round these to but what `roundFloat` says.
    return roundFloat(dtype, choose(edges))
  }
  const { min, max } = integerRange(dtype)
  const value = choose([0n, min, max, min + 1n, max - 1n, 1n, -1n, min / 2n, max / 2n, BigInt(Math.floor(random() * 64))])
  const inside = value < min ? min : value > max ? max : value
  return info.bits === 64 ? inside : Number(inside)
}
