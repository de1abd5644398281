import { worstElement } from '../../src/host/agreement.ts'
import type { HostArray } from '../../src/ir/host-array.ts'

/**
 * The largest difference of two arrays of one type, relative to the larger of 1 and the expected value; 0 where both are NaN or the same
 * infinity, Infinity where only one is. Integers and booleans count as equal or infinitely far.
 */
export const worstError = (actual: HostArray, expected: HostArray): number => worstElement(actual, expected, { relative: 1, absolute: 1 })?.excess ?? 0
