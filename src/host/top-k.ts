import { dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { sortByKeys } from './sort.ts'
import { copyStrided, rowMajorStrides } from './strided.ts'

/** The `k` largest entries along the last axis, in descending order, and their positions; equal ones in order, NaN first. */
export function topKArrays(operand: HostArray, k: number): [HostArray, HostArray] {
  const { shape } = operand
  const axis = shape.length - 1
  const positions = HostArray.zeros('i32', shape)
  for (let i = 0; i < positions.size; i++) positions.data[i] = i % shape[axis]
  const total = dtypes[operand.dtype].kind === 'float'
  const [values, indices] = sortByKeys([operand, positions], operand, axis, { descending: true, total })
  return [firstOf(values, axis, k), firstOf(indices, axis, k)]
}

function firstOf(array: HostArray, axis: number, count: number): HostArray {
  const out = HostArray.zeros(array.dtype, array.shape.with(axis, count))
  copyStrided(array, 0, rowMajorStrides(array.shape), out, 0, rowMajorStrides(out.shape), out.shape)
  return out
}
