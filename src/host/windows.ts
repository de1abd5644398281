import { HostArray, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount } from '../ir/types.ts'
import { type ReductionKind, bigCombiner, combiner } from './reduce.ts'
import { rowMajorStrides } from './strided.ts'

/** A window along one axis: how large it is, how it moves, and how its elements, the operand and its edges are spaced out. */
export interface WindowAxis {
  readonly size: number
  readonly stride: number
  readonly low: number
  readonly high: number
  readonly baseDilation: number
  readonly windowDilation: number
}

/** Size of an axis with `dilation - 1` holes between its elements. */
export const dilatedSize = (size: number, dilation: number): number => (size === 0 ? 0 : (size - 1) * dilation + 1)

/** How many places a window has along an axis of `size` elements. */
export function windowCount(size: number, axis: WindowAxis): number {
  const padded = axis.low + dilatedSize(size, axis.baseDilation) + axis.high
  const window = dilatedSize(axis.size, axis.windowDilation)
  return padded <= 0 || window > padded ? 0 : Math.floor((padded - window) / axis.stride) + 1
}

/**
 * Calls `visit` for each place of the window, in row-major order, with the offsets in the operand of all elements of the window, in
 * row-major order too; -1 stands for an element in the padding or in a hole. The list is the same object every time.
 */
export function forEachWindow(shape: readonly number[], window: readonly WindowAxis[], visit: (place: number, offsets: Int32Array) => void): void {
  const strides = rowMajorStrides(shape)
  const places = window.map((axis, i) => windowCount(shape[i], axis))
  if (places.includes(0)) return
  // Per axis, place and element of the window: the part of the offset that this axis gives.
  const parts = window.map((axis, i) =>
    Array.from({ length: places[i] }, (_, place) =>
      Int32Array.from({ length: axis.size }, (_, element) => {
        const position = place * axis.stride + element * axis.windowDilation - axis.low
        const index = position / axis.baseDilation
        return position >= 0 && Number.isInteger(index) && index < shape[i] ? index * strides[i] : -1
      }),
    ),
  )
  const offsets = new Int32Array(elementCount(window.map((axis) => axis.size)))
  const at = window.map(() => 0)
  const total = elementCount(places)
  for (let place = 0; place < total; place++) {
    offsets[0] = 0
    let filled = 1
    for (let i = 0; i < window.length; i++) {
      const part = parts[i][at[i]]
      // From the back, so that the list can grow in place.
      for (let p = filled - 1; p >= 0; p--) {
        const base = offsets[p]
        for (let element = part.length - 1; element >= 0; element--)
          offsets[p * part.length + element] = base < 0 || part[element] < 0 ? -1 : base + part[element]
      }
      filled *= part.length
    }
    visit(place, offsets)
    for (let i = window.length - 1; i >= 0 && ++at[i] === places[i]; i--) at[i] = 0
  }
}

/** Reduces each window by a plain op; elements in the padding have the initial value, as the specification says. */
export function reduceWindows(kind: ReductionKind, operand: HostArray, init: HostArray, window: readonly WindowAxis[], type: TensorType): HostArray {
  const out = allocate(type.dtype, elementCount(type.shape))
  const combine = combiner(kind, type.dtype)
  if (combine) {
    const data = operand.data as Float64Array
    const start = init.data[0] as number
    const neutral = Object.is(combine(start, start), start)
    forEachWindow(operand.shape, window, (place, offsets) => {
      let accumulated = start
      for (let i = 0; i < offsets.length; i++) {
        const offset = offsets[i]
        if (offset >= 0) accumulated = combine(accumulated, data[offset])
        else if (!neutral) accumulated = combine(accumulated, start)
      }
      out[place] = accumulated
    })
  } else {
    const big = bigCombiner(kind, type.dtype)!
    const data = operand.data as BigInt64Array
    const start = init.data[0] as bigint
    forEachWindow(operand.shape, window, (place, offsets) => {
      let accumulated = start
      for (const offset of offsets) accumulated = big(accumulated, offset >= 0 ? data[offset] : start)
      out[place] = accumulated
    })
  }
  return new HostArray(type, out)
}
