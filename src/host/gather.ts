import { dtypes } from '../ir/dtypes.ts'
import { HostArray, type HostData } from '../ir/host-array.ts'
import { elementCount } from '../ir/types.ts'
import { rowMajorStrides } from './strided.ts'

/**
 * Kernels of gather and scatter. Both walk over index vectors, and for each of them over a window; where things lie is worked
 * out once, as tables of offsets, so that the loops only add.
 */

/** How index vectors and windows lie, in terms that gather and scatter share. Axes are of the array that is read or written. */
export interface WindowLayout {
  /** Sizes of the indexed array. */
  readonly shape: readonly number[]
  /** Sizes of the window per axis of the indexed array; 1 on axes that the windows do not have. */
  readonly windowShape: readonly number[]
  /** Axes of the indexed array that the windows do not have, sorted. */
  readonly absentAxes: readonly number[]
  /** Axis of the indexed array that each component of an index vector moves along. */
  readonly indexAxes: readonly number[]
  /** Pairs of axes (indexed array, indices) that go together. */
  readonly batchAxes: readonly (readonly [number, number])[]
  readonly indicesShape: readonly number[]
  readonly indexVectorAxis: number
  /** Sizes of the array of windows, and which of its axes belong to the window. */
  readonly windowsShape: readonly number[]
  readonly windowAxes: readonly number[]
}

/** Offsets of all positions of `shape`, in row-major order, in an array with the given strides. */
export function offsetsOf(shape: readonly number[], strides: readonly number[]): Int32Array {
  const offsets = new Int32Array(elementCount(shape))
  let filled = Math.min(1, offsets.length)
  for (let axis = shape.length - 1; axis >= 0 && filled > 0; axis--) {
    for (let i = 1; i < shape[axis]; i++) {
      const shift = i * strides[axis]
      for (let j = 0; j < filled; j++) offsets[i * filled + j] = offsets[j] + shift
    }
    filled *= shape[axis]
  }
  return offsets
}

interface Plan {
  /** Per index vector: where its first component is, where its batch lies in the indexed array, where its window lies in the windows. */
  readonly vectors: Int32Array
  readonly batches: Int32Array
  readonly starts: Int32Array
  readonly componentStride: number
  /** Per element of a window: offset in the indexed array and in the windows. */
  readonly inArray: Int32Array
  readonly inWindows: Int32Array
  /** Both tables count up by one. */
  readonly contiguous: boolean
  readonly strides: readonly number[]
}

function planWindows(layout: WindowLayout): Plan {
  const strides = rowMajorStrides(layout.shape)
  const indexStrides = rowMajorStrides(layout.indicesShape)
  const windowsStrides = rowMajorStrides(layout.windowsShape)
  const scatterAxes = layout.windowsShape.map((_, axis) => axis).filter((axis) => !layout.windowAxes.includes(axis))
  const scatterShape = scatterAxes.map((axis) => layout.windowsShape[axis])
  const vectorAxes = layout.indicesShape.map((_, axis) => axis).filter((axis) => axis !== layout.indexVectorAxis)
  const batchStrides = vectorAxes.map((axis) => {
    const pair = layout.batchAxes.find(([, indicesAxis]) => indicesAxis === axis)
    return pair ? strides[pair[0]] : 0
  })
  const present = layout.shape.map((_, axis) => axis).filter((axis) => !layout.absentAxes.includes(axis))
  const windowSizes = present.map((axis) => layout.windowShape[axis])
  const inArray = offsetsOf(windowSizes, present.map((axis) => strides[axis]))
  const inWindows = offsetsOf(windowSizes, layout.windowAxes.map((axis) => windowsStrides[axis]))
  return {
    vectors: offsetsOf(scatterShape, vectorAxes.map((axis) => indexStrides[axis])),
    batches: offsetsOf(scatterShape, batchStrides),
    starts: offsetsOf(scatterShape, scatterAxes.map((axis) => windowsStrides[axis])),
    componentStride: indexStrides[layout.indexVectorAxis] ?? 0,
    inArray,
    inWindows,
    contiguous: inArray.every((offset, i) => offset === i && inWindows[i] === i),
    strides,
  }
}

/** Indices as numbers; 64-bit ones are far inside the exact range or out of bounds anyway. */
const indexNumbers = (indices: HostArray): ArrayLike<number> =>
  dtypes[indices.dtype].bits === 64 ? Float64Array.from(indices.data as BigInt64Array, Number) : (indices.data as Int32Array)

/** Reads a window for every index vector, moved inside where it would reach out. Source: specification, "gather". */
export function gatherArray(operand: HostArray, indices: HostArray, layout: WindowLayout): HostArray {
  const out = HostArray.zeros(operand.dtype, layout.windowsShape)
  if (operand.size === 0 || out.size === 0) return out
  const plan = planWindows(layout)
  const { vectors, batches, starts, componentStride, inArray, inWindows, contiguous } = plan
  const index = indexNumbers(indices)
  const width = dtypes[operand.dtype].kind === 'complex' ? 2 : 1
  const from = operand.data as Float64Array
  const to = out.data as Float64Array
  const { indexAxes } = layout
  const limits = indexAxes.map((axis) => layout.shape[axis] - Math.max(layout.windowShape[axis], 1))
  const steps = indexAxes.map((axis) => plan.strides[axis])
  const size = inArray.length
  for (let v = 0; v < vectors.length; v++) {
    let p = batches[v]
    for (let k = 0, at = vectors[v]; k < steps.length; k++, at += componentStride) {
      const i = index[at]
      p += (i < 0 ? 0 : i > limits[k] ? limits[k] : i) * steps[k]
    }
    const q = starts[v]
    if (contiguous) {
      if (size * width === 1) to[q] = from[p]
      else to.set(from.subarray(p * width, (p + size) * width), q * width)
    } else if (width === 1) for (let w = 0; w < size; w++) to[q + inWindows[w]] = from[p + inArray[w]]
    else
      for (let w = 0; w < size; w++) {
        const [target, source] = [2 * (q + inWindows[w]), 2 * (p + inArray[w])]
        to[target] = from[source]
        to[target + 1] = from[source + 1]
      }
  }
  return out
}

/**
 * Calls `window` for every index vector whose window lies inside, with the offset of the window in the array and among the windows; where it
 * lies partly outside, calls `element` for each element inside. Source: specification, "scatter".
 */
function walkWindows(
  layout: WindowLayout,
  indices: HostArray,
  plan: Plan,
  window: (p: number, q: number) => void,
  element: (p: number, q: number) => void,
): void {
  const { vectors, batches, starts, componentStride, inArray, inWindows, strides } = plan
  const index = indexNumbers(indices)
  const { indexAxes, shape, windowShape } = layout
  const present = shape.map((_, axis) => axis).filter((axis) => !layout.absentAxes.includes(axis))
  const coordinates = present.map((axis) => ({ component: indexAxes.indexOf(axis), size: windowShape[axis], limit: shape[axis] })).reverse()
  vectors: for (let v = 0; v < vectors.length; v++) {
    let p = batches[v]
    let inside = true
    for (let k = 0, at = vectors[v]; k < indexAxes.length; k++, at += componentStride) {
      const i = index[at]
      const axis = indexAxes[k]
      if (i <= -windowShape[axis] || i >= shape[axis]) continue vectors
      if (i < 0 || i + windowShape[axis] > shape[axis]) inside = false
      p += i * strides[axis]
    }
    if (inside) window(p, starts[v])
    else
      elements: for (let w = 0; w < inArray.length; w++) {
        let rest = w
        for (const { component, size, limit } of coordinates) {
          const start = component < 0 ? 0 : index[vectors[v] + component * componentStride]
          const at = start + (rest % size)
          if (at < 0 || at >= limit) continue elements
          rest = Math.floor(rest / size)
        }
        element(p + inArray[w], starts[v] + inWindows[w])
      }
  }
}

/** Combines the element at `p` of the target with the one at `q` of the updates. */
export type ElementUpdate = (p: number, q: number) => void

/** Writes every update, in row-major order, by `update`; what lies outside is left out. */
export function scatterElements(layout: WindowLayout, indices: HostArray, update: ElementUpdate): void {
  const plan = planWindows(layout)
  const { inArray, inWindows } = plan
  const window = (p: number, q: number): void => {
    for (let w = 0; w < inArray.length; w++) update(p + inArray[w], q + inWindows[w])
  }
  walkWindows(layout, indices, plan, window, update)
}

/** Adds or writes numbers without a call per element, for arrays that need no rounding (f32, f64) or that are only copied. */
export function scatterPlain(kind: 'add' | 'assign', target: HostArray, updates: HostArray, layout: WindowLayout, indices: HostArray): void {
  const plan = planWindows(layout)
  const { inArray, inWindows, contiguous } = plan
  const t = target.data as Float64Array
  const u = updates.data as Float64Array
  const size = inArray.length
  const element: ElementUpdate = kind === 'add' ? (p, q) => (t[p] += u[q]) : (p, q) => (t[p] = u[q])
  const window = (p: number, q: number): void => {
    if (kind === 'assign') {
      if (contiguous && size > 8) t.set(u.subarray(q, q + size), p)
      else for (let w = 0; w < size; w++) t[p + inArray[w]] = u[q + inWindows[w]]
    } else if (contiguous) for (let w = 0; w < size; w++) t[p + w] += u[q + w]
    else for (let w = 0; w < size; w++) t[p + inArray[w]] += u[q + inWindows[w]]
  }
  walkWindows(layout, indices, plan, window, element)
}

/** One element of an array as an array of rank 0, for a region to work on. */
export function elementAt(array: HostArray, p: number): HostArray {
  const width = dtypes[array.dtype].kind === 'complex' ? 2 : 1
  return new HostArray({ kind: 'tensor', dtype: array.dtype, shape: [] }, array.data.slice(p * width, (p + 1) * width) as HostData)
}

/** Puts the only element of `value` at position `p`. */
export function putElement(array: HostArray, p: number, value: HostArray): void {
  if (value.data.length === 1) array.data[p] = value.data[0]
  else {
    array.data[2 * p] = value.data[0]
    array.data[2 * p + 1] = value.data[1]
  }
}
