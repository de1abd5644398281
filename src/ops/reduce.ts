import { type ReductionKind, hasReduction, promoteArray, reduceArray } from '../host/reduce.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { type DType, dtypes, integerRange } from '../ir/dtypes.ts'
import { DifferentiationError, OpError } from '../ir/errors.ts'
import { largestFinite } from '../ir/float-bits.ts'
import { HostArray, type HostData, allocate } from '../ir/host-array.ts'
import type { Location } from '../ir/location.ts'
import { Tensor } from '../ir/module.ts'
import type { Cotangent, EvaluateContext } from '../ir/op-definition.ts'
import { type TensorType, elementCount, sameType, shortType, shortTypes, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { add, divide, multiply } from './arithmetic.ts'
import { resolveAxes } from './axes.ts'
import { and, or } from './bitwise.ts'
import { broadcastInDim } from './broadcast.ts'
import * as codec from './codecs.ts'
import { compare } from './compare.ts'
import { fill, ones, zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { dynamicSlice } from './dynamic-slice.ts'
import { maximum, minimum } from './elementwise-binary.ts'
import { type Fold, foldGradient } from './fold-gradient.ts'
import { agreeAll, keepAxes, otherAxes } from './kept-axes.ts'
import { reduceAssembly } from './reduce-assembly.ts'
import { liftRegion, repeatScalar } from './lift-region.ts'
import { exclusiveProduct } from './reduce-product.ts'
import { checkReducer, reductionKinds } from './reducer.ts'
import { reshape } from './reshape.ts'
import { needTensor } from './result-type.ts'
import { emitReturn } from './return.ts'
import { select } from './select.ts'
import { transpose } from './transpose.ts'

/** Reduces axes by a region that combines two values into one. Source: specification, "reduce". */
export const reduceOp = defineOp({
  name: 'stablehlo.reduce',
  operands: ['inputs...', 'init_values...'],
  results: ['results...'],
  regions: ['body'],
  attributes: { dimensions: codec.i64Array },
  assembly: reduceAssembly,
  infer: ({ operands, attributes, regions, results, fail }) => {
    const count = operands.length / 2
    if (count < 1 || !Number.isInteger(count)) fail(`needs as many initial values as inputs, and at least one; got ${shortTypes(operands)}`, 'reduce_c3')
    const types = operands.map((operand, i) => needTensor(`operand ${i}`, operand, fail))
    const [inputs, inits] = [types.slice(0, count), types.slice(count)]
    const [first] = inputs
    inputs.forEach((input, i) => {
      if (input.shape.length !== first.shape.length || input.shape.some((size, axis) => size !== first.shape[axis] && size >= 0 && first.shape[axis] >= 0))
        fail(`expects all inputs to have compatible shapes. Shape at input-index ${i} is not compatible with shape at input-index 0: ${shortType(input)} and ${shortType(first)}`, 'reduce_c1')
    })
    const { dimensions } = attributes
    for (const axis of dimensions)
      if (axis < 0 || axis >= first.shape.length) fail(`Out-of-bounds dimension ${axis}, expected to be in range [0, ${first.shape.length})`, 'reduce_c4')
    const repeated = dimensions.find((axis, i) => dimensions.indexOf(axis) !== i)
    if (repeated !== undefined) fail(`Duplicate reduction dimension: ${repeated}`, 'reduce_c5')
    const kept = otherAxes(first.shape.length, dimensions)
    const accumulated = checkReducer(regions[0], { inputs, inits, allowed: kept.map((axis) => first.shape[axis]), region: 'body', rule: 'reduce_c6', fail })
    return agreeAll(accumulated.map((type, i) => keepAxes(type, inputs[i], kept)), results, fail, 'reduce_c8')
  },
  evaluate: (context) => {
    const { arrays, attributes, regions, resultTypes } = context
    const count = arrays.length / 2
    const kinds = reductionKinds(regions[0])
    const types = resultTypes as readonly TensorType[]
    if (!kinds?.every((kind, i) => hasReduction(kind, types[i].dtype))) return reduceByRegion(context)
    return kinds.map((kind, i) => {
      const { dtype } = types[i]
      return reduceArray(kind, promoteArray(arrays[i], dtype), promoteArray(arrays[count + i], dtype), attributes.dimensions, types[i])
    })
  },
  vjp: (context) => {
    const { operation, operands, results, cotangents, attributes, regions, needed, sum } = context
    const count = operands.length / 2
    const kinds = reductionKinds(regions[0])
    const gradients: Cotangent[] = operands.map(() => null)
    for (const [i, d] of cotangents.entries()) {
      if (!d || (!needed[i] && !needed[count + i])) continue
      const kind = kinds?.[i]
      if (!kind || !sameType(tensorType(d.dtype, operands[i].shape), operands[i].type))
        return foldGradient(context, foldOf(operands, attributes.dimensions)) ?? refuseGradient(operation.location)
      const [operand, init] = [operands[i], operands[count + i]]
      const [dOperand, dInit] = gradientOf(kind, { operand, init, result: results[i], d, axes: attributes.dimensions, sum, needInit: needed[count + i] })
      gradients[i] = dOperand
      gradients[count + i] = dInit
    }
    return gradients
  },
})

function refuseGradient(location: Location | undefined): never {
  throw new DifferentiationError(
    'reduce: no gradient for this body: it is known for bodies of element-wise ops on values of rank 0. ' +
      'Write the function with reduceSum, reduceProd, reduceMax and reduceMin, or give it its own rule',
    location,
  )
}

/** The reduction step by step: the reduced axes come first, as one. */
function foldOf(operands: readonly Tensor[], dimensions: readonly number[]): Fold {
  const [{ rank, shape }] = operands
  const kept = otherAxes(rank, dimensions)
  const keptShape = kept.map((axis) => shape[axis])
  const steps = elementCount(dimensions.map((axis) => shape[axis]))
  return {
    steps,
    shape: keptShape,
    prepare: (values) => values.slice(0, values.length / 2).map((value) => reshape(transpose(value, [...dimensions, ...kept]), [steps, ...keptShape])),
    row: (rows, step) => rows.map((table) => {
      const start = [step, ...keptShape.map(() => fill(0, step.type))]
      return reshape(dynamicSlice(table, start, [1, ...keptShape]), keptShape)
    }),
  }
}

interface ReductionGradient {
  readonly operand: Tensor
  readonly init: Tensor
  readonly result: Tensor
  readonly d: Tensor
  readonly axes: readonly number[]
  readonly needInit: boolean
  sum(operand: Tensor, axes: readonly number[]): Tensor
}

/** Cotangents of the operand and of the initial value of a plain reduction. */
function gradientOf(kind: ReductionKind, { operand, init, result, d, axes, needInit, sum }: ReductionGradient): readonly [Cotangent, Cotangent] {
  const kept = otherAxes(operand.rank, axes)
  const spread = (x: Tensor) => broadcastInDim(x, operand.shape, kept)
  const total = (x: Tensor) => sum(x, x.shape.map((_, axis) => axis))
  const repeat = (x: Tensor, shape: readonly number[]) => broadcastInDim(x, shape, [])
  switch (kind) {
    case 'add':
      return [spread(d), needInit ? total(d) : null]
    case 'maximum':
    case 'minimum': {
      // Elements that are the extremum share its cotangent evenly; the initial value gets it where no element reaches it.
      const chosen = compare(operand, spread(result), 'EQ')
      const ties = sum(select(chosen, ones(operand.type), zeros(operand.type)), axes)
      const share = select(chosen, spread(divide(d, ties)), zeros(operand.type))
      if (!needInit) return [share, null]
      const none = compare(ties, zeros(ties.type), 'EQ')
      return [share, total(select(and(none, compare(repeat(init, d.shape), result, 'EQ')), d, zeros(d.type)))]
    }
    case 'multiply': {
      const others = multiply(exclusiveProduct(operand, axes), repeat(init, operand.shape))
      return [multiply(spread(d), others), needInit ? total(multiply(d, reduceProd(operand, axes))) : null]
    }
    default:
      return [null, null]
  }
}

/**
 * Any body, with what is accumulated so far as its first arguments: one step for each reduced element, for all results side by side if
 * the body allows it.
 */
function reduceByRegion(context: EvaluateContext<{ readonly dimensions: readonly number[] }>): HostArray[] {
  const { arrays, attributes: { dimensions }, regions: [body], resultTypes, run } = context
  const count = arrays.length / 2
  const parameters = body.block.arguments.map((argument) => argument.type as TensorType)
  const wide = parameters.find((parameter) => parameter.shape.length > 0)
  if (wide) throw new OpError('reduce', `only a body on tensors of rank 0 can be run, this takes ${shortType(wide)}`)
  const kept = otherAxes(arrays[0].shape.length, dimensions)
  // Step by step, each with its elements for all results in order.
  const inputs = arrays.slice(0, count).map((array, i) => promoteArray(withAxes(array, [...dimensions, ...kept]), parameters[count + i].dtype))
  const inits = arrays.slice(count).map((array, i) => promoteArray(array, parameters[i].dtype))
  const types = resultTypes as readonly TensorType[]
  const steps = elementCount(dimensions.map((axis) => arrays[0].shape[axis]))
  const total = elementCount(types[0].shape)
  const elements = (i: number, at: number, length: number): HostData => {
    const width = dtypes[inputs[i].dtype].kind === 'complex' ? 2 : 1
    return inputs[i].data.slice(at * width, (at + length) * width)
  }
  const together = liftRegion(context, body, total)
  if (together) {
    let accumulated: readonly HostArray[] = inits.map((init) => repeatScalar(init, total))
    const lists = inputs.map(({ dtype }) => tensorType(dtype, [total]))
    for (let step = 0; step < steps; step++)
      accumulated = together([...accumulated, ...lists.map((type, i) => new HostArray(type, elements(i, step * total, total)))])
    return accumulated.map((array, i) => new HostArray(types[i], array.data))
  }
  const outputs = types.map((type) => HostArray.zeros(type.dtype, type.shape))
  for (let position = 0; position < total; position++) {
    let accumulated: readonly HostArray[] = inits
    for (let step = 0; step < steps; step++)
      accumulated = run(body, [...accumulated, ...inputs.map((_, i) => new HostArray(parameters[count + i], elements(i, step * total + position, 1)))]) as readonly HostArray[]
    accumulated.forEach(({ data }, i) => outputs[i].data.set(data as never, position * data.length))
  }
  return outputs
}

/** The array with its axes in another order. */
function withAxes(array: HostArray, order: readonly number[]): HostArray {
  if (order.every((axis, i) => axis === i)) return array
  const shape = order.map((axis) => array.shape[axis])
  const strides = rowMajorStrides(array.shape)
  const moved = new HostArray(tensorType(array.dtype, shape), allocate(array.dtype, elementCount(shape)))
  copyStrided(array, 0, order.map((axis) => strides[axis]), moved, 0, rowMajorStrides(shape), shape)
  return moved
}

/**
 * Reduces axes of a tensor, or of several of one shape side by side, by `body`, which combines two values of rank 0 (or two lists of
 * them) into one. The order of combination is open, so `body` should be associative, and `init` neutral for it.
 * Element types are kept: a bf16 sum is accumulated in bf16. Throws `OpError`.
 */
export function reduce(operand: Tensor, init: Tensor, axes: readonly number[], body: (a: Tensor, b: Tensor) => Tensor): Tensor
export function reduce(operands: readonly Tensor[], inits: readonly Tensor[], axes: readonly number[], body: (a: Tensor[], b: Tensor[]) => readonly Tensor[]): Tensor[]
export function reduce(
  operands: Tensor | readonly Tensor[],
  inits: Tensor | readonly Tensor[],
  axes: readonly number[],
  body: ((a: Tensor, b: Tensor) => Tensor) | ((a: Tensor[], b: Tensor[]) => readonly Tensor[]),
): Tensor | Tensor[] {
  const inputs = operands instanceof Tensor ? [operands] : operands
  const starts = inits instanceof Tensor ? [inits] : inits
  const types = starts.map((start) => start.type)
  const region = buildRegion('body of reduce', [...types, ...types], (parameters) => {
    const [a, b] = [parameters.slice(0, types.length) as Tensor[], parameters.slice(types.length) as Tensor[]]
    const combined = operands instanceof Tensor
      ? [(body as (a: Tensor, b: Tensor) => Tensor)(a[0], b[0])]
      : (body as (a: Tensor[], b: Tensor[]) => readonly Tensor[])(a, b)
    emitReturn(combined)
  })
  const dimensions = inputs.length ? resolveAxes('reduce', axes, inputs[0].rank) : axes
  const results = emit(reduceOp, [...inputs, ...starts], { dimensions }, { regions: [region] }).results as readonly Tensor[]
  return operands instanceof Tensor ? results[0] : [...results]
}

export interface ReduceOptions {
  /** Keep the reduced axes with size 1, so that the result broadcasts against the operand. */
  readonly keepDims?: boolean
}

type PlainReduction = (operand: Tensor, axes?: number | readonly number[], options?: ReduceOptions) => Tensor

const plainReduction = (name: string, body: (a: Tensor, b: Tensor) => Tensor, neutral: (dtype: DType) => number | bigint | boolean): PlainReduction =>
  (operand, axes, options = {}) => {
    const dimensions = axes === undefined ? operand.shape.map((_, axis) => axis) : resolveAxes(name, axes, operand.rank)
    if (dimensions.length === 0) return operand
    const reduced = reduce(operand, fill(neutral(operand.dtype), tensorType(operand.dtype, [])), dimensions, body)
    if (!options.keepDims) return reduced
    return broadcastInDim(reduced, operand.shape.map((size, axis) => (dimensions.includes(axis) ? 1 : size)), otherAxes(operand.rank, dimensions))
  }

/** The smallest or largest value of an element type; infinite where the type has infinities. */
export function extremeOf(dtype: DType, end: 'lowest' | 'highest'): number | bigint | boolean {
  const info = dtypes[dtype]
  const high = end === 'highest'
  switch (info.kind) {
    case 'bool':
      return high
    case 'float': {
      const most = info.float.special === 'ieee' ? Infinity : largestFinite(dtype)
      return high ? most : info.float.special === 'exponent-only' ? 2 ** -info.float.bias : -most
    }
    case 'complex':
      return high ? Infinity : -Infinity
    default:
      return high ? integerRange(dtype).max : integerRange(dtype).min
  }
}

/**
 * Sum over axes (all if none are named; negative axes count from the end), accumulated in the operand's element type: convert bf16 and
 * f16 to f32 first for long sums, as `mean` and `softmax` do. Logical or for `bool`. Throws `OpError`.
 */
export const reduceSum = plainReduction('reduce_sum', add, (dtype) => dtypes[dtype].kind === 'bool' ? false : 0)
/** Product over axes; logical and for `bool`. Throws `OpError`. */
export const reduceProd = plainReduction('reduce_prod', multiply, (dtype) => dtypes[dtype].kind === 'bool' ? true : 1)
/** The largest element over axes; NaN if there is one. Ties share the gradient. Throws `OpError`. */
export const reduceMax = plainReduction('reduce_max', maximum, (dtype) => extremeOf(dtype, 'lowest'))
/** The smallest element over axes; NaN if there is one. Ties share the gradient. Throws `OpError`. */
export const reduceMin = plainReduction('reduce_min', minimum, (dtype) => extremeOf(dtype, 'highest'))
/** Logical (bool) or bitwise (integers) and over axes. Throws `OpError`. */
export const reduceAnd = plainReduction('reduce_and', and, (dtype) =>
  dtypes[dtype].kind === 'bool' ? true : dtypes[dtype].kind === 'signed' ? -1 : integerRange(dtype).max)
/** Logical (bool) or bitwise (integers) or over axes. Throws `OpError`. */
export const reduceOr = plainReduction('reduce_or', or, (dtype) => (dtypes[dtype].kind === 'bool' ? false : 0))
