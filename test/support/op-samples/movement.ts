import { HostArray } from '../../../src/ir/host-array.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { concatenate, stack } from '../../../src/ops/concatenate.ts'
import { bitcastConvert, convert, reducePrecision } from '../../../src/ops/convert.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../../../src/ops/dynamic-slice.ts'
import { maximum } from '../../../src/ops/elementwise-binary.ts'
import { gather, scatter, scatterAdd, scatterAssign } from '../../../src/ops/gather-scatter.ts'
import { iota } from '../../../src/ops/iota.ts'
import { expandDims, reshape, squeeze } from '../../../src/ops/reshape.ts'
import { reverse } from '../../../src/ops/reverse.ts'
import { pad, slice, sliceAxis } from '../../../src/ops/slice-pad.ts'
import { takeAlongAxis, takeRows } from '../../../src/ops/take.ts'
import { transpose } from '../../../src/ops/transpose.ts'
import { type OpSample, type Random, arbitrary } from './sample.ts'

const f64 = (...shape: number[]) => tensorType('f64', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)

/** Integers in [low, high). */
const integers = (random: Random, low: number, high: number, ...shape: number[]): HostArray =>
  HostArray.of('i32', shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => low + Math.floor(random() * (high - low))))

/** Different integers in [0, limit), in any order. */
function distinct(random: Random, limit: number, ...shape: number[]): HostArray {
  const pool = Array.from({ length: limit }, (_, i) => i)
  for (let i = limit - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[pool[i], pool[j]] = [pool[j], pool[i]]
  }
  return HostArray.of('i32', shape, pool.slice(0, shape.reduce((a, b) => a * b, 1)))
}

const rows = { scatter_dimension_numbers: { update_window_dims: [1], inserted_window_dims: [0], scatter_dims_to_operand_dims: [0], index_vector_dim: 1 } }
const batched = {
  update_window_dims: [2],
  inserted_window_dims: [1],
  input_batching_dims: [0],
  scatter_indices_batching_dims: [1],
  scatter_dims_to_operand_dims: [1],
  index_vector_dim: 2,
}

export const samples: readonly OpSample[] = [
  { name: 'stablehlo.reshape', op: 'stablehlo.reshape', build: (x) => reshape(x, [3, -1]), inputs: [f64(2, 3, 2)], differentiable: true },
  { name: 'stablehlo.reshape (axes of 1)', op: 'stablehlo.reshape', build: (x) => squeeze(expandDims(x, [0, -1]), 2), inputs: [f64(2, 1, 3)], differentiable: true },
  { name: 'stablehlo.transpose', op: 'stablehlo.transpose', build: (x) => transpose(x, [2, 0, 1]), inputs: [f64(2, 3, 4)], differentiable: true },
  { name: 'stablehlo.reverse', op: 'stablehlo.reverse', build: (x) => reverse(x, [0, 2]), inputs: [f64(2, 3, 4)], differentiable: true },
  { name: 'stablehlo.iota', op: 'stablehlo.iota', build: () => iota(i32(2, 3), 1), inputs: [], differentiable: false },
  { name: 'stablehlo.concatenate', op: 'stablehlo.concatenate', build: (a, b) => concatenate([a, b, a], 1), inputs: [f64(2, 3), f64(2, 1)], differentiable: true },
  { name: 'stablehlo.concatenate (stack)', op: 'stablehlo.concatenate', build: (a, b) => stack([a, b], -1), inputs: [f64(2, 3), f64(2, 3)], differentiable: true },
  { name: 'stablehlo.slice', op: 'stablehlo.slice', build: (x) => slice(x, [1, 0], [4, 7], [2, 3]), inputs: [f64(5, 8)], differentiable: true },
  { name: 'stablehlo.slice (one axis, empty)', op: 'stablehlo.slice', build: (x) => sliceAxis(x, -1, 2, 2), inputs: [f64(2, 3)], differentiable: true },
  { name: 'stablehlo.pad', op: 'stablehlo.pad', build: (x, v) => pad(x, v, [1, -1], [2, 3], [0, 2]), inputs: [f64(2, 3), f64()], differentiable: true },
  { name: 'stablehlo.pad (cut)', op: 'stablehlo.pad', build: (x, v) => pad(x, v, [-2, 1], [-1, -2], [1, 0]), inputs: [f64(3, 4), f64()], differentiable: true },
  {
    name: 'stablehlo.dynamic_slice',
    op: 'stablehlo.dynamic_slice',
    build: (x, i, j) => dynamicSlice(x, [i, j], [2, 3]),
    inputs: [f64(4, 5), i32(), i32()],
    values: (random) => [arbitrary(f64(4, 5), random), HostArray.of('i32', [], [1]), HostArray.of('i32', [], [9])],
    differentiable: [0],
  },
  {
    name: 'stablehlo.dynamic_update_slice',
    op: 'stablehlo.dynamic_update_slice',
    build: (x, u, i) => dynamicUpdateSlice(x, u, [i, 1]),
    inputs: [f64(4, 5), f64(2, 3), i32()],
    values: (random) => [arbitrary(f64(4, 5), random), arbitrary(f64(2, 3), random), HostArray.of('i32', [], [-4])],
    differentiable: [0, 1],
  },
  {
    name: 'stablehlo.gather (rows)',
    op: 'stablehlo.gather',
    build: (table, i) => takeRows(table, i),
    inputs: [f64(5, 3), i32(2, 4)],
    values: (random) => [arbitrary(f64(5, 3), random), integers(random, -1, 7, 2, 4)],
    differentiable: [0],
  },
  {
    name: 'stablehlo.gather (along an axis)',
    op: 'stablehlo.gather',
    build: (x, i) => takeAlongAxis(x, i, 1),
    inputs: [f64(2, 5, 3), i32(2, 4, 3)],
    values: (random) => [arbitrary(f64(2, 5, 3), random), integers(random, -1, 7, 2, 4, 3)],
    differentiable: [0],
  },
  {
    name: 'stablehlo.gather (batches and windows)',
    op: 'stablehlo.gather',
    build: (x, i) =>
      gather(x, i, {
        dimension_numbers: {
          offset_dims: [1, 3],
          collapsed_slice_dims: [2],
          operand_batching_dims: [1],
          start_indices_batching_dims: [0],
          start_index_map: [2, 0],
          index_vector_dim: 1,
        },
        slice_sizes: [2, 1, 1, 3],
      }),
    inputs: [f64(4, 3, 5, 4), i32(3, 2, 2)],
    values: (random) => [arbitrary(f64(4, 3, 5, 4), random), integers(random, -1, 6, 3, 2, 2)],
    differentiable: [0],
  },
  {
    name: 'stablehlo.scatter (add)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatterAdd(x, i, u, rows),
    inputs: [f64(5, 3), i32(4, 1), f64(4, 3)],
    values: (random) => [arbitrary(f64(5, 3), random), integers(random, -1, 7, 4, 1), arbitrary(f64(4, 3), random)],
    differentiable: [0, 2],
  },
  {
    name: 'stablehlo.scatter (add, batches)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatterAdd(x, i, u, { scatter_dimension_numbers: batched }),
    inputs: [f64(2, 5, 3), i32(4, 2, 1), f64(4, 2, 3)],
    values: (random) => [arbitrary(f64(2, 5, 3), random), integers(random, -1, 7, 4, 2, 1), arbitrary(f64(4, 2, 3), random)],
    differentiable: [0, 2],
  },
  {
    name: 'stablehlo.scatter (assign, unique)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatterAssign(x, i, u, { ...rows, unique_indices: true }),
    inputs: [f64(5, 3), i32(4, 1), f64(4, 3)],
    values: (random) => [arbitrary(f64(5, 3), random), distinct(random, 6, 4, 1), arbitrary(f64(4, 3), random)],
    differentiable: [0, 2],
  },
  {
    name: 'stablehlo.scatter (assign)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatterAssign(x, i, u, rows),
    inputs: [f64(3, 3), i32(6, 1), f64(6, 2)],
    values: (random) => [arbitrary(f64(3, 3), random), integers(random, -1, 4, 6, 1), arbitrary(f64(6, 2), random)],
    differentiable: [0, 2],
  },
  {
    name: 'stablehlo.scatter (multiply, unique)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatter([x], i, [u], { ...rows, unique_indices: true }, ([old], [fresh]) => [multiply(old, fresh)])[0],
    inputs: [f64(5, 3), i32(4, 1), f64(4, 3)],
    values: (random) => [arbitrary(f64(5, 3), random), distinct(random, 6, 4, 1), arbitrary(f64(4, 3), random)],
    differentiable: [0, 2],
  },
  {
    name: 'stablehlo.scatter (two at once)',
    op: 'stablehlo.scatter',
    build: (x, y, i, u, v) => scatter([x, y], i, [u, v], rows, (old, fresh) => [add(old[0], fresh[0]), add(fresh[1], old[1])]),
    inputs: [f64(5, 3), f64(5, 3), i32(4, 1), f64(4, 3), f64(4, 3)],
    values: (random) => [
      arbitrary(f64(5, 3), random),
      arbitrary(f64(5, 3), random),
      integers(random, -1, 7, 4, 1),
      arbitrary(f64(4, 3), random),
      arbitrary(f64(4, 3), random),
    ],
    differentiable: [0, 1, 3, 4],
  },
  {
    name: 'stablehlo.scatter (maximum)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatter([x], i, [u], rows, ([old], [fresh]) => [maximum(old, fresh)])[0],
    inputs: [f64(5, 3), i32(4, 1), f64(4, 3)],
    values: (random) => [arbitrary(f64(5, 3), random), integers(random, -1, 7, 4, 1), arbitrary(f64(4, 3), random)],
    differentiable: true,
  },
  {
    name: 'stablehlo.scatter (any body)',
    op: 'stablehlo.scatter',
    build: (x, i, u) => scatter([x], i, [u], rows, ([old], [fresh]) => [maximum(add(old, fresh), 0)])[0],
    inputs: [f64(5, 3), i32(4, 1), f64(4, 3)],
    values: (random) => [arbitrary(f64(5, 3), random), integers(random, -1, 7, 4, 1), arbitrary(f64(4, 3), random)],
    differentiable: false,
  },
  { name: 'stablehlo.convert', op: 'stablehlo.convert', build: (x) => convert(x, 'f32'), inputs: [f64(2, 3)], differentiable: false },
  {
    name: 'stablehlo.convert (there and back)',
    op: 'stablehlo.convert',
    build: (x) => convert(multiply(convert(x, 'c128'), convert(x, 'c128')), 'f64'),
    inputs: [f64(2, 3)],
    differentiable: true,
  },
  { name: 'stablehlo.convert (to integers)', op: 'stablehlo.convert', build: (x) => convert(x, 'i8'), inputs: [f64(2, 3)], differentiable: false },
  { name: 'stablehlo.bitcast_convert', op: 'stablehlo.bitcast_convert', build: (x) => bitcastConvert(x, 'u16'), inputs: [f64(2, 3)], differentiable: false },
  {
    name: 'stablehlo.reduce_precision',
    op: 'stablehlo.reduce_precision',
    build: (x) => reducePrecision(x, 5, 10),
    inputs: [tensorType('f32', [2, 3])],
    differentiable: false,
  },
]
