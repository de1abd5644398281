import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, sameType, shortType, typeText } from '../ir/types.ts'

/** Type rules that the ops which move elements share. */

type Fail = InferContext<unknown>['fail']

/** The type of an operand that must be a ranked tensor; per-axis quantization is refused unless `perAxis`. */
export function needTensor(name: string, type: Type | undefined, fail: Fail, options: { perAxis?: boolean } = {}): TensorType {
  if (!type) return fail(`${name} is missing`)
  if (!isTensorType(type)) return fail(`${name} must be a tensor, got ${shortType(type)}`)
  if (type.unranked) return fail(`${name} must have a rank, got ${shortType(type)}`)
  if (!options.perAxis && (type.quantization?.axis !== undefined || type.quantization?.blocks))
    return fail(`${name} must not be quantized per axis, got ${shortType(type)}`)
  return type
}

/** Values that ops pass on are tensors or tokens: not tuples, buffers or what other dialects have. */
export function needTensorsOrTokens(types: readonly Type[], what: 'operand' | 'result', fail: Fail): void {
  types.forEach((type, i) => {
    if (!(isTensorType(type) && !type.unranked) && type.kind !== 'token')
      fail(`${what} #${i} must be variadic of ranked tensor of number, boolean or quantized values or token, but got '${typeText(type)}'`)
  })
}

/** Whether two types have one element type, quantization included. */
export function sameElementType(a: TensorType, b: TensorType): boolean {
  if (a.dtype !== b.dtype) return false
  return a.quantization === b.quantization || sameType({ ...a, shape: [], bounds: undefined }, { ...b, shape: [], bounds: undefined })
}

/** `type` with another shape; sizes that are not known keep the limits given in `bounds`. */
export function withShape(type: TensorType, shape: readonly number[], bounds?: readonly number[]): TensorType {
  const { bounds: _, ...rest } = type
  const limited = bounds && shape.some((size, axis) => size === DYNAMIC && bounds[axis] !== DYNAMIC)
  return limited ? { ...rest, shape, bounds: shape.map((size, axis) => (size === DYNAMIC ? bounds[axis] : DYNAMIC)) } : { ...rest, shape }
}

/** The result type: what was written down if it agrees with what was inferred, otherwise an error. */
export function agree(inferred: TensorType, results: readonly Type[] | undefined, fail: Fail, rule?: string): readonly Type[] {
  const declared = results?.[0]
  if (!declared) return [inferred]
  if (!isTensorType(declared) || !sameElementType(declared, inferred) || !compatibleShape(declared.shape, inferred.shape))
    fail(`inferred type(s) '${typeText(inferred)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, rule)
  return [declared]
}
