import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, typeText } from '../ir/types.ts'
import { sameElementType } from './result-type.ts'

type Fail = InferContext<unknown>['fail']

const quoted = (types: readonly Type[]): string => types.map((type) => `'${typeText(type)}'`).join(', ')

/**
 * The result types that were written down if they agree with what the operands make them, sizes that only one of them knows left open;
 * what was inferred if nothing was written.
 */
export function agreeWithInferred(inferred: readonly TensorType[], results: readonly Type[] | undefined, fail: Fail, rule?: string): readonly Type[] {
  if (!results) return inferred
  const agrees =
    results.length === inferred.length &&
    results.every((type, i) => isTensorType(type) && sameElementType(type, inferred[i]) && (type.unranked || compatibleShape(type.shape, inferred[i].shape)))
  if (!agrees) fail(`inferred type(s) ${quoted(inferred)} are incompatible with return type(s) of operation ${quoted(results)}`, rule)
  return results
}

/** Sizes as `(1, 3, ?)`. */
export const sizesText = (shape: readonly number[]): string => `(${shape.map((size) => (size === DYNAMIC ? '?' : size)).join(', ')})`

/** Checks that an attribute of an axis or a size is not negative. */
export function needNonNegative(name: string, value: number, fail: Fail, rule?: string, bits: 32 | 64 = 64): void {
  if (value < 0) fail(`attribute '${name}' failed to satisfy constraint: ${bits}-bit signless integer attribute whose value is non-negative, got ${value}`, rule)
}

/** Whether two sizes could be equal when the program runs. */
export const compatibleSize = (a: number, b: number): boolean => a === b || a === DYNAMIC || b === DYNAMIC

