import { type KeyOrder, linesAlong, sortByKeys, sortInStep } from '../host/sort.ts'
import { dtypes } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { type Region, Tensor } from '../ir/module.ts'
import type { Cotangent, EvaluateContext } from '../ir/op-definition.ts'
import { type TensorType, compatibleShape, isTensorType, sameType, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { compare, compareOp, comparisonTypeOf } from './compare.ts'
import { copyRegion } from './copy-region.ts'
import { defineOp } from './define.ts'
import { iota } from './iota.ts'
import { agreeAll } from './kept-axes.ts'
import { liftRegion } from './lift-region.ts'
import { needTensor } from './result-type.ts'
import { emitReturn } from './return.ts'

interface SortAttributes {
  readonly dimension?: number | undefined
  readonly is_stable?: boolean | undefined
}

/** Sorts lines of tensors side by side, as a comparator says. Source: specification, "sort". */
export const sortOp = defineOp({
  name: 'stablehlo.sort',
  operands: ['inputs...'],
  results: ['results...'],
  regions: ['comparator'],
  attributes: { dimension: codec.optional(codec.i64, -1), is_stable: codec.optional(codec.bool, false) },
  assembly: 'generic',
  infer: ({ operands, attributes, regions, results, fail }) => {
    if (operands.length === 0) fail('needs at least one input', 'sort_c1')
    const inputs = operands.map((operand, i) => needTensor(`input ${i}`, operand, fail, { perAxis: true }))
    const [first] = inputs
    inputs.forEach((input, i) => {
      if (!compatibleShape(input.shape, first.shape)) fail(`inputs differ in shape: input ${i} is ${shortType(input)}, input 0 is ${shortType(first)}`, 'sort_c3')
    })
    const rank = first.shape.length
    const dimension = attributes.dimension ?? -1
    if (dimension < -rank || dimension >= rank) fail(`dimension is ${dimension}, input ${shortType(first)} has rank ${rank}`, 'sort_c4')
    const { block } = regions[0]
    if (block.arguments.length !== 2 * inputs.length)
      fail(`comparator block should have ${2 * inputs.length} arguments, two for each input, but has ${block.arguments.length}`, 'sort_c5')
    block.arguments.forEach(({ type }, i) => {
      const input = inputs[i >> 1]
      const want: TensorType = { ...input, shape: [], bounds: undefined }
      if (!isTensorType(type) || type.shape.length || (type.dtype !== input.dtype && !input.quantization))
        fail(`comparator block argument #${i} should be of type '${typeText(want)}' but got '${typeText(type)}'`, 'sort_c5')
    })
    const returned = (block.terminator?.operands ?? []).map((operand) => operand.type)
    if (returned.length !== 1) fail(`comparator must return single output but got ${returned.length}`, 'sort_c5')
    if (!sameType(returned[0], tensorType('bool', []))) fail(`comparator must return tensor<i1> but got '${typeText(returned[0])}'`, 'sort_c5')
    return agreeAll(inputs, results, fail, 'sort_c2')
  },
  evaluate: (context) => {
    const { arrays, attributes, regions } = context
    const axis = resolveAxis('sort', attributes.dimension ?? -1, arrays[0].shape.length)
    const plain = plainComparator(regions[0])
    return plain ? sortByKeys(arrays, arrays[plain.key], axis, plain) : sortByRegion(context, axis)
  },
  vjp: ({ operands, cotangents, attributes, regions, needed, replace }) => {
    const axis = resolveAxis('sort', attributes.dimension ?? -1, operands[0].rank)
    const indexType = tensorType('i32', operands[0].shape)
    const scalar = tensorType('i32', [])
    let positions: Tensor | undefined
    replace(() => {
      // The same sort, carrying along where each element came from.
      const { arguments: parameters } = regions[0].block
      const types = [...parameters.map((parameter) => parameter.type), scalar, scalar]
      const comparator = copyRegion(regions[0], 'comparator of sort', types, parameters.map((_, i) => i))
      const results = emit(sortOp, [...operands, iota(indexType, axis)], attributes, { regions: [comparator] }).results as readonly Tensor[]
      positions = results[operands.length]
      return results.slice(0, operands.length)
    })
    // Sorting by where they came from puts the cotangents back in place.
    const wanted = operands.flatMap((_, i) => (needed[i] && cotangents[i] ? [i] : []))
    const gradients: Cotangent[] = operands.map(() => null)
    if (wanted.length === 0) return gradients
    const [, ...placed] = sort([positions!, ...wanted.map((i) => cotangents[i]!)], axis, ([a], [b]) => compare(a, b, 'LT'), { stable: false })
    wanted.forEach((i, k) => {
      gradients[i] = placed[k]
    })
    return gradients
  },
})

/** The array and the order by which a comparator sorts that is one comparison of two elements of that array. */
function plainComparator(comparator: Region): ({ readonly key: number } & KeyOrder) | undefined {
  const { block } = comparator
  const [operation, terminator] = block.operations
  if (block.operations.length !== 2 || operation.definition !== compareOp || terminator.operands[0] !== operation.results[0]) return undefined
  const [lhs, rhs] = operation.operands
  if (lhs.block !== block || rhs.block !== block || !isTensorType(lhs.type) || dtypes[lhs.type.dtype].kind === 'complex') return undefined
  const { comparison_direction: direction, compare_type: type } = operation.attributes
  if ((direction !== 'LT' && direction !== 'GT') || lhs.index >> 1 !== rhs.index >> 1 || lhs.index === rhs.index) return undefined
  const swapped = lhs.index > rhs.index
  return { key: lhs.index >> 1, descending: (direction === 'GT') !== swapped, total: type === 'TOTALORDER' }
}

/** Any comparator: many comparisons at once if it allows that, else one by one. */
function sortByRegion(context: EvaluateContext<SortAttributes>, axis: number): HostArray[] {
  const { arrays, regions: [comparator], run } = context
  /** Elements of an array at some offsets. */
  const pick = ({ data, dtype }: HostArray, offsets: Int32Array, shape: readonly number[]): HostArray => {
    const width = dtypes[dtype].kind === 'complex' ? 2 : 1
    const out = allocate(dtype, offsets.length) as Float64Array
    for (let i = 0; i < out.length; i++) out[i] = (data as Float64Array)[width === 1 ? offsets[i] : 2 * offsets[i >> 1] + (i & 1)]
    return new HostArray(tensorType(dtype, shape), out)
  }
  let lanes = 0
  let together: ReturnType<typeof liftRegion>
  return sortInStep(arrays, linesAlong(arrays[0].shape, axis), (firsts, seconds) => {
    if (lanes !== firsts.length) {
      lanes = firsts.length
      together = liftRegion(context, comparator, lanes)
    }
    const pairs = (a: Int32Array, b: Int32Array, shape: readonly number[]) => arrays.flatMap((array) => [pick(array, a, shape), pick(array, b, shape)])
    if (together) return together(pairs(firsts, seconds, [lanes]))[0].data as Uint8Array
    return Array.from(firsts, (_, i) => Number((run(comparator, pairs(firsts.subarray(i, i + 1), seconds.subarray(i, i + 1), []))[0] as HostArray).data[0]))
  })
}

export interface SortOptions {
  /** Equal elements keep their order; true unless said otherwise. */
  readonly stable?: boolean
}

/**
 * Sorts along `axis` (negative: from the end) a tensor, or several of one shape side by side. `comparator` gets two elements (or two
 * lists, one element of each tensor) of rank 0 and says as `bool[]` whether the first comes before the second. Throws `OpError`.
 */
export function sort(operand: Tensor, axis: number, comparator: (a: Tensor, b: Tensor) => Tensor, options?: SortOptions): Tensor
export function sort(operands: readonly Tensor[], axis: number, comparator: (a: Tensor[], b: Tensor[]) => Tensor, options?: SortOptions): Tensor[]
export function sort(
  operands: Tensor | readonly Tensor[],
  axis: number,
  comparator: ((a: Tensor, b: Tensor) => Tensor) | ((a: Tensor[], b: Tensor[]) => Tensor),
  options: SortOptions = {},
): Tensor | Tensor[] {
  const inputs = operands instanceof Tensor ? [operands] : operands
  if (inputs.length === 0) throw new OpError('sort', 'needs at least one tensor', 'sort_c1')
  const types = inputs.flatMap(({ dtype }) => [tensorType(dtype, []), tensorType(dtype, [])])
  const region = buildRegion('comparator of sort', types, (parameters) => {
    const a = parameters.filter((_, i) => i % 2 === 0) as Tensor[]
    const b = parameters.filter((_, i) => i % 2 === 1) as Tensor[]
    const before = operands instanceof Tensor
      ? (comparator as (a: Tensor, b: Tensor) => Tensor)(a[0], b[0])
      : (comparator as (a: Tensor[], b: Tensor[]) => Tensor)(a, b)
    emitReturn([before])
  })
  const attributes = { dimension: resolveAxis('sort', axis, inputs[0].rank), is_stable: options.stable ?? true }
  const results = emit(sortOp, inputs, attributes, { regions: [region] }).results as readonly Tensor[]
  return operands instanceof Tensor ? results[0] : [...results]
}

/** Whether `a` comes before `b` in the order of their type: floats in the IEEE total order, so that NaN is last. */
function before(a: Tensor, b: Tensor, descending: boolean): Tensor {
  const natural = comparisonTypeOf(a.dtype)
  return compare(a, b, descending ? 'GT' : 'LT', natural === 'FLOAT' && dtypes[a.dtype].kind === 'float' ? 'TOTALORDER' : natural)
}

export interface OrderOptions {
  /** The largest first. */
  readonly descending?: boolean
}

/** Elements along an axis from the smallest to the largest; -0 comes before 0, NaN last. Throws `OpError`. */
export const sortAscending = (x: Tensor, axis = -1): Tensor => sort(x, axis, (a, b) => before(a, b, false))

/** Elements along an axis from the largest to the smallest; NaN first. Throws `OpError`. */
export const sortDescending = (x: Tensor, axis = -1): Tensor => sort(x, axis, (a, b) => before(a, b, true))

/** The sorted elements along an axis, and as `i32` where they came from; equal elements keep their order. Throws `OpError`. */
export function sortWithIndices(x: Tensor, axis = -1, options: OrderOptions = {}): { values: Tensor; indices: Tensor } {
  const positions = iota(tensorType('i32', x.shape), axis)
  const [values, indices] = sort([x, positions], axis, ([a], [b]) => before(a, b, options.descending ?? false))
  return { values, indices }
}

/** Where the elements of the sorted lines come from, as `i32`; equal elements keep their order. Throws `OpError`. */
export const argSort = (x: Tensor, axis = -1, options: OrderOptions = {}): Tensor => sortWithIndices(x, axis, options).indices
