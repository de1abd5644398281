import { dotArrays } from '../host/dot.ts'
import type { DType } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import type { Cotangent } from '../ir/op-definition.ts'
import { type TensorType, compatibleShape, isTensorType, shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { attributeDictionary, form, functional, operandList } from './assembly.ts'
import { resolveAxis } from './axes.ts'
import { convert } from './convert.ts'
import { defineOp } from './define.ts'
import {
  type DotAlgorithm,
  type DotDimensionNumbers,
  type Precision,
  dimensionNumbersPiece,
  dotAlgorithm,
  dotDimensionNumbers,
  precisionConfig,
  precisionPiece,
} from './dot-attributes.ts'
import { checkElements, checkPrecision, contractedType } from './dot-rules.ts'
import { otherAxes } from './kept-axes.ts'
import { onExpressed } from './quantized.ts'
import { needTensor } from './result-type.ts'
import { transpose } from './transpose.ts'

/**
 * Contraction of two tensors over pairs of axes, batched over other pairs. The result may have a wider element type than the operands
 * (bf16 times bf16 summed in f32). The interpreter sums in double precision and rounds once (sums of up to 16 products in f32 step by
 * step, as others do), whatever precision or algorithm is asked for. Source: specification, "dot_general".
 */
export const dotGeneralOp = defineOp({
  name: 'stablehlo.dot_general',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: { dot_dimension_numbers: dotDimensionNumbers, precision_config: precisionConfig, algorithm: dotAlgorithm },
  assembly: form(operandList, dimensionNumbersPiece, precisionPiece({ algorithm: true }), attributeDictionary, functional),
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes, results, fail }) => {
    const [lhs, rhs] = [needTensor('lhs', operands[0], fail), needTensor('rhs', operands[1], fail, { perAxis: true })]
    const inferred = contractedType(lhs, rhs, attributes.dot_dimension_numbers, fail)
    checkPrecision(attributes.precision_config, attributes.algorithm, fail)
    const declared = results?.[0]
    const result = declared && isTensorType(declared) ? declared : undefined
    checkElements(lhs, rhs, result, attributes.dot_dimension_numbers, fail)
    if (!result) return [inferred]
    if (!compatibleShape(result.shape, inferred.shape)) fail(`the result is ${shortType(inferred)}, but ${shortType(result)} is written`, 'dot_general_c12')
    return [result]
  },
  evaluate: onExpressed(({ arrays: [lhs, rhs], attributes, resultTypes }) => [
    dotArrays(lhs, rhs, hostAxes(attributes.dot_dimension_numbers), resultTypes[0] as TensorType),
  ]),
  vjp: ({ operands: [lhs, rhs], cotangents: [d], attributes, needed }) =>
    dotCotangents(lhs, rhs, d, attributes.dot_dimension_numbers, needed, attributes),
})

/** `lhs` of rank 1 or 2 times `rhs` of rank 1 or 2: what `dot_general` is for plain matrices. Source: StableHLO, "dot". */
export const dotOp = defineOp({
  name: 'stablehlo.dot',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: { precision_config: precisionConfig },
  assembly: form(operandList, precisionPiece({ algorithm: false }), attributeDictionary, functional),
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes, results, fail }) => {
    const [lhs, rhs] = [needTensor('lhs', operands[0], fail), needTensor('rhs', operands[1], fail, { perAxis: true })]
    for (const type of [lhs, rhs]) if (type.shape.length < 1 || type.shape.length > 2) fail(`operands must have rank 1 or 2, got ${shortType(type)}`)
    checkPrecision(attributes.precision_config, undefined, fail)
    const inferred = contractedType(lhs, rhs, matrixNumbers(lhs.shape.length), fail)
    const declared = results?.[0]
    if (!declared || !isTensorType(declared)) return [inferred]
    if (!compatibleShape(declared.shape, inferred.shape)) fail(`the result is ${shortType(inferred)}, but ${shortType(declared)} is written`)
    return [declared]
  },
  evaluate: onExpressed(({ arrays: [lhs, rhs], resultTypes }) => [dotArrays(lhs, rhs, hostAxes(matrixNumbers(lhs.shape.length)), resultTypes[0] as TensorType)]),
  vjp: ({ operands: [lhs, rhs], cotangents: [d], attributes, needed }) => dotCotangents(lhs, rhs, d, matrixNumbers(lhs.rank), needed, attributes),
})

const matrixNumbers = (lhsRank: number): DotDimensionNumbers => ({
  lhs_batching_dimensions: [],
  rhs_batching_dimensions: [],
  lhs_contracting_dimensions: [lhsRank - 1],
  rhs_contracting_dimensions: [0],
})

const hostAxes = (numbers: DotDimensionNumbers) => ({
  lhsBatching: numbers.lhs_batching_dimensions,
  rhsBatching: numbers.rhs_batching_dimensions,
  lhsContracting: numbers.lhs_contracting_dimensions,
  rhsContracting: numbers.rhs_contracting_dimensions,
})

interface Exactness {
  readonly precision_config?: readonly Precision[] | undefined
  readonly algorithm?: DotAlgorithm | undefined
}

function dotCotangents(lhs: Tensor, rhs: Tensor, d: Cotangent, numbers: DotDimensionNumbers, needed: readonly boolean[], exactness: Exactness): readonly Cotangent[] {
  if (!d) return [null, null]
  const { lhs_batching_dimensions: lb, rhs_batching_dimensions: rb, lhs_contracting_dimensions: lc, rhs_contracting_dimensions: rc } = numbers
  const left = { operand: lhs, batching: lb, contracting: lc, free: otherAxes(lhs.rank, [...lb, ...lc]) }
  const right = { operand: rhs, batching: rb, contracting: rc, free: otherAxes(rhs.rank, [...rb, ...rc]) }
  const freeOfLeft = left.free.map((_, i) => lb.length + i)
  const freeOfRight = right.free.map((_, i) => lb.length + left.free.length + i)
  return [
    needed[0] ? cotangentOf(left, right, d, freeOfRight, exactness) : null,
    needed[1] ? cotangentOf(right, left, d, freeOfLeft, exactness) : null,
  ]
}

interface DotSide {
  readonly operand: Tensor
  readonly batching: readonly number[]
  readonly contracting: readonly number[]
  readonly free: readonly number[]
}

/** The cotangent of one side: `d` contracted with the other side over that side's free axes, which `d` has at `axes`. */
function cotangentOf(side: DotSide, other: DotSide, d: Tensor, axes: readonly number[], exactness: Exactness): Tensor {
  const batching = side.batching.map((_, i) => i)
  // A sum in a wider type than the operands have keeps its width on the way back.
  const factor = d.dtype === other.operand.dtype ? other.operand : convert(other.operand, d.dtype)
  const product = emitDot(d, factor, {
    lhs_batching_dimensions: batching,
    rhs_batching_dimensions: other.batching,
    lhs_contracting_dimensions: axes,
    rhs_contracting_dimensions: other.free,
  }, exactness, d.dtype)
  // Its axes: the batch, the side's free axes, then the other side's contracting axes in that side's order.
  const pairs = side.contracting.map((axis, i) => ({ axis, partner: other.contracting[i] })).sort((a, b) => a.partner - b.partner)
  const order = [...side.batching, ...side.free, ...pairs.map(({ axis }) => axis)]
  const permutation = side.operand.shape.map((_, axis) => order.indexOf(axis))
  const moved = permutation.every((from, axis) => from === axis) ? product : transpose(product, permutation)
  return moved.dtype === side.operand.dtype ? moved : convert(moved, side.operand.dtype)
}

function emitDot(lhs: Tensor, rhs: Tensor, numbers: DotDimensionNumbers, exactness: Exactness, outputDtype: DType): Tensor {
  const attributes = { dot_dimension_numbers: numbers, precision_config: exactness.precision_config, algorithm: exactness.algorithm }
  const { lhs_batching_dimensions: lb, rhs_batching_dimensions: rb, lhs_contracting_dimensions: lc, rhs_contracting_dimensions: rc } = numbers
  const shape = [
    ...lb.map((axis) => lhs.shape[axis]),
    ...otherAxes(lhs.rank, [...lb, ...lc]).map((axis) => lhs.shape[axis]),
    ...otherAxes(rhs.rank, [...rb, ...rc]).map((axis) => rhs.shape[axis]),
  ]
  return emit(dotGeneralOp, [lhs, rhs], attributes, { results: [tensorType(outputDtype, shape)] }).results[0] as Tensor
}

export interface DotOptions {
  /** How exact f32 products are on a TPU; `DEFAULT` is one pass in bf16. One for both operands, or one each. */
  readonly precision?: Precision | readonly [Precision, Precision]
  /** The way of computing, in place of a precision. */
  readonly algorithm?: DotAlgorithm
  /** Element type of the result; the operands' if absent. Sums are kept in it, so f32 is advisable for bf16 operands. */
  readonly outputDtype?: DType
}

export interface DotGeneralOptions extends DotOptions {
  /** Axes of `lhs` and of `rhs` that go together and stay, in order; none if absent. Negative axes count from the end. */
  readonly batching?: readonly [readonly number[], readonly number[]]
  /** Axes of `lhs` and of `rhs` that are multiplied and summed over, in order. */
  readonly contracting: readonly [readonly number[], readonly number[]]
}

/**
 * Contraction: the result has the batching axes, then the other axes of `lhs`, then those of `rhs`.
 * `lhs f32[b,q,d], rhs f32[b,k,d]`, batching `[[0], [0]]`, contracting `[[2], [2]]` -> `f32[b,q,k]`. Throws `OpError`.
 */
export function dotGeneral(lhs: Tensor, rhs: Tensor, options: DotGeneralOptions): Tensor {
  const resolve = (axes: readonly number[], { rank }: Tensor) => axes.map((axis) => resolveAxis('dot_general', axis, rank))
  const [lb, rb] = options.batching ?? [[], []]
  const [lc, rc] = options.contracting
  const numbers: DotDimensionNumbers = {
    lhs_batching_dimensions: resolve(lb, lhs),
    rhs_batching_dimensions: resolve(rb, rhs),
    lhs_contracting_dimensions: resolve(lc, lhs),
    rhs_contracting_dimensions: resolve(rc, rhs),
  }
  const precision = options.precision ?? 'DEFAULT'
  const exactness = { precision_config: typeof precision === 'string' ? [precision, precision] : precision, algorithm: options.algorithm }
  return emitDot(lhs, rhs, numbers, exactness, options.outputDtype ?? lhs.dtype)
}

/**
 * Matrix product over the last two axes: `lhs f32[...,m,k], rhs f32[...,k,n] -> f32[...,m,n]`. Leading axes must be equal, or absent
 * in `rhs`. Throws `OpError`.
 */
export function matmul(lhs: Tensor, rhs: Tensor, options: DotOptions = {}): Tensor {
  const wrong = (detail: string): never => {
    throw new OpError('matmul', `${detail}: lhs ${shortType(lhs.type)}, rhs ${shortType(rhs.type)}`, undefined, captureLocation(matmul))
  }
  if (lhs.rank < 2 || rhs.rank < 2) wrong('both operands need rank 2 or more')
  if (rhs.rank !== 2 && rhs.rank !== lhs.rank) wrong('leading axes must be equal, or absent in rhs')
  const leading = rhs.shape.slice(0, -2).map((_, axis) => axis)
  if (leading.some((axis) => lhs.shape[axis] !== rhs.shape[axis])) wrong('leading axes differ')
  return dotGeneral(lhs, rhs, { ...options, batching: [leading, leading], contracting: [[lhs.rank - 1], [rhs.rank - 2]] })
}
