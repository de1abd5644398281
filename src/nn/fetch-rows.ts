import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { and, or, shiftLeft, shiftRightLogical } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { concatenate } from '../ops/concatenate.ts'
import { bitcastConvert, convert } from '../ops/convert.ts'
import { fill } from '../ops/constant.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { gather } from '../ops/gather-scatter.ts'
import { iota } from '../ops/iota.ts'
import { reshape } from '../ops/reshape.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import type { KeysAndValues } from './cache.ts'

/** Rows of every slot's and head's own ring: `[b,h,n,d]`, places `i32[b,h,s,k]` -> `[b,h,s,k,d]`; a place out of range is the nearest in it. */
const takePlaces = (ring: Tensor, places: Tensor): Tensor =>
  gather(ring, places, {
    dimension_numbers: {
      offset_dims: [4],
      collapsed_slice_dims: [2],
      operand_batching_dims: [0, 1],
      start_indices_batching_dims: [0, 1],
      start_index_map: [2],
      index_vector_dim: 4,
    },
    slice_sizes: [1, 1, 1, ring.shape[3]],
  })

/** Keys and values at places: memory `[b,h,n,d]`, places `i32[b,h,s,k]` -> `[b,h,s,k,d]` each. What stands at place -1 is open. */
export const fetchRows = ({ keys, values }: KeysAndValues, places: Tensor): KeysAndValues => ({
  keys: takePlaces(keys, places),
  values: takePlaces(values, places),
})

/** The same with one gather, of rows that hold key and value both, from all slots and heads in one long table. */
export function fetchPackedRows({ keys, values }: KeysAndValues, places: Tensor): KeysAndValues {
  const narrow = keys.dtype === 'bf16' && values.dtype === 'bf16'
  const joined = narrow ? packHalves(keys, values) : concatenate([keys, values], 3)
  const [slots, heads, size, width] = joined.shape
  const table = reshape(joined, [slots * heads * size, width])
  const own = reshape(multiply(iota(tensorType('i32', [slots * heads]), 0), size), [slots, heads])
  const rows = gather(table, add(maximum(places, 0), broadcastInDim(own, places.shape, [0, 1])), {
    dimension_numbers: { offset_dims: [4], collapsed_slice_dims: [0], start_index_map: [0], index_vector_dim: 4 },
    slice_sizes: [1, width],
  })
  if (narrow) return unpackHalves(rows)
  const split = keys.shape[3]
  return { keys: sliceAxis(rows, 4, 0, split), values: sliceAxis(rows, 4, split, width) }
}

/** A bf16 is the upper half of an f32: keys go to the lower, values to the upper half of a `ui32`. */
function packHalves(keys: Tensor, values: Tensor): Tensor {
  const bits = (x: Tensor): Tensor => bitcastConvert(convert(x, 'f32'), 'u32')
  const half = bits(keys)
  return or(shiftRightLogical(half, fill(16, half.type)), bits(values))
}

function unpackHalves(rows: Tensor): KeysAndValues {
  const narrow = (bits: Tensor): Tensor => convert(bitcastConvert(bits, 'f32'), 'bf16')
  return { keys: narrow(shiftLeft(rows, fill(16, rows.type))), values: narrow(and(rows, fill(0xffff0000, rows.type))) }
}
