import { type ReductionKind, combiner, hasReduction, promoteArray } from '../host/reduce.ts'
import { type WindowAxis, dilatedSize, forEachWindow, reduceWindows } from '../host/windows.ts'
import { dtypes } from '../ir/dtypes.ts'
import { DifferentiationError, OpError } from '../ir/errors.ts'
import { HostArray, type HostData, allocate } from '../ir/host-array.ts'
import type { Location } from '../ir/location.ts'
import { type Region, Tensor } from '../ir/module.ts'
import type { Cotangent, EvaluateContext, VjpContext } from '../ir/op-definition.ts'
import { type TensorType, compatibleShape, elementCount, isTensorType, sameType, shortType, shortTypes, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { add, divide, multiply } from './arithmetic.ts'
import * as codec from './codecs.ts'
import { type ComparisonDirection, compare, compareOp } from './compare.ts'
import { fill, ones } from './constant.ts'
import { convert } from './convert.ts'
import { defineOp } from './define.ts'
import { dynamicSlice } from './dynamic-slice.ts'
import { maximum, minimum, remainder } from './elementwise-binary.ts'
import { type Fold, foldGradient } from './fold-gradient.ts'
import { agreeAll } from './kept-axes.ts'
import { liftRegion, repeatScalar } from './lift-region.ts'
import { extremeOf } from './reduce.ts'
import { checkReducer, reductionKinds } from './reducer.ts'
import { agree, needTensor, withShape } from './result-type.ts'
import { emitReturn } from './return.ts'
import { select } from './select.ts'
import { pad, slice } from './slice-pad.ts'
import { type WindowAttributes, type WindowOptions, type WindowRules, paddingRows, windowAttributes, windowOf, windowPlaces } from './windows.ts'

const reduceWindowRules: WindowRules = {
  operand: 'input',
  rank: 'reduce_window_c4',
  size: 'reduce_window_c5',
  strideCount: 'reduce_window_c6',
  stride: 'reduce_window_c7',
  baseDilationCount: 'reduce_window_c8',
  baseDilation: 'reduce_window_c9',
  windowDilationCount: 'reduce_window_c10',
  windowDilation: 'reduce_window_c11',
  padding: 'reduce_window_c12',
}

/** Reduces what lies in a window, at each place of the window. Source: specification, "reduce_window". */
export const reduceWindowOp = defineOp({
  name: 'stablehlo.reduce_window',
  operands: ['inputs...', 'init_values...'],
  results: ['results...'],
  regions: ['body'],
  attributes: {
    window_dimensions: codec.i64Array,
    window_strides: codec.optional(codec.i64Array),
    base_dilations: codec.optional(codec.i64Array),
    window_dilations: codec.optional(codec.i64Array),
    padding: paddingRows,
  },
  assembly: 'generic',
  infer: ({ operands, attributes, regions, results, fail }) => {
    const count = operands.length / 2
    if (count < 1) fail('requires at least 1 input value', 'reduce_window_c1')
    if (!Number.isInteger(count))
      fail(`needs as many initial values as inputs, got ${shortTypes(operands)}`, 'reduce_window_c1')
    const types = operands.map((operand, i) => needTensor(`operand ${i}`, operand, fail))
    const [inputs, inits] = [types.slice(0, count), types.slice(count)]
    const [first] = inputs
    inputs.forEach((input, i) => {
      if (!compatibleShape(input.shape, first.shape))
        fail(`expects all inputs to have compatible shapes. Shape at input-index ${i} is not compatible with shape at input-index 0: ${shortType(input)} and ${shortType(first)}`, 'reduce_window_c2')
    })
    const places = windowPlaces(first, attributes, reduceWindowRules, fail)
    const accumulated = checkReducer(regions[0], { inputs, inits, allowed: attributes.window_dimensions, region: 'body', rule: 'reduce_window_c13', fail })
    return agreeAll(accumulated.map((type, i) => withShape(type, places, inputs[i].bounds)), results, fail, 'reduce_window_c16')
  },
  evaluate: (context) => {
    const { arrays, attributes, regions, resultTypes } = context
    const count = arrays.length / 2
    const kinds = reductionKinds(regions[0])
    const types = resultTypes as readonly TensorType[]
    const window = windowOf(attributes)
    if (!kinds?.every((kind, i) => hasReduction(kind, types[i].dtype))) return reduceWindowsByRegion(context, window)
    return kinds.map((kind, i) => {
      const { dtype } = types[i]
      return reduceWindows(kind, promoteArray(arrays[i], dtype), promoteArray(arrays[count + i], dtype), window, types[i])
    })
  },
  vjp: (context) => {
    const { operation, operands, cotangents, regions, needed } = context
    const count = operands.length / 2
    const kinds = reductionKinds(regions[0])
    const gradients: Cotangent[] = operands.map(() => null)
    for (const [i, d] of cotangents.entries()) {
      if (!d || (!needed[i] && !needed[count + i])) continue
      const plain = kinds && plainGradient(context, i, kinds[i], d)
      if (!plain) return foldGradient(context, foldOf(context, windowOf(context.attributes))) ?? refuseGradient(operation.location)
      ;[gradients[i], gradients[count + i]] = plain
    }
    return gradients
  },
})

function refuseGradient(location: Location | undefined): never {
  throw new DifferentiationError('reduce_window: no gradient for this body: it is known for bodies of element-wise ops on values of rank 0', location)
}

/** Cotangents of an operand and its initial value for a window of one plain op, where that is shorter than the fold. */
function plainGradient({ operands, attributes, needed, sum }: VjpContext<WindowAttributes>, i: number, kind: ReductionKind, d: Tensor): [Cotangent, Cotangent] | undefined {
  const operand = operands[i]
  const needInit = needed[operands.length / 2 + i]
  if (d.dtype !== operand.dtype) return undefined
  if (kind === 'add') {
    const dOperand = needed[i] ? windowSumGradient(d, operand.shape, windowOf(attributes)) : null
    if (!needInit) return [dOperand, null]
    // The initial value is added once per place, and once for each element of the window that is in the padding.
    const inside = emitReduceWindow([ones(operand.type)], [fill(0, tensorType(d.dtype, []))], attributes, reducerOf([d], ([a], [b]) => [add(a, b)]))[0]
    const size = attributes.window_dimensions.reduce((a, b) => a * b, 1)
    const times = add(multiply(inside, -1), 1 + size)
    return [dOperand, sum(multiply(d, times), d.shape.map((_, axis) => axis))]
  }
  const { base_dilations, window_dilations, ...undilated } = attributes
  const dilated = [...(base_dilations ?? []), ...(window_dilations ?? [])].some((dilation) => dilation !== 1)
  if ((kind !== 'maximum' && kind !== 'minimum') || needInit || dilated) return undefined
  return [scatterToExtremes(operand, d, fill(0, tensorType(d.dtype, [])), kind === 'maximum' ? 'GE' : 'LE', undilated), null]
}

/** The reduction step by step, one for each element of the window. */
function foldOf({ results }: VjpContext<unknown>, window: readonly WindowAxis[]): Fold {
  const { shape } = results[0]
  const span = window.map(({ stride }, axis) => (shape[axis] - 1) * stride + 1)
  const strides = window.map(({ stride }) => stride)
  return {
    steps: window.reduce((product, { size }) => product * size, 1),
    shape,
    prepare: (values) => {
      const count = values.length / 2
      const [low, high] = [window.map((axis) => axis.low), window.map((axis) => axis.high)]
      const spacing = window.map(({ baseDilation }) => baseDilation - 1)
      return values.slice(0, count).map((value, i) => pad(value, convert(values[count + i], value.dtype), low, high, spacing))
    },
    row: (padded, step) => {
      // The last axis of the window is the fastest.
      const offsets: (Tensor | number)[] = []
      let rest = step
      for (const { size, windowDilation } of window.toReversed()) {
        offsets.unshift(size === 1 ? 0 : multiply(remainder(rest, size), windowDilation))
        if (size > 1) rest = divide(rest, size)
      }
      return padded.map((value) => slice(dynamicSlice(value, offsets, span), span.map(() => 0), span, strides))
    },
  }
}

/**
 * The transpose of a sum over windows: the cotangent, spaced out by the strides, summed over the same windows; what spaced out the
 * operand are the strides now. Source: the rule of JAX, `_reduce_window_sum_transpose_rule`.
 */
function windowSumGradient(d: Tensor, shape: readonly number[], window: readonly WindowAxis[]): Tensor {
  const low = window.map((axis) => dilatedSize(axis.size, axis.windowDilation) - axis.low - 1)
  const high = window.map((axis, i) => {
    const reach = dilatedSize(axis.size, axis.windowDilation)
    return dilatedSize(shape[i], axis.baseDilation) + reach - 1 - dilatedSize(d.shape[i], axis.stride) - low[i]
  })
  const spaced = pad(d, 0, low, high, window.map((axis) => axis.stride - 1))
  return reduceWindowSum(spaced, window.map((axis) => axis.size), {
    strides: window.map((axis) => axis.baseDilation),
    windowDilations: window.map((axis) => axis.windowDilation),
  })
}

/** Any body: one step for each element of the window, for all places side by side if the body allows it. */
function reduceWindowsByRegion(context: EvaluateContext<WindowAttributes>, window: readonly WindowAxis[]): HostArray[] {
  const { arrays, regions: [body], resultTypes, run } = context
  const count = arrays.length / 2
  const parameters = body.block.arguments.map((argument) => argument.type as TensorType)
  const wide = parameters.find((parameter) => parameter.shape.length > 0)
  if (wide) throw new OpError('reduce_window', `only a body on tensors of rank 0 can be run, this takes ${shortType(wide)}`)
  const inputs = arrays.slice(0, count).map((array, i) => promoteArray(array, parameters[count + i].dtype))
  const pads = arrays.slice(count).map((array, i) => promoteArray(array, parameters[count + i].dtype))
  const inits = arrays.slice(count).map((array, i) => promoteArray(array, parameters[i].dtype))
  const types = resultTypes as readonly TensorType[]
  const places = elementCount(types[0].shape)
  const elements = elementCount(window.map(({ size }) => size))
  const all = new Int32Array(places * elements)
  forEachWindow(arrays[0].shape, window, (place, offsets) => all.set(offsets, place * elements))
  /** The elements number `element` of the windows at `length` places from `first` on. */
  const pick = (i: number, element: number, first: number, length: number): HostData => {
    const width = dtypes[inputs[i].dtype].kind === 'complex' ? 2 : 1
    const from = inputs[i].data as Float64Array
    const padding = pads[i].data as Float64Array
    const out = allocate(inputs[i].dtype, length) as Float64Array
    for (let place = 0; place < length; place++) {
      const offset = all[(first + place) * elements + element]
      for (let part = 0; part < width; part++) out[place * width + part] = offset < 0 ? padding[part] : from[offset * width + part]
    }
    return out
  }
  const together = liftRegion(context, body, places)
  if (together) {
    let accumulated: readonly HostArray[] = inits.map((init) => repeatScalar(init, places))
    const lists = inputs.map(({ dtype }) => tensorType(dtype, [places]))
    for (let element = 0; element < elements; element++)
      accumulated = together([...accumulated, ...lists.map((type, i) => new HostArray(type, pick(i, element, 0, places)))])
    return accumulated.map((array, i) => new HostArray(types[i], array.data))
  }
  const outputs = types.map((type) => HostArray.zeros(type.dtype, type.shape))
  for (let place = 0; place < places; place++) {
    let accumulated: readonly HostArray[] = inits
    for (let element = 0; element < elements; element++)
      accumulated = run(body, [...accumulated, ...inputs.map((_, i) => new HostArray(parameters[count + i], pick(i, element, place, 1)))]) as readonly HostArray[]
    accumulated.forEach(({ data }, i) => outputs[i].data.set(data as never, place * data.length))
  }
  return outputs
}

const selectAndScatterRules: WindowRules = {
  operand: 'operand',
  rank: 'select_and_scatter_c4',
  size: 'select_and_scatter_c5',
  strideCount: 'select_and_scatter_c6',
  stride: 'select_and_scatter_c7',
  padding: 'select_and_scatter_c8',
}

/**
 * In each window chooses one element of `operand`, and combines the element of `source` for that window into the chosen place: the
 * gradient of pooling. Source: specification, "select_and_scatter".
 */
export const selectAndScatterOp = defineOp({
  name: 'stablehlo.select_and_scatter',
  operands: ['operand', 'source', 'init_value'],
  results: ['result'],
  regions: ['select', 'scatter'],
  attributes: {
    window_dimensions: codec.optional(codec.i64Array),
    window_strides: codec.optional(codec.i64Array),
    padding: paddingRows,
  },
  assembly: 'generic',
  infer: ({ operands, attributes, regions: [choose, scatter], results, fail }) => {
    const [operand, source, init] = operands.map((type, i) => needTensor(['operand', 'source', 'init_value'][i], type, fail))
    const attrs = { ...attributes, window_dimensions: attributes.window_dimensions ?? [] }
    const [result] = checkReducer(scatter, { inputs: [source], inits: [init], allowed: [], region: 'scatter', rule: 'select_and_scatter_c10', fail })
    const element = { ...operand, shape: [], bounds: undefined }
    const { block } = choose
    if (block.arguments.length !== 2 || block.arguments.some(({ type }) => !isTensorType(type) || type.shape.length || type.dtype !== element.dtype))
      fail(`select must take two elements ${shortType(element)}, takes ${shortTypes(block.arguments.map(({ type }) => type))}`, 'select_and_scatter_c9')
    const returned = (block.terminator?.operands ?? []).map(({ type }) => type)
    if (returned.length !== 1) fail(`expects select-region to return single value, but got: ${returned.length}`, 'select_and_scatter_c9')
    if (!sameType(returned[0], tensorType('bool', [])))
      fail(`expects the return-type of select-region to be tensor<i1>, but got: '${typeText(returned[0])}'`, 'select_and_scatter_c9')
    const places = windowPlaces(operand, attrs, selectAndScatterRules, fail)
    if (!compatibleShape(source.shape, places))
      fail(`source is ${shortType(source)}, but the window has ${shortType({ ...source, shape: places })} places on operand ${shortType(operand)}`, 'select_and_scatter_c2')
    return agree(withShape(result, operand.shape, operand.bounds), results, fail, 'select_and_scatter_c11')
  },
  evaluate: (context) => [selectAndScatterArrays(context)],
  vjp: ({ operation, operands: [operand, source], cotangents: [d], attributes, regions: [choose, scatter], needed, sum }) => {
    if (!d) return [null, null, null]
    const direction = plainDirection(choose)
    if (reductionKinds(scatter)?.[0] !== 'add' || !direction || d.dtype !== source.dtype)
      throw new DifferentiationError(
        'select_and_scatter: the gradient is known where select is one comparison GE, GT, LE or LT of its arguments and scatter is one add',
        operation.location,
      )
    const attrs = { ...attributes, window_dimensions: attributes.window_dimensions ?? [] }
    const gathered = () => gatherExtremes(operand, d, direction, attrs)
    return [null, needed[1] ? gathered() : null, needed[2] ? sum(d, d.shape.map((_, axis) => axis)) : null]
  },
})

/** The comparison that a select region makes of its two arguments in order. */
function plainDirection(region: Region): ComparisonDirection | undefined {
  const [operation, terminator] = region.block.operations
  const [a, b] = region.block.arguments
  if (region.block.operations.length !== 2 || operation.definition !== compareOp || terminator.operands[0] !== operation.results[0]) return undefined
  if (operation.operands[0] !== a || operation.operands[1] !== b) return undefined
  const direction: ComparisonDirection = operation.attributes.comparison_direction
  return direction === 'EQ' || direction === 'NE' ? undefined : direction
}

function selectAndScatterArrays({ arrays: [operand, source, init], attributes, regions: [choose, scatter], resultTypes, run }: EvaluateContext<Partial<WindowAttributes>>): HostArray {
  const type = resultTypes[0] as TensorType
  const result = HostArray.zeros(type.dtype, type.shape)
  const width = dtypes[type.dtype].kind === 'complex' ? 2 : 1
  const start = promoteArray(init, type.dtype)
  for (let i = 0; i < result.size; i++) result.data.set(start.data as never, i * width)
  const from = promoteArray(source, type.dtype)
  const element = tensorType(operand.dtype, [])
  const operandWidth = dtypes[operand.dtype].kind === 'complex' ? 2 : 1
  const scalar = (array: HostArray, t: TensorType, at: number, w: number) => new HostArray(t, array.data.slice(at * w, (at + 1) * w))
  const direction = operandWidth === 1 ? plainDirection(choose) : undefined
  const data = operand.data as Float64Array
  const keeps = (chosen: number, other: number): boolean => {
    switch (direction) {
      case 'GE':
        return data[chosen] >= data[other]
      case 'GT':
        return data[chosen] > data[other]
      case 'LE':
        return data[chosen] <= data[other]
      case 'LT':
        return data[chosen] < data[other]
      default:
        return (run(choose, [scalar(operand, element, chosen, operandWidth), scalar(operand, element, other, operandWidth)])[0] as HostArray).data[0] !== 0
    }
  }
  const kind = reductionKinds(scatter)?.[0]
  const combine = kind && combiner(kind, type.dtype)
  forEachWindow(operand.shape, windowOf({ ...attributes, window_dimensions: attributes.window_dimensions ?? [] }), (place, offsets) => {
    let chosen = -1
    for (const offset of offsets) if (offset >= 0 && (chosen < 0 || !keeps(chosen, offset))) chosen = offset
    if (chosen < 0) return
    if (combine) result.data[chosen] = combine(result.data[chosen] as number, from.data[place] as number)
    else {
      const combined = run(scatter, [scalar(result, tensorType(type.dtype, []), chosen, width), scalar(from, tensorType(type.dtype, []), place, width)])[0] as HostArray
      result.data.set(combined.data as never, chosen * width)
    }
  })
  return result
}

/** Adds each element of `source` to the place of the largest (`GE`) or smallest (`LE`) element of its window; the first of equal ones. */
function scatterToExtremes(operand: Tensor, source: Tensor, init: Tensor, direction: 'GE' | 'LE', attributes: WindowAttributes): Tensor {
  const element = tensorType(operand.dtype, [])
  const sum = tensorType(source.dtype, [])
  const choose = buildRegion('select of select_and_scatter', [element, element], ([a, b]) => emitReturn([compare(a as Tensor, b as Tensor, direction)]))
  const scatter = buildRegion('scatter of select_and_scatter', [sum, sum], ([a, b]) => emitReturn([add(a as Tensor, b as Tensor)]))
  return emit(selectAndScatterOp, [operand, source, init], attributes, { regions: [choose, scatter] }).results[0] as Tensor
}

/** The inverse: for each window the element of `values` at the place of the chosen element of `operand`. */
function gatherExtremes(operand: Tensor, values: Tensor, direction: ComparisonDirection, attributes: WindowAttributes): Tensor {
  const worst = fill(extremeOf(operand.dtype, direction.startsWith('G') ? 'lowest' : 'highest'), tensorType(operand.dtype, []))
  const [, gathered] = emitReduceWindow(
    [operand, values],
    [worst, fill(0, tensorType(values.dtype, []))],
    attributes,
    reducerOf([operand, values], ([a, x], [b, y]) => {
      const first = compare(a, b, direction)
      return [select(first, a, b), select(first, x, y)]
    }),
  )
  return gathered
}

type ListBody = (a: Tensor[], b: Tensor[]) => readonly Tensor[]

function reducerOf(operands: readonly Tensor[], body: ListBody): Region {
  const types = operands.map(({ dtype }) => tensorType(dtype, []))
  return buildRegion('body of reduce_window', [...types, ...types], (parameters) =>
    emitReturn(body(parameters.slice(0, types.length) as Tensor[], parameters.slice(types.length) as Tensor[])),
  )
}

const emitReduceWindow = (operands: readonly Tensor[], inits: readonly Tensor[], attributes: WindowAttributes, body: Region): readonly Tensor[] =>
  emit(reduceWindowOp, [...operands, ...inits], attributes, { regions: [body] }).results as readonly Tensor[]

/**
 * Reduces what lies in a window of `sizes` (one per axis), at each place of the window, by `body`, which combines two values of rank
 * 0 (or two lists of them). Elements in the padding have the initial value, which should be neutral for `body`: the specification
 * reduces the padding like any element, but XLA leaves it out. Throws `OpError`.
 */
export function reduceWindow(operand: Tensor, init: Tensor, sizes: readonly number[], body: (a: Tensor, b: Tensor) => Tensor, options?: WindowOptions): Tensor
export function reduceWindow(operands: readonly Tensor[], inits: readonly Tensor[], sizes: readonly number[], body: ListBody, options?: WindowOptions): Tensor[]
export function reduceWindow(
  operands: Tensor | readonly Tensor[],
  inits: Tensor | readonly Tensor[],
  sizes: readonly number[],
  body: ((a: Tensor, b: Tensor) => Tensor) | ListBody,
  options: WindowOptions = {},
): Tensor | Tensor[] {
  const inputs = operands instanceof Tensor ? [operands] : operands
  const starts = inits instanceof Tensor ? [inits] : inits
  const list: ListBody = operands instanceof Tensor ? ([a], [b]) => [(body as (a: Tensor, b: Tensor) => Tensor)(a, b)] : (body as ListBody)
  const attributes = windowAttributes('reduce_window', inputs[0]?.shape ?? [], sizes, options)
  const results = emitReduceWindow(inputs, starts, attributes, reducerOf(starts, list))
  return operands instanceof Tensor ? results[0] : [...results]
}

/** Sum over windows: `f32[8,8]`, window `[2, 2]`, strides `[2, 2]` -> `f32[4,4]`. Throws `OpError`. */
export const reduceWindowSum = (operand: Tensor, sizes: readonly number[], options: WindowOptions = {}): Tensor =>
  reduceWindow(operand, fill(0, tensorType(operand.dtype, [])), sizes, add, options)

/** The largest element of each window (max-pooling). The first of equal elements gets the gradient. Throws `OpError`. */
export const reduceWindowMax = (operand: Tensor, sizes: readonly number[], options: WindowOptions = {}): Tensor =>
  reduceWindow(operand, fill(extremeOf(operand.dtype, 'lowest'), tensorType(operand.dtype, [])), sizes, maximum, options)

/** The smallest element of each window. The first of equal elements gets the gradient. Throws `OpError`. */
export const reduceWindowMin = (operand: Tensor, sizes: readonly number[], options: WindowOptions = {}): Tensor =>
  reduceWindow(operand, fill(extremeOf(operand.dtype, 'highest'), tensorType(operand.dtype, [])), sizes, minimum, options)

/**
 * Adds each element of `source`, one per place of the window, to `init` at the place of the largest element of its window: the gradient
 * of `reduceWindowMax`. Throws `OpError`.
 */
export function selectAndScatter(operand: Tensor, source: Tensor, init: Tensor, sizes: readonly number[], options: Pick<WindowOptions, 'strides' | 'padding'> = {}): Tensor {
  const { window_dimensions, window_strides, padding } = windowAttributes('select_and_scatter', operand.shape, sizes, options)
  return scatterToExtremes(operand, source, init, 'GE', { window_dimensions, window_strides, padding })
}
