import { dequantizeArray, quantizeArray } from '../host/quantize.ts'
import { dtypes } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { type Quantization, type TensorType, compatibleShape, elementText, isTensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { sameTypeForm } from './assembly.ts'
import { defineOp, notDifferentiable } from './define.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { expressedType } from './quantized.ts'
import { needTensor } from './result-type.ts'

/** Between numbers and quantized numbers. Source: specification, the op of the same name. */

/** Numbers, or numbers quantized in another way, as quantized numbers. */
export const uniformQuantizeOp = defineOp({
  name: 'stablehlo.uniform_quantize',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: sameTypeForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const result = results?.[0]
    if (!result || !isTensorType(result) || !result.quantization) return fail('needs a quantized result type')
    if (!operand.quantization && dtypes[operand.dtype].kind !== 'float')
      fail(`operand #0 must be ranked tensor of floating-point or quantized values, but got '${typeText(operand)}'`, 'uniform_quantize_i1')
    if (!compatibleShape(operand.shape, result.shape))
      fail(`all of {operand, result} must have the same shape: '${typeText(operand)}' and '${typeText(result)}'`, 'uniform_quantize_c1')
    const expressed = operand.quantization?.expressed ?? operand.dtype
    if (result.quantization.expressed !== expressed)
      fail(`Expressed type of result expected to be '${dtypes[expressed].text}', but got '${dtypes[result.quantization.expressed].text}'`, 'uniform_quantize_c2')
    return [result]
  },
  evaluate: ({ operation, arrays: [operand], resultTypes }) => {
    const { quantization } = operation.operands[0].type as TensorType
    return [quantizeArray(quantization ? dequantizeArray(operand, quantization) : operand, resultTypes[0] as TensorType)]
  },
  vjp: notDifferentiable('rounding to steps has no useful gradient: quantize after training, or use a custom rule that passes the cotangent through'),
})

/** The numbers that quantized numbers stand for. */
export const uniformDequantizeOp = defineOp({
  name: 'stablehlo.uniform_dequantize',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: sameTypeForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    if (!operand.quantization) fail(`operand #0 must be ranked tensor of quantized values, but got '${typeText(operand)}' of ${elementText(operand)}`, 'uniform_dequantize_i1')
    return agreeWithInferred([expressedType(operand)], results, fail, 'uniform_dequantize_c2')
  },
  evaluate: ({ operation, arrays: [operand] }) => [dequantizeArray(operand, (operation.operands[0].type as TensorType).quantization!)],
  vjp: notDifferentiable('what it takes is quantized, which has no gradient'),
})

/** `x` in steps of `scales` from `zeroPoints`, stored as `storage`: the nearest step, halves to the even one. Throws `OpError`. */
export function uniformQuantize(x: Tensor, storage: TensorType['dtype'], quantization: Omit<Quantization, 'expressed'>): Tensor {
  const expressed = x.type.quantization?.expressed ?? x.dtype
  const type: TensorType = { kind: 'tensor', dtype: storage, shape: x.shape, quantization: { expressed, ...quantization } }
  return emit(uniformQuantizeOp, [x], {}, { results: [type] }).results[0] as Tensor
}

/** The numbers that `x` stands for. Throws `OpError` if it is not quantized. */
export const uniformDequantize = (x: Tensor): Tensor => emit(uniformDequantizeOp, [x], {}).results[0] as Tensor
