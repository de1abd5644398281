import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { resolveAxis } from '../ops/axes.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { concatenate } from '../ops/concatenate.ts'
import { expandDims, reshape } from '../ops/reshape.ts'
import { reverse } from '../ops/reverse.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { transpose } from '../ops/transpose.ts'
import { failIn } from './library-error.ts'

/** The same elements in other places. */

/**
 * Cuts an axis into pieces: a number of equal ones, or pieces of the given sizes, which must add up to the axis.
 * `split(f32[8,6], 3, 1)` gives three `f32[8,2]`. Throws `OpError`.
 */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  const at = resolveAxis('split', axis, x.rank)
  const size = x.shape[at]
  if (typeof parts === 'number' && (!Number.isInteger(parts) || parts < 1 || size % parts !== 0))
    failIn('split', `axis ${at} of ${shortType(x.type)} does not divide into ${parts} equal parts`)
  const sizes = typeof parts === 'number' ? new Array<number>(parts).fill(size / parts) : parts
  const total = sizes.reduce((sum, part) => sum + part, 0)
  if (total !== size || sizes.some((part) => !Number.isInteger(part) || part < 0))
    failIn('split', `sizes [${sizes}] add up to ${total}, axis ${at} of ${shortType(x.type)} is ${size}`)
  let start = 0
  return sizes.map((part) => sliceAxis(x, at, start, (start += part)))
}

/** The whole tensor repeated `counts[i]` times along each axis `i`: `[1, 2]` twice is `[1, 2, 1, 2]`. Throws `OpError`. */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  checkCounts('tile', x, counts)
  const wide = x.shape.flatMap((size, axis) => [counts[axis], size])
  const tiled = broadcastInDim(x, wide, x.shape.map((_, axis) => 2 * axis + 1))
  return reshape(tiled, x.shape.map((size, axis) => counts[axis] * size))
}

/** Every element along `axis` repeated `count` times in place: `[1, 2]` twice is `[1, 1, 2, 2]`. Throws `OpError`. */
export function repeat(x: Tensor, count: number, axis = 0): Tensor {
  const at = resolveAxis('repeat', axis, x.rank)
  checkCounts('repeat', x, x.shape.map((_, i) => (i === at ? count : 1)))
  const wide = x.shape.toSpliced(at + 1, 0, count)
  return reshape(broadcastInDim(x, wide, x.shape.map((_, i) => (i <= at ? i : i + 1))), x.shape.with(at, x.shape[at] * count))
}

function checkCounts(name: string, x: Tensor, counts: readonly number[]): void {
  if (counts.length !== x.rank) failIn(name, `counts [${counts}] has ${counts.length} entries, ${shortType(x.type)} has rank ${x.rank}`)
  for (const count of counts) if (!Number.isInteger(count) || count < 0) failIn(name, `count ${count} must be an integer of 0 or more`)
}

/** Moves elements `shift` places on along `axis`; those that leave at the end come back at the start. Negative: the other way. Throws `OpError`. */
export function roll(x: Tensor, shift: number, axis = 0): Tensor {
  const at = resolveAxis('roll', axis, x.rank)
  if (!Number.isInteger(shift)) failIn('roll', `shift ${shift} must be an integer`)
  const size = x.shape[at]
  if (size === 0) return x
  const cut = (((-shift % size) + size) % size)
  return cut === 0 ? x : concatenate([sliceAxis(x, at, cut, size), sliceAxis(x, at, 0, cut)], at)
}

/** Reverses the order of elements along axes (all if none are named). Throws `OpError`. */
export const flip = (x: Tensor, axes?: number | readonly number[]): Tensor => reverse(x, axes ?? x.shape.map((_, axis) => axis))

/** Exchanges two axes. Throws `OpError`. */
export function swapAxes(x: Tensor, first: number, second: number): Tensor {
  const [a, b] = [resolveAxis('swapAxes', first, x.rank), resolveAxis('swapAxes', second, x.rank)]
  return transpose(x, x.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis)))
}

/** Moves one axis to another position; the others keep their order. Throws `OpError`. */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const [source, target] = [resolveAxis('moveAxis', from, x.rank), resolveAxis('moveAxis', to, x.rank)]
  const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== source)
  return transpose(x, others.toSpliced(target, 0, source))
}

/** What `sliceRanges` takes per axis: `[start, stop]` or `[start, stop, step]`, one position (drops the axis), or `null` for all of it. */
export type SliceRange = readonly [start: number, stop: number | null, step?: number] | number | null

/**
 * Python's slicing: one range per axis from the first on, axes that are not named whole. Negative positions count from the end, a stop of
 * `null` is the end. `sliceRanges(f32[8,6], [2, -1], 0)` is `f32[5]`. Unlike Python, a position outside the axis is an `OpError`.
 */
export function sliceRanges(x: Tensor, ...ranges: readonly SliceRange[]): Tensor {
  if (ranges.length > x.rank) failIn('slice', `got ${ranges.length} ranges, ${shortType(x.type)} has rank ${x.rank}`)
  let result = x
  ranges.forEach((range, axis) => {
    if (range === null) return
    const size = x.shape[axis]
    const position = (value: number, last: number) => {
      const resolved = value < 0 ? value + size : value
      if (!Number.isInteger(value) || resolved < 0 || resolved > last)
        failIn('slice', `position ${value} at axis ${axis} is outside ${shortType(x.type)}`)
      return resolved
    }
    if (typeof range === 'number') {
      const start = position(range, size - 1)
      result = sliceAxis(result, axis, start, start + 1)
      return
    }
    const [start, stop, step = 1] = range
    if (!Number.isInteger(step) || step < 1) failIn('slice', `step ${step} at axis ${axis} must be an integer of 1 or more`)
    const first = position(start, size)
    const end = stop === null ? size : position(stop, size)
    result = sliceAxis(result, axis, first, Math.max(first, end), step)
  })
  const dropped = ranges.flatMap((range, axis) => (typeof range === 'number' ? [axis] : []))
  return dropped.length ? reshape(result, result.shape.filter((_, axis) => !dropped.includes(axis))) : result
}

/** Repeats `x` along a new axis of the given size at position `axis` of the result. Throws `OpError`. */
export function repeatNewAxis(x: Tensor, count: number, axis = 0): Tensor {
  const at = resolveAxis('repeatNewAxis', axis, x.rank + 1)
  const wide = expandDims(x, at)
  return broadcastInDim(wide, wide.shape.with(at, count), wide.shape.map((_, i) => i))
}
