import { isInteger } from '../ir/dtypes.ts'
import type { AttributesOf, InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, shortType, shortTypes } from '../ir/types.ts'
import * as codec from './codecs.ts'
import { checkReducer } from './reducer.ts'
import { agree, needTensor, sameElementType, withShape } from './result-type.ts'

/** The attributes and the type rules of gather and scatter. Source: specification, "gather" and "scatter". */

export const gatherAttributes = {
  dimension_numbers: codec.dimensionStruct(
    'gather',
    ['offset_dims', 'collapsed_slice_dims', 'operand_batching_dims', 'start_indices_batching_dims', 'start_index_map'],
    ['index_vector_dim'],
  ),
  indices_are_sorted: codec.optional(codec.bool),
  slice_sizes: codec.i64Array,
} as const
export type GatherAttributes = AttributesOf<typeof gatherAttributes>
export type GatherNumbers = GatherAttributes['dimension_numbers']

export const scatterAttributes = {
  indices_are_sorted: codec.optional(codec.bool),
  scatter_dimension_numbers: codec.dimensionStruct(
    'scatter',
    ['update_window_dims', 'inserted_window_dims', 'input_batching_dims', 'scatter_indices_batching_dims', 'scatter_dims_to_operand_dims'],
    ['index_vector_dim'],
  ),
  unique_indices: codec.optional(codec.bool),
} as const
export type ScatterAttributes = AttributesOf<typeof scatterAttributes>
export type ScatterNumbers = ScatterAttributes['scatter_dimension_numbers']

type Fail = InferContext<unknown>['fail']
const sorted = (list: readonly number[]): boolean => list.every((value, i) => i === 0 || list[i - 1] <= value)
const unique = (list: readonly number[]): boolean => new Set(list).size === list.length

/** Checks on lists of axes, each with its rule. */
function axisChecks(fail: Fail) {
  return {
    sorted: (name: string, list: readonly number[], rule: string) => sorted(list) || fail(`${name} [${list}] must be sorted`, rule),
    unique: (name: string, list: readonly number[], rule: string) => unique(list) || fail(`${name} [${list}] repeats an axis`, rule),
    distinct: (names: string, a: readonly number[], b: readonly number[], rule: string) =>
      unique([...a, ...b]) || fail(`${names} name an axis twice: [${a}] and [${b}]`, rule),
    inRange: (name: string, list: readonly number[], rank: number, of: string, rule: string) =>
      list.every((axis) => axis >= 0 && axis < rank) || fail(`${name} [${list}] must be axes of ${of}, whose rank is ${rank}`, rule),
  }
}

/** Rules that both ops have on how index vectors go with the indexed array, under each op's own names. */
interface IndexRules {
  readonly indices: TensorType
  readonly indicesName: string
  readonly indexed: TensorType
  readonly indexedName: string
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
  const check = axisChecks(fail)
  const indicesRank = r.indices.shape.length
  check.unique(r.indicesBatchName, r.indicesBatch, r.rules.unique)
  check.inRange(r.indicesBatchName, r.indicesBatch, indicesRank, `${r.indicesName} ${shortType(r.indices)}`, r.rules.range)
  if (r.indicesBatch.includes(r.indexVectorAxis))
    fail(`${r.indicesBatchName} [${r.indicesBatch}] must not have index_vector_dim ${r.indexVectorAxis}`, r.rules.notVector)
  if (r.batch.length !== r.indicesBatch.length)
    fail(`${r.batchName} [${r.batch}] and ${r.indicesBatchName} [${r.indicesBatch}] differ in length`, r.rules.sameCount)
  r.batch.forEach((axis, i) => {
    const [a, b] = [r.indexed.shape[axis], r.indices.shape[r.indicesBatch[i]]]
    if (a !== b && a !== DYNAMIC && b !== DYNAMIC)
      fail(
        `${r.indexedName} ${shortType(r.indexed)} axis ${axis} is ${a}, ` +
          `${r.indicesName} ${shortType(r.indices)} axis ${r.indicesBatch[i]} is ${b}`,
        r.rules.sameSize,
      )
  })
  const components = r.indexVectorAxis < indicesRank ? r.indices.shape[r.indexVectorAxis] : 1
  if (components !== DYNAMIC && r.map.length !== components)
    fail(
      `${r.mapName} [${r.map}] has ${r.map.length} axes, ` +
        `the index vectors of ${r.indicesName} ${shortType(r.indices)} have ${components} components`,
      r.rules.mapSize,
    )
  check.distinct(`${r.mapName} and ${r.batchName}`, r.map, r.batch, r.rules.mapUnique)
  check.inRange(r.mapName, r.map, r.indexed.shape.length, `${r.indexedName} ${shortType(r.indexed)}`, r.rules.mapRange)
}

function checkIndices(indices: TensorType, indexVectorAxis: number, name: string, rules: { type: string; vector: string }, fail: Fail): void {
  if (!isInteger(indices.dtype) || indices.quantization) fail(`${name} ${shortType(indices)} must be integers`, rules.type)
  if (indexVectorAxis < 0 || indexVectorAxis > indices.shape.length)
    fail(`index_vector_dim is ${indexVectorAxis}, ${name} ${shortType(indices)} has rank ${indices.shape.length}`, rules.vector)
}

/** Sizes of the axes that are not among `axes`. */
const without = (shape: readonly number[], axes: readonly number[]): number[] => shape.filter((_, axis) => !axes.includes(axis))

/** Sizes put together from those of the window, at `windowAxes`, and the others, in order. */
export function interleave(windowSizes: readonly number[], windowAxes: readonly number[], others: readonly number[]): number[] {
  let [w, o] = [0, 0]
  return Array.from({ length: windowSizes.length + others.length }, (_, axis) => (windowAxes.includes(axis) ? windowSizes[w++] : others[o++]))
}

export function inferGather({ operands, attributes, results, fail }: InferContext<GatherAttributes>): readonly Type[] {
  const operand = needTensor('operand', operands[0], fail)
  const indices = needTensor('start_indices', operands[1], fail)
  const { dimension_numbers: n, slice_sizes: sizes } = attributes
  const check = axisChecks(fail)
  const rank = operand.shape.length
  const operandName = `operand ${shortType(operand)}`
  checkIndices(indices, n.index_vector_dim, 'start_indices', { type: 'gather_i2', vector: 'gather_c2' }, fail)
  const listed = n.offset_dims.length + n.collapsed_slice_dims.length + n.operand_batching_dims.length
  if (rank !== listed)
    fail(
      `${operandName} has rank ${rank}, but offset_dims [${n.offset_dims}], collapsed_slice_dims [${n.collapsed_slice_dims}] and ` +
        `operand_batching_dims [${n.operand_batching_dims}] are ${listed}`,
      'gather_c1',
    )
  check.sorted('offset_dims', n.offset_dims, 'gather_c4')
  check.unique('offset_dims', n.offset_dims, 'gather_c4')
  const batch = without(indices.shape, [n.index_vector_dim])
  check.inRange('offset_dims', n.offset_dims, batch.length + n.offset_dims.length, 'the result', 'gather_c5')
  check.distinct('collapsed_slice_dims and operand_batching_dims', n.collapsed_slice_dims, n.operand_batching_dims, 'gather_c6')
  check.sorted('collapsed_slice_dims', n.collapsed_slice_dims, 'gather_c7')
  check.inRange('collapsed_slice_dims', n.collapsed_slice_dims, rank, operandName, 'gather_c8')
  check.sorted('operand_batching_dims', n.operand_batching_dims, 'gather_c10')
  check.inRange('operand_batching_dims', n.operand_batching_dims, rank, operandName, 'gather_c11')
  if (sizes.length !== rank) fail(`slice_sizes [${sizes}] has ${sizes.length} entries, ${operandName} has rank ${rank}`, 'gather_c20')
  for (const axis of n.collapsed_slice_dims)
    if (sizes[axis] > 1) fail(`slice size ${sizes[axis]} at axis ${axis}, which is in collapsed_slice_dims, must be at most 1`, 'gather_c9')
  for (const axis of n.operand_batching_dims)
    if (sizes[axis] > 1) fail(`slice size ${sizes[axis]} at axis ${axis}, which is in operand_batching_dims, must be at most 1`, 'gather_c12')
  checkIndexing(
    {
      indices,
      indicesName: 'start_indices',
      indexed: operand,
      indexedName: 'operand',
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
  sizes.forEach((size, axis) => {
    const limit = operand.shape[axis]
    if (size < 0 || (limit !== DYNAMIC && size > limit))
      fail(`slice size ${size} at axis ${axis} must be between 0 and ${limit}, the size in ${operandName}`, 'gather_c21')
  })
  const window = without(sizes, [...n.collapsed_slice_dims, ...n.operand_batching_dims])
  const declared = results?.[0]
  if (declared && isTensorType(declared) && !sameElementType(declared, operand))
    fail(`${operandName} and result ${shortType(declared)} differ in element type`, 'gather_c23')
  return agree(withShape(operand, interleave(window, n.offset_dims, batch)), results, fail, 'gather_c22')
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
  if (inputs.some((type) => !compatibleShape(type.shape, input.shape))) fail(`inputs differ in shape: ${shortTypes(inputs)}`, 'scatter_c1')
  if (updates.some((type) => !compatibleShape(type.shape, update.shape))) fail(`updates differ in shape: ${shortTypes(updates)}`, 'scatter_c3')
  inputs.forEach((type, i) => {
    if (!sameElementType(type, updates[i]))
      fail(`inputs[${i}] ${shortType(type)} and updates[${i}] ${shortType(updates[i])} differ in element type`, 'scatter_c6')
  })
  checkIndices(indices, n.index_vector_dim, 'scatter_indices', { type: 'scatter_i2', vector: 'scatter_c22' }, fail)
  const scatterShape = without(indices.shape, [n.index_vector_dim])
  const rank = scatterShape.length + n.update_window_dims.length
  if (update.shape.length !== rank)
    fail(
      `updates[0] ${shortType(update)} must have rank ${rank}: ${scatterShape.length} of scatter_indices ${shortType(indices)} ` +
        `without index vectors, ${n.update_window_dims.length} of update_window_dims`,
      'scatter_c4',
    )
  checkScatterAxes(n, input, indices, update, fail)
  checkUpdateSizes(n, input, update, scatterShape, fail)
  const inits = updates.map((type) => withShape(type, []))
  const types = checkReducer(regions[0], { inputs, inits, allowed: [], region: 'update_computation', rule: 'scatter_c23', fail })
  if (results && results.length !== count) fail(`has ${results.length} results, must have ${count}: one for each input`, 'scatter_c24')
  return types.map((type, i) => {
    const declared = results?.[i]
    if (declared && isTensorType(declared) && !compatibleShape(declared.shape, inputs[i].shape))
      fail(`inputs[${i}] ${shortType(inputs[i])} and results[${i}] ${shortType(declared)} differ in shape`, 'scatter_c24')
    return agree(withShape(type, inputs[i].shape, inputs[i].bounds), declared && [declared], fail, 'scatter_c25')[0]
  })
}

function checkScatterAxes(n: ScatterNumbers, input: TensorType, indices: TensorType, update: TensorType, fail: Fail): void {
  const check = axisChecks(fail)
  const rank = input.shape.length
  const inputName = `inputs[0] ${shortType(input)}`
  const listed = n.update_window_dims.length + n.inserted_window_dims.length + n.input_batching_dims.length
  if (rank !== listed)
    fail(
      `${inputName} has rank ${rank}, but update_window_dims [${n.update_window_dims}], inserted_window_dims [${n.inserted_window_dims}] and ` +
        `input_batching_dims [${n.input_batching_dims}] are ${listed}`,
      'scatter_c2',
    )
  check.sorted('update_window_dims', n.update_window_dims, 'scatter_c7')
  check.unique('update_window_dims', n.update_window_dims, 'scatter_c7')
  check.inRange('update_window_dims', n.update_window_dims, update.shape.length, `updates[0] ${shortType(update)}`, 'scatter_c8')
  check.distinct('inserted_window_dims and input_batching_dims', n.inserted_window_dims, n.input_batching_dims, 'scatter_c9')
  check.sorted('inserted_window_dims', n.inserted_window_dims, 'scatter_c10')
  check.inRange('inserted_window_dims', n.inserted_window_dims, rank, inputName, 'scatter_c11')
  check.sorted('input_batching_dims', n.input_batching_dims, 'scatter_c12')
  check.inRange('input_batching_dims', n.input_batching_dims, rank, inputName, 'scatter_c13')
  checkIndexing(
    {
      indices,
      indicesName: 'scatter_indices',
      indexed: input,
      indexedName: 'inputs[0]',
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
        `updates[0] ${shortType(update)} axis ${axis} is ${update.shape[axis]}, more than the ${most[i]} of inputs[0] ${shortType(input)}`,
        'scatter_c4',
      )
  })
  const rest = without(update.shape, n.update_window_dims)
  if (!compatibleShape(rest, scatterShape))
    fail(`updates[0] ${shortType(update)} has [${rest}] outside its windows, scatter_indices has [${scatterShape}] index vectors`, 'scatter_c4')
}
