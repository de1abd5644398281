import type { Tensor } from '../ir/module.ts'
import { gather } from '../ops/gather-scatter.ts'
import { expandDims } from '../ops/reshape.ts'

/** Rows of every slot's own table, chosen per slot while the program runs. A place outside is moved to the nearest inside. */

/** `size` rows one after the other, from each slot's own first one: `x [b,n,D]`, `first i32[b] -> [b,size,D]`. Throws `OpError`. */
export const windowOfEach = (x: Tensor, first: Tensor, size: number): Tensor =>
  gather(x, expandDims(first, 1), {
    dimension_numbers: {
      offset_dims: [1, 2],
      operand_batching_dims: [0],
      start_indices_batching_dims: [0],
      start_index_map: [1],
      index_vector_dim: 1,
    },
    slice_sizes: [1, size, x.shape[2]],
  })

/** Single rows: `x [b,n,D]`, `places i32[b,k] -> [b,k,D]`. Throws `OpError`. */
export const rowsOfEach = (x: Tensor, places: Tensor): Tensor =>
  gather(x, places, {
    dimension_numbers: {
      offset_dims: [2],
      collapsed_slice_dims: [1],
      operand_batching_dims: [0],
      start_indices_batching_dims: [0],
      start_index_map: [1],
      index_vector_dim: 2,
    },
    slice_sizes: [1, 1, x.shape[2]],
  })
