import { HostArray } from '../../../src/ir/host-array.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { constant } from '../../../src/ops/constant.ts'
import { dynamicConv } from '../../../src/ops/dynamic-conv.ts'
import { dynamicBroadcastInDim, dynamicIota, dynamicReshape } from '../../../src/ops/dynamic-shape.ts'
import { dynamicGather, dynamicPad, realDynamicSlice } from '../../../src/ops/dynamic-window.ts'
import type { OpSample } from './sample.ts'

const f64 = (...shape: number[]) => tensorType('f64', shape)
const list = (length: number) => tensorType('i64', [length])
const i64 = (...values: number[]) => HostArray.from('i64', values)
const table = HostArray.from('f64', [[1, 2, 3], [4, 5, 6]])
const notOnXla = 'XLA wants shapes that are known when it compiles'

/** Ops whose extents are operands. */
export const samples: readonly OpSample[] = [
  {
    name: 'stablehlo.dynamic_broadcast_in_dim',
    op: 'stablehlo.dynamic_broadcast_in_dim',
    build: (x, sizes) => dynamicBroadcastInDim(x, sizes, [1, 2], f64(4, 2, 3)),
    inputs: [f64(1, 3), list(3)],
    values: () => [HostArray.from('f64', [[1, 2, 3]]), i64(4, 2, 3)],
    differentiable: [0],
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_iota',
    op: 'stablehlo.dynamic_iota',
    build: (sizes) => dynamicIota(sizes, 1, tensorType('i32', [2, 3])),
    inputs: [list(2)],
    values: () => [i64(2, 3)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_reshape',
    op: 'stablehlo.dynamic_reshape',
    build: (x, sizes) => dynamicReshape(x, sizes, f64(3, 2)),
    inputs: [f64(2, 3), list(2)],
    values: () => [table, i64(3, 2)],
    differentiable: [0],
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_reshape (constant shape)',
    op: 'stablehlo.dynamic_reshape',
    build: (x) => dynamicReshape(x, constant([6], 'i32')),
    inputs: [f64(2, 3)],
    differentiable: true,
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_pad',
    op: 'stablehlo.dynamic_pad',
    build: (x, value, low, high, interior) => dynamicPad(x, value, low, high, interior, f64(4, 4)),
    inputs: [f64(2, 3), f64(), list(2), list(2), list(2)],
    values: () => [table, HostArray.from('f64', 9), i64(1, -1), i64(0, 2), i64(1, 0)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.real_dynamic_slice',
    op: 'stablehlo.real_dynamic_slice',
    build: (x, starts, limits, strides) => realDynamicSlice(x, starts, limits, strides, f64(1, 2)),
    inputs: [f64(2, 3), list(2), list(2), list(2)],
    values: () => [table, i64(1, 0), i64(2, 3), i64(1, 2)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_gather',
    op: 'stablehlo.dynamic_gather',
    build: (x, indices, sizes) => dynamicGather(x, indices, sizes, { offset_dims: [1], collapsed_slice_dims: [0], start_index_map: [0], index_vector_dim: 1 }, f64(4, 2)),
    inputs: [f64(2, 3), tensorType('i32', [4]), list(2)],
    values: () => [table, HostArray.from('i32', [1, 0, 1, 5]), i64(1, 2)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.dynamic_conv',
    op: 'stablehlo.dynamic_conv',
    build: (x, kernel, padding) => dynamicConv(x, kernel, padding, {
      window_strides: [1],
      dimension_numbers: {
        input_batch_dimension: 0,
        input_feature_dimension: 2,
        input_spatial_dimensions: [1],
        kernel_input_feature_dimension: 1,
        kernel_output_feature_dimension: 2,
        kernel_spatial_dimensions: [0],
        output_batch_dimension: 0,
        output_feature_dimension: 2,
        output_spatial_dimensions: [1],
      },
      feature_group_count: 1,
      batch_group_count: 1,
    }, f64(1, 4, 1)),
    inputs: [f64(1, 5, 2), f64(3, 2, 1), tensorType('i64', [1, 2])],
    values: (random) => [
      HostArray.of('f64', [1, 5, 2], Array.from({ length: 10 }, random)),
      HostArray.of('f64', [3, 2, 1], Array.from({ length: 6 }, random)),
      HostArray.from('i64', [[1, 0]]),
    ],
    differentiable: false,
    notOnXla,
  },
]
