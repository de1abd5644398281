import { HostArray } from '../ir/host-array.ts'
import { OpError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, isTensorType, shortType, shortTypes } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { type Piece, attributeDictionary, form, functional, integerField, operandList } from './assembly.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { expandDims } from './reshape.ts'
import { agree, needTensor, sameElementType, withShape } from './result-type.ts'
import { sliceAxis } from './slice-pad.ts'
import { needNonNegative, sizesText } from './inferred-types.ts'

/** ` %a, %b`: at least one, so that what follows a missing list is not blamed. */
const someOperands: Piece = {
  print: operandList.print,
  parse: (parser, state) => {
    operandList.parse(parser, state)
    if (state.references.length === 0) parser.fail('op expected 1 or more operands, but found 0')
  },
}

/** Joins tensors along one axis. Source: specification, "concatenate". */
export const concatenateOp = defineOp({
  name: 'stablehlo.concatenate',
  operands: ['inputs...'],
  results: ['result'],
  regions: [],
  attributes: { dimension: codec.i64 },
  assembly: { ...form(someOperands, integerField('dimension', 'dim'), attributeDictionary, functional), fits: ({ operands }) => operands.length > 0 },
  infer: ({ operands, attributes: { dimension }, results, fail }) => {
    if (operands.length === 0) return fail('expected 1 or more operands, but found 0', 'concatenate_c3')
    const inputs = operands.map((operand, i) => needTensor(`inputs[${i}]`, operand, fail))
    const [first] = inputs
    const rank = first.shape.length
    needNonNegative('dimension', dimension, fail, 'concatenate_c4')
    if (rank === 0) fail('rank-0 values cannot be concatenated', 'concatenate_c4')
    if (dimension >= rank) fail(`dimension ${dimension} is out-of-bounds for input rank ${rank} of ${shortType(first)}`, 'concatenate_c4')
    inputs.forEach((input, i) => {
      if (!sameElementType(input, first)) fail(`inputs differ in element type: ${shortTypes(inputs)}`, 'concatenate_c1')
      if (input.shape.length !== rank) fail(`inputs differ in rank: ${shortTypes(inputs)}`, 'concatenate_c2')
      input.shape.forEach((size, axis) => {
        if (axis !== dimension && size !== first.shape[axis] && size !== DYNAMIC && first.shape[axis] !== DYNAMIC)
          fail(
            `shapes of operand (0) and (${i}) are not compatible at non-concat index ${axis}: ` +
              `${sizesText(first.shape)} != ${sizesText(input.shape)}; only axis ${dimension} may differ`,
            'concatenate_c2',
          )
      })
    })
    const declared = results?.[0]
    if (declared && isTensorType(declared) && !sameElementType(declared, first))
      fail(`inputs ${shortTypes(inputs)} and result ${shortType(declared)} differ in element type`, 'concatenate_c5')
    return agree(withShape(first, joinedShape(inputs, dimension)), results, fail, 'concatenate_c6')
  },
  evaluate: ({ arrays, attributes: { dimension } }) => {
    if (arrays.length === 1) return [arrays[0]]
    const shape = arrays[0].shape.with(dimension, arrays.reduce((total, array) => total + array.shape[dimension], 0))
    const out = HostArray.zeros(arrays[0].dtype, shape)
    const strides = rowMajorStrides(shape)
    let start = 0
    for (const array of arrays) {
      copyStrided(array, 0, rowMajorStrides(array.shape), out, start * strides[dimension], strides, array.shape)
      start += array.shape[dimension]
    }
    return [out]
  },
  vjp: ({ operands, cotangents: [d], attributes: { dimension }, needed }) => {
    let start = 0
    return operands.map((operand, i) => {
      const from = start
      start += operand.shape[dimension]
      return d && needed[i] ? sliceAxis(d, dimension, from, start) : null
    })
  },
})

function joinedShape(inputs: readonly TensorType[], dimension: number): number[] {
  return inputs[0].shape.map((_, axis) => {
    const sizes = inputs.map((input) => input.shape[axis])
    if (axis !== dimension) return sizes.find((size) => size !== DYNAMIC) ?? DYNAMIC
    return sizes.includes(DYNAMIC) ? DYNAMIC : sizes.reduce((total, size) => total + size, 0)
  })
}

/** Joins tensors along `axis` (negative: from the end); their other sizes must be equal. Throws `OpError`. */
export function concatenate(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new OpError('concatenate', 'needs at least one tensor', 'concatenate_c3', captureLocation(concatenate))
  const dimension = resolveAxis('concatenate', axis, tensors[0].rank)
  if (tensors.length === 1) return tensors[0]
  return emit(concatenateOp, tensors, { dimension }).results[0] as Tensor
}

/** Joins tensors of one shape along a new axis, which gets position `axis` in the result. Throws `OpError`. */
export function stack(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new OpError('concatenate', 'needs at least one tensor', 'concatenate_c3', captureLocation(stack))
  const position = resolveAxis('concatenate', axis, tensors[0].rank + 1)
  return concatenate(tensors.map((tensor) => expandDims(tensor, position)), position)
}
