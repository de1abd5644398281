import type { InferContext } from '../ir/op-definition.ts'
import { type TensorType, type Type } from '../ir/types.ts'
import { withShape } from './result-type.ts'
import { agreeWithInferred } from './inferred-types.ts'

/** Axes that stay, and the types that are left of them. */

/** The axes of a rank that are not in `axes`. */
export const otherAxes = (rank: number, axes: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.includes(axis))

/** `element` with the sizes, and their limits if there are any, that `axes` of `type` have. */
export const keepAxes = (element: TensorType, type: TensorType, axes: readonly number[]): TensorType =>
  withShape(element, axes.map((axis) => type.shape[axis]), type.bounds && axes.map((axis) => type.bounds![axis]))

/** The result types of an op with several results: what was written down if it agrees with what was inferred. */
export function agreeAll(inferred: readonly TensorType[], results: readonly Type[] | undefined, fail: InferContext<unknown>['fail'], rule: string): readonly Type[] {
  return agreeWithInferred(inferred, results, fail, rule)
}
