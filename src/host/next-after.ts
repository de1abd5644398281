import type { DType } from '../ir/dtypes.ts'
import { f32Bits, f32FromBits, f64Bits, f64FromBits, floatFromBits, floatToBits } from '../ir/float-bits.ts'
import { HostArray } from '../ir/host-array.ts'

/** For each element of `x` the next number of its type in the direction of `y`; `y` where they are equal, NaN where one is. */
export function nextAfterArrays(x: HostArray, y: HostArray): HostArray {
  const out = HostArray.zeros(x.dtype, x.shape)
  const [from, to, data] = [x.data as Float64Array, y.data as Float64Array, out.data as Float64Array]
  const step = stepFor(x.dtype)
  for (let i = 0; i < data.length; i++) {
    const [a, b] = [from[i], to[i]]
    data[i] = a !== a || b !== b ? NaN : a === b ? b : step(a, b > a)
  }
  return out
}

/** The neighbour of a number above or below. Patterns of one sign are in the order of their sizes. */
function stepFor(dtype: DType): (x: number, up: boolean) => number {
  const outward = (x: number, up: boolean) => (x > 0) === up
  if (dtype === 'f64') {
    return (x, up) => {
      if (x === 0) return up ? Number.MIN_VALUE : -Number.MIN_VALUE
      return f64FromBits(f64Bits(x) + (outward(x, up) ? 1n : -1n))
    }
  }
  const toBits = dtype === 'f32' ? f32Bits : (x: number) => floatToBits(dtype, x)
  const fromBits = dtype === 'f32' ? f32FromBits : (bits: number) => floatFromBits(dtype, bits)
  const least = fromBits(1)
  return (x, up) => {
    if (x === 0) return up ? least : -least
    return fromBits(toBits(x) + (outward(x, up) ? 1 : -1))
  }
}

/** The upper half of the product of integers of a type. */
export function multiplyHigh(a: number, b: number, bits: number): number {
  return Number((BigInt(a) * BigInt(b)) >> BigInt(bits))
}
