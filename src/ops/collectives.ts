import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { DenseElements } from '../ir/dense.ts'
import { EngramError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Module, Tensor } from '../ir/module.ts'
import type { EvaluateContext, HostTuple, InferContext } from '../ir/op-definition.ts'
import { type Step, processNumber } from '../ir/steps.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, sameType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { currentFrame } from '../trace/frame.ts'
import { attributeDictionary, form, resultType } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable, zeroGradient } from './define.ts'
import { type ChannelHandle, type Grouping, type ReplicaGroups, channelHandle, checkGroups, checkPairs, checkSomeGroups, groupOf, groupingOf, groupsAttribute, plainGrouping, replicaGroups, rowsOf } from './process-groups.ts'
import { needTensor, sameElementType, withShape } from './result-type.ts'
import { evaluateSteps } from './steps.ts'

/**
 * Ops in which processes exchange tensors without computing. Every process of a group must come to the op; see `process-groups.ts`
 * for which these are. Source: specification, the op of the same name.
 */

/** Attributes by which processes are brought together. */
export interface GroupAttributes {
  readonly replica_groups?: ReplicaGroups
  readonly channel_handle?: ChannelHandle
}

export const channelOf = ({ channel_handle }: GroupAttributes): number => channel_handle?.handle ?? 0

/** The group of the process that runs an op. */
export const ownGroup = (context: EvaluateContext<GroupAttributes>, groups: ReplicaGroups, grouping: Grouping): number[] | undefined =>
  groupOf(groups, grouping, context.process, context.module, context.operation.name)

/** What every member of a group brought to an op, member by member. */
export function* exchange(
  { operation, attributes }: EvaluateContext<GroupAttributes>,
  members: readonly number[],
  values: readonly HostArray[],
): Generator<Step, readonly (readonly HostArray[])[], readonly unknown[]> {
  const meeting = `${operation.name} (channel ${channelOf(attributes)})`
  const answer = yield { kind: 'meet', meeting, members, values }
  return (answer as readonly HostTuple[]).map(({ elements }) => elements as readonly HostArray[])
}

/** The group, where every process must have one. */
export function needGroup(context: EvaluateContext<GroupAttributes>, groups: ReplicaGroups, grouping: Grouping): number[] {
  const group = ownGroup(context, groups, grouping)
  if (group) return group
  const { replica, partition } = context.process
  throw new EngramError(`${context.operation.name}: no group has replica ${replica}, partition ${partition}`, { code: 'MISSING_PROCESS' })
}

/** Arrays of one element type, one after another along an axis. */
export function joinArrays(arrays: readonly HostArray[], axis: number): HostArray {
  const [first] = arrays
  const shape = first.shape.with(axis, arrays.reduce((sum, array) => sum + array.shape[axis], 0))
  const out = HostArray.zeros(first.dtype, shape)
  const strides = rowMajorStrides(shape)
  let at = 0
  for (const array of arrays) {
    copyStrided(array, 0, rowMajorStrides(array.shape), out, at * strides[axis], strides, array.shape)
    at += array.shape[axis]
  }
  return out
}

/** The `index`th of `count` equal parts of an array along an axis. */
export function partOf(array: HostArray, axis: number, index: number, count: number): HostArray {
  const size = array.shape[axis] / count
  if (!Number.isInteger(size))
    throw new EngramError(`axis ${axis} has size ${array.shape[axis]}, which ${count} processes cannot share evenly`, { code: 'UNEVEN_SPLIT' })
  const out = HostArray.zeros(array.dtype, array.shape.with(axis, size))
  const strides = rowMajorStrides(array.shape)
  copyStrided(array, index * size * strides[axis], strides, out, 0, rowMajorStrides(out.shape), out.shape)
  return out
}

/** Arrays of zeros of the same types. */
const zerosLike = (arrays: readonly HostArray[]): HostArray[] => arrays.map(({ dtype, shape }) => HostArray.zeros(dtype, shape))

/** Result types that are the operands' types; what was written down must go with them. */
function sameAsOperands(types: readonly TensorType[], { results, fail }: Pick<InferContext<unknown>, 'results' | 'fail'>, rule: string): readonly Type[] {
  if (!results) return types
  if (results.length !== types.length) fail(`op requires the same number of operands and results, has ${types.length} and ${results.length}`, rule)
  results.forEach((result, i) => {
    if (!isTensorType(result) || !sameElementType(result, types[i]) || !compatibleShape(result.shape, types[i].shape))
      fail(`inferred type(s) '${typeText(types[i])}' are incompatible with return type(s) of operation '${typeText(result)}'`, rule)
  })
  return results
}

const tensors = (context: InferContext<unknown>): TensorType[] => context.operands.map((type, i) => needTensor(`operands[${i}]`, type, context.fail))

/** Every process gets the operands of all in its group, one after another along an axis. */
export const allGatherOp = defineOp({
  name: 'stablehlo.all_gather',
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: {
    all_gather_dim: codec.axis,
    replica_groups: replicaGroups,
    channel_handle: codec.optional(channelHandle),
    use_global_device_ids: codec.optional(codec.unit),
  },
  assembly: 'generic',
  infer: (context) => {
    const { attributes, results, fail } = context
    const { all_gather_dim: axis, replica_groups: groups } = attributes
    const global = attributes.use_global_device_ids === true
    const types = tensors(context)
    if (types.length === 0) fail('requires at least 1 operand', 'all_gather_i1')
    if (results && results.length !== types.length) fail(`requires the same number of operands and results, has ${types.length} and ${results.length}`, 'all_gather_c6')
    return types.map((operand, i) => {
      if (axis < 0 || axis >= operand.shape.length) fail(`all_gather_dim must be a valid index of operand: it is ${axis}, ${typeText(operand)} has rank ${operand.shape.length}`, 'all_gather_c1')
      if (operand.shape[axis] === 0) fail(`dimension size of operand at 'all_gather_dim' cannot be zero: ${typeText(operand)}`, 'all_gather_c6')
      checkGroups(groups, { sameSize: true, global, rules: { rank: 'all_gather_i3', unique: 'all_gather_c2', covered: 'all_gather_c4' } }, context)
      if (global && channelOf(attributes) <= 0)
        fail(`channel_id must be positive when useGlobalDeviceIds is set but got: ${channelOf(attributes)}`, 'all_gather_c5')
      const result = results?.[i]
      if (!result) return withShape(operand, gatheredShape(operand.shape, axis, groups, fail))
      if (!isTensorType(result) || !sameElementType(operand, result)) return fail(`operand ${typeText(operand)} and result ${typeText(result)} differ in element type`, 'all_gather_c6')
      if (result.shape.length !== operand.shape.length) fail(`operand and result must have the same rank: ${typeText(operand)} and ${typeText(result)}`, 'all_gather_c6')
      if (!compatibleShape(operand.shape.with(axis, 0), result.shape.with(axis, 0)))
        fail(`operand and result should have the same shape except for the dimension size at 'all_gather_dim': ${typeText(operand)} and ${typeText(result)}`, 'all_gather_c6')
      const [from, to] = [operand.shape[axis], result.shape[axis]]
      if (from !== DYNAMIC && to !== DYNAMIC && to % from !== 0)
        fail(`result gather dimension has size ${to}, expected to be a multiple of operand gather dimension size ${from}`, 'all_gather_c6')
      return result
    })
  },
  *steps(context) {
    const { attributes, arrays } = context
    const members = needGroup(context, attributes.replica_groups, groupingOf(channelOf(attributes), attributes.use_global_device_ids === true))
    const brought = yield* exchange(context, members, arrays)
    return arrays.map((_, i) => joinArrays(brought.map((values) => values[i]), attributes.all_gather_dim))
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

/** The shape of the gathered result, as far as the attribute says how many processes there are in a group. */
function gatheredShape(shape: readonly number[], axis: number, groups: ReplicaGroups, fail: InferContext<unknown>['fail']): number[] {
  if (!(groups instanceof DenseElements)) return fail('needs result types: a mesh does not say how many devices a group has')
  return shape.with(axis, shape[axis] === DYNAMIC ? DYNAMIC : shape[axis] * groups.type.shape[1])
}

/** Every process splits its operands among its group and joins what it gets. */
export const allToAllOp = defineOp({
  name: 'stablehlo.all_to_all',
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: {
    split_dimension: codec.axis,
    concat_dimension: codec.axis,
    split_count: codec.positive,
    replica_groups: replicaGroups,
    channel_handle: codec.optional(channelHandle),
  },
  assembly: 'generic',
  infer: (context) => {
    const { attributes: { split_dimension: split, concat_dimension: concat, split_count: count, replica_groups: groups }, results, fail } = context
    const types = tensors(context)
    if (types.length === 0) fail('requires at least 1 operand', 'all_to_all_i1')
    if (results && results.length !== types.length) fail(`op requires the same number of operands and results, has ${types.length} and ${results.length}`, 'all_to_all_c9')
    return types.map((operand, i) => {
      const rank = operand.shape.length
      const declared = results?.[i]
      if (declared && (!isTensorType(declared) || !sameElementType(declared, operand)))
        fail(`op requires the same element type for operand and result at index ${i}: ${typeText(operand)} and ${typeText(declared)}`, 'all_to_all_c9')
      if (split < 0 || split >= rank) fail(`AllToAll split_dimension ${split} is out-of-bounds for input rank ${rank}`, 'all_to_all_c1')
      if (concat < 0 || concat >= rank) fail(`AllToAll concat_dimension ${concat} is out-of-bounds for input rank ${rank}`, 'all_to_all_c3')
      if (count <= 0) fail(`split_count ${count} must be positive`, 'all_to_all_c4')
      const rules = { rank: 'all_to_all_i5', unique: 'all_to_all_c5', covered: 'all_to_all_c7', size: 'all_to_all_c8' }
      checkGroups(groups, { sameSize: true, groupSize: count, rules }, context)
      const size = operand.shape[split]
      if (size !== DYNAMIC && size % count !== 0) fail(`split dimension has size ${size}, expected to be a multiple of split_count ${count}`, 'all_to_all_c2')
      const moved = (sizes: readonly number[]) =>
        sizes.map((n, axis) => (split === concat || n === DYNAMIC ? n : axis === split ? n / count : axis === concat ? n * count : n))
      const inferred = withShape(operand, moved(operand.shape), operand.bounds && moved(operand.bounds))
      if (!declared || !isTensorType(declared)) return inferred
      if (!compatibleShape(declared.shape, inferred.shape))
        fail(`inferred type(s) '${typeText(inferred)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, 'all_to_all_c9')
      return declared
    })
  },
  *steps(context) {
    const { attributes, arrays } = context
    const { split_dimension: split, concat_dimension: concat, split_count: count } = attributes
    const members = needGroup(context, attributes.replica_groups, plainGrouping(channelOf(attributes)))
    const own = members.indexOf(processNumber(context.process))
    const brought = yield* exchange(context, members, arrays)
    return arrays.map((_, i) => joinArrays(brought.map((values) => partOf(values[i], split, own, count)), concat))
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

/** Operands without the roots, which come last if they are chosen when the program runs; `name` is the op's. */
export function dataOperands(context: InferContext<{ readonly has_dynamic_root?: boolean }>, name: string, rule: string): TensorType[] {
  const { attributes, fail } = context
  const types = tensors(context)
  const data = attributes.has_dynamic_root ? types.slice(0, -1) : types
  if (data.length === 0) fail(`${name} requires at least one data operand`, rule)
  if (!attributes.has_dynamic_root) return data
  const root = types[types.length - 1]
  if (root.dtype !== 'i32' || root.shape.length !== 1 || root.quantization)
    fail(`last operand of ${name} with has_dynamic_root=true must be a rank-1 i32 tensor, got ${typeText(root)}`, rule)
  if (root.shape[0] !== DYNAMIC && root.shape[0] !== data.length)
    fail(`last operand of ${name} with has_dynamic_root=true must have the same number of elements as data operands (${data.length}), but got ${root.shape[0]}`, rule)
  return data
}

/** For each data operand, the place in the group of the process that has the root: the first, if nothing else is said. */
export function rootsOf({ arrays, attributes, operation }: EvaluateContext<{ readonly has_dynamic_root?: boolean }>, group: readonly number[]): number[] {
  if (!attributes.has_dynamic_root) return arrays.map(() => 0)
  return Array.from(arrays[arrays.length - 1].data as Int32Array, (root) => {
    if (root < 0 || root >= group.length)
      throw new EngramError(`${operation.name}: root ${root} is not in the group, which has ${group.length} processes`, { code: 'ROOT_RANGE' })
    return root
  })
}

/** Every process gets the operands of the root of its group; zeros if it is in none. */
export const collectiveBroadcastOp = defineOp({
  name: 'stablehlo.collective_broadcast',
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: { replica_groups: replicaGroups, channel_handle: codec.optional(channelHandle), has_dynamic_root: codec.optional(codec.unit) },
  assembly: 'generic',
  infer: (context) => {
    const rules = { rank: 'collective_broadcast_i2', unique: 'collective_broadcast_c1', covered: 'collective_broadcast_c2' }
    const data = dataOperands(context, 'collective_broadcast', context.operands.length ? 'collective_broadcast_c4' : 'collective_broadcast_c3')
    checkSomeGroups(context.attributes.replica_groups, rules, context)
    return sameAsOperands(data, context, 'collective_broadcast_c3')
  },
  *steps(context) {
    const { attributes, arrays } = context
    const data = attributes.has_dynamic_root ? arrays.slice(0, -1) : arrays
    const members = ownGroup(context, attributes.replica_groups, plainGrouping(channelOf(attributes)))
    if (!members) return zerosLike(data)
    const roots = rootsOf(context, members)
    const brought = yield* exchange(context, members, data)
    return data.map((_, i) => brought[roots[i]][i])
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

/** Sends the operands of each source to its target; who is no target gets zeros. */
export const collectivePermuteOp = defineOp({
  name: 'stablehlo.collective_permute',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { source_target_pairs: codec.denseI64, channel_handle: codec.optional(channelHandle) },
  assembly: 'generic',
  infer: (context) => {
    const operand = needTensor('operand', context.operands[0], context.fail)
    const rules = { shape: 'collective_permute_c1', sources: 'collective_permute_c2', targets: 'collective_permute_c3', range: 'collective_permute_c4' }
    checkPairs(context.attributes.source_target_pairs, rules, context.fail)
    return sameAsOperands([operand], context, 'collective_permute_c5')
  },
  *steps(context) {
    const { attributes, arrays, process } = context
    const pairs = rowsOf(attributes.source_target_pairs)
    const grouping = plainGrouping(channelOf(attributes))
    const own = grouping === 'cross_replica' ? process.replica : process.partition
    // Everyone who sends or receives meets, so that the order of arrival does not matter.
    const involved = [...new Set(pairs.flat())].sort((a, b) => a - b)
    if (!involved.includes(own)) return zerosLike(arrays)
    const members = needGroup(context, groupsAttribute([involved]), grouping)
    const brought = yield* exchange(context, members, arrays)
    const source = pairs.find(([, target]) => target === own)?.[0]
    return source === undefined ? zerosLike(arrays) : [...brought[involved.indexOf(source)]]
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

const idOp = (name: string, number: 'replica' | 'partition') =>
  defineOp({
    name: `stablehlo.${name}`,
    operands: [],
    results: ['result'],
    regions: [],
    attributes: {},
    assembly: form(attributeDictionary, resultType),
    infer: ({ results, fail }) => {
      const type = tensorType('u32', [])
      if (results && !sameType(results[0], type)) fail(`the result is ${typeText(type)}, but ${typeText(results[0])} is written`)
      return [type]
    },
    evaluate: ({ process }) => [HostArray.from('u32', process[number])],
    vjp: zeroGradient('it depends on nothing'),
  })

export const replicaIdOp = idOp('replica_id', 'replica')
export const partitionIdOp = idOp('partition_id', 'partition')

export interface CollectiveOptions {
  /** Positive: partitions meet too (or ids name all devices, with `globalIds`). */
  readonly channel?: number
  /** The ids in the groups count devices: replica by replica, partition by partition. */
  readonly globalIds?: boolean
}

const channels = new WeakMap<Module, number>()

/** A channel that no other op of the program under construction has. */
export function newChannel(): number {
  const { module } = currentFrame()
  const channel = (channels.get(module) ?? 0) + 1
  channels.set(module, channel)
  return channel
}

/** A channel between devices, or none. */
export const handleOf = (channel: number | undefined): ChannelHandle | undefined => (channel === undefined ? undefined : { handle: channel, type: 1 })

/** The number (`u32[]`) of the replica that runs this. */
export const replicaId = (): Tensor => emit(replicaIdOp, [], {}).results[0] as Tensor
/** The number (`u32[]`) of the partition that runs this. */
export const partitionId = (): Tensor => emit(partitionIdOp, [], {}).results[0] as Tensor

/** The operands of all processes of a group, joined along `axis`: `f32[2,4]` on 3 processes, axis 0 -> `f32[6,4]`. Throws `OpError`. */
export function allGather(x: Tensor, axis: number, groups: readonly (readonly number[])[], options: CollectiveOptions = {}): Tensor {
  const attributes = { all_gather_dim: axis, replica_groups: groupsAttribute(groups), channel_handle: handleOf(options.channel), use_global_device_ids: options.globalIds || undefined }
  return emit(allGatherOp, [x], attributes).results[0] as Tensor
}

/** Splits `x` along one axis among the processes of a group and joins what comes along another. Throws `OpError`. */
export function allToAll(
  x: Tensor,
  splitAxis: number,
  concatAxis: number,
  groups: readonly (readonly number[])[],
  options: Pick<CollectiveOptions, 'channel'> = {},
): Tensor {
  const attributes = {
    split_dimension: splitAxis,
    concat_dimension: concatAxis,
    split_count: groups[0]?.length ?? 0,
    replica_groups: groupsAttribute(groups),
    channel_handle: handleOf(options.channel),
  }
  return emit(allToAllOp, [x], attributes).results[0] as Tensor
}

/** The value of the first process of each group, for all of it; zeros where there is no group. Throws `OpError`. */
export function collectiveBroadcast(x: Tensor, groups: readonly (readonly number[])[], options: Pick<CollectiveOptions, 'channel'> = {}): Tensor {
  return emit(collectiveBroadcastOp, [x], { replica_groups: groupsAttribute(groups), channel_handle: handleOf(options.channel) }).results[0] as Tensor
}

/** The value of process `source` for process `target`, for each pair; zeros for who is no target. Throws `OpError`. */
export function collectivePermute(x: Tensor, pairs: readonly (readonly [number, number])[], options: Pick<CollectiveOptions, 'channel'> = {}): Tensor {
  const source_target_pairs = DenseElements.of(HostArray.of('i64', [pairs.length, 2], pairs.flat()))
  return emit(collectivePermuteOp, [x], { source_target_pairs, channel_handle: handleOf(options.channel) }).results[0] as Tensor
}
