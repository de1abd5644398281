import { dtypes } from '../ir/dtypes.ts'
import { HostArray, type HostData, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount } from '../ir/types.ts'
import { roundStore, wrapInteger } from './elementwise.ts'
import { rowMajorStrides } from './strided.ts'

/** The axes of a contraction: the lists of the two operands go pairwise. */
export interface DotAxes {
  readonly lhsBatching: readonly number[]
  readonly rhsBatching: readonly number[]
  readonly lhsContracting: readonly number[]
  readonly rhsContracting: readonly number[]
}

/**
 * Contracts two arrays: the result has the batching axes, then the free axes of `lhs`, then those of `rhs`. Batch by batch both sides
 * are packed into dense panels of double precision and multiplied there, so that a result is rounded once. Short
 * sums in f32 are rounded at every step instead.
 */
export function dotArrays(lhs: HostArray, rhs: HostArray, axes: DotAxes, type: TensorType): HostArray {
  const left = new Side(lhs, axes.lhsBatching, axes.lhsContracting)
  const right = new Side(rhs, axes.rhsBatching, axes.rhsContracting)
  const [m, n, k] = [left.free.length, right.free.length, left.contracted.length]
  const out = allocate(type.dtype, elementCount(type.shape))
  const info = dtypes[type.dtype]
  if ((info.kind === 'signed' || info.kind === 'unsigned') && (info.bits === 64 || lhs.data instanceof BigInt64Array || lhs.data instanceof BigUint64Array))
    dotBigs(left, right, m, n, k, out)
  else if (info.kind === 'signed' || info.kind === 'unsigned') dotIntegers(left, right, m, n, k, type, out)
  else if (k <= shortSum && (type.dtype === 'f32' || type.dtype === 'c64')) dotStepwise(left, right, m, n, k, info.kind === 'complex', out as Float32Array)
  else if (info.kind === 'complex') dotComplex(left, right, m, n, k, out as Float64Array)
  else {
    const a = new Float64Array(wholeTiles(m, leftTile) * k)
    const b = new Float64Array(wholeTiles(n, rightTile) * k)
    const c = new Float64Array(m * n)
    for (let batch = 0; batch < left.batches.length; batch++) {
      left.pack(batch, a, leftTile)
      right.pack(batch, b, rightTile)
      multiplyPanels(a, b, m, n, k, c)
      if (info.kind === 'bool') for (let i = 0; i < c.length; i++) out[batch * c.length + i] = c[i] ? 1 : 0
      else (out as Float64Array).set(c, batch * c.length)
    }
    if (info.kind === 'float') roundStore(type.dtype, out)
  }
  return new HostArray(type, out)
}

/**
 * Sums of so few products are made as the reference interpreter and small kernels on a CPU make them: every product and every sum is
 * rounded. Where a short sum nearly cancels, one rounding at the end gives another number than everyone else has.
 */
const shortSum = 16

function dotStepwise(left: Side, right: Side, m: number, n: number, k: number, complex: boolean, out: Float32Array): void {
  const round = Math.fround
  const panels = (rows: number): Float64Array[] => (complex ? [new Float64Array(rows * k), new Float64Array(rows * k)] : [new Float64Array(rows * k)])
  const [a, b] = [panels(m), panels(n)]
  for (let batch = 0, next = 0; batch < left.batches.length; batch++) {
    a.forEach((panel, part) => left.pack(batch, panel, 1, complex ? (part as 0 | 1) : undefined))
    b.forEach((panel, part) => right.pack(batch, panel, 1, complex ? (part as 0 | 1) : undefined))
    const [ar, ai] = a
    const [br, bi] = b
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let re = 0
        let im = 0
        for (let s = 0, p = i * k, q = j * k; s < k; s++, p++, q++) {
          const product = round(ar[p] * br[q])
          if (complex) {
            re = round(re + round(product - round(ai[p] * bi[q])))
            im = round(im + round(round(ar[p] * bi[q]) + round(ai[p] * br[q])))
          } else re = round(re + product)
        }
        out[next++] = re
        if (complex) out[next++] = im
      }
  }
}

/** One operand: where its batches, its free positions and its contracted positions lie. */
class Side {
  readonly batches: Int32Array
  readonly free: Int32Array
  readonly contracted: Int32Array
  readonly data: HostData

  constructor(array: HostArray, batching: readonly number[], contracting: readonly number[]) {
    const { shape } = array
    this.data = array.data
    this.batches = offsetsOf(shape, batching)
    this.contracted = offsetsOf(shape, contracting)
    this.free = offsetsOf(shape, shape.map((_, axis) => axis).filter((axis) => !batching.includes(axis) && !contracting.includes(axis)))
  }

  /**
   * Copies a batch to `panel[free / tile, contracted, tile]`: `tile` rows side by side, so that a loop over contracted positions reads
   * them as they lie. `part` 0 or 1 takes the real or imaginary parts of complex elements.
   */
  pack(batch: number, panel: Float64Array, tile: number, part?: 0 | 1): void {
    const start = this.batches[batch]
    if (part !== undefined) packStrided(this.data as Float64Array, start, this.free, this.contracted, panel, tile, 2, part)
    else if (this.data instanceof Float32Array) packFloats(this.data, start, this.free, this.contracted, panel, tile)
    else packStrided(this.data as Float64Array, start, this.free, this.contracted, panel, tile, 1, 0)
  }
}

/** Offsets in elements of all positions along some axes, in row-major order of those axes. */
function offsetsOf(shape: readonly number[], axes: readonly number[]): Int32Array {
  const strides = rowMajorStrides(shape)
  const sizes = axes.map((axis) => shape[axis])
  const offsets = new Int32Array(elementCount(sizes))
  let filled = 1
  if (offsets.length === 0) return offsets
  // From the innermost axis out: each axis repeats what is there, shifted.
  for (let i = axes.length - 1; i >= 0; i--) {
    const step = strides[axes[i]]
    for (let j = 1; j < sizes[i]; j++) for (let p = 0; p < filled; p++) offsets[j * filled + p] = offsets[p] + j * step
    filled *= sizes[i]
  }
  return offsets
}

/** The f32 case apart from the others, so that the engine compiles it for that store alone. */
function packFloats(data: Float32Array, start: number, rows: Int32Array, columns: Int32Array, panel: Float64Array, tile: number): void {
  const k = columns.length
  for (let first = 0; first < rows.length; first += tile) {
    const lanes = Math.min(tile, rows.length - first)
    for (let lane = 0; lane < lanes; lane++) {
      const from = start + rows[first + lane]
      for (let j = 0, p = first * k + lane; j < k; j++, p += tile) panel[p] = data[from + columns[j]]
    }
  }
}

/** `stride` elements of the store to one of the panel, of which the one at `part` is taken. */
function packStrided(data: Float64Array, start: number, rows: Int32Array, columns: Int32Array, panel: Float64Array, tile: number, stride: number, part: number): void {
  const k = columns.length
  for (let first = 0; first < rows.length; first += tile) {
    const lanes = Math.min(tile, rows.length - first)
    for (let lane = 0; lane < lanes; lane++) {
      const from = start + rows[first + lane]
      for (let j = 0, p = first * k + lane; j < k; j++, p += tile) panel[p] = data[(from + columns[j]) * stride + part]
    }
  }
}

/** Rows of a tile of sums on either side: 2 x 4 sums and what they are made of fit the registers. */
const [leftTile, rightTile] = [2, 4]
const wholeTiles = (rows: number, tile: number): number => Math.ceil(rows / tile) * tile

/** Elements of the right side that are kept in the cache while all rows of the left pass. */
const cachedElements = 1 << 15

/** `c[m, n] = a[m, k] b[n, k]^T`, of panels in tiles of `leftTile` and `rightTile` rows; what fills up the last tile has no meaning. */
function multiplyPanels(a: Float64Array, b: Float64Array, m: number, n: number, k: number, c: Float64Array): void {
  const block = Math.max(1, Math.floor(cachedElements / Math.max(1, k * rightTile))) * rightTile
  const sums = new Float64Array(leftTile * rightTile)
  for (let first = 0; first < n; first += block) {
    const last = Math.min(n, first + block)
    for (let i = 0; i < m; i += leftTile)
      for (let j = first; j < last; j += rightTile) {
        multiplyTile(a, b, i * k, j * k, k, sums)
        const rows = Math.min(leftTile, m - i)
        const columns = Math.min(rightTile, n - j)
        for (let r = 0; r < rows; r++) for (let s = 0; s < columns; s++) c[(i + r) * n + j + s] = sums[r * rightTile + s]
      }
  }
}

function multiplyTile(a: Float64Array, b: Float64Array, p: number, q: number, k: number, sums: Float64Array): void {
  let c00 = 0
  let c01 = 0
  let c02 = 0
  let c03 = 0
  let c10 = 0
  let c11 = 0
  let c12 = 0
  let c13 = 0
  for (let s = 0; s < k; s++) {
    const a0 = a[p]
    const a1 = a[p + 1]
    const b0 = b[q]
    const b1 = b[q + 1]
    c00 += a0 * b0
    c10 += a1 * b0
    c01 += a0 * b1
    c11 += a1 * b1
    const b2 = b[q + 2]
    const b3 = b[q + 3]
    c02 += a0 * b2
    c12 += a1 * b2
    c03 += a0 * b3
    c13 += a1 * b3
    p += 2
    q += 4
  }
  sums[0] = c00
  sums[1] = c01
  sums[2] = c02
  sums[3] = c03
  sums[4] = c10
  sums[5] = c11
  sums[6] = c12
  sums[7] = c13
}

function dotComplex(left: Side, right: Side, m: number, n: number, k: number, out: Float64Array): void {
  const [ar, ai] = [0, 1].map(() => new Float64Array(wholeTiles(m, leftTile) * k))
  const [br, bi] = [0, 1].map(() => new Float64Array(wholeTiles(n, rightTile) * k))
  const [rr, ii, ri, ir] = [0, 1, 2, 3].map(() => new Float64Array(m * n))
  for (let batch = 0, next = 0; batch < left.batches.length; batch++) {
    left.pack(batch, ar, leftTile, 0)
    left.pack(batch, ai, leftTile, 1)
    right.pack(batch, br, rightTile, 0)
    right.pack(batch, bi, rightTile, 1)
    multiplyPanels(ar, br, m, n, k, rr)
    multiplyPanels(ai, bi, m, n, k, ii)
    multiplyPanels(ar, bi, m, n, k, ri)
    multiplyPanels(ai, br, m, n, k, ir)
    for (let i = 0; i < rr.length; i++) {
      out[next++] = rr[i] - ii[i]
      out[next++] = ri[i] + ir[i]
    }
  }
}

/** Integers of up to 32 bits: sums modulo 2^32, brought into the result's range at the end. */
function dotIntegers(left: Side, right: Side, m: number, n: number, k: number, type: TensorType, out: HostData): void {
  const a = new Float64Array(m * k)
  const b = new Float64Array(n * k)
  for (let batch = 0, next = 0; batch < left.batches.length; batch++) {
    left.pack(batch, a, 1)
    right.pack(batch, b, 1)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let s = 0, p = i * k, q = j * k; s < k; s++) sum = (sum + Math.imul(a[p++], b[q++])) | 0
        out[next++] = wrapInteger(type.dtype, sum)
      }
  }
}

/** 64-bit integers; the store wraps the sums around. */
function dotBigs(left: Side, right: Side, m: number, n: number, k: number, out: HostData): void {
  const read = (side: Side, offset: number): bigint => BigInt(side.data[offset])
  const big = out instanceof BigInt64Array || out instanceof BigUint64Array
  for (let batch = 0, next = 0; batch < left.batches.length; batch++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0n
        const p = left.batches[batch] + left.free[i]
        const q = right.batches[batch] + right.free[j]
        for (let s = 0; s < k; s++) sum += read(left, p + left.contracted[s]) * read(right, q + right.contracted[s])
        if (big) out[next++] = sum
        else out[next++] = Number(BigInt.asIntN(32, sum))
      }
}
