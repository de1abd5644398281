import { dequantizeArray, quantizeArray } from '../host/quantize.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { EvaluateContext, HostValue } from '../ir/op-definition.ts'
import { type TensorType, type Type, isTensorType } from '../ir/types.ts'

/**
 * How ops compute with quantized tensors: on the numbers that the stored integers stand for. Ops that only move elements work on the
 * stored integers as they are and need nothing of this. Source: specification, "Quantized types": dequantize_op_quantize.
 */

type Evaluate<A> = (context: EvaluateContext<A>) => readonly HostValue[]

const quantized = (type: Type): boolean => isTensorType(type) && type.quantization !== undefined

/** The type of the numbers that a quantized type stands for. */
export const expressedType = (type: TensorType): TensorType => {
  const { quantization, ...rest } = type
  return quantization ? { ...rest, dtype: quantization.expressed } : type
}

/** Semantics on plain numbers made to take and give quantized tensors as well. */
export const onExpressed = <A>(evaluate: Evaluate<A>): Evaluate<A> => (context) => {
  const { operation, resultTypes } = context
  if (!operation.operands.some(({ type }) => quantized(type)) && !resultTypes.some(quantized)) return evaluate(context)
  const operands = context.operands.map((value, i) => {
    const { quantization } = operation.operands[i].type as TensorType
    return quantization ? dequantizeArray(value as HostArray, quantization) : value
  })
  const results = evaluate({
    ...context,
    operands,
    arrays: operands as readonly HostArray[],
    resultTypes: resultTypes.map((type) => (isTensorType(type) ? expressedType(type) : type)),
  })
  return results.map((value, i) => (quantized(resultTypes[i]) ? quantizeArray(value as HostArray, resultTypes[i] as TensorType) : value))
}
