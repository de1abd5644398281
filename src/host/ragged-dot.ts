import { isFloat } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, elementCount, tensorType } from '../ir/types.ts'
import { dotArrays } from './dot.ts'
import { roundStore } from './elementwise.ts'
import { copyStrided, rowMajorStrides } from './strided.ts'

/** The axes of a ragged contraction; `prefix` are those of `lhs` that the sizes of groups may depend on. */
export interface RaggedDotAxes {
  readonly lhs_batching_dimensions: readonly number[]
  readonly rhs_batching_dimensions: readonly number[]
  readonly lhs_contracting_dimensions: readonly number[]
  readonly rhs_contracting_dimensions: readonly number[]
  readonly lhs_ragged_dimensions: readonly number[]
  readonly rhs_group_dimensions: readonly number[]
  readonly prefix: readonly number[]
  readonly mode: 'batch' | 'contracting' | 'free'
}

/** A part of an array: where it begins along each axis, and its sizes. */
interface Range {
  readonly start: number[]
  readonly size: number[]
}

/**
 * A contraction group by group: what a group has in `lhs` is contracted with its part of `rhs`, and put (or, where a contracted axis was
 * taken apart, added) where it belongs. What lies in no group gives zeros.
 */
export function raggedDotArrays(lhs: HostArray, rhs: HostArray, sizes: HostArray, axes: RaggedDotAxes, type: TensorType): HostArray {
  const out = HostArray.zeros(type.dtype, type.shape)
  const groups = sizes.shape[sizes.shape.length - 1]
  const [ragged] = axes.lhs_ragged_dimensions
  // Sizes of rank 1 serve for all rows.
  const rowsOf = sizes.shape.length > 1 ? axes.prefix : []
  const rows = elementCount(rowsOf.map((axis) => lhs.shape[axis]))
  for (let row = 0; row < rows; row++) {
    let begin = 0
    for (let group = 0; group < groups; group++) {
      const end = Math.min(lhs.shape[ragged], begin + Math.max(0, Number(sizes.data[row * groups + group])))
      if (end > begin) {
        const range: Range = { start: lhs.shape.map(() => 0), size: [...lhs.shape] }
        for (let i = rowsOf.length - 1, rest = row; i >= 0; i--) {
          range.start[rowsOf[i]] = rest % lhs.shape[rowsOf[i]]
          range.size[rowsOf[i]] = 1
          rest = Math.floor(rest / lhs.shape[rowsOf[i]])
        }
        range.start[ragged] = begin
        range.size[ragged] = end - begin
        contractPart(lhs, rhs, out, axes, range, group)
      }
      begin = end
    }
  }
  if (isFloat(type.dtype)) roundStore(type.dtype, out.data)
  return out
}

function contractPart(lhs: HostArray, rhs: HostArray, out: HostArray, axes: RaggedDotAxes, range: Range, group: number): void {
  const { lhs_batching_dimensions: lb, rhs_batching_dimensions: rb, lhs_contracting_dimensions: lc, rhs_contracting_dimensions: rc } = axes
  const [groupAxis] = axes.rhs_group_dimensions
  const other: Range = { start: rhs.shape.map(() => 0), size: [...rhs.shape] }
  for (const [own, paired] of [...lb.map((axis, i) => [axis, rb[i]]), ...lc.map((axis, i) => [axis, rc[i]])]) {
    other.start[paired] = range.start[own]
    other.size[paired] = range.size[own]
  }
  if (groupAxis !== undefined) {
    other.start[groupAxis] = group
    other.size[groupAxis] = 1
  }
  const left = partOf(lhs, range)
  const whole = partOf(rhs, other)
  const right = groupAxis === undefined ? whole : new HostArray(tensorType(rhs.dtype, whole.shape.toSpliced(groupAxis, 1)), whole.data)
  const moved = (axis: number) => (groupAxis !== undefined && axis > groupAxis ? axis - 1 : axis)
  const free = (rank: number, taken: readonly number[]) => Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !taken.includes(axis))
  const places = [...lb, ...free(lhs.shape.length, [...lb, ...lc])].map((axis) => [range.start[axis], range.size[axis]])
  const rightFree = free(rhs.shape.length, [...rb, ...rc, ...axes.rhs_group_dimensions]).map((axis) => [0, rhs.shape[axis]])
  const stacked = axes.mode === 'contracting'
  const target = [...(stacked ? [[group, 1]] : []), ...places, ...rightFree]
  const type = tensorType(out.dtype, [...places, ...rightFree].map(([, size]) => size))
  const product = dotArrays(
    left,
    right,
    { lhsBatching: lb, rhsBatching: rb.map(moved), lhsContracting: lc, rhsContracting: rc.map(moved) },
    type,
  )
  const strides = rowMajorStrides(out.shape)
  const offset = target.reduce((sum, [start], axis) => sum + start * strides[axis], 0)
  const own = stacked ? strides.slice(1) : strides
  if (stacked) {
    const before = HostArray.zeros(out.dtype, type.shape)
    copyStrided(out, offset, own, before, 0, rowMajorStrides(type.shape), type.shape)
    for (let i = 0; i < product.data.length; i++) product.data[i] = add(product.data[i], before.data[i])
  }
  copyStrided(product, 0, rowMajorStrides(type.shape), out, offset, own, type.shape)
}

/** A sum in the store of either number type. */
const add = (a: number | bigint, b: number | bigint): never => (typeof a === 'bigint' ? a + (b as bigint) : a + (b as number)) as never

function partOf(array: HostArray, { start, size }: Range): HostArray {
  const strides = rowMajorStrides(array.shape)
  const out = HostArray.zeros(array.dtype, size)
  copyStrided(array, start.reduce((sum, from, axis) => sum + from * strides[axis], 0), strides, out, 0, rowMajorStrides(size), size)
  return out
}
