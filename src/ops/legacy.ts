import { reduceArray } from '../host/reduce.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { isInteger } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import type { EvaluateContext } from '../ir/op-definition.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { attributeDictionary, form, functional, integerList, operandList } from './assembly.ts'
import * as codec from './codecs.ts'
import { exchange, needGroup } from './collectives.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { gather } from './gather-scatter.ts'
import { agreeWithInferred, compatibleSize } from './inferred-types.ts'
import { checkGroups, replicaGroups } from './process-groups.ts'
import { needTensor, withShape } from './result-type.ts'
import { emitReturn } from './return.ts'
import { evaluateSteps } from './steps.ts'

/** Ops that older programs have and that others took the place of. */

/** Repeats a tensor along new leading axes; now `broadcast_in_dim`. Source: StableHLO, "broadcast". */
export const broadcastOp = defineOp({
  name: 'stablehlo.broadcast',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { broadcast_sizes: codec.i64Array },
  assembly: form(operandList, integerList('broadcast_sizes', 'sizes'), attributeDictionary, functional),
  infer: ({ operands, attributes: { broadcast_sizes: sizes }, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const negative = sizes.find((size) => size < 0)
    if (negative !== undefined) fail(`Broadcast with negative dimension size ${negative}`)
    return agreeWithInferred([withShape(operand, [...sizes, ...operand.shape], operand.bounds && [...sizes.map(() => -1), ...operand.bounds])], results, fail)
  },
  evaluate: ({ arrays: [operand], attributes: { broadcast_sizes: sizes } }) => {
    const out = HostArray.zeros(operand.dtype, [...sizes, ...operand.shape])
    copyStrided(operand, 0, [...sizes.map(() => 0), ...rowMajorStrides(operand.shape)], out, 0, rowMajorStrides(out.shape), out.shape)
    return [out]
  },
  vjp: ({ cotangents: [d], attributes: { broadcast_sizes: sizes }, sum }) => [d && sum(d, sizes.map((_, axis) => axis))],
})
/** `f32[n]` with sizes `[2, 3]` -> `f32[2,3,n]`; `broadcastInDim` is what new programs use. Throws `OpError`. */
export const broadcast = (operand: Tensor, sizes: readonly number[]): Tensor => emit(broadcastOp, [operand], { broadcast_sizes: sizes }).results[0] as Tensor

/** Slices along one axis, picked by indices; now `gather`. Source: StableHLO, "torch_index_select". */
export const torchIndexSelectOp = defineOp({
  name: 'stablehlo.torch_index_select',
  operands: ['operand', 'index'],
  results: ['result'],
  regions: [],
  attributes: { batch_dims: codec.i64, dim: codec.i64 },
  assembly: 'generic',
  infer: ({ operands, attributes: { dim, batch_dims: batch }, results, fail }) => {
    const [operand, index] = [needTensor('operand', operands[0], fail), needTensor('index', operands[1], fail)]
    if (!isInteger(index.dtype)) fail(`index must be integers, got ${shortType(index)}`)
    if (dim < 0 || dim >= operand.shape.length) fail(`dim is ${dim}, operand ${shortType(operand)} has rank ${operand.shape.length}`)
    if (batch < 0 || batch > dim || batch > index.shape.length) fail(`batch_dims is ${batch}, must be at most dim ${dim} and the rank of index ${shortType(index)}`)
    for (let axis = 0; axis < batch; axis++)
      if (!compatibleSize(operand.shape[axis], index.shape[axis]))
        fail(`batch sizes differ at axis ${axis}: operand ${shortType(operand)}, index ${shortType(index)}`)
    const shape = [...operand.shape.slice(0, dim), ...index.shape.slice(batch), ...operand.shape.slice(dim + 1)]
    return agreeWithInferred([withShape(operand, shape)], results, fail)
  },
  evaluate: ({ arrays: [operand, index], attributes: { dim, batch_dims: batch } }) => [selectArrays(operand, index, dim, batch)],
  vjp: ({ operands, cotangents, attributes: { dim, batch_dims: batch }, needed, pullback }) => {
    const picked = buildRegion('torch_index_select', operands.map(({ type }) => type), ([operand, index]) =>
      emitReturn([gatherAlong(operand as Tensor, index as Tensor, dim, batch)]))
    return pullback(picked, operands, () => cotangents, { active: needed }).inputs
  },
})

/** An index outside is moved to the nearest one, as `gather` does. */
function selectArrays(operand: HostArray, index: HostArray, dim: number, batch: number): HostArray {
  const picks = index.shape.slice(batch)
  const shape = [...operand.shape.slice(0, dim), ...picks, ...operand.shape.slice(dim + 1)]
  const out = HostArray.zeros(operand.dtype, shape)
  if (out.size === 0) return out
  const [own, to] = [rowMajorStrides(operand.shape), rowMajorStrides(shape)]
  const picksPerBatch = picks.reduce((product, size) => product * size, 1)
  const rest = operand.shape.map((size, axis) => (axis < batch || axis === dim ? 1 : size))
  const toStrides = [...to.slice(0, dim), 0, ...to.slice(dim + picks.length)]
  // Picks have the stride of their last axis, or of what comes after it if there is none.
  const pickStride = operand.shape.slice(dim + 1).reduce((product, size) => product * size, 1)
  for (let i = 0; i < index.size; i++) {
    const pick = i % picksPerBatch
    let [from, target] = [0, pick * pickStride]
    for (let axis = batch - 1, left = Math.floor(i / picksPerBatch); axis >= 0; axis--) {
      const at = left % operand.shape[axis]
      from += at * own[axis]
      target += at * to[axis]
      left = Math.floor(left / operand.shape[axis])
    }
    const chosen = Math.min(Math.max(Number(index.data[i]), 0), operand.shape[dim] - 1)
    copyStrided(operand, from + chosen * own[dim], own, out, target, toStrides, rest)
  }
  return out
}

/** The same as a `gather`, whose gradient is known. */
function gatherAlong(operand: Tensor, index: Tensor, dim: number, batch: number): Tensor {
  const batches = Array.from({ length: batch }, (_, axis) => axis)
  const picks = index.rank - batch
  // The result has the batch and what was picked together, so that the axes in between come after; put them back by offset positions.
  const offsets = operand.shape.map((_, axis) => axis).filter((axis) => axis >= batch && axis !== dim)
  return gather(operand, index, {
    dimension_numbers: {
      offset_dims: offsets.map((axis) => (axis < dim ? axis : axis - 1 + picks)),
      collapsed_slice_dims: [dim],
      operand_batching_dims: batches,
      start_indices_batching_dims: batches,
      start_index_map: [dim],
      index_vector_dim: index.rank,
    },
    slice_sizes: operand.shape.map((size, axis) => (axis < batch || axis === dim ? 1 : size)),
  })
}

/** Slices of `operand` along `dim` at the places that `index` names; `takeRows` is what new programs use. Throws `OpError`. */
export const torchIndexSelect = (operand: Tensor, index: Tensor, dim: number, batchDims = 0): Tensor =>
  emit(torchIndexSelectOp, [operand, index], { dim, batch_dims: batchDims }).results[0] as Tensor

const rule = 'cross_replica_sum_i2'

/** The sum over the replicas of each group; now `all_reduce`. Source: StableHLO, "cross-replica-sum". */
export const crossReplicaSumOp = defineOp({
  name: 'stablehlo.cross-replica-sum',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { replica_groups: replicaGroups },
  assembly: 'generic',
  infer: (context) => {
    const operand = needTensor('operand', context.operands[0], context.fail)
    checkGroups(context.attributes.replica_groups, { sameSize: false, rules: { rank: rule, unique: rule, covered: rule } }, context)
    return agreeWithInferred([operand], context.results, context.fail)
  },
  *steps(context: EvaluateContext<any>) {
    const group = needGroup(context, context.attributes.replica_groups, 'cross_replica')
    const brought = yield* exchange(context, group, context.arrays)
    const [first] = context.arrays
    const stacked = HostArray.zeros(first.dtype, [group.length, ...first.shape])
    brought.forEach(([array], i) => stacked.data.set(array.data as never, i * array.data.length))
    return [reduceArray('add', stacked, HostArray.zeros(first.dtype, []), [0], tensorType(first.dtype, first.shape))]
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})
