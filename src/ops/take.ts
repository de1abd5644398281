import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { captureLocation } from '../trace/frame.ts'
import { resolveAxis } from './axes.ts'
import { gather } from './gather-scatter.ts'

/** The usual ways of reading by index. */

/**
 * Rows of a table, as an embedding is looked up: table `[V, D...]`, indices of integers of any shape -> `[...indices, D...]`. An index outside
 * is moved to the nearest row. The gradient adds up the cotangents of the rows. Throws `OpError`.
 */
export function takeRows(table: Tensor, indices: Tensor): Tensor {
  if (table.rank === 0)
    throw new OpError('gather', `takeRows needs a table with rows, got ${shortType(table.type)}`, undefined, captureLocation(takeRows))
  return gather(table, indices, {
    dimension_numbers: {
      offset_dims: table.shape.slice(1).map((_, i) => indices.rank + i),
      collapsed_slice_dims: [0],
      start_index_map: [0],
      index_vector_dim: indices.rank,
    },
    slice_sizes: [1, ...table.shape.slice(1)],
  })
}

/**
 * Elements picked along one axis, each row with its own indices: `result[b, i] = x[b, indices[b, i]]` for `axis` 1. `x` and `indices` have the
 * same rank and the same sizes on all other axes; the result has the shape of `indices`. An index outside is moved to the nearest one.
 * The gradient adds up the cotangents of each element. Throws `OpError`.
 */
export function takeAlongAxis(x: Tensor, indices: Tensor, axis: number): Tensor {
  if (x.rank !== indices.rank)
    throw new OpError(
      'gather',
      `takeAlongAxis: x ${shortType(x.type)} and indices ${shortType(indices.type)} differ in rank`,
      undefined,
      captureLocation(takeAlongAxis),
    )
  const at = resolveAxis('gather', axis, x.rank)
  const others = x.shape.map((_, i) => i).filter((i) => i !== at)
  return gather(x, indices, {
    dimension_numbers: {
      collapsed_slice_dims: [at],
      operand_batching_dims: others,
      start_indices_batching_dims: others,
      start_index_map: [at],
      index_vector_dim: x.rank,
    },
    slice_sizes: x.shape.map((size, i) => (i === at ? 1 : Math.min(size, 1))),
  })
}
