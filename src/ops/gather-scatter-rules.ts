import { isInteger } from '../ir/dtypes.ts'
import type { AttributesOf, InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, shortType, shortTypes } from '../ir/types.ts'
import * as codec from './codecs.ts'
import { checkReducer } from './reducer.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { agree, needTensor, sameElementType, withShape } from './result-type.ts'

/** The attributes and the type rules of gather and scatter. Source: specification, "gather" and "scatter". */

export const gatherAttributes = {
  dimension_numbers: codec.dimensionStruct(
    'gather',
    ['offset_dims', 'collapsed_slice_dims', 'operand_batching_dims', 'start_indices_batching_dims', 'start_index_map'],
    ['index_vector_dim'],
  ),
  indices_are_sorted: codec.optional(codec.bool, false),
  slice_sizes: codec.i64Array,
} as const
export type GatherAttributes = AttributesOf<typeof gatherAttributes>
export type GatherNumbers = GatherAttributes['dimension_numbers']

export const scatterAttributes = {
  indices_are_sorted: codec.optional(codec.bool, false),
  scatter_dimension_numbers: codec.dimensionStruct(
    'scatter',
    ['update_window_dims', 'inserted_window_dims', 'input_batching_dims', 'scatter_indices_batching_dims', 'scatter_dims_to_operand_dims'],
    ['index_vector_dim'],
  ),
  unique_indices: codec.optional(codec.bool, false),
} as const
export type ScatterAttributes = AttributesOf<typeof scatterAttributes>
export type ScatterNumbers = ScatterAttributes['scatter_dimension_numbers']

type Fail = InferContext<unknown>['fail']
const sorted = (list: readonly number[]): boolean => list.every((value, i) => i === 0 || list[i - 1] <= value)
const unique = (list: readonly number[]): boolean => new Set(list).size === list.length

const listText = (list: readonly number[]): string => `[${list.join(', ')}]`
/** The axis that stands twice in a list. */
const repeated = (list: readonly number[]): number | undefined => list.find((axis, i) => list.indexOf(axis) !== i)

/** Checks on lists of axes, each with its rule. The two ops word two of them differently. */
function axisChecks(fail: Fail, op: 'gather' | 'scatter') {
  const demand = (name: string, what: string, list: readonly number[], rule: string) =>
    fail(op === 'gather' ? `expects ${name} to ${what}, got: ${listText(list)}` : `Expects ${name} to ${what}; got: ${listText(list)}.`, rule)
  return {
    sorted: (name: string, list: readonly number[], rule: string) => sorted(list) || demand(name, 'be sorted', list, rule),
    unique: (name: string, list: readonly number[], rule: string) => unique(list) || demand(name, 'not repeat', list, rule),
    distinct: (a: { name: string; list: readonly number[] }, b: { name: string; list: readonly number[] }, rule: string) => {
      const axis = repeated([...a.list, ...b.list])
      if (axis !== undefined) fail(`has duplicated dimension from ${a.name} and ${b.name}: ${axis}`, rule)
    },
    inRange: (name: string, list: readonly number[], limit: number, of: string, rule: string) => {
      const axis = list.find((each) => each < 0 || each >= limit)
      if (axis !== undefined) fail(`Expects each element of ${name} to be in range [0, ${of}) i.e. [0, ${limit}). got: ${axis}.`, rule)
    },
  }
}

/** Rules that both ops have on how index vectors go with the indexed array, under each op's own names. */
interface IndexRules {
  readonly op: 'gather' | 'scatter'
  readonly indices: TensorType
  readonly indicesName: string
  readonly indexed: TensorType
  readonly indexVectorAxis: number
  readonly batch: readonly number[]
  readonly batchName: string
  readonly indicesBatch: readonly number[]
  readonly indicesBatchName: string
  readonly map: readonly number[]
  readonly mapName: string
  /** Ids of the constraints, in the order of the checks below. */
  readonly rules: Readonly<Record<'unique' | 'range' | 'notVector' | 'sameCount' | 'sameSize' | 'mapSize' | 'mapUnique' | 'mapRange', string>>
}

function checkIndexing(r: IndexRules, fail: Fail): void {
  const check = axisChecks(fail, r.op)
  const indicesRank = r.indices.shape.length
  check.unique(r.indicesBatchName, r.indicesBatch, r.rules.unique)
  check.inRange(r.indicesBatchName, r.indicesBatch, indicesRank, `rank-of('${r.indicesName}')`, r.rules.range)
  if (r.indicesBatch.includes(r.indexVectorAxis))
    fail(`expects ${r.indicesBatchName} not to include index_vector_dim ${r.indexVectorAxis}.`, r.rules.notVector)
  if (r.batch.length !== r.indicesBatch.length)
    fail(
      `${r.batchName} and ${r.indicesBatchName} should have the same size. They are ${listText(r.batch)} and ${listText(r.indicesBatch)}`,
      r.rules.sameCount,
    )
  r.batch.forEach((axis, i) => {
    const [a, b] = [r.indexed.shape[axis], r.indices.shape[r.indicesBatch[i]]]
    if (a !== b && a !== DYNAMIC && b !== DYNAMIC)
      fail(`${r.batchName}[${i}] and ${r.indicesBatchName}[${i}] must have compatible sizes, but got ${a} and ${b}`, r.rules.sameSize)
  })
  const components = r.indexVectorAxis < indicesRank ? r.indices.shape[r.indexVectorAxis] : 1
  if (components !== DYNAMIC && r.map.length !== components)
    fail(
      r.op === 'gather'
        ? `${r.mapName} size (${r.map.length}) is not equal to size of index dimension (${r.indexVectorAxis}) of ${r.indicesName} (${components})`
        : `Scatter op has ${r.map.length} elements in ${r.mapName} and the bound of dimension index_vector_dim=${r.indexVectorAxis} of ` +
          `${r.indicesName} is ${components}. These two numbers must be equal.`,
      r.rules.mapSize,
    )
  check.distinct({ name: r.mapName, list: r.map }, { name: r.batchName, list: r.batch }, r.rules.mapUnique)
  check.inRange(r.mapName, r.map, r.indexed.shape.length, `rank-of('operand')`, r.rules.mapRange)
}

function checkIndices(indices: TensorType, indexVectorAxis: number, name: string, rules: { type: string; vector: string }, fail: Fail): void {
  const { length: rank } = indices.shape
  if (!(isInteger(indices.dtype) || indices.dtype === 'index') || indices.quantization) fail(`${name} ${shortType(indices)} must be integers`, rules.type)
  if (indexVectorAxis < 0 || indexVectorAxis > rank)
    fail(`Expects index_vector_dim to be in range [0, rank-of('${name}')] i.e. [0, ${rank}]. got: ${indexVectorAxis}.`, rules.vector)
}

/** Sizes of the axes that are not among `axes`. */
const without = (shape: readonly number[], axes: readonly number[]): number[] => shape.filter((_, axis) => !axes.includes(axis))

/** Sizes put together from those of the window, at `windowAxes`, and the others, in order. */
export function interleave(windowSizes: readonly number[], windowAxes: readonly number[], others: readonly number[]): number[] {
  let [w, o] = [0, 0]
  return Array.from({ length: windowSizes.length + others.length }, (_, axis) => (windowAxes.includes(axis) ? windowSizes[w++] : others[o++]))
}

export const inferGather = (context: InferContext<GatherAttributes>): readonly Type[] => gatherTypes(context, context.attributes.slice_sizes)

/** The result of a gather whose slice sizes may not be known yet (undefined). */
export function gatherTypes(
  { operands, attributes: { dimension_numbers: n }, results, fail }: InferContext<Pick<GatherAttributes, 'dimension_numbers'>>,
  sizes: readonly (number | undefined)[],
): readonly Type[] {
  const operand = needTensor('operand', operands[0], fail)
  const indices = needTensor('start_indices', operands[1], fail)
  const check = axisChecks(fail, 'gather')
  const rank = operand.shape.length
  const operandName = `operand ${shortType(operand)}`
  checkIndices(indices, n.index_vector_dim, 'start_indices', { type: 'gather_i2', vector: 'gather_c2' }, fail)
  check.sorted('offset_dims', n.offset_dims, 'gather_c4')
  check.unique('offset_dims', n.offset_dims, 'gather_c4')
  const batch = without(indices.shape, [n.index_vector_dim])
  check.inRange('offset_dims', n.offset_dims, batch.length + n.offset_dims.length, 'implied-result-rank', 'gather_c5')
  const [collapsed, batching] = [
    { name: 'collapsed_slice_dims', list: n.collapsed_slice_dims },
    { name: 'operand_batching_dims', list: n.operand_batching_dims },
  ]
  check.distinct(collapsed, batching, 'gather_c6')
  check.sorted('collapsed_slice_dims', n.collapsed_slice_dims, 'gather_c7')
  check.inRange('collapsed_slice_dims', n.collapsed_slice_dims, rank, `rank-of('operand')`, 'gather_c8')
  check.sorted('operand_batching_dims', n.operand_batching_dims, 'gather_c10')
  check.inRange('operand_batching_dims', n.operand_batching_dims, rank, `rank-of('operand')`, 'gather_c11')
  for (const [{ name, list }, rule] of [[collapsed, 'gather_c9'], [batching, 'gather_c12']] as const)
    for (const axis of list)
      if ((sizes[axis] ?? 0) > 1) fail(`Expects that for each dim in ${name}, slice_sizes[dim] should be <= 1, but got ${sizes[axis]}`, rule)
  checkIndexing(
    {
      op: 'gather',
      indices,
      indicesName: 'start_indices',
      indexed: operand,
      indexVectorAxis: n.index_vector_dim,
      batch: n.operand_batching_dims,
      batchName: 'operand_batching_dims',
      indicesBatch: n.start_indices_batching_dims,
      indicesBatchName: 'start_indices_batching_dims',
      map: n.start_index_map,
      mapName: 'start_index_map',
      rules: {
        unique: 'gather_c13',
        range: 'gather_c14',
        notVector: 'gather_c15',
        sameCount: 'gather_c16',
        sameSize: 'gather_c17',
        mapSize: 'gather_c3',
        mapUnique: 'gather_c18',
        mapRange: 'gather_c19',
      },
    },
    fail,
  )
  if (sizes.length !== rank) fail(`slice_sizes size (${sizes.length}) not equal to operand rank (${rank})`, 'gather_c20')
  const listed = n.offset_dims.length + n.collapsed_slice_dims.length + n.operand_batching_dims.length
  if (rank !== listed)
    fail(
      `offset_dims size (${n.offset_dims.length}) plus collapse_slice_dims size (${n.collapsed_slice_dims.length}) plus ` +
        `operand_batching_dims size (${n.operand_batching_dims.length}) is not equal to operand rank (${rank})`,
      'gather_c1',
    )
  sizes.forEach((size, axis) => {
    const limit = operand.shape[axis]
    if (size !== undefined && (size < 0 || (limit !== DYNAMIC && size > limit)))
      fail(`slice size (${size}) is out of bounds for operand dimension (${limit}) at index ${axis}`, 'gather_c21')
  })
  const window = without(sizes.map((size) => size ?? DYNAMIC), [...n.collapsed_slice_dims, ...n.operand_batching_dims])
  const declared = results?.[0]
  if (declared && isTensorType(declared) && !sameElementType(declared, operand))
    fail(`${operandName} and result ${shortType(declared)} differ in element type`, 'gather_c23')
  const limits = indices.bounds && interleave(window.map(() => DYNAMIC), n.offset_dims, without(indices.bounds, [n.index_vector_dim]))
  return agreeWithInferred([withShape(operand, interleave(window, n.offset_dims, batch), limits)], results, fail, 'gather_c22')
}

export function inferScatter({ operands, attributes, regions, results, fail }: InferContext<ScatterAttributes>): readonly Type[] {
  const count = (operands.length - 1) / 2
  if (count < 1 || !Number.isInteger(count))
    fail(`has ${operands.length} operands, must have inputs, scatter_indices and as many updates`, 'scatter_c5')
  const inputs = operands.slice(0, count).map((type, i) => needTensor(`inputs[${i}]`, type, fail))
  const indices = needTensor('scatter_indices', operands[count], fail)
  const updates = operands.slice(count + 1).map((type, i) => needTensor(`updates[${i}]`, type, fail))
  const [input, update] = [inputs[0], updates[0]]
  const n = attributes.scatter_dimension_numbers
  if (inputs.some((type) => !compatibleShape(type.shape, input.shape))) fail(`Not all inputs have compatible shapes. They are ${shortTypes(inputs)}`, 'scatter_c1')
  if (updates.some((type) => !compatibleShape(type.shape, update.shape))) fail(`Not all updates have compatible shapes. They are ${shortTypes(updates)}`, 'scatter_c3')
  checkIndices(indices, n.index_vector_dim, 'scatter_indices', { type: 'scatter_i2', vector: 'scatter_c22' }, fail)
  const inits = updates.map((type) => withShape(type, []))
  const types = checkReducer(regions[0], { inputs, inits, allowed: [], region: 'update_computation', rule: 'scatter_c23', fail })
  inputs.forEach((type, i) => {
    if (!sameElementType(type, updates[i]))
      fail(`inputs[${i}] ${shortType(type)} and updates[${i}] ${shortType(updates[i])} differ in element type`, 'scatter_c6')
  })
  const scatterShape = without(indices.shape, [n.index_vector_dim])
  const rank = scatterShape.length + n.update_window_dims.length
  if (update.shape.length !== rank)
    fail(
      `expects updates tensor must be of rank ${rank} ( == rank-of('scatter_indices') - 1 + size-of('update_window_dims'), where ` +
        `'scatter_indices' is expanded by a trailing 1 dimension if 'index_vector_dim' == rank-of('scatter_indices')), but got ${update.shape.length}.`,
      'scatter_c4',
    )
  checkScatterAxes(n, input, indices, update, fail)
  checkUpdateSizes(n, input, update, scatterShape, fail)
  if (results && results.length !== count) fail(`has ${results.length} results, must have ${count}: one for each input`, 'scatter_c24')
  return types.map((type, i) => {
    const declared = results?.[i]
    if (declared && isTensorType(declared) && !compatibleShape(declared.shape, inputs[i].shape))
      fail(`inputs[${i}] ${shortType(inputs[i])} and results[${i}] ${shortType(declared)} differ in shape`, 'scatter_c24')
    return agree(withShape(type, inputs[i].shape, inputs[i].bounds), declared && [declared], fail, 'scatter_c25')[0]
  })
}

function checkScatterAxes(n: ScatterNumbers, input: TensorType, indices: TensorType, update: TensorType, fail: Fail): void {
  const check = axisChecks(fail, 'scatter')
  const rank = input.shape.length
  check.sorted('update_window_dims', n.update_window_dims, 'scatter_c7')
  check.unique('update_window_dims', n.update_window_dims, 'scatter_c7')
  check.inRange('update_window_dims', n.update_window_dims, update.shape.length, `rank-of('updates')`, 'scatter_c8')
  check.distinct({ name: 'inserted_window_dims', list: n.inserted_window_dims }, { name: 'input_batching_dims', list: n.input_batching_dims }, 'scatter_c9')
  check.sorted('inserted_window_dims', n.inserted_window_dims, 'scatter_c10')
  check.inRange('inserted_window_dims', n.inserted_window_dims, rank, `rank-of('operand')`, 'scatter_c11')
  check.sorted('input_batching_dims', n.input_batching_dims, 'scatter_c12')
  check.inRange('input_batching_dims', n.input_batching_dims, rank, `rank-of('operand')`, 'scatter_c13')
  const listed = n.update_window_dims.length + n.inserted_window_dims.length + n.input_batching_dims.length
  if (rank !== listed)
    fail(
      `Expects rank-of operand to match size-of('update_window_dims') + size-of('inserted_window_dims') + size-of('input_batching_dims') ` +
        `i.e. ${listed} but got ${rank}.`,
      'scatter_c2',
    )
  checkIndexing(
    {
      op: 'scatter',
      indices,
      indicesName: 'scatter_indices',
      indexed: input,
      indexVectorAxis: n.index_vector_dim,
      batch: n.input_batching_dims,
      batchName: 'input_batching_dims',
      indicesBatch: n.scatter_indices_batching_dims,
      indicesBatchName: 'scatter_indices_batching_dims',
      map: n.scatter_dims_to_operand_dims,
      mapName: 'scatter_dims_to_operand_dims',
      rules: {
        unique: 'scatter_c14',
        range: 'scatter_c15',
        notVector: 'scatter_c16',
        sameCount: 'scatter_c17',
        sameSize: 'scatter_c18',
        mapSize: 'scatter_c19',
        mapUnique: 'scatter_c20',
        mapRange: 'scatter_c21',
      },
    },
    fail,
  )
}

function checkUpdateSizes(n: ScatterNumbers, input: TensorType, update: TensorType, scatterShape: readonly number[], fail: Fail): void {
  const most = without(input.shape, [...n.inserted_window_dims, ...n.input_batching_dims])
  n.update_window_dims.forEach((axis, i) => {
    if (update.shape[axis] !== DYNAMIC && most[i] !== DYNAMIC && update.shape[axis] > most[i])
      fail(
        'expects bounds of the window dimensions of updates to not exceed the bounds of the corresponding dimensions of operand. ' +
          `For dimension ${axis}, updates bound is ${update.shape[axis]}, operand bound is ${most[i]}.`,
        'scatter_c4',
      )
  })
  let next = 0
  update.shape.forEach((size, axis) => {
    if (n.update_window_dims.includes(axis)) return
    const want = scatterShape[next++]
    if (size !== want && size !== DYNAMIC && want !== DYNAMIC)
      fail(
        'expects bounds of the scatter dimensions of updates to be same as the bounds of the corresponding dimensions of scatter indices. ' +
          `For scatter dimension ${axis}, updates bound is ${size} , scatter_indices bound is ${want}.`,
        'scatter_c4',
      )
  })
}
