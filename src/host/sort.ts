import { dtypes } from '../ir/dtypes.ts'
import { f64Bits, f32Bits } from '../ir/float-bits.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { elementCount } from '../ir/types.ts'

/** Says whether the element at position `a` of a line comes before the one at `b`. */
export type Less = (a: number, b: number) => boolean

/** Positions `0..count-1` in sorted order; equal ones keep their order. Merges from the bottom up. */
export function stableOrder(count: number, less: Less): Int32Array {
  let from = Int32Array.from({ length: count }, (_, i) => i)
  let to = new Int32Array(count)
  for (let width = 1; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(start + 2 * width, count)
      if (middle >= end || !less(from[middle], from[middle - 1])) {
        to.set(from.subarray(start, end), start)
        continue
      }
      let left = start
      let right = middle
      for (let out = start; out < end; out++) to[out] = left < middle && (right >= end || !less(from[right], from[left])) ? from[left++] : from[right++]
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** Lines of an array along an axis: line `i` begins at element `starts[i]` and goes on in steps. */
export interface Lines {
  readonly starts: Int32Array
  readonly length: number
  readonly step: number
}

export function linesAlong(shape: readonly number[], axis: number): Lines {
  const step = elementCount(shape.slice(axis + 1))
  const length = shape[axis]
  const outer = elementCount(shape.slice(0, axis))
  const starts = new Int32Array(length === 0 ? 0 : outer * step)
  for (let i = 0; i < starts.length; i++) starts[i] = Math.floor(i / step) * length * step + (i % step)
  return { starts, length, step }
}

/** How a plain comparator orders the lines of one array. */
export interface KeyOrder {
  readonly descending: boolean
  /** The IEEE total order of floats, in which -0 < 0 and NaN is the largest. */
  readonly total: boolean
}

/** Sorts arrays side by side along an axis by the elements of `keys`. */
export function sortByKeys(arrays: readonly HostArray[], keys: HostArray, axis: number, order: KeyOrder): HostArray[] {
  const lines = linesAlong(keys.shape, axis)
  const float = dtypes[keys.dtype].kind === 'float'
  // The engine's own sort of numbers is the total order, but for negative NaN.
  if (arrays.length === 1 && float && order.total && !hasNegativeNan(keys)) return [sortNatively(keys, lines, order.descending)]
  if (arrays.length === 1 && !float && keys.dtype !== 'c64' && keys.dtype !== 'c128') return [sortNatively(keys, lines, order.descending)]
  const ranked = float && order.total ? totalOrderKeys(keys) : keys.data
  const less = lessThan(ranked as Float64Array, lines, order.descending)
  return sortLines(arrays, lines, less.at, less.less)
}

/** Sorts arrays side by side, line by line, as `less` says; `begin` is told where the line starts. */
function sortLines(arrays: readonly HostArray[], lines: Lines, begin: (start: number) => void, less: Less): HostArray[] {
  const outputs = arrays.map((array) => allocate(array.dtype, array.size))
  const widths = arrays.map((array) => (dtypes[array.dtype].kind === 'complex' ? 2 : 1))
  for (const start of lines.starts) {
    begin(start)
    const order = stableOrder(lines.length, less)
    arrays.forEach(({ data }, k) => {
      const out = outputs[k] as Float64Array
      const width = widths[k]
      for (let i = 0; i < order.length; i++)
        for (let part = 0; part < width; part++)
          out[(start + i * lines.step) * width + part] = (data as Float64Array)[(start + order[i] * lines.step) * width + part]
    })
  }
  return arrays.map((array, k) => new HostArray(array.type, outputs[k]))
}

/** Says of pairs of elements, given by their offsets in the arrays, which first ones come before their second ones (1, else 0). */
export type BeforeAll = (firsts: Int32Array, seconds: Int32Array) => ArrayLike<number>

/**
 * Sorts arrays side by side along an axis by any comparison. All lines, and all merges of a line that do not depend on one another,
 * go on in step, so that `before` is asked about many pairs at once.
 */
export function sortInStep(arrays: readonly HostArray[], { starts, length, step }: Lines, before: BeforeAll): HostArray[] {
  const total = starts.length * length
  const places = Int32Array.from({ length: total }, (_, slot) => starts[Math.floor(slot / length)] + (slot % length) * step)
  let from = places.slice()
  let to = new Int32Array(total)
  for (let width = 1; width < length; width *= 2) {
    const merges: Merge[] = []
    for (let line = 0; line < total; line += length)
      for (let start = 0; start < length; start += 2 * width) {
        const middle = line + Math.min(start + width, length)
        const end = line + Math.min(start + 2 * width, length)
        if (middle < end) merges.push({ left: line + start, middle, right: middle, end, out: line + start })
        else to.set(from.subarray(line + start, end), line + start)
      }
    mergeInStep(merges, from, to, before)
    ;[from, to] = [to, from]
  }
  return arrays.map((array) => {
    const out = allocate(array.dtype, array.size) as Float64Array
    const data = array.data as Float64Array
    const parts = dtypes[array.dtype].kind === 'complex' ? 2 : 1
    for (let slot = 0; slot < total; slot++) for (let part = 0; part < parts; part++) out[places[slot] * parts + part] = data[from[slot] * parts + part]
    return new HostArray(array.type, out)
  })
}

/** A merge of two sorted runs, as far as it has come. */
interface Merge {
  left: number
  readonly middle: number
  right: number
  readonly end: number
  out: number
}

function mergeInStep(merges: Merge[], from: Int32Array, to: Int32Array, before: BeforeAll): void {
  let active = merges
  let firsts = new Int32Array(active.length)
  let seconds = new Int32Array(active.length)
  while (active.length > 0) {
    // Pairs beyond the active merges are left over from before; fewer list lengths are less work for who compares.
    if (active.length <= firsts.length / 2) {
      firsts = new Int32Array(active.length)
      seconds = new Int32Array(active.length)
    }
    active.forEach(({ left, right }, i) => {
      firsts[i] = from[right]
      seconds[i] = from[left]
    })
    const answers = before(firsts, seconds)
    active.forEach((merge, i) => {
      to[merge.out++] = answers[i] ? from[merge.right++] : from[merge.left++]
    })
    active = active.filter((merge) => {
      const { left, middle, right, end, out } = merge
      if (left < middle && right < end) return true
      to.set(left < middle ? from.subarray(left, middle) : from.subarray(right, end), out)
      return false
    })
  }
}

function sortNatively(keys: HostArray, { starts, length, step }: Lines, descending: boolean): HostArray {
  const out = allocate(keys.dtype, keys.size) as Float64Array
  const data = keys.data as Float64Array
  const line = allocate(keys.dtype, length) as Float64Array
  for (const start of starts) {
    for (let i = 0; i < length; i++) line[i] = data[start + i * step]
    line.sort()
    if (descending) line.reverse()
    for (let i = 0; i < length; i++) out[start + i * step] = line[i]
  }
  return new HostArray(keys.type, out)
}

function lessThan(keys: Float64Array, { length, step }: Lines, descending: boolean): { at: (start: number) => void; less: Less } {
  const line = keys.slice(0, length)
  return {
    at: (start) => {
      for (let i = 0; i < length; i++) line[i] = keys[start + i * step]
    },
    less: descending ? (a, b) => line[a] > line[b] : (a, b) => line[a] < line[b],
  }
}

function hasNegativeNan({ data, dtype }: HostArray): boolean {
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number
    if (value !== value && (dtype === 'f64' ? f64Bits(value) >> 63n : f32Bits(value) >>> 31)) return true
  }
  return false
}

/** Integers in the IEEE total order of the floats: -NaN, -inf, ..., -0, 0, ..., inf, NaN. */
function totalOrderKeys({ data, dtype }: HostArray): Int32Array | BigInt64Array {
  if (dtype === 'f64') {
    const bits = new BigInt64Array((data as Float64Array).slice().buffer)
    for (let i = 0; i < bits.length; i++) if (bits[i] < 0n) bits[i] ^= 0x7fffffffffffffffn
    return bits
  }
  const bits = new Int32Array((data as Float32Array).slice().buffer)
  for (let i = 0; i < bits.length; i++) if (bits[i] < 0) bits[i] ^= 0x7fffffff
  return bits
}
