import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, integerList, operandList, sameOperandsAndResult } from './assembly.ts'
import { resolveAxes } from './axes.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { agree, needTensor } from './result-type.ts'

/** Reverses the order of elements along axes. Source: specification, "reverse". */
export const reverseOp = defineOp({
  name: 'stablehlo.reverse',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { dimensions: codec.i64Array },
  assembly: form(operandList, integerList('dimensions', 'dims'), attributeDictionary, sameOperandsAndResult),
  infer: ({ operands, attributes: { dimensions }, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    if (new Set(dimensions).size !== dimensions.length) fail(`dimensions should be unique. Got: ${dimensions.join(', ')}`, 'reverse_c2')
    const rank = operand.shape.length
    for (const axis of dimensions) {
      if (axis < 0) fail(`all dimensions should be non-negative. Got dimension: ${axis}.`, 'reverse_c3')
      if (axis >= rank) fail(`all dimensions should be between [0, ${rank}). Got dimension: ${axis}.`, 'reverse_c3')
    }
    return agree(operand, results, fail, 'reverse_c1')
  },
  evaluate: ({ arrays: [operand], attributes: { dimensions } }) => {
    const out = HostArray.zeros(operand.dtype, operand.shape)
    const strides = rowMajorStrides(operand.shape)
    let offset = 0
    const walk = strides.map((step, axis) => {
      if (!dimensions.includes(axis)) return step
      offset += step * (operand.shape[axis] - 1)
      return -step
    })
    copyStrided(operand, offset, walk, out, 0, strides, operand.shape)
    return [out]
  },
  vjp: ({ cotangents: [d], attributes: { dimensions } }) => [d && reverse(d, dimensions)],
})

/** `x` with the order of its elements reversed along `axes`; negative axes count from the end. Throws `OpError`. */
export function reverse(x: Tensor, axes: number | readonly number[]): Tensor {
  return emit(reverseOp, [x], { dimensions: resolveAxes('reverse', axes, x.rank) }).results[0] as Tensor
}
