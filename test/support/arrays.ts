import fc from 'fast-check'
import { HostArray } from '../../src/ir/host-array.ts'
import { elementCount } from '../../src/ir/types.ts'

/** Index of the `flat`th element in row-major order. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0)
  let rest = flat
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]
    rest = Math.floor(rest / shape[axis])
  }
  return index
}

/** Position of an index in row-major order. */
export const ravel = (index: readonly number[], shape: readonly number[]): number => index.reduce((flat, i, axis) => flat * shape[axis] + i, 0)

/** An array whose element at each index is `value(index)`. */
export const build = (dtype: 'f32' | 'f64' | 'i32', shape: readonly number[], value: (index: number[]) => number): HostArray =>
  HostArray.of(dtype, shape, Array.from({ length: elementCount(shape) }, (_, flat) => value(unravel(flat, shape))))

/** Counts 1, 2, 3, ... in row-major order. */
export const counting = (shape: readonly number[], dtype: 'f32' | 'f64' | 'i32' = 'f32'): HostArray => {
  let next = 0
  return build(dtype, shape, () => ++next)
}

/** The element at an index. */
export const read = (array: HostArray, index: readonly number[]): number => Number(array.data[ravel(index, array.shape)])

/** Small shapes, with sizes of 0 and 1 among them. */
export const shapes = (rank: { min: number; max: number } = { min: 0, max: 4 }): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: 4 }), { minLength: rank.min, maxLength: rank.max })
