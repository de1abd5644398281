import { type ConvolutionGeometry, convolveArrays } from '../host/convolution.ts'
import { dilatedSize } from '../host/windows.ts'
import type { DType } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import type { Cotangent } from '../ir/op-definition.ts'
import { type TensorType, shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { attributeDictionary, form, functional } from './assembly.ts'
import { zeros } from './constant.ts'
import { convert } from './convert.ts'
import {
  type ConvolutionAttributes,
  type ConvolutionNumbers,
  convolutionAttributes,
  isPlain,
  numbersPiece,
  operandsInParentheses,
  windowPiece,
} from './convolution-attributes.ts'
import { convolutionShape, inferConvolution, windowAxis } from './convolution-rules.ts'
import { defineOp } from './define.ts'
import type { Precision } from './dot-attributes.ts'
import { onExpressed } from './quantized.ts'
import { reshape } from './reshape.ts'
import { needTensor } from './result-type.ts'
import { reverse } from './reverse.ts'
import { transpose } from './transpose.ts'

/**
 * Sums of products of a window's elements with a kernel, at each place of the window. The result may have a wider element type than the
 * operands. The interpreter sums in double precision and rounds once. Source: specification, "convolution".
 */
export const convolutionOp = defineOp({
  name: 'stablehlo.convolution',
  operands: ['lhs', 'rhs'],
  results: ['result'],
  regions: [],
  attributes: convolutionAttributes,
  assembly: {
    ...form(operandsInParentheses, numbersPiece, windowPiece, attributeDictionary, functional),
    fits: (operation) => isPlain(operation.attributes.dimension_numbers),
  },
  infer: ({ operands, attributes, results, fail }) =>
    inferConvolution(needTensor('lhs', operands[0], fail), needTensor('rhs', operands[1], fail, { perAxis: true }), attributes, results, fail),
  evaluate: onExpressed(({ arrays: [lhs, rhs], attributes, resultTypes }) => [evaluateConvolution(lhs, rhs, attributes, resultTypes[0] as TensorType)]),
  traits: { operandTypes: 'perAxis' },
  vjp: ({ operands: [lhs, rhs], cotangents: [d], attributes, needed }) => convolutionCotangents(lhs, rhs, d, attributes, needed),
})

/** What a convolution gives for host arrays. */
export const evaluateConvolution = (lhs: HostArray, rhs: HostArray, attributes: ConvolutionAttributes, type: TensorType): HostArray =>
  convolveArrays(lhs, rhs, geometryOf(rhs, attributes), type)

function geometryOf(rhs: HostArray, attributes: ConvolutionAttributes): ConvolutionGeometry {
  const n = attributes.dimension_numbers
  return {
    lhs: { batch: n.input_batch_dimension, feature: n.input_feature_dimension, spatial: n.input_spatial_dimensions },
    rhs: { inputFeature: n.kernel_input_feature_dimension, outputFeature: n.kernel_output_feature_dimension, spatial: n.kernel_spatial_dimensions },
    result: { batch: n.output_batch_dimension, feature: n.output_feature_dimension, spatial: n.output_spatial_dimensions },
    window: n.kernel_spatial_dimensions.map((axis, i) => windowAxis(attributes, i, rhs.shape[axis])),
    reversal: n.kernel_spatial_dimensions.map((_, i) => attributes.window_reversal?.[i] ?? false),
    featureGroups: attributes.feature_group_count,
    batchGroups: attributes.batch_group_count,
  }
}

/** Both gradients are convolutions too. Source: the transposition rules of a bilinear map; JAX has the same in `conv_general_dilated`. */
export function convolutionCotangents(lhs: Tensor, rhs: Tensor, d: Cotangent, attributes: ConvolutionAttributes, needed: readonly boolean[]): readonly Cotangent[] {
  if (!d) return [null, null]
  if (d.shape.includes(0) || lhs.shape.includes(0) || rhs.shape.includes(0))
    return [needed[0] ? zeros(lhs.type) : null, needed[1] ? zeros(rhs.type) : null]
  const backward: Backward = { d, attributes, window: windowOf(lhs, rhs, d, attributes) }
  const wide = (operand: Tensor) => (operand.dtype === d.dtype ? operand : convert(operand, d.dtype))
  const narrow = (gradient: Tensor, operand: Tensor) => (gradient.dtype === operand.dtype ? gradient : convert(gradient, operand.dtype))
  return [
    needed[0] ? narrow(lhsCotangent(wide(rhs), backward), lhs) : null,
    needed[1] ? narrow(rhsCotangent(wide(lhs), backward), rhs) : null,
  ]
}

interface Backward {
  readonly d: Tensor
  readonly attributes: ConvolutionAttributes
  readonly window: readonly SpatialAxis[]
}
interface SpatialAxis {
  readonly stride: number
  readonly low: number
  readonly baseDilation: number
  readonly windowDilation: number
  readonly reversed: boolean
  /** Sizes with the holes between elements: of the left operand, of the kernel, of the result. */
  readonly lhs: number
  readonly kernel: number
  readonly result: number
}

function windowOf(lhs: Tensor, rhs: Tensor, d: Tensor, attributes: ConvolutionAttributes): SpatialAxis[] {
  const n = attributes.dimension_numbers
  return n.kernel_spatial_dimensions.map((axis, i) => {
    const w = windowAxis(attributes, i, rhs.shape[axis])
    return {
      ...w,
      reversed: attributes.window_reversal?.[i] ?? false,
      lhs: dilatedSize(lhs.shape[n.input_spatial_dimensions[i]], w.baseDilation),
      kernel: dilatedSize(w.size, w.windowDilation),
      result: dilatedSize(d.shape[n.output_spatial_dimensions[i]], w.stride),
    }
  })
}

/** The cotangent spread out by the strides and convolved with the kernel the other way round, its two feature axes exchanged. */
function lhsCotangent(rhs: Tensor, { d, attributes, window }: Backward): Tensor {
  const { dimension_numbers: n, feature_group_count: featureGroups, batch_group_count: batchGroups } = attributes
  const groups = featureGroups * batchGroups
  const [input, output] = [n.kernel_input_feature_dimension, n.kernel_output_feature_dimension]
  const kernel = groups === 1 ? rhs : joinAxis(splitAxis(rhs, output, groups), input)
  const gradient = emitConvolution(d, kernel, {
    window_strides: window.map((w) => w.baseDilation),
    padding: window.map((w) => [w.kernel - w.low - 1, w.lhs + w.low - w.result]),
    lhs_dilation: window.map((w) => w.stride),
    rhs_dilation: window.map((w) => w.windowDilation),
    window_reversal: window.map((w) => !w.reversed),
    dimension_numbers: {
      input_batch_dimension: n.output_batch_dimension,
      input_feature_dimension: n.output_feature_dimension,
      input_spatial_dimensions: n.output_spatial_dimensions,
      kernel_input_feature_dimension: output,
      kernel_output_feature_dimension: input,
      kernel_spatial_dimensions: n.kernel_spatial_dimensions,
      output_batch_dimension: n.input_batch_dimension,
      output_feature_dimension: n.input_feature_dimension,
      output_spatial_dimensions: n.input_spatial_dimensions,
    },
    feature_group_count: groups,
    batch_group_count: 1,
    precision_config: attributes.precision_config,
  })
  if (batchGroups === 1) return gradient
  return joinAxis(splitAxis(gradient, n.input_feature_dimension, batchGroups), n.input_batch_dimension)
}

/** The left operand convolved with the cotangent as kernel, batch and features exchanged. */
function rhsCotangent(lhs: Tensor, { d, attributes, window }: Backward): Tensor {
  const { dimension_numbers: n } = attributes
  const gradient = emitConvolution(lhs, d, {
    window_strides: window.map((w) => w.windowDilation),
    padding: window.map((w) => [w.low, w.result - w.lhs + w.kernel - w.low - 1]),
    lhs_dilation: window.map((w) => w.baseDilation),
    rhs_dilation: window.map((w) => w.stride),
    dimension_numbers: {
      input_batch_dimension: n.input_feature_dimension,
      input_feature_dimension: n.input_batch_dimension,
      input_spatial_dimensions: n.input_spatial_dimensions,
      kernel_input_feature_dimension: n.output_batch_dimension,
      kernel_output_feature_dimension: n.output_feature_dimension,
      kernel_spatial_dimensions: n.output_spatial_dimensions,
      output_batch_dimension: n.kernel_input_feature_dimension,
      output_feature_dimension: n.kernel_output_feature_dimension,
      output_spatial_dimensions: n.kernel_spatial_dimensions,
    },
    feature_group_count: attributes.batch_group_count,
    batch_group_count: attributes.feature_group_count,
    precision_config: attributes.precision_config,
  })
  const axes = n.kernel_spatial_dimensions.filter((_, i) => window[i].reversed)
  return axes.length ? reverse(gradient, axes) : gradient
}

/** `[groups * n]` at `axis` as `[groups, n]`, the groups in front of all axes. */
function splitAxis(x: Tensor, axis: number, groups: number): Tensor {
  const shape = [...x.shape.slice(0, axis), groups, x.shape[axis] / groups, ...x.shape.slice(axis + 1)]
  return transpose(reshape(x, shape), [axis, ...shape.map((_, i) => i).filter((i) => i !== axis)])
}

/** The inverse into another axis: `[groups]` in front and `[n]` at `axis` (counted without the groups) become `[groups * n]`. */
function joinAxis(x: Tensor, axis: number): Tensor {
  const rest = x.shape.slice(1)
  const order = rest.map((_, i) => i + 1)
  order.splice(axis, 0, 0)
  return reshape(transpose(x, order), rest.map((size, i) => (i === axis ? size * x.shape[0] : size)))
}

function emitConvolution(lhs: Tensor, rhs: Tensor, attributes: ConvolutionAttributes, outputDtype?: DType): Tensor {
  const location = captureLocation(emitConvolution)
  const shape = convolutionShape('convolution', lhs.type, rhs.type, attributes, (detail, rule) => {
    throw new OpError('convolution', detail, rule, location)
  })
  return emit(convolutionOp, [lhs, rhs], attributes, { results: [tensorType(outputDtype ?? lhs.dtype, shape)] }).results[0] as Tensor
}

export interface ConvolutionOptions {
  /** Steps from one place of the window to the next, per spatial axis; 1 if absent. */
  readonly strides?: readonly number[]
  /** Padding before and after each spatial axis; `same` gives as many places as elements divided by the stride, rounded up. `valid` (none) if absent. */
  readonly padding?: 'same' | 'valid' | readonly (readonly [number, number])[]
  /** Spacing of the operand's elements, with zeros in between; 1 if absent. */
  readonly lhsDilation?: readonly number[]
  /** Spacing of the kernel's elements; 1 if absent. */
  readonly rhsDilation?: readonly number[]
  /** Axes of the kernel that are read backwards; none if absent. */
  readonly reversal?: readonly boolean[]
  /**
   * Which axis is what, as StableHLO writes it: `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`. Absent: batch first, features last, the kernel
   * as in this example.
   */
  readonly dimensionNumbers?: string | ConvolutionNumbers
  readonly featureGroups?: number
  readonly batchGroups?: number
  readonly precision?: Precision | readonly [Precision, Precision]
  /** Element type of the result; the operands' if absent. */
  readonly outputDtype?: DType
}

/**
 * Convolution (correlation: the kernel is not turned round): `lhs f32[b,h,w,f], rhs f32[kh,kw,f,o] -> f32[b,h',w',o]`. Throws `OpError`.
 */
export function convolution(lhs: Tensor, rhs: Tensor, options: ConvolutionOptions = {}): Tensor {
  const fail = (detail: string): never => {
    throw new OpError('convolution', detail, undefined, captureLocation(convolution))
  }
  if (lhs.rank < 2 || rhs.rank !== lhs.rank) fail(`operands need the same rank of 2 or more: lhs ${shortType(lhs.type)}, rhs ${shortType(rhs.type)}`)
  const numbers = readNumbers(options.dimensionNumbers, lhs.rank) ?? fail(`dimensionNumbers '${String(options.dimensionNumbers)}' are not of the form [b, 0, f]x[0, i, o]->[b, 0, f]`)
  const { precision } = options
  const attributes: ConvolutionAttributes = {
    window_strides: options.strides,
    lhs_dilation: options.lhsDilation,
    rhs_dilation: options.rhsDilation,
    window_reversal: options.reversal,
    dimension_numbers: numbers,
    feature_group_count: options.featureGroups ?? 1,
    batch_group_count: options.batchGroups ?? 1,
    precision_config: typeof precision === 'string' ? [precision, precision] : precision,
  }
  return emitConvolution(lhs, rhs, { ...attributes, padding: paddingOf(lhs, rhs, options.padding, attributes) }, options.outputDtype)
}

function readNumbers(numbers: ConvolutionOptions['dimensionNumbers'], rank: number): ConvolutionNumbers | undefined {
  if (typeof numbers === 'object') return numbers
  const spatial = Array.from({ length: rank - 2 }, (_, i) => i)
  const usual = `[${['b', ...spatial, 'f'].join(', ')}]x[${[...spatial, 'i', 'o'].join(', ')}]->[${['b', ...spatial, 'f'].join(', ')}]`
  return convolutionAttributes.dimension_numbers.parse({ kind: 'dialect', text: `#stablehlo.conv<${numbers ?? usual}>` })
}

function paddingOf(lhs: Tensor, rhs: Tensor, padding: ConvolutionOptions['padding'], attributes: ConvolutionAttributes): readonly (readonly number[])[] | undefined {
  if (padding !== 'same') return padding === 'valid' ? undefined : padding
  const n = attributes.dimension_numbers
  return n.kernel_spatial_dimensions.map((axis, i) => {
    const w = windowAxis(attributes, i, rhs.shape[axis])
    const size = dilatedSize(lhs.shape[n.input_spatial_dimensions[i]], w.baseDilation)
    const needed = Math.max((Math.ceil(size / w.stride) - 1) * w.stride + dilatedSize(w.size, w.windowDilation) - size, 0)
    return [Math.floor(needed / 2), Math.ceil(needed / 2)]
  })
}
