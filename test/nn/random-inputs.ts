import type { DType } from '../../src/ir/dtypes.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { randomTree } from '../support/model-runner.ts'

/** Numbers between -1 and 1 that follow from a seed. */
export const randomArray = (dtype: DType, shape: readonly number[], seed: number): HostArray => randomTree(tensorType(dtype, shape), seed, dtype, () => 1)

/** The largest difference between two lists of numbers of one length. */
export function worstDifference(actual: HostArray, expected: HostArray | readonly number[]): number {
  const wanted = Array.from('data' in expected ? expected.data : expected, Number)
  if (wanted.length !== actual.size) throw new RangeError(`${actual.size} numbers are compared with ${wanted.length}`)
  let worst = 0
  wanted.forEach((number, i) => {
    const difference = Math.abs(Number(actual.data[i]) - number)
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference)
  })
  return worst
}
