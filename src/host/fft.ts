import { HostArray } from '../ir/host-array.ts'
import { type TensorType, elementCount } from '../ir/types.ts'
import { rowMajorStrides } from './strided.ts'

/**
 * Discrete Fourier transforms of any length in O(n log n) steps: Cooley-Tukey with the prime factors of the length, or Bluestein's
 * convolution when one of them is large. In double precision; a result is rounded once.
 */

/** A prime factor above this makes Bluestein's way the faster one. */
const largestFactor = 61

/** How lines of one length are transformed, with tables that all such lines share. */
interface Plan {
  readonly length: number
  /** Transforms in place; `sign` is that of the exponent. */
  run(re: Float64Array, im: Float64Array, sign: 1 | -1): void
}

/** A few lengths occur in a program, so plans are kept, but not for ever. */
const plans = new Map<number, Plan>()
const mostPlans = 64

function planFor(length: number): Plan {
  const known = plans.get(length)
  if (known) return known
  const factors = primeFactors(length)
  const plan = factors.every((factor) => factor <= largestFactor) ? mixedRadixPlan(length, factors) : bluesteinPlan(length)
  if (plans.size >= mostPlans) plans.clear()
  plans.set(length, plan)
  return plan
}

function primeFactors(length: number): number[] {
  const factors: number[] = []
  let rest = length
  for (let p = 2; p * p <= rest; p++)
    while (rest % p === 0) {
      factors.push(p)
      rest /= p
    }
  if (rest > 1) factors.push(rest)
  return factors
}

/** cos and sin of `2 pi k / length` for all k. */
function circle(length: number): { cos: Float64Array; sin: Float64Array } {
  const cos = new Float64Array(length)
  const sin = new Float64Array(length)
  for (let k = 0; k < length; k++) {
    // Of the angle and its complement to a quarter turn, the smaller one is the more exact.
    const quarter = Math.floor((4 * k) / length)
    const rest = ((4 * k) % length) / length
    const [c, s] = rest <= 0.5 ? [Math.cos((rest * Math.PI) / 2), Math.sin((rest * Math.PI) / 2)] : [Math.sin(((1 - rest) * Math.PI) / 2), Math.cos(((1 - rest) * Math.PI) / 2)]
    cos[k] = [c, -s, -c, s][quarter]
    sin[k] = [s, c, -s, -c][quarter]
  }
  return { cos, sin }
}

function mixedRadixPlan(length: number, factors: readonly number[]): Plan {
  const { cos, sin } = circle(length)
  const inRe = new Float64Array(length)
  const inIm = new Float64Array(length)
  const widest = Math.max(1, ...factors)
  const tRe = new Float64Array(widest)
  const tIm = new Float64Array(widest)
  return {
    length,
    run(re, im, sign) {
      inRe.set(re)
      inIm.set(im)
      const step = (n: number, level: number, from: number, stride: number, to: number): void => {
        if (n === 1) {
          re[to] = inRe[from]
          im[to] = inIm[from]
          return
        }
        const p = factors[level]
        const m = n / p
        for (let r = 0; r < p; r++) step(m, level + 1, from + r * stride, stride * p, to + r * m)
        const turn = length / n
        for (let k = 0; k < m; k++) {
          if (p === 2) {
            const [a, b] = [to + k, to + k + m]
            const c = cos[k * turn]
            const s = sign * sin[k * turn]
            const xr = re[b] * c - im[b] * s
            const xi = re[b] * s + im[b] * c
            re[b] = re[a] - xr
            im[b] = im[a] - xi
            re[a] += xr
            im[a] += xi
            continue
          }
          for (let r = 0; r < p; r++) {
            const at = to + r * m + k
            const c = cos[r * k * turn]
            const s = sign * sin[r * k * turn]
            tRe[r] = re[at] * c - im[at] * s
            tIm[r] = re[at] * s + im[at] * c
          }
          for (let q = 0; q < p; q++) {
            let sumRe = 0
            let sumIm = 0
            for (let r = 0; r < p; r++) {
              const at = ((q * r) % p) * (length / p)
              sumRe += tRe[r] * cos[at] - sign * tIm[r] * sin[at]
              sumIm += tIm[r] * cos[at] + sign * tRe[r] * sin[at]
            }
            re[to + q * m + k] = sumRe
            im[to + q * m + k] = sumIm
          }
        }
      }
      step(length, 0, 0, 1, 0)
    },
  }
}

/** The transform as a convolution with a chirp, done by transforms of a power of two. Source: Bluestein 1970. */
function bluesteinPlan(length: number): Plan {
  const size = 2 ** Math.ceil(Math.log2(2 * length - 1))
  const inner = mixedRadixPlan(size, primeFactors(size))
  // Angles pi k^2 / length, the square taken modulo 2 length so that it stays exact.
  const { cos, sin } = circle(2 * length)
  const chirp = (k: number): number => Number((BigInt(k) * BigInt(k)) % BigInt(2 * length))
  const wRe = Float64Array.from({ length }, (_, k) => cos[chirp(k)])
  const wIm = Float64Array.from({ length }, (_, k) => sin[chirp(k)])
  const filterRe = new Float64Array(size)
  const filterIm = new Float64Array(size)
  for (let k = 0; k < length; k++) {
    filterRe[k] = wRe[k]
    filterIm[k] = wIm[k]
    if (k) {
      filterRe[size - k] = wRe[k]
      filterIm[size - k] = wIm[k]
    }
  }
  inner.run(filterRe, filterIm, -1)
  const aRe = new Float64Array(size)
  const aIm = new Float64Array(size)
  return {
    length,
    run(re, im, sign) {
      aRe.fill(0)
      aIm.fill(0)
      // The chirp is that of a negative exponent; the other sign is the conjugate of the transform of the conjugate.
      for (let k = 0; k < length; k++) {
        const x = -sign * im[k]
        aRe[k] = re[k] * wRe[k] + x * wIm[k]
        aIm[k] = x * wRe[k] - re[k] * wIm[k]
      }
      inner.run(aRe, aIm, -1)
      for (let k = 0; k < size; k++) {
        const r = aRe[k] * filterRe[k] - aIm[k] * filterIm[k]
        aIm[k] = aRe[k] * filterIm[k] + aIm[k] * filterRe[k]
        aRe[k] = r
      }
      inner.run(aRe, aIm, 1)
      for (let k = 0; k < length; k++) {
        const [r, i] = [aRe[k] / size, aIm[k] / size]
        re[k] = r * wRe[k] + i * wIm[k]
        im[k] = -sign * (i * wRe[k] - r * wIm[k])
      }
    },
  }
}

/** Real and imaginary parts of an array while it is transformed. */
interface Parts {
  readonly shape: readonly number[]
  readonly re: Float64Array
  readonly im: Float64Array
}

/** Transforms all lines along an axis in place. */
function transformAxis({ shape, re, im }: Parts, axis: number, sign: 1 | -1): void {
  const length = shape[axis]
  if (length <= 1) return
  const plan = planFor(length)
  const lineRe = new Float64Array(length)
  const lineIm = new Float64Array(length)
  const stride = rowMajorStrides(shape)[axis]
  for (let block = 0; block < re.length; block += stride * length)
    for (let start = block; start < block + stride; start++) {
      for (let i = 0, p = start; i < length; i++, p += stride) {
        lineRe[i] = re[p]
        lineIm[i] = im[p]
      }
      plan.run(lineRe, lineIm, sign)
      for (let i = 0, p = start; i < length; i++, p += stride) {
        re[p] = lineRe[i]
        im[p] = lineIm[i]
      }
    }
}

function partsOf(array: HostArray, complex: boolean): Parts {
  const { shape, size, data } = array
  const re = new Float64Array(size)
  const im = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    re[i] = data[complex ? 2 * i : i] as number
    if (complex) im[i] = data[2 * i + 1] as number
  }
  return { shape, re, im }
}

/** Copies lines along the last axis to lines of another length; what is missing is zero. */
function resizeLines({ shape, re, im }: Parts, length: number): Parts {
  const old = shape[shape.length - 1]
  const lines = elementCount(shape.slice(0, -1))
  const resized: Parts = { shape: [...shape.slice(0, -1), length], re: new Float64Array(lines * length), im: new Float64Array(lines * length) }
  const kept = Math.min(old, length)
  for (let line = 0; line < lines; line++) {
    resized.re.set(re.subarray(line * old, line * old + kept), line * length)
    resized.im.set(im.subarray(line * old, line * old + kept), line * length)
  }
  return resized
}

export type FftKind = 'FFT' | 'IFFT' | 'RFFT' | 'IRFFT'

/** Transforms the last `lengths.length` axes. Lengths are those of the full (not halved) axes. */
export function fftArray(operand: HostArray, kind: FftKind, lengths: readonly number[], type: TensorType): HostArray {
  const rank = operand.shape.length
  const first = rank - lengths.length
  const axes = lengths.map((_, i) => first + i)
  const out = HostArray.zeros(type.dtype, type.shape)
  if (out.size === 0) return out
  const inverse = kind === 'IFFT' || kind === 'IRFFT'
  const sign = inverse ? 1 : -1
  let parts = partsOf(operand, kind !== 'RFFT')
  const last = lengths[lengths.length - 1]
  if (kind === 'RFFT') {
    transformAxis(parts, rank - 1, sign)
    parts = resizeLines(parts, Math.floor(last / 2) + 1)
  }
  for (const axis of axes) if (axis < rank - 1 || kind === 'FFT' || kind === 'IFFT') transformAxis(parts, axis, sign)
  if (kind === 'IRFFT') {
    parts = resizeLines(parts, last)
    completeLines(parts)
    transformAxis(parts, rank - 1, sign)
  }
  const scale = inverse ? elementCount(lengths) : 1
  const data = out.data as Float64Array
  const { re, im } = parts
  if (kind === 'IRFFT') for (let i = 0; i < re.length; i++) data[i] = re[i] / scale
  else
    for (let i = 0; i < re.length; i++) {
      data[2 * i] = re[i] / scale
      data[2 * i + 1] = im[i] / scale
    }
  return out
}

/** The second half of each line as the conjugate of the first; what must be real of a real signal's transform is taken as real. */
function completeLines({ shape, re, im }: Parts): void {
  const length = shape[shape.length - 1]
  for (let start = 0; start < re.length; start += length) {
    im[start] = 0
    if (length % 2 === 0) im[start + length / 2] = 0
    for (let k = Math.floor(length / 2) + 1; k < length; k++) {
      re[start + k] = re[start + length - k]
      im[start + k] = -im[start + length - k]
    }
  }
}
