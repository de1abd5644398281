import { type Combine, type ReductionKind, bigCombiner, combiner } from '../host/reduce.ts'
import { type WindowLayout, elementAt, gatherArray, putElement, scatterElements, scatterPlain } from '../host/gather.ts'
import { convertArray } from '../host/convert.ts'
import { type DType, integerRange, isComplex, isUnsigned } from '../ir/dtypes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Region, Tensor } from '../ir/module.ts'
import type { Cotangent, HostValue } from '../ir/op-definition.ts'
import { type TensorType, elementCount, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { add, divide, multiply } from './arithmetic.ts'
import { and } from './bitwise.ts'
import { broadcastInDim } from './broadcast.ts'
import { compare, equal } from './compare.ts'
import { constant, ones, zeros } from './constant.ts'
import { defineOp } from './define.ts'
import {
  type GatherAttributes,
  type GatherNumbers,
  type ScatterAttributes,
  type ScatterNumbers,
  gatherAttributes,
  inferGather,
  inferScatter,
  interleave,
  scatterAttributes,
} from './gather-scatter-rules.ts'
import { iota } from './iota.ts'
import { mixesZeroPoints, reductionOps } from './reducer.ts'
import { reshape } from './reshape.ts'
import { emitReturn } from './return.ts'
import { clamp, select } from './select.ts'
import { sliceAxis } from './slice-pad.ts'

/** Reads windows at computed positions, moved inside where they would reach out. Source: specification, "gather". */
export const gatherOp = defineOp({
  name: 'stablehlo.gather',
  operands: ['operand', 'start_indices'],
  results: ['result'],
  regions: [],
  attributes: gatherAttributes,
  assembly: 'generic',
  infer: inferGather,
  evaluate: ({ arrays: [operand, indices], attributes }) => [
    gatherArray(operand, indices, gatherLayout(operand.shape, indices.shape, attributes)),
  ],
  vjp: ({ operands: [operand, indices], cotangents: [d], attributes, needed }) => {
    if (!d || !needed[0] || attributes.slice_sizes.includes(0)) return [null, null]
    const n = attributes.dimension_numbers
    // Scatter leaves out what is outside, gather moves it inside: so the indices are moved first.
    const limits = n.start_index_map.map((axis) => operand.shape[axis] - attributes.slice_sizes[axis])
    const inside = clampIndices(indices, limits, n.index_vector_dim)
    const sorted = Boolean(attributes.indices_are_sorted) && limits.length === 1
    return [scatterAdd(zeros(operand.type), inside, d, { scatter_dimension_numbers: asScatter(n), indices_are_sorted: sorted }), null]
  },
})

/** How the windows of a gather lie in the arrays. */
export function gatherLayout(
  shape: readonly number[],
  indicesShape: readonly number[],
  { dimension_numbers: n, slice_sizes }: Pick<GatherAttributes, 'dimension_numbers' | 'slice_sizes'>,
): WindowLayout {
  const absentAxes = [...n.collapsed_slice_dims, ...n.operand_batching_dims].sort((a, b) => a - b)
  const window = slice_sizes.filter((_, axis) => !absentAxes.includes(axis))
  const batch = indicesShape.filter((_, axis) => axis !== n.index_vector_dim)
  return {
    shape,
    windowShape: slice_sizes,
    absentAxes,
    indexAxes: n.start_index_map,
    batchAxes: n.operand_batching_dims.map((axis, i) => [axis, n.start_indices_batching_dims[i]]),
    indicesShape,
    indexVectorAxis: n.index_vector_dim,
    windowsShape: interleave(window, n.offset_dims, batch),
    windowAxes: n.offset_dims,
  }
}

const asScatter = (n: GatherNumbers): ScatterNumbers => ({
  update_window_dims: n.offset_dims,
  inserted_window_dims: n.collapsed_slice_dims,
  input_batching_dims: n.operand_batching_dims,
  scatter_indices_batching_dims: n.start_indices_batching_dims,
  scatter_dims_to_operand_dims: n.start_index_map,
  index_vector_dim: n.index_vector_dim,
})
const asGather = (n: ScatterNumbers): GatherNumbers => ({
  offset_dims: n.update_window_dims,
  collapsed_slice_dims: n.inserted_window_dims,
  operand_batching_dims: n.input_batching_dims,
  start_indices_batching_dims: n.scatter_indices_batching_dims,
  start_index_map: n.scatter_dims_to_operand_dims,
  index_vector_dim: n.index_vector_dim,
})

/** A limit as the index type can hold it. */
const representable = (limit: number, dtype: DType): number => Math.min(limit, Number(integerRange(dtype).max))

/** Index vectors with every component `k` brought into `[0, limits[k]]`. */
function clampIndices(indices: Tensor, limits: readonly number[], indexVectorAxis: number): Tensor {
  if (limits.length === 0) return indices
  const bounds = limits.map((limit) => representable(limit, indices.dtype))
  if (bounds.every((bound) => bound === bounds[0])) return clamp(0, indices, bounds[0])
  return clamp(zeros(indices.type), indices, broadcastInDim(constant(bounds, indices.dtype), indices.shape, [indexVectorAxis]))
}

/** Combines windows at computed positions into tensors; what lies outside is left out. Source: specification, "scatter". */
export const scatterOp = defineOp({
  name: 'stablehlo.scatter',
  operands: ['inputs...', 'scatter_indices', 'updates...'],
  results: ['results...'],
  regions: ['update_computation'],
  attributes: scatterAttributes,
  assembly: 'generic',
  infer: inferScatter,
  evaluate: ({ arrays, attributes, regions: [region], resultTypes, run }) => {
    const count = (arrays.length - 1) / 2
    const accumulators = region.block.arguments.map((argument) => (argument.type as TensorType).dtype)
    const results = arrays.slice(0, count).map((input, i) => {
      const wide = convertArray(input, (resultTypes[i] as TensorType).dtype)
      return wide === input ? new HostArray(input.type, input.data.slice()) : wide
    })
    const indices = arrays[count]
    const updates = arrays.slice(count + 1).map((update, i) => convertArray(update, accumulators[count + i]))
    const layout = scatterLayout(results[0].shape, indices.shape, updates[0].shape, attributes.scatter_dimension_numbers)
    scatterArrays(results, indices, updates, layout, region, run)
    return results
  },
  vjp: ({ operation, operands, results, cotangents, attributes, regions: [region], needed }) => {
    const count = cotangents.length
    const indices = operands[count]
    const kinds = updateKinds(region)
    const [dInputs, dUpdates]: [Cotangent[], Cotangent[]] = [[], []]
    for (let i = 0; i < count; i++) {
      const d = cotangents[i]
      const [input, updates] = [operands[i], operands[count + 1 + i]]
      const want = { input: needed[i], updates: needed[count + 1 + i] }
      const rule = scatterRules[kinds[i] ?? '']
      if (d && (want.input || want.updates) && !rule)
        throw new DifferentiationError(
          `scatter: no gradient for this update_computation (result ${i}): only old + new, new, the larger or smaller of both, and old * new with unique_indices have one`,
          operation.location,
        )
      const [dInput, dUpdate] = d && rule ? rule({ d, input, indices, updates, result: results[i], attributes, want, operation }) : [null, null]
      dInputs.push(dInput)
      dUpdates.push(dUpdate)
    }
    return [...dInputs, null, ...dUpdates]
  },
})

function scatterLayout(
  shape: readonly number[],
  indicesShape: readonly number[],
  updatesShape: readonly number[],
  n: ScatterNumbers,
): WindowLayout {
  const absentAxes = [...n.inserted_window_dims, ...n.input_batching_dims].sort((a, b) => a - b)
  return {
    shape,
    windowShape: windowSizes(shape.length, updatesShape, n),
    absentAxes,
    indexAxes: n.scatter_dims_to_operand_dims,
    batchAxes: n.input_batching_dims.map((axis, i) => [axis, n.scatter_indices_batching_dims[i]]),
    indicesShape,
    indexVectorAxis: n.index_vector_dim,
    windowsShape: updatesShape,
    windowAxes: n.update_window_dims,
  }
}

/** Size of an update window along each axis of the input. */
function windowSizes(rank: number, updatesShape: readonly number[], n: ScatterNumbers): number[] {
  let next = 0
  return Array.from({ length: rank }, (_, axis) =>
    n.inserted_window_dims.includes(axis) || n.input_batching_dims.includes(axis) ? 1 : updatesShape[n.update_window_dims[next++]])
}

type UpdateKind = 'assign' | ReductionKind

/** What the region does for each result, where that is plain: take the new value, or one op on the old and the new. */
function updateKinds(region: Region): (UpdateKind | undefined)[] {
  const { block } = region
  const count = block.arguments.length / 2
  return (block.terminator?.operands ?? []).map((value, i) => {
    const [old, fresh] = [block.arguments[i], block.arguments[count + i]]
    if (value === fresh) return 'assign'
    const operation = value.definition
    if (!operation || operation.block !== block) return undefined
    const [lhs, rhs] = operation.operands
    const kind = reductionOps.get(operation.definition)
    if (!kind || mixesZeroPoints(value.type, kind)) return undefined
    return (lhs === old && rhs === fresh) || (lhs === fresh && rhs === old) ? kind : undefined
  })
}

function scatterArrays(
  results: readonly HostArray[],
  indices: HostArray,
  updates: readonly HostArray[],
  layout: WindowLayout,
  region: Region,
  run: (region: Region, inputs: readonly HostValue[]) => readonly HostValue[],
): void {
  const kinds = updateKinds(region)
  const fast = results.map((target, i) => fastScatter(kinds[i], target, updates[i]))
  if (fast.every((kernel) => kernel !== undefined)) {
    for (const kernel of fast) kernel(layout, indices)
    return
  }
  scatterElements(layout, indices, (p, q) => {
    const outputs = run(region, [...results.map((array) => elementAt(array, p)), ...updates.map((array) => elementAt(array, q))])
    results.forEach((array, i) => putElement(array, p, outputs[i] as HostArray))
  })
}

/** A kernel for a plain update, if the element type has one. */
function fastScatter(
  kind: UpdateKind | undefined,
  target: HostArray,
  update: HostArray,
): ((layout: WindowLayout, indices: HostArray) => void) | undefined {
  const { dtype } = target
  if (!kind || dtype !== update.dtype || isComplex(dtype)) return undefined
  if (kind === 'assign' || (kind === 'add' && (dtype === 'f32' || dtype === 'f64')))
    return (layout, indices) => scatterPlain(kind, target, update, layout, indices)
  const combine = (combiner(kind, dtype) ?? bigCombiner(kind, dtype)) as Combine | undefined
  if (!combine) return undefined
  const t = target.data as Float64Array
  const u = update.data as Float64Array
  return (layout, indices) =>
    scatterElements(layout, indices, (p, q) => {
      t[p] = combine(t[p], u[q])
    })
}

interface ScatterPart {
  readonly d: Tensor
  readonly input: Tensor
  readonly indices: Tensor
  readonly updates: Tensor
  readonly result: Tensor
  readonly attributes: ScatterAttributes
  readonly want: { readonly input: boolean; readonly updates: boolean }
  readonly operation: { readonly location: ConstructorParameters<typeof DifferentiationError>[1] }
}

/** What reaches the extremum, of the input and the updates, shares its cotangent evenly. */
function extremeRule(part: ScatterPart): readonly [Cotangent, Cotangent] {
  const { d, input, indices, updates, result, attributes } = part
  const kept = equal(input, result)
  const reached = equal(updates, readUpdates(result, part))
  const counted = (hit: Tensor, type: TensorType): Tensor => select(hit, ones(type), zeros(type))
  const ties = scatterAdd(counted(kept, input.type), indices, counted(reached, updates.type), attributes)
  const share = divide(d, ties)
  return [select(kept, share, zeros(input.type)), select(reached, readUpdates(share, part), zeros(updates.type))]
}

/** Cotangents of one input and its updates, per kind of update. */
const scatterRules: Readonly<Record<string, (part: ScatterPart) => readonly [Cotangent, Cotangent]>> = {
  add: (part) => [part.d, part.want.updates ? readUpdates(part.d, part) : null],
  assign: (part) => {
    const { d, indices, updates, attributes, want } = part
    if (attributes.unique_indices)
      return [want.input ? scatterAssign(d, indices, zeros(updates.type), attributes) : null, want.updates ? readUpdates(d, part) : null]
    // Which update came last at each place is found by scattering numbers instead of values.
    const count = elementCount(updates.shape)
    const numbers = add(reshape(iota(tensorType('u32', [count]), 0), updates.shape), 1)
    const winners = scatterAssign(zeros(tensorType('u32', d.shape)), indices, numbers, attributes)
    return [
      want.input ? select(equal(winners, 0), d, zeros(d.type)) : null,
      want.updates ? select(equal(readUpdates(winners, part), numbers), readUpdates(d, part), zeros(updates.type)) : null,
    ]
  },
  multiply: (part) => {
    const { d, input, indices, updates, attributes, want, operation } = part
    if (!attributes.unique_indices)
      throw new DifferentiationError('scatter: old * new has a gradient only with unique_indices: true', operation.location)
    return [
      want.input ? scatter([d], indices, [updates], attributes, ([old], [fresh]) => [multiply(old, fresh)])[0] : null,
      want.updates ? readUpdates(multiply(d, input), part) : null,
    ]
  },
  maximum: extremeRule,
  minimum: extremeRule,
}

/** What stands in `x` where the updates went; zero for windows that are not wholly inside. */
function readUpdates(x: Tensor, { indices, updates, attributes }: ScatterPart): Tensor {
  const n = attributes.scatter_dimension_numbers
  const type = tensorType(x.dtype, updates.shape)
  const slice_sizes = windowSizes(x.rank, updates.shape, n)
  if (slice_sizes.some((size, axis) => size > x.shape[axis])) return zeros(type)
  const read = gather(x, indices, { dimension_numbers: asGather(n), slice_sizes, indices_are_sorted: attributes.indices_are_sorted })
  const limits = n.scatter_dims_to_operand_dims.map((axis) => x.shape[axis] - slice_sizes[axis])
  const inside = insideMask(indices, limits, n.index_vector_dim)
  if (!inside) return read
  const scatterAxes = updates.shape.map((_, axis) => axis).filter((axis) => !n.update_window_dims.includes(axis))
  return select(broadcastInDim(inside, updates.shape, scatterAxes), read, zeros(type))
}

/** For each index vector, whether every component `k` is in `[0, limits[k]]`; undefined if there are no components. */
function insideMask(indices: Tensor, limits: readonly number[], indexVectorAxis: number): Tensor | undefined {
  const shape = indices.shape.filter((_, axis) => axis !== indexVectorAxis)
  return limits.reduce<Tensor | undefined>((mask, limit, k) => {
    const component = indexVectorAxis < indices.rank ? reshape(sliceAxis(indices, indexVectorAxis, k, k + 1), shape) : indices
    const below = compare(component, representable(limit, indices.dtype), 'LE')
    const inside = isUnsigned(indices.dtype) ? below : and(compare(component, 0, 'GE'), below)
    return mask ? and(mask, inside) : inside
  }, undefined)
}

/** Axis lists that are left out are empty. */
type Loose<T extends { readonly index_vector_dim: number }> = Partial<T> & Pick<T, 'index_vector_dim'>

export interface GatherOptions {
  readonly dimension_numbers: Loose<GatherNumbers>
  /** Size of the window along each axis of the operand. */
  readonly slice_sizes: readonly number[]
  readonly indices_are_sorted?: boolean
}

/**
 * Reads a window of `slice_sizes` from `operand` for every index vector in `indices`; a window that would reach out is moved inside.
 * The gradient adds the cotangent of each window back where it was read. Throws `OpError`. See `takeRows` and `takeAlongAxis` for the
 * usual cases.
 */
export function gather(operand: Tensor, indices: Tensor, { dimension_numbers, slice_sizes, indices_are_sorted = false }: GatherOptions): Tensor {
  const numbers: GatherNumbers = {
    offset_dims: [],
    collapsed_slice_dims: [],
    operand_batching_dims: [],
    start_indices_batching_dims: [],
    start_index_map: [],
    ...dimension_numbers,
  }
  return emit(gatherOp, [operand, indices], { dimension_numbers: numbers, indices_are_sorted, slice_sizes }).results[0] as Tensor
}

export interface ScatterOptions {
  readonly scatter_dimension_numbers: Loose<ScatterNumbers>
  readonly indices_are_sorted?: boolean
  /** Promises that no two updates go to one place. */
  readonly unique_indices?: boolean
}

/**
 * Combines the windows of `updates` into `operands` at the positions `indices` by `update`, which gets the old and the new elements (rank 0)
 * and returns what is to stand there; elements outside are left out. There is a gradient for `old + new`, for `new`, and with
 * `unique_indices` for `old * new`; in it a window that lies partly outside counts as wholly outside. Throws `OpError`.
 */
export function scatter(
  operands: readonly Tensor[],
  indices: Tensor,
  updates: readonly Tensor[],
  { scatter_dimension_numbers, indices_are_sorted = false, unique_indices = false }: ScatterOptions,
  update: (old: Tensor[], fresh: Tensor[]) => readonly Tensor[],
): Tensor[] {
  const numbers: ScatterNumbers = {
    update_window_dims: [],
    inserted_window_dims: [],
    input_batching_dims: [],
    scatter_indices_batching_dims: [],
    scatter_dims_to_operand_dims: [],
    ...scatter_dimension_numbers,
  }
  const count = operands.length
  const types = [...operands, ...updates].map((tensor) => tensorType(tensor.dtype, []))
  const region = buildRegion('update_computation of scatter', types, (inputs) =>
    emitReturn(update(inputs.slice(0, count) as Tensor[], inputs.slice(count) as Tensor[])))
  const attributes = { indices_are_sorted, scatter_dimension_numbers: numbers, unique_indices }
  return emit(scatterOp, [...operands, indices, ...updates], attributes, { regions: [region] }).results as Tensor[]
}

/** `operand` with `updates` added at the positions `indices`; several updates of one place all count. Throws `OpError`. */
export const scatterAdd = (operand: Tensor, indices: Tensor, updates: Tensor, options: ScatterOptions): Tensor =>
  scatter([operand], indices, [updates], options, ([old], [fresh]) => [add(old, fresh)])[0]

/** `operand` with `updates` written at the positions `indices`; of several updates of one place one wins. Throws `OpError`. */
export const scatterAssign = (operand: Tensor, indices: Tensor, updates: Tensor, options: ScatterOptions): Tensor =>
  scatter([operand], indices, [updates], options, (_, [fresh]) => [fresh])[0]
