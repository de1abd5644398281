import { dtypes } from '../ir/dtypes.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount, tensorType } from '../ir/types.ts'
import { dotArrays } from './dot.ts'
import { copyStrided, rowMajorStrides } from './strided.ts'
import type { WindowAxis } from './windows.ts'

/** Where the axes of the three arrays lie, and how features and batches are grouped. */
export interface ConvolutionGeometry {
  readonly lhs: { readonly batch: number; readonly feature: number; readonly spatial: readonly number[] }
  readonly rhs: { readonly inputFeature: number; readonly outputFeature: number; readonly spatial: readonly number[] }
  readonly result: { readonly batch: number; readonly feature: number; readonly spatial: readonly number[] }
  /** The window along each spatial axis; its size is that of the kernel. */
  readonly window: readonly WindowAxis[]
  readonly reversal: readonly boolean[]
  readonly featureGroups: number
  readonly batchGroups: number
}

/** Elements of the patch matrix that are made at once. */
const patchElements = 1 << 22

/**
 * Convolution as products of matrices: the elements under the window at each place become a row, the kernel a matrix, and the rows are
 * multiplied with it in slabs. Sums are those of `dotArrays`; integers wrap around.
 */
export function convolveArrays(lhs: HostArray, rhs: HostArray, geometry: ConvolutionGeometry, type: TensorType): HostArray {
  const { window, featureGroups, batchGroups } = geometry
  const groups = featureGroups * batchGroups
  const out = HostArray.zeros(type.dtype, type.shape)
  const channels = lhs.shape[geometry.lhs.feature] / featureGroups
  const batches = lhs.shape[geometry.lhs.batch] / batchGroups
  const outputs = rhs.shape[geometry.rhs.outputFeature] / groups
  const places = geometry.result.spatial.map((axis) => type.shape[axis])
  const placeCount = elementCount(places)
  const taps = elementCount(window.map(({ size }) => size))
  const depth = taps * channels
  if (out.size === 0 || depth === 0) return out
  const reach = reachOf(lhs, geometry, places)
  const rowsAtOnce = Math.max(1, Math.floor(patchElements / depth))
  const lhsStrides = rowMajorStrides(lhs.shape)
  const outStrides = rowMajorStrides(out.shape)
  for (let group = 0; group < groups; group++) {
    const kernel = kernelMatrix(rhs, geometry, group * outputs, outputs)
    const [featureGroup, batchGroup] = featureGroups > 1 ? [group, 0] : [0, group]
    for (let batch = 0; batch < batches; batch++) {
      const from =
        (batchGroup * batches + batch) * lhsStrides[geometry.lhs.batch] + featureGroup * channels * lhsStrides[geometry.lhs.feature]
      for (let first = 0; first < placeCount; first += rowsAtOnce) {
        const rows = Math.min(rowsAtOnce, placeCount - first)
        const patches = HostArray.zeros(lhs.dtype, [rows, depth])
        fillPatches(lhs, patches, { from, first, rows, channels, step: lhsStrides[geometry.lhs.feature], places, reach, window })
        const product = dotArrays(patches, kernel, plain, tensorType(type.dtype, [rows, outputs]))
        const to = batch * outStrides[geometry.result.batch] + group * outputs * outStrides[geometry.result.feature]
        placeRows(product, out, to, first, places, geometry.result.spatial.map((axis) => outStrides[axis]), outStrides[geometry.result.feature])
      }
    }
  }
  return out
}

const plain = { lhsBatching: [], rhsBatching: [], lhsContracting: [1], rhsContracting: [0] }

/** Per spatial axis, at `place * window size + tap`: the offset of the element there in `lhs`, or -1 where there is padding or a hole. */
function reachOf(lhs: HostArray, { lhs: axes, window, reversal }: ConvolutionGeometry, places: readonly number[]): Int32Array[] {
  const strides = rowMajorStrides(lhs.shape)
  return window.map((w, i) => {
    const size = lhs.shape[axes.spatial[i]]
    const table = new Int32Array(places[i] * w.size)
    for (let place = 0; place < places[i]; place++)
      for (let tap = 0; tap < w.size; tap++) {
        const at = place * w.stride - w.low + tap * w.windowDilation
        const index = at / w.baseDilation
        const inside = at >= 0 && Number.isInteger(index) && index < size
        const column = reversal[i] ? w.size - 1 - tap : tap
        table[place * w.size + column] = inside ? index * strides[axes.spatial[i]] : -1
      }
    return table
  })
}

/** The kernel of one group as `[taps * channels, outputs]`. */
function kernelMatrix(rhs: HostArray, { rhs: axes }: ConvolutionGeometry, first: number, outputs: number): HostArray {
  const order = [...axes.spatial, axes.inputFeature, axes.outputFeature]
  const shape = order.map((axis) => rhs.shape[axis])
  shape[shape.length - 1] = outputs
  const matrix = new HostArray(
    tensorType(rhs.dtype, [elementCount(shape.slice(0, -1)), outputs]),
    allocate(rhs.dtype, elementCount(shape)),
  )
  const strides = rowMajorStrides(rhs.shape)
  copyStrided(rhs, first * strides[axes.outputFeature], order.map((axis) => strides[axis]), matrix, 0, rowMajorStrides(shape), shape)
  return matrix
}

interface Slab {
  /** Offset of the batch and the feature group in `lhs`. */
  readonly from: number
  /** First place in row-major order, and the number of places. */
  readonly first: number
  readonly rows: number
  readonly channels: number
  /** Elements from one feature to the next. */
  readonly step: number
  readonly places: readonly number[]
  readonly reach: readonly Int32Array[]
  readonly window: readonly WindowAxis[]
}

function fillPatches(lhs: HostArray, patches: HostArray, { from, first, rows, channels, step, places, reach, window }: Slab): void {
  const width = dtypes[lhs.dtype].kind === 'complex' ? 2 : 1
  const source = lhs.data as Float64Array
  const target = patches.data as Float64Array
  const rank = places.length
  const taps = elementCount(window.map(({ size }) => size))
  const starts = new Array<number>(rank)
  let next = 0
  for (let row = first; row < first + rows; row++) {
    for (let axis = rank - 1, rest = row; axis >= 0; axis--) {
      starts[axis] = (rest % places[axis]) * window[axis].size
      rest = Math.floor(rest / places[axis])
    }
    for (let tap = 0; tap < taps; tap++, next += channels * width) {
      let offset = from
      for (let axis = rank - 1, rest = tap; axis >= 0; axis--) {
        const { size } = window[axis]
        const at = reach[axis][starts[axis] + (rest % size)]
        if (at < 0) {
          offset = -1
          break
        }
        offset += at
        rest = Math.floor(rest / size)
      }
      if (offset < 0) continue
      if (width === 1) for (let c = 0, p = offset; c < channels; c++, p += step) target[next + c] = source[p]
      else
        for (let c = 0, p = 2 * offset; c < channels; c++, p += 2 * step) {
          target[next + 2 * c] = source[p]
          target[next + 2 * c + 1] = source[p + 1]
        }
    }
  }
}

/** Writes the rows of a product to their places in the result. */
function placeRows(
  product: HostArray,
  out: HostArray,
  to: number,
  first: number,
  places: readonly number[],
  placeStrides: readonly number[],
  featureStride: number,
): void {
  const [rows, outputs] = product.shape
  const width = dtypes[out.dtype].kind === 'complex' ? 2 : 1
  const source = product.data as Float64Array
  const target = out.data as Float64Array
  for (let row = 0; row < rows; row++) {
    let offset = to
    for (let axis = places.length - 1, rest = first + row; axis >= 0; axis--) {
      offset += (rest % places[axis]) * placeStrides[axis]
      rest = Math.floor(rest / places[axis])
    }
    for (let o = 0; o < outputs; o++)
      for (let part = 0; part < width; part++) target[(offset + o * featureStride) * width + part] = source[(row * outputs + o) * width + part]
  }
}
