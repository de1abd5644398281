import { DifferentiationError, OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import type { Cotangent, InferContext, VjpContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, elementCount, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, functionalForm, integerField, integerList, operandList } from './assembly.ts'
import { broadcastArray, broadcastInDimOp } from './broadcast.ts'
import * as codec from './codecs.ts'
import { defineOp, zeroGradient } from './define.ts'
import { iotaArray } from './iota.ts'
import { reshape } from './reshape.ts'
import { needTensor, sameElementType } from './result-type.ts'
import { checkBroadcastQuantization, checkReshaped } from './quantized-rules.ts'
import { checkComputedShape, checkShapeOperand, constantIntegers, declaredResult, integersOf, needList } from './shape-operand.ts'

/** Ops whose result has a shape that is computed when the program runs. Source: specification, the op of the same name. */

type Fail = InferContext<unknown>['fail']

/** Gradients are made for shapes that are known when they are made. */
function needSizes({ operation, operands: [operand] }: VjpContext<unknown>): void {
  const types = [operand.type, operation.results[0].type as TensorType]
  if (types.some(({ shape }) => shape.includes(DYNAMIC)))
    throw new DifferentiationError(`${operation.name}: no gradient where sizes are not known: ${types.map(typeText).join(', ')}`, operation.location)
}

function checkElements(operand: TensorType, result: TensorType, rule: string, fail: Fail): void {
  const plain = !operand.quantization && !result.quantization
  if (plain && !sameElementType(operand, result))
    fail(`expects operand and result to have compatible element type. Got: '${typeText(operand)}' and '${typeText(result)}'`, rule)
}

/** Repeats a tensor along new axes or axes of size 1. */
export const dynamicBroadcastInDimOp = defineOp({
  name: 'stablehlo.dynamic_broadcast_in_dim',
  operands: ['operand', 'output_dimensions'],
  results: ['result'],
  regions: [],
  attributes: {
    broadcast_dimensions: codec.i64Array,
    known_expanding_dimensions: codec.optional(codec.i64Array),
    known_nonexpanding_dimensions: codec.optional(codec.i64Array),
  },
  assembly: form(operandList, integerList('broadcast_dimensions', 'dims'), attributeDictionary, functional),
  traits: { operandTypes: 'perAxis', indexOperands: ['output_dimensions'] },
  infer: (context) => {
    const { operands, attributes, results, fail } = context
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const list = needList('output_dimensions', 1, context, 'dynamic_broadcast_in_dim_i2')
    const sizes = constantIntegers(context, 1)
    const result = declaredResult(operand, sizes, list, results, fail)
    const dims = attributes.broadcast_dimensions
    const [from, to] = [operand.shape.length, result.shape.length]
    checkElements(operand, result, 'dynamic_broadcast_in_dim_c1', fail)
    if (dims.length !== from) fail(`broadcast_dimensions size (${dims.length}) does not match operand rank (${from})`, 'dynamic_broadcast_in_dim_c2')
    if (to < from) fail(`result rank (${to}) is less than operand rank (${from})`, 'dynamic_broadcast_in_dim_c3')
    if (new Set(dims).size !== dims.length) fail('broadcast_dimensions should not have duplicates', 'dynamic_broadcast_in_dim_c4')
    dims.forEach((axis, i) => {
      if (axis < 0 || axis >= to) fail(`broadcast_dimensions contains invalid value ${axis} for result with rank ${to}`, 'dynamic_broadcast_in_dim_c3')
      const [size, wanted] = [operand.shape[i], result.shape[axis]]
      if (size !== 1 && size !== DYNAMIC && wanted !== DYNAMIC && size !== wanted)
        fail(`size of operand dimension ${i} (${size}) is not compatible with size of result dimension ${axis} (${wanted})`, 'dynamic_broadcast_in_dim_c5')
    })
    checkShapeOperand(list, sizes, result, 'dynamic_broadcast_in_dim_c7', fail)
    checkHints([...(attributes.known_expanding_dimensions ?? []), ...(attributes.known_nonexpanding_dimensions ?? [])], from, fail)
    if (sizes)
      dims.forEach((axis, i) => {
        const size = operand.shape[i]
        if (size !== 1 && size !== DYNAMIC && size !== sizes[axis])
          fail(`size of operand dimension ${i} (${size}) is not equal to 1 or value of shape at index ${axis} (${sizes[axis]})`, 'dynamic_broadcast_in_dim_c5')
      })
    checkBroadcastQuantization(operand, result, dims, { element: 'dynamic_broadcast_in_dim_c1', axis: 'dynamic_broadcast_in_dim_c6' }, fail)
    return [result]
  },
  evaluate: ({ arrays: [operand, sizes], attributes: { broadcast_dimensions: dims }, resultTypes: [type] }) => {
    const shape = integersOf(sizes)
    checkComputedShape('dynamic_broadcast_in_dim', shape, type, 'dynamic_broadcast_in_dim_c7')
    dims.forEach((axis, i) => {
      const size = operand.shape[i]
      if (size !== 1 && size !== shape[axis])
        throw new OpError('dynamic_broadcast_in_dim', `size of operand dimension ${i} (${size}) is not equal to 1 or value of shape at index ${axis} (${shape[axis]})`, 'dynamic_broadcast_in_dim_c5')
    })
    return [broadcastArray(operand, shape, dims)]
  },
  vjp: (context) => {
    needSizes(context)
    const [dOperand] = (broadcastInDimOp.vjp as (context: unknown) => readonly Cotangent[])(context)
    return [dOperand, null]
  },
})

function checkHints(hints: readonly number[], rank: number, fail: Fail): void {
  if (new Set(hints).size !== hints.length) fail('duplicate expansion hint for at least one operand dimension', 'dynamic_broadcast_in_dim_c8')
  for (const axis of hints)
    if (axis < 0 || axis >= rank) fail(`hint for expanding dimension ${axis} does not refer to a valid operand dimension`, 'dynamic_broadcast_in_dim_c9')
}

/** Counts along one axis. */
export const dynamicIotaOp = defineOp({
  name: 'stablehlo.dynamic_iota',
  operands: ['output_shape'],
  results: ['result'],
  regions: [],
  attributes: { iota_dimension: codec.axis },
  assembly: form(operandList, integerField('iota_dimension', 'dim'), attributeDictionary, functional),
  traits: { indexOperands: ['output_shape'] },
  infer: (context) => {
    const { attributes: { iota_dimension: axis }, results, fail } = context
    const list = needList('output_shape', 0, context, 'dynamic_iota_i1')
    if (!results) fail('needs a result type')
    const result = declaredResult(list, undefined, list, results, fail)
    if (axis < 0) fail(`attribute 'iota_dimension' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative, got ${axis}`, 'dynamic_iota_c1')
    if (axis >= result.shape.length) fail('iota dimension cannot go beyond the output rank.', 'dynamic_iota_c1')
    checkShapeOperand(list, constantIntegers(context, 0), result, 'dynamic_iota_c2', fail)
    return [result]
  },
  evaluate: ({ arrays: [sizes], attributes, resultTypes: [type] }) => {
    const shape = integersOf(sizes)
    checkComputedShape('dynamic_iota', shape, type, 'dynamic_iota_c2')
    return [iotaArray((type as TensorType).dtype, shape, attributes.iota_dimension)]
  },
  vjp: zeroGradient('it depends on nothing but a shape'),
})

/** The same elements in another shape. */
export const dynamicReshapeOp = defineOp({
  name: 'stablehlo.dynamic_reshape',
  operands: ['operand', 'output_shape'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  traits: { operandTypes: 'perAxis', indexOperands: ['output_shape'] },
  infer: (context) => {
    const { operands, results, fail } = context
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const list = needList('output_shape', 1, context, 'dynamic_reshape_i2')
    const sizes = constantIntegers(context, 1)
    const result = declaredResult(operand, sizes, list, results, fail)
    checkElements(operand, result, 'dynamic_reshape_c1', fail)
    const [from, to] = [elementCount(operand.shape), elementCount(result.shape)]
    if (from >= 0 && to >= 0 && from !== to)
      fail(`number of output elements (${to}) doesn't match expected number of elements (${from})`, 'dynamic_reshape_c2')
    checkShapeOperand(list, sizes, result, 'dynamic_reshape_c4', fail)
    if (sizes && from >= 0 && from !== elementCount(sizes))
      fail(`output_shape is incompatible with input type of operation: input has ${from} elements, but output_shape has ${elementCount(sizes)}`, 'dynamic_reshape_c2')
    checkReshaped(operand, result, { element: 'dynamic_reshape_c1', axis: 'dynamic_reshape_c3' }, fail)
    return [result]
  },
  evaluate: ({ arrays: [operand, sizes], resultTypes: [type] }) => {
    const shape = integersOf(sizes)
    checkComputedShape('dynamic_reshape', shape, type, 'dynamic_reshape_c4')
    if (elementCount(shape) !== operand.size)
      throw new OpError('dynamic_reshape', `input has ${operand.size} elements, but output_shape has ${elementCount(shape)}`, 'dynamic_reshape_c2')
    return [new HostArray(tensorType(operand.dtype, shape), operand.data)]
  },
  vjp: (context) => {
    needSizes(context)
    const { operands: [operand], cotangents: [d] } = context
    return [d && reshape(d, operand.shape), null]
  },
})

/** `x` repeated to the shape `sizes` (integers, one per axis of the result), of which axis `dims[i]` is axis `i` of `x`. Throws `OpError`. */
export function dynamicBroadcastInDim(x: Tensor, sizes: Tensor, dims: readonly number[], type?: TensorType): Tensor {
  return emit(dynamicBroadcastInDimOp, [x, sizes], { broadcast_dimensions: dims }, { results: type && [type] }).results[0] as Tensor
}

/** Counts along `axis` of a tensor of the shape `sizes`; `type` may leave sizes open (`DYNAMIC`). Throws `OpError`. */
export function dynamicIota(sizes: Tensor, axis: number, type: TensorType): Tensor {
  return emit(dynamicIotaOp, [sizes], { iota_dimension: axis }, { results: [type] }).results[0] as Tensor
}

/** `x` in the shape `sizes`; `type` says what is known of it. Throws `OpError`. */
export function dynamicReshape(x: Tensor, sizes: Tensor, type?: TensorType): Tensor {
  return emit(dynamicReshapeOp, [x, sizes], {}, { results: type && [type] }).results[0] as Tensor
}
