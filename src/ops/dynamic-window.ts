import { gatherArray } from '../host/gather.ts'
import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, compatibleShape, isTensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { functionalForm } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { gatherLayout } from './gather-scatter.ts'
import { type GatherNumbers, gatherAttributes, gatherTypes } from './gather-scatter-rules.ts'
import { needTensor, sameElementType } from './result-type.ts'
import { checkComputedShape, constantIntegers, declaredResult, integersOf, needList } from './shape-operand.ts'
import { padArray, paddedSize, sliceArray } from './slice-pad.ts'

/** Pads, slices and gathers whose extents are computed when the program runs. Source: specification, the op of the same name. */

/** Elements around and between those of a tensor. */
export const dynamicPadOp = defineOp({
  name: 'stablehlo.dynamic_pad',
  operands: ['operand', 'padding_value', 'edge_padding_low', 'edge_padding_high', 'interior_padding'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  traits: { indexOperands: ['edge_padding_low', 'edge_padding_high', 'interior_padding'] },
  infer: (context) => {
    const { operands, results, fail } = context
    const operand = needTensor('operand', operands[0], fail)
    const value = needTensor('padding_value', operands[1], fail)
    const rank = operand.shape.length
    const lists = [2, 3, 4].map((at) => needList(['edge_padding_low', 'edge_padding_high', 'interior_padding'][at - 2], at, context, `dynamic_pad_i${at + 1}`))
    if (lists.some(({ dtype }) => dtype !== lists[0].dtype)) fail('failed to verify that all of {edge_padding_low, edge_padding_high, interior_padding} have same type')
    if (value.shape.length !== 0) fail(`padding_value must have rank 0, got '${typeText(value)}'`, 'dynamic_pad_i2')
    for (const { shape } of lists) if (shape[0] !== rank) fail(`padding operands size (${shape[0]}) must match operand rank (${rank})`, 'dynamic_pad_c2')
    const result = declaredResult(operand, undefined, lists[0], results, fail)
    if (!sameElementType(operand, value) || !sameElementType(operand, result))
      fail(`operand '${typeText(operand)}', padding_value '${typeText(value)}' and result '${typeText(result)}' differ in element type`, 'dynamic_pad_c1')
    if (result.shape.length !== rank) fail(`operand '${typeText(operand)}' and result '${typeText(result)}' differ in rank`, 'dynamic_pad_c4')
    const [low, high, interior] = [2, 3, 4].map((at) => constantIntegers(context, at))
    const negative = interior?.find((n) => n < 0)
    if (negative !== undefined) fail(`interior_padding must be non-negative, but got ${interior!.join(', ')}`, 'dynamic_pad_c3')
    if (low && high && interior)
      operand.shape.forEach((size, axis) => {
        if (size === DYNAMIC || result.shape[axis] === DYNAMIC) return
        const want = paddedSize(size, low[axis], high[axis], interior[axis])
        if (result.shape[axis] !== want) fail(`expected output dimension at index ${axis} to equal ${want}, but got ${result.shape[axis]}`, 'dynamic_pad_c4')
      })
    return [result]
  },
  evaluate: ({ arrays: [operand, value, ...lists], resultTypes: [type] }) => {
    const [low, high, interior] = lists.map(integersOf)
    if (interior.some((n) => n < 0)) throw new OpError('dynamic_pad', `interior_padding must be non-negative, but got ${interior.join(', ')}`, 'dynamic_pad_c3')
    checkComputedShape('dynamic_pad', operand.shape.map((size, axis) => paddedSize(size, low[axis], high[axis], interior[axis])), type, 'dynamic_pad_c4')
    return [padArray(operand, value, low, high, interior)]
  },
  vjp: notDifferentiable('how much is padded is known only when the program runs: use pad'),
})

/** A box of elements. */
export const realDynamicSliceOp = defineOp({
  name: 'stablehlo.real_dynamic_slice',
  operands: ['operand', 'start_indices', 'limit_indices', 'strides'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  traits: { indexOperands: ['start_indices', 'limit_indices', 'strides'] },
  infer: (context) => {
    const { operands, results, fail } = context
    const operand = needTensor('operand', operands[0], fail)
    const rank = operand.shape.length
    const names = ['start_indices', 'limit_indices', 'strides']
    const lists = names.map((name, i) => needList(name, i + 1, context, `real_dynamic_slice_i${i + 2}`))
    lists.forEach(({ shape }, i) => {
      if (shape[0] !== rank) fail(`has mismatched number of operand rank (${rank}) and ${names[i]} size (${shape[0]})`, 'real_dynamic_slice_c2')
    })
    if (lists.some(({ dtype }) => dtype !== lists[0].dtype)) fail(`${names.join(', ')} differ in element type: ${lists.map(typeText).join(', ')}`, 'real_dynamic_slice_c1')
    const result = declaredResult(operand, undefined, lists[0], results, fail)
    if (!sameElementType(operand, result) || result.shape.length !== rank)
      fail(`operand '${typeText(operand)}' and result '${typeText(result)}' differ in element type or rank`, 'real_dynamic_slice_c3')
    return [result]
  },
  evaluate: ({ arrays: [operand, ...lists], resultTypes: [type] }) => {
    const [starts, limits, strides] = lists.map(integersOf)
    const wrong = (detail: string): never => {
      throw new OpError('real_dynamic_slice', detail, 'real_dynamic_slice_c4')
    }
    operand.shape.forEach((size, axis) => {
      const [start, limit, stride] = [starts[axis], limits[axis], strides[axis]]
      if (start < 0 || start > limit || limit > size) wrong(`slice ${start}:${limit} at axis ${axis} does not lie within its size ${size}`)
      if (stride <= 0) wrong(`stride ${stride} at axis ${axis} must be positive`)
    })
    checkComputedShape('real_dynamic_slice', starts.map((start, axis) => Math.ceil((limits[axis] - start) / strides[axis])), type, 'real_dynamic_slice_c5')
    return [sliceArray(operand, starts, limits, strides)]
  },
  vjp: notDifferentiable('what is sliced is known only when the program runs: use slice or dynamicSlice'),
})

/** Reads windows at computed positions. */
export const dynamicGatherOp = defineOp({
  name: 'stablehlo.dynamic_gather',
  operands: ['operand', 'start_indices', 'slice_sizes'],
  results: ['result'],
  regions: [],
  attributes: { dimension_numbers: gatherAttributes.dimension_numbers, indices_are_sorted: codec.optional(codec.bool, false) },
  assembly: 'generic',
  traits: { knownSizes: ['slice_sizes'] },
  infer: (context) => {
    const { shape } = needList('slice_sizes', 2, context, 'dynamic_gather_i3')
    const sizes = constantIntegers(context, 2) ?? Array.from({ length: shape[0] }, () => undefined)
    // The rules are those of gather, under its numbers.
    const fail = (detail: string, rule?: string): never => context.fail(detail, rule && `dynamic_${rule}`)
    return gatherTypes({ ...context, fail }, sizes)
  },
  evaluate: ({ arrays: [operand, indices, list], attributes: { dimension_numbers }, resultTypes: [type] }) => {
    const slice_sizes = integersOf(list)
    slice_sizes.forEach((size, axis) => {
      if (size < 0 || size > operand.shape[axis])
        throw new OpError('dynamic_gather', `slice size (${size}) is out of bounds for operand dimension (${operand.shape[axis]}) at index ${axis}`, 'dynamic_gather_c21')
    })
    const result = gatherArray(operand, indices, gatherLayout(operand.shape, indices.shape, { dimension_numbers, slice_sizes }))
    if (isTensorType(type) && !compatibleShape(result.shape, type.shape))
      throw new OpError('dynamic_gather', `the result is '${typeText(result.type)}', but '${typeText(type)}' is written`, 'dynamic_gather_c22')
    return [result]
  },
  vjp: notDifferentiable('the sizes of its windows are known only when the program runs: use gather'),
})

/** `pad` with amounts that are tensors: a list of integers each, one per axis; `type` says what is known of the result. Throws `OpError`. */
export function dynamicPad(x: Tensor, value: Tensor, low: Tensor, high: Tensor, interior: Tensor, type?: TensorType): Tensor {
  return emit(dynamicPadOp, [x, value, low, high, interior], {}, { results: type && [type] }).results[0] as Tensor
}

/** `slice` with positions that are tensors: a list of integers each, one per axis; `type` says what is known of the result. Throws `OpError`. */
export function realDynamicSlice(x: Tensor, starts: Tensor, limits: Tensor, strides: Tensor, type?: TensorType): Tensor {
  return emit(realDynamicSliceOp, [x, starts, limits, strides], {}, { results: type && [type] }).results[0] as Tensor
}

/** `gather` with window sizes that are a tensor; `type` says what is known of the result. Axis lists left out are empty. Throws `OpError`. */
export function dynamicGather(
  x: Tensor,
  indices: Tensor,
  sizes: Tensor,
  numbers: Partial<GatherNumbers> & Pick<GatherNumbers, 'index_vector_dim'>,
  type?: TensorType,
): Tensor {
  const none = { offset_dims: [], collapsed_slice_dims: [], operand_batching_dims: [], start_indices_batching_dims: [], start_index_map: [] }
  return emit(dynamicGatherOp, [x, indices, sizes], { dimension_numbers: { ...none, ...numbers } }, { results: type && [type] }).results[0] as Tensor
}
