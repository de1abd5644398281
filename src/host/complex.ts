import type { ComplexOut } from './elementwise.ts'

/** Complex arithmetic on parts, in double precision; results go to `out` as `[re, im]`. */

export function complexMultiply(a: number, b: number, c: number, d: number, out: ComplexOut): void {
  out[0] = a * c - b * d
  out[1] = a * d + b * c
}

/** Division with Smith's scaling; by zero as C99's annex G has it. */
export function complexDivide(a: number, b: number, c: number, d: number, out: ComplexOut): void {
  if (c === 0 && d === 0) {
    const real = c === 0 && Object.is(c, -0) ? -Infinity : Infinity
    out[0] = real * a
    out[1] = real * b
    return
  }
  if (!Number.isFinite(c) || !Number.isFinite(d)) {
    if (Number.isFinite(a) && Number.isFinite(b) && c === c && d === d) {
      const re = Math.abs(c) === Infinity ? Math.sign(c) : 0
      const im = Math.abs(d) === Infinity ? Math.sign(d) : 0
      // Zeros with the signs that the limits have.
      out[0] = (a * re + b * im) / Infinity
      out[1] = (b * re - a * im) / Infinity
      return
    }
  }
  if (Math.abs(c) >= Math.abs(d)) {
    const ratio = d / c
    const denominator = c + d * ratio
    out[0] = (a + b * ratio) / denominator
    out[1] = (b - a * ratio) / denominator
  } else {
    const ratio = c / d
    const denominator = c * ratio + d
    out[0] = (a * ratio + b) / denominator
    out[1] = (b * ratio - a) / denominator
  }
}

/** Lexicographic order: by the real part, then by the imaginary. */
export const complexLess = (a: number, b: number, c: number, d: number): boolean => a < c || (a === c && b < d)

export function complexExp(re: number, im: number, out: ComplexOut): void {
  const scale = Math.exp(re)
  if (im === 0) {
    out[0] = scale
    out[1] = im
    return
  }
  out[0] = scale === Infinity && Math.cos(im) === 0 ? 0 : scale * Math.cos(im)
  out[1] = scale * Math.sin(im)
}

export function complexLog(re: number, im: number, out: ComplexOut): void {
  out[0] = logHypot(re, im)
  out[1] = Math.atan2(im, re)
}

/** log of the modulus, accurate near modulus 1. */
function logHypot(re: number, im: number): number {
  const big = Math.max(Math.abs(re), Math.abs(im))
  const small = Math.min(Math.abs(re), Math.abs(im))
  if (big > 0.5 && big < 2) return 0.5 * Math.log1p((big - 1) * (big + 1) + small * small)
  return Math.log(Math.hypot(re, im))
}

/** The angle of `(x, y)` for complex `y = a + bi`, `x = c + di`: -i log((x + i y) / sqrt(x^2 + y^2)). */
export function complexAtan2(a: number, b: number, c: number, d: number, out: ComplexOut): void {
  const [re, im] = [c - b, d + a]
  complexSqrt(c * c - d * d + a * a - b * b, 2 * (c * d + a * b), out)
  complexDivide(re, im, out[0], out[1], out)
  complexLog(out[0], out[1], out)
  const modulus = out[0]
  out[0] = out[1]
  out[1] = -modulus
}

export function complexPower(a: number, b: number, c: number, d: number, out: ComplexOut): void {
  if (c === 0 && d === 0) {
    out[0] = 1
    out[1] = 0
    return
  }
  if (a === 0 && b === 0) {
    out[0] = c > 0 ? 0 : c === 0 ? NaN : Infinity
    out[1] = c > 0 ? 0 : NaN
    return
  }
  const modulus = Math.log(Math.hypot(a, b))
  const angle = Math.atan2(b, a)
  const scale = Math.exp(c * modulus - d * angle)
  const turn = d * modulus + c * angle
  out[0] = scale * Math.cos(turn)
  out[1] = scale * Math.sin(turn)
}

export function complexSqrt(re: number, im: number, out: ComplexOut): void {
  if (re === 0 && im === 0) {
    out[0] = 0
    out[1] = im
    return
  }
  if (Math.abs(im) === Infinity) {
    out[0] = Infinity
    out[1] = im
    return
  }
  if (re === -Infinity) {
    out[0] = im !== im ? NaN : 0
    out[1] = im < 0 || Object.is(im, -0) ? -Infinity : Infinity
    return
  }
  if (re === Infinity) {
    out[0] = Infinity
    out[1] = im !== im ? NaN : im < 0 || Object.is(im, -0) ? -0 : 0
    return
  }
  const modulus = Math.hypot(re, im)
  if (re >= 0) {
    const t = Math.sqrt((modulus + re) / 2)
    out[0] = t
    out[1] = im / (2 * t)
  } else {
    const t = Math.sqrt((modulus - re) / 2)
    out[0] = Math.abs(im) / (2 * t)
    out[1] = im < 0 || Object.is(im, -0) ? -t : t
  }
}
