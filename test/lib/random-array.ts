import { HostArray } from '../../src/ir/host-array.ts'
import { elementCount } from '../../src/ir/types.ts'
import type { DType } from '../../src/ir/dtypes.ts'
import { seededRandom } from '../support/op-samples/sample.ts'

/** Numbers between `low` and `high`, the same for the same seed. */
export function randomArray(shape: readonly number[], { seed = 1, low = -2, high = 2, dtype = 'f64' as DType } = {}): HostArray {
  const random = seededRandom(seed)
  return HostArray.of(dtype, shape, Array.from({ length: elementCount(shape) }, () => low + (high - low) * random()))
}

/** The largest absolute difference to expected numbers; infinite where only one is NaN or the shapes differ. */
export function distance(actual: HostArray, expected: ArrayLike<number>): number {
  if (actual.size !== expected.length) return Infinity
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    const value = Number(actual.data[i])
    if (value === expected[i] || (Number.isNaN(value) && Number.isNaN(expected[i]))) continue
    const error = Math.abs(value - expected[i])
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error)
  }
  return worst
}
