import type { DenseElements } from '../ir/dense.ts'
import { isInteger } from '../ir/dtypes.ts'
import { OpError } from '../ir/errors.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, elementCount, isTensorType, typeText } from '../ir/types.ts'
import { constantOp } from './constant.ts'
import { needTensor } from './result-type.ts'

/** Operands that say a shape, or another number for each axis: what `dynamic_reshape` and its like have in place of attributes. */

type Fail = InferContext<unknown>['fail']

/** Longest list that a rule looks at; a shape has few entries. */
const mostEntries = 10_000

/** The integers of an operand that is a constant; undefined if they are known only when the program runs. */
export function constantIntegers({ values }: Pick<InferContext<unknown>, 'values'>, operand: number): number[] | undefined {
  const made = values?.[operand]?.definition
  if (made?.definition !== constantOp) return undefined
  const constant = made.attributes.value as DenseElements
  if (elementCount(constant.type.shape) > mostEntries) return undefined
  return Array.from(constant.toArray().data as ArrayLike<number | bigint>, Number)
}

/** The type of an operand that must be a list of integers of known length. */
export function needList(name: string, operand: number, { operands, fail }: Pick<InferContext<unknown>, 'operands' | 'fail'>, rule?: string): TensorType {
  const type = needTensor(name, operands[operand], fail)
  if (type.shape.length !== 1 || !(isInteger(type.dtype) || type.dtype === 'index') || type.quantization)
    fail(`operand #${operand} must be statically shaped 1-dimensional tensor of integer values, but got '${typeText(type)}'`, rule)
  if (type.shape[0] === DYNAMIC) fail(`op operand #${operand} must be statically shaped 1-dimensional tensor of integer values, but got '${typeText(type)}'`, rule)
  return type
}

const sizesText = (sizes: readonly number[]): string => `[${sizes.join(', ')}]`

/** Checks that a shape given by a constant goes with the result's type; `list` is the operand's type. */
export function checkShapeOperand(list: TensorType, sizes: readonly number[] | undefined, result: TensorType, rule: string, fail: Fail): void {
  if (list.shape[0] !== result.shape.length)
    fail(`result should have a rank equal to the number of elements in output_shape: '${typeText(result)}' and ${list.shape[0]} elements`, rule)
  if (sizes && (sizes.some((size) => size < 0) || !compatibleShape(sizes, result.shape)))
    fail(`output shape ${sizesText(sizes)} is incompatible with return type of operation '${typeText(result)}'`, rule)
}

/** The result type that was written down; without one, `element` with the sizes that are known. */
export function declaredResult(element: TensorType, sizes: readonly number[] | undefined, list: TensorType, results: readonly Type[] | undefined, fail: Fail): TensorType {
  const declared = results?.[0]
  if (!declared) {
    const { bounds: _, ...rest } = element
    return { ...rest, shape: sizes ?? Array.from({ length: list.shape[0] }, () => DYNAMIC) }
  }
  if (!isTensorType(declared) || declared.unranked) return fail(`the result must be a ranked tensor, got '${typeText(declared)}'`)
  return declared
}

/** The integers of an operand. */
export const integersOf = (array: HostArray): number[] => Array.from(array.data as ArrayLike<number | bigint>, Number)

/** Throws `OpError` if a shape that is known only now does not go with the declared type. */
export function checkComputedShape(op: string, shape: readonly number[], type: Type, rule: string): void {
  if (shape.some((size) => size < 0) || (isTensorType(type) && !compatibleShape(shape, type.shape)))
    throw new OpError(op, `output shape ${sizesText(shape)} is incompatible with return type of operation '${typeText(type)}'`, rule)
}
