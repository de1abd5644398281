import { batchNormGradArrays, batchNormInferenceArrays, batchNormTrainingArrays } from '../host/batch-norm.ts'
import { isFloat } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, compatibleShape, shortType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { add, divide, multiply, negate, subtract } from './arithmetic.ts'
import { resolveAxis } from './axes.ts'
import { broadcastInDim } from './broadcast.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { rsqrt } from './elementwise-unary.ts'
import { agreeWithInferred, compatibleSize, needNonNegative } from './inferred-types.ts'
import { keepAxes, otherAxes } from './kept-axes.ts'
import { onExpressed } from './quantized.ts'
import { reduceSum } from './reduce.ts'
import { needTensor } from './result-type.ts'
import { emitReturn } from './return.ts'

/**
 * Batch normalization: every feature is brought to mean 0 and variance 1 over all other axes, then scaled and moved. The interpreter
 * computes in double precision and rounds once. Source: specification, "batch_norm_inference", "batch_norm_training", "batch_norm_grad".
 */

const attributes = { epsilon: codec.float('f32'), feature_index: codec.axis } as const
interface BatchNormAttributes {
  readonly epsilon: number
  readonly feature_index: number
}

/** Rules that the three ops share: which operands have the whole shape, which one entry for each feature, and the ids of the checks. */
interface BatchNormForm {
  readonly op: 'batch_norm_inference' | 'batch_norm_training' | 'batch_norm_grad'
  readonly names: readonly string[]
  readonly whole: readonly number[]
  readonly rules: Readonly<Record<'index' | 'elements' | 'whole' | 'single' | 'count', string>>
}

/** Checks the operands and gives the types of the whole and of the entries for each feature. */
function checkBatchNorm({ operands, attributes: { feature_index: index }, fail }: InferContext<BatchNormAttributes>, form: BatchNormForm): [TensorType, TensorType] {
  const types = operands.map((type, i) => needTensor(form.names[i], type, fail))
  needNonNegative('feature_index', index, fail, `${form.op}_${form.rules.index}`)
  const whole = types.filter((_, i) => form.whole.includes(i))
  const single = types.filter((_, i) => !form.whole.includes(i))
  for (const type of types) {
    if (!type.quantization && !isFloat(type.dtype)) fail(`operands must be floats, got ${shortType(type)}`, `${form.op}_${form.rules.elements}`)
    if (type.dtype !== whole[0].dtype)
      fail(`expects operands of one element type, but got ${types.map(shortType).join(', ')}`, `${form.op}_${form.rules.elements}`)
  }
  const listed = (list: readonly TensorType[]) => list.map(typeText).join(', ')
  if (whole.some((type) => !compatibleShape(type.shape, whole[0].shape)))
    fail(`expects multi-dimensional operands to have compatible shapes: ${listed(whole)}`, `${form.op}_${form.rules.whole}`)
  const wide = single.find((type) => type.shape.length !== 1)
  if (wide) fail(`expects the operands for each feature to have rank 1, got ${typeText(wide)}`, `${form.op}_${form.rules.count}`)
  if (single.some((type) => !compatibleShape(type.shape, single[0].shape)))
    fail(`expects single-dimensional operands to have compatible shapes: ${listed(single)}`, `${form.op}_${form.rules.single}`)
  const rank = whole[0].shape.length
  if (index >= rank)
    fail(
      `expects featureIndex to be smaller than the rank of multi-dimensional operands; got featureIndex ${index}, and rank ${rank}.`,
      `${form.op}_${form.rules.index}`,
    )
  const [entries, features] = [single[0].shape[0], whole[0].shape[index]]
  const size = (count: number) => (count === DYNAMIC ? '?' : String(count))
  if (!compatibleSize(entries, features))
    fail(
      'expects the size of single-dimensional operands to be compatible with feature count, but the size of single-dimensional operands ' +
        `is ${size(entries)} and the feature count is ${size(features)}.`,
      `${form.op}_${form.rules.count}`,
    )
  return [whole[0], keepAxes(whole[0], whole[0], [index])]
}

/** A value for each feature, repeated over the other axes. */
const spread = (x: Tensor, like: Tensor, feature: number): Tensor => broadcastInDim(x, like.shape, [feature])

export const batchNormInferenceOp = defineOp({
  name: 'stablehlo.batch_norm_inference',
  operands: ['operand', 'scale', 'offset', 'mean', 'variance'],
  results: ['result'],
  regions: [],
  attributes,
  assembly: 'generic',
  infer: (context) => {
    const form: BatchNormForm = {
      op: 'batch_norm_inference',
      names: ['operand', 'scale', 'offset', 'mean', 'variance'],
      whole: [0],
      rules: { index: 'c1', elements: 'c2', whole: 'c7', single: 'c3', count: 'c3' },
    }
    return agreeWithInferred([checkBatchNorm(context, form)[0]], context.results, context.fail, 'batch_norm_inference_c7')
  },
  evaluate: onExpressed(({ arrays, attributes: { epsilon, feature_index }, resultTypes }) => [
    batchNormInferenceArrays(arrays, epsilon, feature_index, (resultTypes[0] as TensorType).dtype),
  ]),
  vjp: ({ operands: [operand, scale, , mean, variance], cotangents: [d], attributes: { epsilon, feature_index }, needed, sum }) => {
    if (!d) return [null, null, null, null, null]
    const others = otherAxes(operand.rank, [feature_index])
    const inverse = rsqrt(add(variance, epsilon))
    const factor = multiply(scale, inverse)
    const total = () => sum(d, others)
    const moment = () => sum(multiply(d, subtract(operand, spread(mean, operand, feature_index))), others)
    return [
      needed[0] ? multiply(d, spread(factor, d, feature_index)) : null,
      needed[1] ? multiply(moment(), inverse) : null,
      needed[2] ? total() : null,
      needed[3] ? negate(multiply(total(), factor)) : null,
      needed[4] ? multiply(multiply(moment(), factor), multiply(multiply(inverse, inverse), -0.5)) : null,
    ]
  },
})

export const batchNormTrainingOp = defineOp({
  name: 'stablehlo.batch_norm_training',
  operands: ['operand', 'scale', 'offset'],
  results: ['output', 'batch_mean', 'batch_var'],
  regions: [],
  attributes,
  assembly: 'generic',
  infer: (context) => {
    const form: BatchNormForm = {
      op: 'batch_norm_training',
      names: ['operand', 'scale', 'offset'],
      whole: [0],
      rules: { index: 'c1', elements: 'c2', whole: 'c7', single: 'c3', count: 'c3' },
    }
    const [whole, single] = checkBatchNorm(context, form)
    return agreeWithInferred([whole, single, single], context.results, context.fail, 'batch_norm_training_c5')
  },
  evaluate: onExpressed(({ arrays, attributes: { epsilon, feature_index } }) => batchNormTrainingArrays(arrays, epsilon, feature_index)),
  vjp: ({ operands: [operand, scale], results: [, mean, variance], cotangents: [d, dMean, dVariance], attributes: { epsilon, feature_index } }) => {
    const gradients: (Tensor | null)[] = d ? batchNormGrad(operand, scale, mean, variance, d, { epsilon, featureIndex: feature_index }) : [null, null, null]
    const count = operand.shape.reduce((product, size, axis) => (axis === feature_index ? product : product * size), 1)
    const more = (x: Tensor) => (gradients[0] = gradients[0] ? add(gradients[0], x) : x)
    if (dMean) more(spread(divide(dMean, count), operand, feature_index))
    if (dVariance) {
      const centred = subtract(operand, spread(mean, operand, feature_index))
      more(multiply(spread(multiply(dVariance, 2 / count), operand, feature_index), centred))
    }
    return gradients
  },
})

export const batchNormGradOp = defineOp({
  name: 'stablehlo.batch_norm_grad',
  operands: ['operand', 'scale', 'mean', 'variance', 'grad_output'],
  results: ['grad_operand', 'grad_scale', 'grad_offset'],
  regions: [],
  attributes,
  assembly: 'generic',
  infer: (context) => {
    const form: BatchNormForm = {
      op: 'batch_norm_grad',
      names: ['operand', 'scale', 'mean', 'variance', 'grad_output'],
      whole: [0, 4],
      rules: { index: 'c1', elements: 'c2', whole: 'c3', single: 'c4', count: 'c5' },
    }
    const [whole, single] = checkBatchNorm(context, form)
    return agreeWithInferred([whole, single, single], context.results, context.fail, 'batch_norm_grad_c3')
  },
  evaluate: onExpressed(({ arrays, attributes: { epsilon, feature_index } }) => batchNormGradArrays(arrays, epsilon, feature_index)),
  vjp: ({ operands, cotangents, attributes, needed, pullback }) => {
    // The second derivative goes through the definition, written out.
    const formula = buildRegion('batch_norm_grad', operands.map(({ type }) => type), (inputs) => emitReturn(gradFormula(inputs as Tensor[], attributes)))
    return pullback(formula, operands, () => cotangents, { active: needed }).inputs
  },
})

/** What `batch_norm_grad` is in terms of other ops. */
function gradFormula([operand, scale, mean, variance, d]: readonly Tensor[], { epsilon, feature_index }: BatchNormAttributes): Tensor[] {
  const others = otherAxes(operand.rank, [feature_index])
  const count = operand.shape.reduce((product, size, axis) => (axis === feature_index ? product : product * size), 1)
  const inverse = rsqrt(add(variance, epsilon))
  const normal = multiply(subtract(operand, spread(mean, operand, feature_index)), spread(inverse, operand, feature_index))
  const offset = reduceSum(d, others)
  const slope = reduceSum(multiply(d, normal), others)
  const share = (x: Tensor) => spread(divide(x, count), operand, feature_index)
  const rest = subtract(subtract(d, share(offset)), multiply(normal, share(slope)))
  return [multiply(spread(multiply(scale, inverse), operand, feature_index), rest), slope, offset]
}

export interface BatchNormOptions {
  /** Added to the variance; 1e-5 if absent. */
  readonly epsilon?: number
  /** The axis of the features; the last if absent. Negative axes count from the end. */
  readonly featureIndex?: number
}

const attributesOf = (op: string, operand: Tensor, { epsilon = 1e-5, featureIndex = -1 }: BatchNormOptions): BatchNormAttributes => ({
  epsilon: Math.fround(epsilon),
  feature_index: resolveAxis(op, featureIndex, operand.rank),
})

/** `(operand - mean) / sqrt(variance + epsilon) * scale + offset`: `operand f32[...,f]`, all others `f32[f]`. Throws `OpError`. */
export const batchNormInference = (operand: Tensor, scale: Tensor, offset: Tensor, mean: Tensor, variance: Tensor, options: BatchNormOptions = {}): Tensor =>
  emit(batchNormInferenceOp, [operand, scale, offset, mean, variance], attributesOf('batch_norm_inference', operand, options)).results[0] as Tensor

/** The same with the mean and the (biased) variance of the operand, which come second and third. Throws `OpError`. */
export const batchNormTraining = (operand: Tensor, scale: Tensor, offset: Tensor, options: BatchNormOptions = {}): Tensor[] =>
  [...emit(batchNormTrainingOp, [operand, scale, offset], attributesOf('batch_norm_training', operand, options)).results] as Tensor[]

/** Cotangents of operand, scale and offset of `batchNormTraining`. Throws `OpError`. */
export const batchNormGrad = (operand: Tensor, scale: Tensor, mean: Tensor, variance: Tensor, gradOutput: Tensor, options: BatchNormOptions = {}): Tensor[] =>
  [...emit(batchNormGradOp, [operand, scale, mean, variance, gradOutput], attributesOf('batch_norm_grad', operand, options)).results] as Tensor[]
