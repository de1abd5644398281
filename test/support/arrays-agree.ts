import type { HostArray } from '../../src/ir/host-array.ts'

/**
 * The largest difference of two arrays of one type, relative to the larger of 1 and the expected value; 0 where both are NaN or the same
 * infinity, Infinity where only one is. Integers and booleans count as equal or infinitely far.
 */
export function worstError(actual: HostArray, expected: HostArray): number {
  let worst = 0
  for (let i = 0; i < expected.data.length; i++) {
    const a = actual.data[i]
    const b = expected.data[i]
    if (a === b || (a !== a && b !== b)) continue
    if (typeof a === 'bigint' || typeof b === 'bigint' || !(expected.data instanceof Float32Array || expected.data instanceof Float64Array)) return Infinity
    const error = Math.abs(a - b) / Math.max(1, Math.abs(b))
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error)
  }
  return worst
}
