import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, isTensorType } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, integerList, operandList } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineOp } from './define.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { checkMoved } from './quantized-rules.ts'
import { needTensor, withShape } from './result-type.ts'

/** Reorders axes. Source: specification, "transpose". */
export const transposeOp = defineOp({
  name: 'stablehlo.transpose',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { permutation: codec.i64Array },
  assembly: form(operandList, integerList('permutation', 'dims'), attributeDictionary, functional),
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const { permutation } = attributes
    const rank = operand.shape.length
    if (permutation.length !== rank)
      fail(`TransposeOp operand rank ${rank} does not match permutation size ${permutation.length}`, 'transpose_c2')
    if (new Set(permutation).size !== rank || permutation.some((axis) => axis < 0 || axis >= rank))
      fail(`attribute permutation must be a permutation of [${operand.shape.map((_, axis) => axis).join(', ')}] but got ${permutation.join(', ')}`, 'transpose_c2')
    const { bounds, quantization } = operand
    const moved = withShape(operand, permutation.map((axis) => operand.shape[axis]), bounds && permutation.map((axis) => bounds[axis]))
    const inferred: TensorType = quantization?.axis === undefined
      ? moved
      : { ...moved, quantization: { ...quantization, axis: permutation.indexOf(quantization.axis) } }
    const declared = results?.[0]
    if (declared && isTensorType(declared)) checkMoved(inferred, declared, 'transpose_c1', fail)
    return agreeWithInferred([inferred], results, fail, 'transpose_c3')
  },
  evaluate: ({ arrays: [operand], attributes, resultTypes }) => {
    const type = resultTypes[0] as TensorType
    const out = HostArray.zeros(type.dtype, attributes.permutation.map((axis) => operand.shape[axis]))
    const strides = rowMajorStrides(operand.shape)
    copyStrided(operand, 0, attributes.permutation.map((axis) => strides[axis]), out, 0, rowMajorStrides(out.shape), out.shape)
    return [out]
  },
  vjp: ({ cotangents: [d], attributes: { permutation } }) => [d && transpose(d, permutation.map((_, axis) => permutation.indexOf(axis)))],
})

/**
 * Reorders the axes of `x`: axis `i` of the result is axis `permutation[i]` of `x`. Without a permutation the axes are
 * reversed. Throws `OpError`.
 */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const order = permutation ?? x.shape.map((_, axis) => x.rank - 1 - axis)
  if (order.length === x.rank && order.every((axis, i) => axis === i)) return x
  return emit(transposeOp, [x], { permutation: order }).results[0] as Tensor
}
