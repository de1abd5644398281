import { type DType, isInteger } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { resolveAxis } from '../ops/axes.ts'
import { broadcastTo } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { iota } from '../ops/iota.ts'
import { expandDims } from '../ops/reshape.ts'
import { failIn } from './library-error.ts'

export interface OneHotOptions {
  /** Element type of the result; `f32` by default. */
  readonly dtype?: DType
  /** Position of the new axis in the result; the last by default. */
  readonly axis?: number
}

/**
 * 1 where the new axis has the position that an index names, else 0; an index out of range gives zeros. Built from iota and compare, so
 * it is never a large constant. `indices i32[b,s]`, depth V -> `f32[b,s,V]`. Throws `OpError`.
 */
export function oneHot(indices: Tensor, depth: number, { dtype = 'f32', axis = -1 }: OneHotOptions = {}): Tensor {
  if (!isInteger(indices.dtype)) failIn('oneHot', `indices must be integers, got ${shortType(indices.type)}`)
  if (!Number.isInteger(depth) || depth < 0) failIn('oneHot', `depth ${depth} must be an integer of 0 or more`)
  const at = resolveAxis('oneHot', axis, indices.rank + 1)
  const shape = indices.shape.toSpliced(at, 0, depth)
  const positions = iota(tensorType(indices.dtype, shape), at)
  return convert(compare(broadcastTo(expandDims(indices, at), shape), positions, 'EQ'), dtype)
}
