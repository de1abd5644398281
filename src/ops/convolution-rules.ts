import { windowCount } from '../host/windows.ts'
import { dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, shortType, typeText } from '../ir/types.ts'
import type { ConvolutionAttributes, ConvolutionNumbers } from './convolution-attributes.ts'
import { isPromotable } from './reducer.ts'
import { withShape } from './result-type.ts'

/**
 * The constraints of convolutions, which `convolution` and `dynamic_conv` share. Their ids are those of `convolution`. Source:
 * specification, "convolution".
 */

type Fail = InferContext<unknown>['fail']

/** Ids of the rules are `convolution_c10` or `dynamic_conv_c10`. */
export type ConvolutionOp = 'convolution' | 'dynamic_conv'

/** Axes with their meaning, in the order of messages: batch or input feature, feature or output feature, spatial ones. */
const axesOf = (n: ConvolutionNumbers) => ({
  input: [n.input_batch_dimension, n.input_feature_dimension, ...n.input_spatial_dimensions],
  kernel: [n.kernel_input_feature_dimension, n.kernel_output_feature_dimension, ...n.kernel_spatial_dimensions],
  output: [n.output_batch_dimension, n.output_feature_dimension, ...n.output_spatial_dimensions],
})

/** Checks that every axis of the three tensors is named once. */
function checkNumbers(op: ConvolutionOp, lhs: TensorType, numbers: ConvolutionNumbers, fail: Fail): void {
  const counts = [numbers.input_spatial_dimensions, numbers.kernel_spatial_dimensions, numbers.output_spatial_dimensions].map((axes) => axes.length)
  if (counts[0] !== counts[1] || counts[0] !== counts[2])
    fail(
      `expects the same size for input, kernel and output spatial-dimensions, but got ${counts[0]}, ${counts[1]}, and ${counts[2]} resp.`,
      counts[0] !== counts[1] ? `${op}_c17` : `${op}_c19`,
    )
  const rank = lhs.shape.length
  const rules = { input: `${op}_c13`, kernel: `${op}_c18`, output: `${op}_c20` }
  const all = Object.entries(axesOf(numbers)) as ['input' | 'kernel' | 'output', number[]][]
  for (const [side, axes] of all)
    if (axes.some((axis) => axis < 0 || axis >= rank))
      fail(`expects input, kernel, and output dimension-numbers to be in-range [0, ${rank}). Those of the ${side} are {${axes.join(', ')}}`, rules[side])
  for (const [side, axes] of all)
    if (new Set(axes).size !== axes.length) fail(`expects ${side} dimension-numbers to be unique, got {${axes.join(', ')}}.`, rules[side])
}

/** Checks how batches and features are divided into groups. */
function checkGroups(op: ConvolutionOp, lhs: TensorType, rhs: TensorType, attributes: ConvolutionAttributes, fail: Fail): void {
  const { dimension_numbers: n, feature_group_count: featureGroups, batch_group_count: batchGroups } = attributes
  if (batchGroups > 1 && featureGroups > 1)
    fail(`expects batch_group_count and feature_group_count not to be both greater than 1. Got ${batchGroups} and ${featureGroups} resp.`, `${op}_c23`)
  const batch = lhs.shape[n.input_batch_dimension]
  const features = lhs.shape[n.input_feature_dimension]
  const kernelFeatures = rhs.shape[n.kernel_input_feature_dimension]
  const outputs = rhs.shape[n.kernel_output_feature_dimension]
  if (batch !== DYNAMIC && batch % batchGroups)
    fail(`expects input batch dimension (${batch}) to be divisible by batch_group_count. Got batch_group_count = ${batchGroups}.`, `${op}_c10`)
  if (features !== DYNAMIC && features % featureGroups)
    fail(`expects input feature dimension (${features}) to be a multiple of feature_group_count. Got feature_group_count = ${featureGroups}.`, `${op}_c11`)
  if (features !== DYNAMIC && kernelFeatures !== DYNAMIC && features / featureGroups !== kernelFeatures)
    fail(
      `expects input feature dimension (${features}) / feature_group_count = kernel input feature dimension (${kernelFeatures}). ` +
        `Got feature_group_count = ${featureGroups}.`,
      `${op}_c14`,
    )
  if (outputs !== DYNAMIC && outputs % batchGroups)
    fail(`expects output feature dimension size (${outputs}) to be a multiple of batch_group_count. Got batch_group_count = ${batchGroups}.`, `${op}_c15`)
  if (outputs !== DYNAMIC && outputs % featureGroups)
    fail(`expects kernel output feature dimension (${outputs}) to be divisible by feature_group_count. For feature_group_count = ${featureGroups}.`, `${op}_c16`)
}

/** Checks the lists that say how the window moves: an entry per spatial axis, positive where it must be. */
function checkWindow(op: ConvolutionOp, sizes: readonly number[], attributes: ConvolutionAttributes, fail: Fail): void {
  const count = (name: string, values: readonly unknown[] | undefined, rule: string) => {
    if (values && values.length !== sizes.length)
      fail(`expects ${name} to have same dimension-size as size of window dimensions (${sizes.length}), but got: ${values.length}.`, `${op}_${rule}`)
  }
  const positive = (name: string, values: readonly number[] | undefined, rule?: string) =>
    values?.forEach((value, i) => {
      if (value <= 0 && value !== DYNAMIC) fail(`expects window to have positive ${name} for ${i}-th window dimension, but got ${value}.`, rule && `${op}_${rule}`)
    })
  count('window-strides', attributes.window_strides, 'c2')
  count('base-dilation factors', attributes.lhs_dilation, 'c5')
  count('window-dilation factors', attributes.rhs_dilation, 'c7')
  count('padding-entries', attributes.padding, 'c4')
  count('window-reversal', attributes.window_reversal, 'c9')
  const bad = attributes.padding?.find((row) => row.length !== 2)
  if (bad) fail(`expects the shape of padding-attribute to be {N, 2}, but got {${attributes.padding!.length}, ${bad.length}}.`, `${op}_c4`)
  positive('value', sizes)
  positive('stride', attributes.window_strides, 'c3')
  positive('base dilation factor', attributes.lhs_dilation, 'c6')
  positive('window dilation factor', attributes.rhs_dilation, 'c8')
}

/** Checks what the operands and attributes must have whatever the padding is, and gives the shape of the result. */
export function convolutionShape(op: ConvolutionOp, lhs: TensorType, rhs: TensorType, attributes: ConvolutionAttributes, fail: Fail): number[] {
  const { dimension_numbers: n, feature_group_count: featureGroups, batch_group_count: batchGroups } = attributes
  const positive = '64-bit signless integer attribute whose value is positive'
  if (featureGroups <= 0) fail(`attribute 'feature_group_count' failed to satisfy constraint: ${positive}, got ${featureGroups}`, `${op}_c21`)
  if (batchGroups <= 0) fail(`attribute 'batch_group_count' failed to satisfy constraint: ${positive}, got ${batchGroups}`, `${op}_c22`)
  const rank = lhs.shape.length
  if (rank !== rhs.shape.length) fail(`expects convolution arguments to have same number of dimensions. Got: '${typeText(lhs)}' and '${typeText(rhs)}'.`, `${op}_c1`)
  if (rank < 2) fail(`expects convolution arguments to have >= 2 dimensions. Got: '${typeText(lhs)}' and '${typeText(rhs)}'.`, `${op}_c12`)
  checkNumbers(op, lhs, n, fail)
  if (rank !== n.input_spatial_dimensions.length + 2)
    fail(`expects convolution arguments to have ${n.input_spatial_dimensions.length + 2} dimensions. Got: ${rank}`, `${op}_c12`)
  checkGroups(op, lhs, rhs, attributes, fail)
  if (attributes.precision_config && attributes.precision_config.length > 2)
    fail(`expects precision config to be empty or have <= 2 elements, got ${attributes.precision_config.length}`, `${op}_c24`)
  const sizes = n.kernel_spatial_dimensions.map((axis) => rhs.shape[axis])
  checkWindow(op, sizes, attributes, fail)
  const shape = lhs.shape.map(() => 0)
  const batch = lhs.shape[n.input_batch_dimension]
  shape[n.output_batch_dimension] = batch === DYNAMIC ? DYNAMIC : batch / batchGroups
  shape[n.output_feature_dimension] = rhs.shape[n.kernel_output_feature_dimension]
  n.output_spatial_dimensions.forEach((axis, i) => {
    const [size, window] = [lhs.shape[n.input_spatial_dimensions[i]], sizes[i]]
    shape[axis] = size === DYNAMIC || window === DYNAMIC ? DYNAMIC : windowCount(size, windowAxis(attributes, i, window))
  })
  return shape
}

/** The window along a spatial axis. */
export const windowAxis = (attributes: ConvolutionAttributes, i: number, size: number) => ({
  size,
  stride: attributes.window_strides?.[i] ?? 1,
  low: attributes.padding?.[i]?.[0] ?? 0,
  high: attributes.padding?.[i]?.[1] ?? 0,
  baseDilation: attributes.lhs_dilation?.[i] ?? 1,
  windowDilation: attributes.rhs_dilation?.[i] ?? 1,
})

/** Checks the element types of the operands and of the result if it is declared. */
export function checkConvolutionElements(op: ConvolutionOp, lhs: TensorType, rhs: TensorType, result: TensorType | undefined, numbers: ConvolutionNumbers, fail: Fail): void {
  const element = (type: TensorType) => typeText({ ...type, shape: [], bounds: undefined }).replace(/^tensor<|>$/g, '')
  if (!lhs.quantization && !rhs.quantization) {
    if (lhs.dtype !== rhs.dtype) fail(`expects lhs and rhs to have compatible element type. Got: '${element(lhs)}' and '${element(rhs)}'`, `${op}_c27`)
    if (result && dtypes[result.dtype].kind !== dtypes[lhs.dtype].kind)
      fail(`the result ${shortType(result)} has another kind of element than the operands, ${shortType(lhs)}`, `${op}_c27`)
    return
  }
  const q = rhs.quantization
  if (!q) return fail(`rhs should be quantized for quantized operations and is_quantized(lhs)=is_quantized(result) should hold`, `${op}_c28`)
  if (q.axis !== undefined && q.axis !== numbers.kernel_output_feature_dimension)
    fail(`quantization dimension of rhs should be same with kernel_output_feature_dimension: ${q.axis} and ${numbers.kernel_output_feature_dimension}`, `${op}_c29`)
  const out = result?.quantization
  if (out?.axis !== undefined && out.axis !== numbers.output_feature_dimension)
    fail(`quantization dimension of result should be same with output_feature_dimension: ${out.axis} and ${numbers.output_feature_dimension}`, `${op}_c30`)
  if (result && Boolean(lhs.quantization) !== Boolean(out))
    fail(`rhs should be quantized for quantized operations and is_quantized(lhs)=is_quantized(result) should hold`, `${op}_c28`)
  if (!lhs.quantization) {
    if (lhs.dtype !== q.expressed || (result && result.dtype !== q.expressed))
      fail(`mismatched rhs quantization expressed type and lhs and result element type: ${shortType(rhs)} and ${shortType(lhs)}`, `${op}_c34`)
    return
  }
  if (lhs.dtype !== rhs.dtype) fail(`mismatched lhs and rhs quantization storage types: ${shortType(lhs)} and ${shortType(rhs)}`, `${op}_c31`)
  if (lhs.quantization.expressed !== q.expressed || (out && out.expressed !== q.expressed))
    fail(`mismatched lhs, rhs and result quantization expressed types: ${shortType(lhs)} and ${shortType(rhs)}`, `${op}_c32`)
  if (q.axis === undefined && out?.axis !== undefined) fail(`mismatched rhs and result quantization granularity: ${shortType(rhs)} and ${shortType(result!)}`, `${op}_c33`)
}

/** The result of `convolution`: what was written down if it agrees with the operands. */
export function inferConvolution(lhs: TensorType, rhs: TensorType, attributes: ConvolutionAttributes, results: readonly Type[] | undefined, fail: Fail): readonly Type[] {
  const shape = convolutionShape('convolution', lhs, rhs, attributes, fail)
  const declared = results?.[0]
  const result = declared && isTensorType(declared) ? declared : undefined
  checkConvolutionElements('convolution', lhs, rhs, result, attributes.dimension_numbers, fail)
  if (!result) return [withShape(lhs, shape)]
  if (!compatibleShape(result.shape, shape)) {
    const sizes = shape.map((size) => (size === DYNAMIC ? '?' : size)).join(', ')
    fail(`inferred shape '[${sizes}]' is incompatible with return type of operation '${typeText(result)}'`, shape.length === result.shape.length ? 'convolution_c25' : 'convolution_c26')
  }
  if (!lhs.quantization && !result.quantization && !isPromotable(lhs, result))
    fail(`elements of ${shortType(lhs)} cannot be promoted to ${shortType(result)}`, 'convolution_c27')
  return [result]
}
