import { isInteger } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, shortType, shortTypes, tensorType } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, functionalForm, integerList, operandList } from './assembly.ts'
import * as codec from './codecs.ts'
import { fill, zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { needTensor, sameElementType, withShape } from './result-type.ts'

/** Slices whose position is known only when the program runs. Positions are moved so that the slice lies inside. */

function checkStarts(
  operand: TensorType,
  starts: readonly Type[],
  rules: { count: string; same: string; type: string },
  fail: InferContext<unknown>['fail'],
): void {
  const rank = operand.shape.length
  if (starts.length !== rank) fail(`expects number of start_indices to match operand rank: ${starts.length} vs ${rank}.`, rules.count)
  const types = starts.map((start, i) => needTensor(`start_indices[${i}]`, start, fail))
  for (const type of types) {
    if (type.shape.length !== 0 || !isInteger(type.dtype)) fail(`start indices must be integers of rank 0, got ${shortTypes(types)}`, rules.type)
    if (type.dtype !== types[0].dtype) fail(`start indices must have same element type, got ${shortTypes(types)}`, rules.same)
  }
}

/** Position in the operand at which a slice of the given sizes starts, after clamping. */
function clampedOffset(starts: readonly HostArray[], shape: readonly number[], sizes: readonly number[]): number {
  const strides = rowMajorStrides(shape)
  return starts.reduce((offset, start, axis) => {
    const inside = Math.min(Math.max(Number(start.data[0]), 0), shape[axis] - sizes[axis])
    return offset + inside * strides[axis]
  }, 0)
}

/** Source: specification, "dynamic_slice". */
export const dynamicSliceOp = defineOp({
  name: 'stablehlo.dynamic_slice',
  operands: ['operand', 'start_indices...'],
  results: ['result'],
  regions: [],
  attributes: { slice_sizes: codec.i64Array },
  assembly: form(operandList, integerList('slice_sizes', 'sizes'), attributeDictionary, functional),
  infer: ({ operands, attributes: { slice_sizes: sizes }, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const rank = operand.shape.length
    if (sizes.length !== rank)
      fail(`slice_sizes [${sizes}] has ${sizes.length} entries, operand ${shortType(operand)} has rank ${rank}`, 'dynamic_slice_c2')
    checkStarts(operand, operands.slice(1), { count: 'dynamic_slice_c2', same: 'dynamic_slice_c3', type: 'dynamic_slice_i2' }, fail)
    sizes.forEach((size, axis) => {
      const limit = operand.shape[axis]
      if (size < 0) fail(`has negative size index to dynamic slice: ${size}, at dimension ${axis}`, 'dynamic_slice_c4')
      if (limit !== DYNAMIC && size > limit)
        fail(`has slice size ${size} greater than dimension size ${limit} in dimension ${axis} of operand ${shortType(operand)}`, 'dynamic_slice_c4')
    })
    return agreeWithInferred([withShape(operand, sizes)], results, fail, 'dynamic_slice_c5')
  },
  evaluate: ({ arrays: [operand, ...starts], attributes: { slice_sizes: sizes } }) => {
    const out = HostArray.zeros(operand.dtype, sizes)
    copyStrided(operand, clampedOffset(starts, operand.shape, sizes), rowMajorStrides(operand.shape), out, 0, rowMajorStrides(sizes), sizes)
    return [out]
  },
  vjp: ({ operands: [operand, ...starts], cotangents: [d] }) =>
    [d && dynamicUpdateSlice(zeros(operand.type), d, starts), ...starts.map(() => null)],
})

/** Source: specification, "dynamic_update_slice". */
export const dynamicUpdateSliceOp = defineOp({
  name: 'stablehlo.dynamic_update_slice',
  operands: ['operand', 'update', 'start_indices...'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const update = needTensor('update', operands[1], fail)
    const rank = operand.shape.length
    if (!sameElementType(operand, update))
      fail(`operand ${shortType(operand)} and update ${shortType(update)} differ in element type`, 'dynamic_update_slice_c2')
    if (update.shape.length !== rank)
      fail(`operand ${shortType(operand)} and update ${shortType(update)} differ in rank`, 'dynamic_update_slice_c3')
    const rules = { count: 'dynamic_update_slice_c4', same: 'dynamic_update_slice_c5', type: 'dynamic_update_slice_i3' }
    checkStarts(operand, operands.slice(2), rules, fail)
    update.shape.forEach((size, axis) => {
      if (size !== DYNAMIC && operand.shape[axis] !== DYNAMIC && size > operand.shape[axis])
        fail(`update ${shortType(update)} is larger than operand ${shortType(operand)} at axis ${axis}`, 'dynamic_update_slice_c6')
    })
    return agreeWithInferred([operand], results, fail, 'dynamic_update_slice_c1')
  },
  evaluate: ({ arrays: [operand, update, ...starts] }) => {
    const out = new HostArray(operand.type, operand.data.slice())
    const offset = clampedOffset(starts, operand.shape, update.shape)
    copyStrided(update, 0, rowMajorStrides(update.shape), out, offset, rowMajorStrides(operand.shape), update.shape)
    return [out]
  },
  vjp: ({ operands: [, update, ...starts], cotangents: [d], needed }) => [
    d && needed[0] ? dynamicUpdateSlice(d, zeros(update.type), starts) : null,
    d && needed[1] ? dynamicSlice(d, starts, update.shape) : null,
    ...starts.map(() => null),
  ],
})

/** Numbers among start indices become constants of the type that the tensors among them have, `i32` if there are none. */
function startTensors(starts: readonly (Tensor | number)[]): Tensor[] {
  const dtype = starts.find((start) => start instanceof Tensor)?.dtype ?? 'i32'
  return starts.map((start) => (start instanceof Tensor ? start : fill(start, tensorType(dtype, []))))
}

/**
 * The box of `sizes` elements that starts at `starts`, one index per axis: integer tensors of rank 0 (all of one type) or numbers.
 * Where the box would reach outside, it is moved inside. The gradient of `x` has the cotangent at the same place. Throws `OpError`.
 */
export function dynamicSlice(x: Tensor, starts: readonly (Tensor | number)[], sizes: readonly number[]): Tensor {
  return emit(dynamicSliceOp, [x, ...startTensors(starts)], { slice_sizes: sizes }).results[0] as Tensor
}

/** `x` with `update` written over the box that starts at `starts`; indices as in `dynamicSlice`. Throws `OpError`. */
export function dynamicUpdateSlice(x: Tensor, update: Tensor, starts: readonly (Tensor | number)[]): Tensor {
  return emit(dynamicUpdateSliceOp, [x, update, ...startTensors(starts)], {}).results[0] as Tensor
}
