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
 * are packed into dense panels of double precision, `[m, k]` and `[n, k]`, and multiplied there, so that a result is rounded once. Short
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
    const a = new Float64Array(m * k)
    const b = new Float64Array(n * k)
    const c = new Float64Array(m * n)
    for (let batch = 0; batch < left.batches.length; batch++) {
      left.pack(batch, a)
      right.pack(batch, b)
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
    a.forEach((panel, part) => left.pack(batch, panel, complex ? (part as 0 | 1) : undefined))
    b.forEach((panel, part) => right.pack(batch, panel, complex ? (part as 0 | 1) : undefined))
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

  /** Copies a batch to `panel[free, contracted]`; `part` 0 or 1 takes the real or imaginary parts of complex elements. */
  pack(batch: number, panel: Float64Array, part?: 0 | 1): void {
    const start = this.batches[batch]
    if (part !== undefined) packStrided(this.data as Float64Array, start, this.free, this.contracted, panel, 2, part)
    else if (this.data instanceof Float32Array) packFloats(this.data, start, this.free, this.contracted, panel)
    else packStrided(this.data as Float64Array, start, this.free, this.contracted, panel, 1, 0)
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
function packFloats(data: Float32Array, start: number, rows: Int32Array, columns: Int32Array, panel: Float64Array): void {
  const k = columns.length
  if (columns.every((offset, j) => offset === j)) {
    for (let i = 0; i < rows.length; i++) {
      const from = start + rows[i]
      panel.set(data.subarray(from, from + k), i * k)
    }
    return
  }
  for (let j = 0; j < k; j++) {
    const from = start + columns[j]
    for (let i = 0, p = j; i < rows.length; i++, p += k) panel[p] = data[from + rows[i]]
  }
}

function packStrided(data: Float64Array, start: number, rows: Int32Array, columns: Int32Array, panel: Float64Array, width: number, part: number): void {
  const k = columns.length
  for (let i = 0, p = 0; i < rows.length; i++) {
    const from = start + rows[i]
    for (let j = 0; j < k; j++) panel[p++] = data[(from + columns[j]) * width + part]
  }
}

/** Rows of `b` that are kept in the cache while all rows of `a` pass. */
const cachedElements = 1 << 15

/** `c[m, n] = a[m, k] b[n, k]^T`. Tiles of 2 x 4 sums are held in registers. */
function multiplyPanels(a: Float64Array, b: Float64Array, m: number, n: number, k: number, c: Float64Array): void {
  const tile = Math.max(4, Math.floor(cachedElements / Math.max(1, k)) & ~3)
  for (let first = 0; first < n; first += tile) {
    const last = Math.min(n, first + tile)
    let i = 0
    for (; i + 2 <= m; i += 2) {
      let j = first
      for (; j + 4 <= last; j += 4) tile2x4(a, b, i, j, n, k, c)
      for (; j < last; j++) {
        c[i * n + j] = dotRow(a, b, i, j, k)
        c[(i + 1) * n + j] = dotRow(a, b, i + 1, j, k)
      }
    }
    if (i < m) for (let j = first; j < last; j++) c[i * n + j] = dotRow(a, b, i, j, k)
  }
}

function tile2x4(a: Float64Array, b: Float64Array, i: number, j: number, n: number, k: number, c: Float64Array): void {
  let c00 = 0
  let c01 = 0
  let c02 = 0
  let c03 = 0
  let c10 = 0
  let c11 = 0
  let c12 = 0
  let c13 = 0
  let p0 = i * k
  let p1 = p0 + k
  let q0 = j * k
  let q1 = q0 + k
  let q2 = q1 + k
  let q3 = q2 + k
  for (let s = 0; s < k; s++) {
    const a0 = a[p0++]
    const a1 = a[p1++]
    const b0 = b[q0++]
    const b1 = b[q1++]
    c00 += a0 * b0
    c10 += a1 * b0
    c01 += a0 * b1
    c11 += a1 * b1
    const b2 = b[q2++]
    const b3 = b[q3++]
    c02 += a0 * b2
    c12 += a1 * b2
    c03 += a0 * b3
    c13 += a1 * b3
  }
  let o = i * n + j
  c[o] = c00
  c[o + 1] = c01
  c[o + 2] = c02
  c[o + 3] = c03
  o += n
  c[o] = c10
  c[o + 1] = c11
  c[o + 2] = c12
  c[o + 3] = c13
}

function dotRow(a: Float64Array, b: Float64Array, i: number, j: number, k: number): number {
  let sum = 0
  let p = i * k
  let q = j * k
  for (let s = 0; s < k; s++) sum += a[p++] * b[q++]
  return sum
}

function dotComplex(left: Side, right: Side, m: number, n: number, k: number, out: Float64Array): void {
  const [ar, ai, br, bi] = [m, m, n, n].map((rows) => new Float64Array(rows * k))
  const [rr, ii, ri, ir] = [0, 1, 2, 3].map(() => new Float64Array(m * n))
  for (let batch = 0, next = 0; batch < left.batches.length; batch++) {
    left.pack(batch, ar, 0)
    left.pack(batch, ai, 1)
    right.pack(batch, br, 0)
    right.pack(batch, bi, 1)
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
    left.pack(batch, a)
    right.pack(batch, b)
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
