import { convertArray } from '../host/convert.ts'
import { elementAt, putElement } from '../host/gather.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Region, Tensor } from '../ir/module.ts'
import type { EvaluateContext, InferContext } from '../ir/op-definition.ts'
import { processNumber } from '../ir/steps.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, elementText, isTensorType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import * as codec from './codecs.ts'
import { type CollectiveOptions, channelOf, dataOperands, exchange, handleOf, needGroup, ownGroup, partOf, rootsOf } from './collectives.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { liftRegion } from './lift-region.ts'
import { channelHandle, checkGroups, groupingOf, groupsAttribute, replicaGroups } from './process-groups.ts'
import { checkReducer } from './reducer.ts'
import { needTensor, sameElementType, withShape } from './result-type.ts'
import { emitReturn } from './return.ts'
import { evaluateSteps } from './steps.ts'

/** Ops in which processes combine tensors element by element with a region. Source: specification, the op of the same name. */

const common = {
  replica_groups: replicaGroups,
  channel_handle: codec.optional(channelHandle),
  use_global_device_ids: codec.optional(codec.unit),
} as const
type Common = { readonly channel_handle?: { readonly handle: number; readonly type: number }; readonly use_global_device_ids?: boolean }

const groupingFor = (attributes: Common) => groupingOf(channelOf(attributes), attributes.use_global_device_ids === true)

function checkChannel(attributes: Common, fail: InferContext<unknown>['fail'], rule: string): void {
  if (attributes.use_global_device_ids && channelOf(attributes) <= 0)
    fail(`channel_id must be positive when useGlobalDeviceIds is set but got: ${channelOf(attributes)}`, rule)
}

/** The type in which the region combines elements of an operand. */
function combinedType(operand: TensorType, { regions, fail }: Pick<InferContext<unknown>, 'regions' | 'fail'>, rule: string): TensorType {
  const scalar = withShape(operand, [])
  const [type] = checkReducer(regions[0], { inputs: [operand], inits: [scalar], allowed: [], region: 'computation', rule, fail })
  return type
}

/** Result types that keep the operands' shapes and have the region's element types. */
function combinedResults(types: readonly TensorType[], context: InferContext<unknown>, rules: { region: string; result: string }): readonly Type[] {
  const { results, fail } = context
  const inferred = types.map((type) => withShape(combinedType(type, context, rules.region), type.shape, type.bounds))
  if (!results) return inferred
  if (results.length !== types.length) fail(`requires the same number of operands and results, has ${types.length} and ${results.length}`, rules.result)
  results.forEach((result, i) => {
    if (!isTensorType(result) || !sameElementType(result, inferred[i]) || !compatibleShape(result.shape, inferred[i].shape))
      fail(`inferred type(s) '${typeText(inferred[i])}' are incompatible with return type(s) of operation '${typeText(result)}'`, rules.result)
  })
  return results
}

/** Arrays of one shape combined one after another, in the element type of the region. */
function combine(context: Pick<EvaluateContext<unknown>, 'run'>, region: Region, arrays: readonly HostArray[]): HostArray {
  const { dtype } = region.block.arguments[0].type as TensorType
  const [first, ...others] = arrays.map((array) => convertArray(array, dtype))
  const { shape, size } = first
  const list = (array: HostArray) => new HostArray(tensorType(array.dtype, [size]), array.data)
  const lifted = liftRegion(context, region, size)
  return others.reduce((total, next) => {
    if (lifted) return new HostArray(tensorType(dtype, shape), lifted([list(total), list(next)])[0].data)
    const out = HostArray.zeros(dtype, shape)
    for (let i = 0; i < size; i++) putElement(out, i, context.run(region, [elementAt(total, i), elementAt(next, i)])[0] as HostArray)
    return out
  }, first)
}

/** Every process gets its group's operands combined. */
export const allReduceOp = defineOp({
  name: 'stablehlo.all_reduce',
  operands: ['operands...'],
  results: ['results...'],
  regions: ['computation'],
  attributes: common,
  assembly: 'generic',
  infer: (context) => {
    const { attributes, operands, fail } = context
    const types = operands.map((type, i) => needTensor(`operands[${i}]`, type, fail))
    if (types.length === 0) fail('requires at least 1 operand', 'all_reduce_i1')
    const rules = { rank: 'all_reduce_i2', unique: 'all_reduce_c1', covered: 'all_reduce_c3' }
    checkGroups(attributes.replica_groups, { sameSize: false, global: attributes.use_global_device_ids, rules }, context)
    checkChannel(attributes, fail, 'all_reduce_c4')
    return combinedResults(types, context, { region: 'all_reduce_c5', result: 'all_reduce_c6' })
  },
  *steps(context) {
    const { attributes, arrays, regions: [region] } = context
    const brought = yield* exchange(context, needGroup(context, attributes.replica_groups, groupingFor(attributes)), arrays)
    return arrays.map((_, i) => combine(context, region, brought.map((values) => values[i])))
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

/** Every process gets its part of its group's operands combined, split along an axis. */
export const reduceScatterOp = defineOp({
  name: 'stablehlo.reduce_scatter',
  operands: ['operand'],
  results: ['result'],
  regions: ['computation'],
  attributes: { scatter_dimension: codec.axis, ...common },
  assembly: 'generic',
  infer: (context) => {
    const { attributes, operands, results, fail } = context
    const { scatter_dimension: axis, replica_groups: groups } = attributes
    const operand = needTensor('operand', operands[0], fail)
    const rules = { rank: 'reduce_scatter_i3', unique: 'reduce_scatter_c3', covered: 'reduce_scatter_c5' }
    checkGroups(groups, { sameSize: true, global: attributes.use_global_device_ids, rules }, context)
    const combined = combinedType(operand, context, 'reduce_scatter_c7')
    const declared = results?.[0]
    const result = declared && isTensorType(declared) ? declared : undefined
    if (result && result.shape.length !== operand.shape.length)
      fail(`operand and result should have same rank: ${typeText(operand)} and ${typeText(result)}`, 'reduce_scatter_c8')
    if (axis < 0 || axis >= operand.shape.length)
      fail(`scatter dim should be less than operand/result rank: it is ${axis}, ${typeText(operand)} has rank ${operand.shape.length}`, 'reduce_scatter_c2')
    checkChannel(attributes, fail, 'reduce_scatter_c6')
    const size = operand.shape[axis]
    if (!result) {
      if ('mesh' in groups) return fail('needs a result type: a mesh does not say how many devices a group has')
      const count = groups.type.shape[1]
      if (size !== DYNAMIC && size % count !== 0) fail(`operand scatter dimension has size ${size}, expected to be a multiple of the group size ${count}`, 'reduce_scatter_c8')
      return [withShape(combined, operand.shape.with(axis, size === DYNAMIC ? DYNAMIC : size / count))]
    }
    checkScattered(operand, result, axis, fail)
    if (!sameElementType(combined, result))
      fail(`result element-type is expected to be '${elementText(combined)}', but got '${elementText(result)}'`, 'reduce_scatter_c9')
    return [result]
  },
  *steps(context) {
    const { attributes, arrays: [operand], regions: [region] } = context
    const members = needGroup(context, attributes.replica_groups, groupingFor(attributes))
    const brought = yield* exchange(context, members, [operand])
    const own = members.indexOf(processNumber(context.process))
    const parts = brought.map(([array]) => partOf(array, attributes.scatter_dimension, own, members.length))
    return [combine(context, region, parts)]
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

function checkScattered(operand: TensorType, result: TensorType, axis: number, fail: InferContext<unknown>['fail']): void {
  const [from, to] = [operand.shape[axis], result.shape[axis]]
  if (to === 0) fail(`result dimension size at scatter_dimension cannot be zero: ${typeText(result)}`, 'reduce_scatter_c8')
  if (from === 0) fail(`operand dimension size at scatter_dimension cannot be zero: ${typeText(operand)}`, 'reduce_scatter_c8')
  if (from !== DYNAMIC && to !== DYNAMIC && from % to !== 0)
    fail(`operand scatter dimension has size ${from}, expected to be a multiple of result scatter dimension size ${to}`, 'reduce_scatter_c8')
  operand.shape.forEach((size, i) => {
    if (i !== axis && size !== result.shape[i] && size !== DYNAMIC && result.shape[i] !== DYNAMIC)
      fail(`non scatter dimensions should be same for operand (${size}) and result (${result.shape[i]})`, 'reduce_scatter_c8')
  })
}

/** The root of each group gets its operands combined, everyone else zeros. */
export const collectiveReduceOp = defineOp({
  name: 'stablehlo.collective_reduce',
  operands: ['operands...'],
  results: ['results...'],
  regions: ['computation'],
  attributes: { ...common, has_dynamic_root: codec.optional(codec.unit) },
  assembly: 'generic',
  infer: (context) => {
    const { attributes, fail } = context
    const types = dataOperands(context, 'collective_reduce', 'collective_reduce_c6')
    const rules = { rank: 'collective_reduce_i2', unique: 'collective_reduce_c1', covered: 'collective_reduce_c3' }
    checkGroups(attributes.replica_groups, { sameSize: false, global: attributes.use_global_device_ids, rules }, context)
    checkChannel(attributes, fail, 'collective_reduce_c4')
    return combinedResults(types, context, { region: 'collective_reduce_c5', result: 'collective_reduce_c7' })
  },
  *steps(context) {
    const { attributes, arrays, regions: [region], process } = context
    const data = attributes.has_dynamic_root ? arrays.slice(0, -1) : arrays
    const { dtype } = region.block.arguments[0].type as TensorType
    const zeros = data.map(({ shape }) => HostArray.zeros(dtype, shape))
    const members = ownGroup(context, attributes.replica_groups, groupingFor(attributes))
    if (!members) return zeros
    const roots = rootsOf(context, members)
    const own = members.indexOf(processNumber(process))
    const brought = yield* exchange(context, members, data)
    return data.map((_, i) => (roots[i] === own ? combine(context, region, brought.map((values) => values[i])) : zeros[i]))
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

type Body = (a: Tensor, b: Tensor) => Tensor

function computation(name: string, x: Tensor, body: Body): Region {
  const scalar = withShape(x.type, [])
  return buildRegion(`computation of ${name}`, [scalar, scalar], (values) => emitReturn([body(values[0] as Tensor, values[1] as Tensor)]))
}

const groupAttributes = (groups: readonly (readonly number[])[], options: CollectiveOptions) =>
  ({ replica_groups: groupsAttribute(groups), channel_handle: handleOf(options.channel), use_global_device_ids: options.globalIds || undefined })

/** The values of all processes of a group combined by `body`, which takes values of rank 0. Throws `OpError`. */
export function allReduce(x: Tensor, body: Body, groups: readonly (readonly number[])[], options: CollectiveOptions = {}): Tensor {
  const regions = [computation('all_reduce', x, body)]
  return emit(allReduceOp, [x], groupAttributes(groups, options), { regions }).results[0] as Tensor
}

/** This process's part, along `axis`, of the values of its group combined by `body`. Throws `OpError`. */
export function reduceScatter(x: Tensor, body: Body, axis: number, groups: readonly (readonly number[])[], options: CollectiveOptions = {}): Tensor {
  const regions = [computation('reduce_scatter', x, body)]
  return emit(reduceScatterOp, [x], { scatter_dimension: axis, ...groupAttributes(groups, options) }, { regions }).results[0] as Tensor
}

/** The values of a group combined by `body`, for the first process of the group; zeros for the others. Throws `OpError`. */
export function collectiveReduce(x: Tensor, body: Body, groups: readonly (readonly number[])[], options: CollectiveOptions = {}): Tensor {
  const regions = [computation('collective_reduce', x, body)]
  return emit(collectiveReduceOp, [x], groupAttributes(groups, options), { regions }).results[0] as Tensor
}
