import { type DType, dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, sameType, shortTypes, typeText } from '../ir/types.ts'
import { sameElementType, withShape } from './result-type.ts'

export type ElementKind = 'bool' | 'signed' | 'unsigned' | 'float' | 'complex'

const kindWords: Readonly<Record<ElementKind, string>> = {
  bool: 'boolean',
  signed: 'signed integer',
  unsigned: 'unsigned integer',
  float: 'floating-point',
  complex: 'complex',
}

/** Checks that the operand's element type is of a kind that the op supports; `index` is the operand's. */
export function requireKind(
  name: string,
  type: Type,
  kinds: readonly ElementKind[],
  { fail }: Pick<InferContext<unknown>, 'fail'>,
  rule = `${name}_i1`,
  index = 0,
): TensorType {
  if (!isTensorType(type) || (!type.quantization && !kinds.includes(dtypes[type.dtype].kind)))
    return fail(`operand #${index} must be ranked tensor of ${kinds.map((kind) => kindWords[kind]).join(', ')} values, but got '${typeText(type)}'`, rule)
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
  const types = operands.map((operand, i) => requireKind(name, operand, kinds, context, `${name}_i${i + 1}`, i))
  const [first] = types
  for (let i = 1; i < types.length; i++) {
    const type = types[i]
    if (type === first) continue
    if (type.dtype !== first.dtype && !type.quantization && !first.quantization)
      fail(`operands differ in element type: ${shortTypes(types)}; convert one of them`, `${name}_c1`)
    if (!compatibleShape(type.shape, first.shape)) fail(`operands differ in shape: ${shortTypes(types)}`, `${name}_c1`)
  }
  const merged = mergeSizes(types, fail)
  const inferred = resultDType === undefined || resultDType === merged.dtype ? merged : { ...plainType(resultDType, merged) }
  return results ? [checkDeclared(inferred, results[0], fail, `${name}_c1`)] : [inferred]
}

const plainType = (dtype: DType, { shape, bounds }: TensorType): TensorType => ({ kind: 'tensor', dtype, shape, ...(bounds && { bounds }) })

/** The type of the first operand with every size that any of them knows, and the lowest of the limits. Sizes must be compatible. */
export function mergeSizes(types: readonly TensorType[], fail: InferContext<unknown>['fail']): TensorType {
  const [first] = types
  if (types.every((type) => type === first) || !types.some((type) => type.shape.includes(DYNAMIC))) return first
  const shape = joinShapes(types)
  const limits = shape.map((size, axis) => {
    const known = types.map(({ bounds }) => bounds?.[axis] ?? DYNAMIC).filter((bound) => bound !== DYNAMIC)
    const lowest = known.length ? Math.min(...known) : DYNAMIC
    if (size !== DYNAMIC && lowest !== DYNAMIC && size > lowest) fail(`Mismatched dimension size ${size} and bound ${lowest} in dimension ${axis}`)
    return lowest
  })
  return withShape(first, shape, limits)
}

/**
 * The result type that was written down: its sizes must be possible for what was inferred, and its elements those inferred. How
 * quantized elements go together is for the op to say.
 */
export function checkDeclared(inferred: TensorType, declared: Type, fail: InferContext<unknown>['fail'], rule?: string): Type {
  const fits =
    isTensorType(declared) &&
    (declared.unranked || (compatibleShape(declared.shape, inferred.shape) && withinBounds(declared, inferred) && withinBounds(inferred, declared))) &&
    (declared.quantization || inferred.quantization || declared.dtype === inferred.dtype)
  if (!fits) fail(`inferred type(s) '${typeText(inferred)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, rule)
  return declared
}

/** Whether the sizes that one type knows are within the limits of the other. */
const withinBounds = ({ shape }: TensorType, { bounds }: TensorType): boolean =>
  !bounds || shape.every((size, axis) => size === DYNAMIC || bounds[axis] === DYNAMIC || size <= bounds[axis])

/** Lists of types that could be equal when the program runs: dynamic sizes go with any. */
export const compatibleTypes = (a: readonly Type[], b: readonly Type[]): boolean =>
  a.length === b.length && a.every((type, i) => compatibleType(type, b[i]))

export function compatibleType(a: Type, b: Type): boolean {
  if (a.kind === 'tensor' && b.kind === 'tensor')
    return sameElementType(a, b) && (a.unranked || b.unranked || compatibleShape(a.shape, b.shape))
  return sameType(a, b)
}
