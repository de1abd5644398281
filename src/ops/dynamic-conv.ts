import { isInteger } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, compatibleShape, isTensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { evaluateConvolution } from './convolution.ts'
import { type ConvolutionAttributes, convolutionAttributes } from './convolution-attributes.ts'
import { checkConvolutionElements, convolutionShape } from './convolution-rules.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { onExpressed } from './quantized.ts'
import { needTensor, withShape } from './result-type.ts'
import { constantIntegers, integersOf } from './shape-operand.ts'

const { padding: _, ...withoutPadding } = convolutionAttributes

/** `[low, high]` per spatial axis. */
const rowsOf = (flat: readonly number[]): number[][] => Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2))

/** A convolution whose padding is computed when the program runs. Source: specification, "dynamic_conv". */
export const dynamicConvOp = defineOp({
  name: 'stablehlo.dynamic_conv',
  operands: ['lhs', 'rhs', 'padding'],
  results: ['result'],
  regions: [],
  attributes: withoutPadding,
  assembly: 'generic',
  traits: { operandTypes: 'perAxis', knownSizes: ['padding'] },
  infer: (context) => {
    const { operands, attributes, results, fail } = context
    const lhs = needTensor('lhs', operands[0], fail)
    const rhs = needTensor('rhs', operands[1], fail, { perAxis: true })
    const padding = needTensor('padding', operands[2], fail)
    const spatial = attributes.dimension_numbers.input_spatial_dimensions
    const known = constantIntegers(context, 2)
    // As upstream: how the window moves is looked at only together with the padding.
    const { window_strides: _strides, lhs_dilation: _base, rhs_dilation: _window, window_reversal: _reversal, ...rest } = attributes
    const shape = convolutionShape('dynamic_conv', lhs, rhs, known ? attributes : rest, fail)
    if (padding.shape.length !== 2 || !isInteger(padding.dtype) || padding.quantization)
      fail(`operand #2 must be 2D tensor of integer values, but got '${typeText(padding)}'`, 'dynamic_conv_i3')
    if (!compatibleShape(padding.shape, [spatial.length, 2]))
      fail(`expects the shape of padding to be {${spatial.length}, 2}, but got {${padding.shape.join(', ')}}`, 'dynamic_conv_c4')
    const axes = attributes.dimension_numbers.output_spatial_dimensions
    const sizes = known && known.length === 2 * spatial.length
      ? convolutionShape('dynamic_conv', lhs, rhs, { ...attributes, padding: rowsOf(known) }, fail)
      : shape.map((size, axis) => (axes.includes(axis) ? DYNAMIC : size))
    const declared = results?.[0]
    const result = declared && isTensorType(declared) ? declared : undefined
    checkConvolutionElements('dynamic_conv', lhs, rhs, result, attributes.dimension_numbers, fail)
    if (!result) return [withShape(lhs, sizes)]
    if (!compatibleShape(result.shape, sizes))
      fail(
        `inferred shape '[${sizes.map((size) => (size === DYNAMIC ? '?' : size)).join(', ')}]' is incompatible with return type of operation '${typeText(result)}'`,
        'dynamic_conv_c25',
      )
    return [result]
  },
  evaluate: onExpressed(({ arrays: [lhs, rhs, padding], attributes, resultTypes: [type] }) => {
    const padded: ConvolutionAttributes = { ...attributes, padding: rowsOf(integersOf(padding)) }
    const fail = (detail: string, rule?: string): never => {
      throw new OpError('dynamic_conv', detail, rule)
    }
    const shape = convolutionShape('dynamic_conv', lhs.type, rhs.type, padded, fail)
    if (!compatibleShape(shape, (type as TensorType).shape)) fail(`the result is [${shape.join(', ')}], but '${typeText(type)}' is written`, 'dynamic_conv_c25')
    return [evaluateConvolution(lhs, rhs, padded, { ...(type as TensorType), shape, bounds: undefined })]
  }),
  vjp: notDifferentiable('its padding is known only when the program runs: use convolution'),
})

/** A convolution with padding that is a tensor (`i32[spatial,2]`, low and high); `type` says what is known of the result. Throws `OpError`. */
export function dynamicConv(lhs: Tensor, rhs: Tensor, padding: Tensor, attributes: Omit<ConvolutionAttributes, 'padding'>, type?: TensorType): Tensor {
  return emit(dynamicConvOp, [lhs, rhs, padding], attributes, { results: type && [type] }).results[0] as Tensor
}
