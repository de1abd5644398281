import { dtypes } from '../ir/dtypes.ts'
import type { HostArray } from '../ir/host-array.ts'

/** Elements to step over per axis in a dense row-major array. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis]
  }
  return strides
}

/**
 * Copies `shape` elements from one strided view to another: the common kernel of transpose, slice, pad, broadcast,
 * concatenate and reverse. Offsets and strides count elements; strides may be 0 or negative.
 */
export function copyStrided(
  from: HostArray,
  fromOffset: number,
  fromStrides: readonly number[],
  to: HostArray,
  toOffset: number,
  toStrides: readonly number[],
  shape: readonly number[],
): void {
  if (shape.includes(0)) return
  const width = dtypes[from.dtype].kind === 'complex' ? 2 : 1
  // Merge neighbouring axes that are contiguous in both views, so that the inner loop is long.
  const sizes: number[] = []
  const source: number[] = []
  const target: number[] = []
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue
    const last = sizes.length - 1
    if (last >= 0 && source[last] === fromStrides[axis] * shape[axis] && target[last] === toStrides[axis] * shape[axis]) {
      sizes[last] *= shape[axis]
      source[last] = fromStrides[axis]
      target[last] = toStrides[axis]
    } else {
      sizes.push(shape[axis])
      source.push(fromStrides[axis])
      target.push(toStrides[axis])
    }
  }
  if (width === 2) {
    sizes.push(2)
    for (let i = 0; i < source.length; i++) {
      source[i] *= 2
      target[i] *= 2
    }
    source.push(1)
    target.push(1)
  }
  const a = from.data as Float64Array
  const b = to.data as Float64Array
  const rank = sizes.length
  let p = fromOffset * width
  let q = toOffset * width
  if (rank === 0) {
    b[q] = a[p]
    return
  }
  const inner = sizes[rank - 1]
  const innerFrom = source[rank - 1]
  const innerTo = target[rank - 1]
  const index = new Array<number>(rank).fill(0)
  for (;;) {
    if (innerFrom === 1 && innerTo === 1 && inner > 32) b.set(a.subarray(p, p + inner), q)
    else if (innerFrom === 0 && innerTo === 1) b.fill(a[p], q, q + inner)
    else for (let i = 0, x = p, y = q; i < inner; i++, x += innerFrom, y += innerTo) b[y] = a[x]
    let axis = rank - 2
    for (; axis >= 0; axis--) {
      p += source[axis]
      q += target[axis]
      if (++index[axis] < sizes[axis]) break
      index[axis] = 0
      p -= source[axis] * sizes[axis]
      q -= target[axis] * sizes[axis]
    }
    if (axis < 0) return
  }
}
