import { type DType, dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, sameType, shortType, shortTypes } from '../ir/types.ts'
import { sameElementType } from './result-type.ts'

export type ElementKind = 'bool' | 'signed' | 'unsigned' | 'float' | 'complex'

/** Checks that the operand's element type is of a kind that the op supports. */
export function requireKind(name: string, type: Type, kinds: readonly ElementKind[], context: Pick<InferContext<unknown>, 'fail'>, rule?: string): TensorType {
  if (!isTensorType(type)) return context.fail(`needs a tensor, got ${shortType(type)}`, rule)
  if (!type.quantization && !kinds.includes(dtypes[type.dtype].kind))
    context.fail(`element type ${type.dtype} of ${shortType(type)} is not supported, only ${kinds.join(', ')}`, rule ?? `${name}_i1`)
  return type
}

/** The shape that all operands have, with every size that any of them knows. */
export function joinShapes(types: readonly TensorType[]): readonly number[] {
  const [first] = types
  if (types.every((type) => type.shape === first.shape) || !types.some((type) => type.shape.includes(DYNAMIC))) return first.shape
  return first.shape.map((_, axis) => types.map((type) => type.shape[axis]).find((size) => size !== DYNAMIC) ?? DYNAMIC)
}

/** Result of an op whose operands and result all have one type. */
export function inferSameType(name: string, kinds: readonly ElementKind[], context: InferContext<unknown>, resultDType?: DType): readonly Type[] {
  const { operands, results, fail } = context
  const types = operands.map((operand) => requireKind(name, operand, kinds, context))
  const [first] = types
  for (let i = 1; i < types.length; i++) {
    const type = types[i]
    if (type === first) continue
    if (type.dtype !== first.dtype && !type.quantization && !first.quantization)
      fail(`operands differ in element type: ${shortTypes(types)}; convert one of them`, `${name}_c1`)
    if (!compatibleShape(type.shape, first.shape)) fail(`operands differ in shape: ${shortTypes(types)}`, `${name}_c1`)
  }
  const declared = results?.[0]
  if (declared) return [declared]
  const shape = joinShapes(types)
  if (resultDType === undefined && shape === first.shape) return [first]
  return [{ kind: 'tensor', dtype: resultDType ?? first.dtype, shape }]
}

/** Lists of types that could be equal when the program runs: dynamic sizes go with any. */
export const compatibleTypes = (a: readonly Type[], b: readonly Type[]): boolean =>
  a.length === b.length && a.every((type, i) => compatibleType(type, b[i]))

export function compatibleType(a: Type, b: Type): boolean {
  if (a.kind === 'tensor' && b.kind === 'tensor')
    return sameElementType(a, b) && (a.unranked || b.unranked || compatibleShape(a.shape, b.shape))
  return sameType(a, b)
}
