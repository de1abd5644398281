import { raggedDotArrays } from '../host/ragged-dot.ts'
import { isInteger } from '../ir/dtypes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import type { AttributeCodec, InferContext } from '../ir/op-definition.ts'
import { type TensorType, compatibleShape, isTensorType, shortType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { type Precision, precisions } from './dot-attributes.ts'
import { checkPrecision, contractedType } from './dot-rules.ts'
import { compatibleSize } from './inferred-types.ts'
import { keepAxes, otherAxes } from './kept-axes.ts'
import { needTensor, withShape } from './result-type.ts'
import { transpose } from './transpose.ts'

/**
 * A contraction whose left operand is cut into groups of consecutive rows along one axis, of sizes that are computed. Source:
 * openxla/stablehlo, `ChloOps.td`, "ragged_dot".
 */

const lists = [
  'lhs_batching_dimensions',
  'rhs_batching_dimensions',
  'lhs_contracting_dimensions',
  'rhs_contracting_dimensions',
  'lhs_ragged_dimensions',
  'rhs_group_dimensions',
] as const
export type RaggedDotNumbers = { readonly [K in (typeof lists)[number]]: readonly number[] }

const struct = codec.dimensionStruct('ragged_dot', lists, [])
const numbersCodec: AttributeCodec<RaggedDotNumbers> = {
  expected: '#chlo.ragged_dot<...>',
  print: (value) => struct.print(value).replace('#stablehlo', '#chlo'),
  parse: (attribute) => (attribute.kind === 'dialect' ? struct.parse({ kind: 'dialect', text: attribute.text.replace(/^#chlo\.ragged_dot/, '#stablehlo.ragged_dot') }) : undefined),
}

/** What the ragged axis is in the left operand. */
export type RaggedMode = 'batch' | 'contracting' | 'free'

function modeOf(numbers: RaggedDotNumbers): RaggedMode {
  const [ragged] = numbers.lhs_ragged_dimensions
  if (numbers.lhs_batching_dimensions.includes(ragged)) return 'batch'
  return numbers.lhs_contracting_dimensions.includes(ragged) ? 'contracting' : 'free'
}

/** Axes of the left operand that the sizes of groups may depend on: those in front of the ragged one. */
function prefixAxes(rank: number, n: RaggedDotNumbers): readonly number[] {
  const { lhs_batching_dimensions: batching, lhs_contracting_dimensions: contracting, lhs_ragged_dimensions: [ragged] } = n
  switch (modeOf(n)) {
    case 'batch':
      return batching.slice(0, batching.indexOf(ragged))
    case 'contracting':
      return [...batching, ...contracting.slice(0, contracting.indexOf(ragged))]
    case 'free':
      return [...batching, ...otherAxes(rank, [...batching, ...contracting]).filter((axis) => axis < ragged)]
  }
}

function checkRagged(lhs: TensorType, rhs: TensorType, sizes: TensorType, n: RaggedDotNumbers, fail: InferContext<unknown>['fail']): void {
  if (n.lhs_ragged_dimensions.length !== 1) fail('There must be exactly one ragged dimension in the lhs.')
  const [ragged] = n.lhs_ragged_dimensions
  if (ragged < 0 || ragged >= lhs.shape.length) fail(`Expects lhs_ragged_dim to be in range [0, ${lhs.shape.length}), got ${ragged}: ${shortType(lhs)}`)
  if (!isInteger(sizes.dtype)) fail(`group_sizes must be integers, got ${shortType(sizes)}`)
  if (sizes.shape.length < 1) fail(`group_sizes needs rank 1 at least, got ${shortType(sizes)}`)
  const prefix = prefixAxes(lhs.shape.length, n).map((axis) => lhs.shape[axis])
  const groups = sizes.shape[sizes.shape.length - 1]
  if (sizes.shape.length !== 1) {
    if (sizes.shape.length !== prefix.length + 1) fail(`expected group_sizes to have rank ${prefix.length + 1}, got ${sizes.shape.length}`)
    if (prefix.some((size, i) => size !== sizes.shape[i]))
      fail(`group_sizes is expected to have shape [${[...prefix, groups].join(', ')}], got [${sizes.shape.join(', ')}]`)
  }
  const { rhs_group_dimensions: group, rhs_batching_dimensions: batching, rhs_contracting_dimensions: contracting } = n
  for (const axis of group) {
    if (axis < 0 || axis >= rhs.shape.length) fail(`Expects rhs_group_dim to be in range [0, ${rhs.shape.length}), got ${axis}: ${shortType(rhs)}`)
    if (batching.includes(axis)) fail(`has duplicated dimension from rhs_group_dimensions and rhs_batching_dimensions: ${axis}`)
    if (contracting.includes(axis)) fail(`has duplicated dimension from rhs_group_dimensions and rhs_contracting_dimensions: ${axis}`)
  }
  if (modeOf(n) !== 'free') {
    if (group.length) fail('There must be zero group dimensions in the rhs when the ragged dimension is batch or contracting.')
    return
  }
  if (group.length !== 1) fail('There must be exactly one group dimension in the rhs when the lhs ragged dimension is non-contracting.')
  if (!compatibleSize(groups, rhs.shape[group[0]])) fail(`rhs group dimension is expected to have size=${groups}, got ${rhs.shape[group[0]]}`)
}

export const raggedDotOp = defineOp({
  name: 'chlo.ragged_dot',
  operands: ['lhs', 'rhs', 'group_sizes'],
  results: ['result'],
  regions: [],
  attributes: {
    precision_config: codec.optional(codec.arrayOf({ ...codec.enumeration('precision', precisions), print: (value: Precision) => `#chlo<precision ${value}>` })),
    ragged_dot_dimension_numbers: numbersCodec,
  },
  assembly: 'generic',
  infer: ({ operands, attributes: { ragged_dot_dimension_numbers: n, precision_config }, results, fail }) => {
    const [lhs, rhs, sizes] = operands.map((type, i) => needTensor(['lhs', 'rhs', 'group_sizes'][i], type, fail))
    checkPrecision(precision_config, undefined, fail)
    contractedType(lhs, rhs, n, fail)
    if (lhs.dtype !== rhs.dtype) fail(`operands differ in element type: lhs ${shortType(lhs)}, rhs ${shortType(rhs)}`)
    checkRagged(lhs, rhs, sizes, n, fail)
    const left = keepAxes(lhs, lhs, [...n.lhs_batching_dimensions, ...otherAxes(lhs.shape.length, [...n.lhs_batching_dimensions, ...n.lhs_contracting_dimensions])])
    const right = keepAxes(lhs, rhs, otherAxes(rhs.shape.length, [...n.rhs_batching_dimensions, ...n.rhs_contracting_dimensions, ...n.rhs_group_dimensions]))
    const groups = modeOf(n) === 'contracting' ? [sizes.shape[sizes.shape.length - 1]] : []
    const inferred = withShape(lhs, [...groups, ...left.shape, ...right.shape])
    const declared = results?.[0]
    if (!declared) return [inferred]
    if (!isTensorType(declared) || !compatibleShape(declared.shape, inferred.shape))
      fail(`inferred shape '[${inferred.shape.join(', ')}]' is incompatible with return type of operation '${typeText(declared)}'`)
    return [declared]
  },
  evaluate: ({ arrays: [lhs, rhs, sizes], attributes: { ragged_dot_dimension_numbers: n }, resultTypes }) => [
    raggedDotArrays(lhs, rhs, sizes, { ...n, prefix: prefixAxes(lhs.shape.length, n), mode: modeOf(n) }, resultTypes[0] as TensorType),
  ],
  vjp: ({ operation, operands: [lhs, rhs, sizes], cotangents: [d], attributes, needed }) => {
    if (!d) return [null, null, null]
    const { ragged_dot_dimension_numbers: n, precision_config } = attributes
    if (modeOf(n) !== 'free' || n.lhs_batching_dimensions.length || lhs.rank !== 2 || rhs.rank !== 3)
      throw new DifferentiationError('ragged_dot has a gradient for lhs [m,k], rhs [g,k,n] and groups of rows m', operation.location)
    const [k] = n.lhs_contracting_dimensions
    const m = 1 - k
    const [inner] = n.rhs_contracting_dimensions
    const [group] = n.rhs_group_dimensions
    const free = 3 - inner - group
    const back = (a: Tensor, b: Tensor, numbers: Partial<RaggedDotNumbers>) => emitRaggedDot(a, b, sizes, numbers, precision_config)
    // The rows of the cotangent with the transposed matrices of their groups; and for each group the product of its rows.
    const dLhs = () => back(d, rhs, { lhs_contracting_dimensions: [1], rhs_contracting_dimensions: [free], lhs_ragged_dimensions: [0], rhs_group_dimensions: [group] })
    const dRhs = () => back(lhs, d, { lhs_contracting_dimensions: [m], rhs_contracting_dimensions: [0], lhs_ragged_dimensions: [m] })
    const places: number[] = []
    places[group] = 0
    places[inner] = 1
    places[free] = 2
    return [needed[0] ? transpose(dLhs(), m === 0 ? [0, 1] : [1, 0]) : null, needed[1] ? transpose(dRhs(), places) : null, null]
  },
})

function emitRaggedDot(lhs: Tensor, rhs: Tensor, sizes: Tensor, numbers: Partial<RaggedDotNumbers>, precision_config: readonly Precision[] | undefined): Tensor {
  const none = Object.fromEntries(lists.map((name) => [name, [] as readonly number[]])) as RaggedDotNumbers
  return emit(raggedDotOp, [lhs, rhs, sizes], { ragged_dot_dimension_numbers: { ...none, ...numbers }, precision_config }).results[0] as Tensor
}

export interface RaggedDotOptions {
  readonly batching?: readonly [readonly number[], readonly number[]]
  readonly contracting: readonly [readonly number[], readonly number[]]
  /** The axis of `lhs` that is cut into groups. */
  readonly ragged: number
  /** The axis of `rhs` that has a slice for each group, where the ragged axis is neither batched nor contracted. */
  readonly group?: number
}

/**
 * Emits `chlo.ragged_dot`: `lhs f32[m,k], rhs f32[g,k,n], groupSizes i32[g] -> f32[m,n]`, where the first `groupSizes[0]` rows of `lhs` are
 * multiplied by `rhs[0]`, and so on; rows after the last group give zeros. Throws `OpError`.
 */
export function raggedDot(lhs: Tensor, rhs: Tensor, groupSizes: Tensor, options: RaggedDotOptions): Tensor {
  const resolve = (axes: readonly number[], { rank }: Tensor) => axes.map((axis) => resolveAxis('ragged_dot', axis, rank))
  const [lb, rb] = options.batching ?? [[], []]
  return emitRaggedDot(lhs, rhs, groupSizes, {
    lhs_batching_dimensions: resolve(lb, lhs),
    rhs_batching_dimensions: resolve(rb, rhs),
    lhs_contracting_dimensions: resolve(options.contracting[0], lhs),
    rhs_contracting_dimensions: resolve(options.contracting[1], rhs),
    lhs_ragged_dimensions: resolve([options.ragged], lhs),
    rhs_group_dimensions: options.group === undefined ? [] : resolve([options.group], rhs),
  }, undefined)
}
