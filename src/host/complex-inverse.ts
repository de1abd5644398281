import type { ComplexOut } from './elementwise.ts'

/** Inverse trigonometric and hyperbolic functions of complex numbers, in double precision; results go to `out` as `[re, im]`. */

const isNegative = (x: number): boolean => x < 0 || Object.is(x, -0)
const withSign = (size: number, sign: number): number => (isNegative(sign) ? -size : size)

/** Above this a square would overflow; the functions are then logarithms and angles. */
const large = 1e150
/** Below this a square would underflow. */
const tiny = 1e-150

/**
 * The parts of asin and acos for |x| and |y|: the angle of asin and of acos, and the common imaginary part. Source: Hull, Fairgrieve and
 * Tang 1997, "Implementing the complex arcsine and arccosine functions using exception handling".
 */
function angles(x: number, y: number): { asin: number; acos: number; imaginary: number } {
  if (x > large || y > large) {
    const size = Math.hypot(x / 2, y / 2)
    return { asin: Math.atan2(x, y), acos: Math.atan2(y, x), imaginary: Math.log(size) + 2 * Math.LN2 }
  }
  const r = Math.hypot(x + 1, y)
  const s = Math.hypot(x - 1, y)
  const a = (r + s) / 2
  const b = x / a
  let asin: number
  let acos: number
  if (b <= 0.6417) {
    asin = Math.asin(b)
    acos = Math.acos(b)
  } else {
    const sum = a + x
    const root =
      x <= 1
        ? Math.sqrt(0.5 * sum * ((y * y) / (r + x + 1) + (s + (1 - x))))
        : y * Math.sqrt(0.5 * (sum / (r + x + 1) + sum / (s + (x - 1))))
    asin = Math.atan2(x, root)
    acos = Math.atan2(root, x)
  }
  let imaginary: number
  if (y < tiny && x < 1) imaginary = y / Math.sqrt((1 - x) * (1 + x))
  else if (a <= 1.5) {
    const above = x < 1 ? 0.5 * ((y * y) / (r + x + 1) + (y * y) / (s + (1 - x))) : 0.5 * ((y * y) / (r + x + 1) + (s + (x - 1)))
    imaginary = Math.log1p(above + Math.sqrt(above * (a + 1)))
  } else imaginary = Math.log(a + Math.sqrt(a * a - 1))
  return { asin, acos, imaginary }
}

export function complexAsin(re: number, im: number, out: ComplexOut): void {
  if (re !== re || im !== im) return notANumber(re, im, out)
  const { asin, imaginary } = angles(Math.abs(re), Math.abs(im))
  out[0] = withSign(asin, re)
  out[1] = withSign(imaginary, im)
}

export function complexAcos(re: number, im: number, out: ComplexOut): void {
  if (re !== re || im !== im) return notANumber(re, im, out)
  const { acos, imaginary } = angles(Math.abs(re), Math.abs(im))
  out[0] = re < 0 ? Math.PI - acos : acos
  out[1] = -withSign(imaginary, im)
}

export function complexAsinh(re: number, im: number, out: ComplexOut): void {
  if (re !== re || im !== im) return notANumber(re, im, out)
  // -i asin(i z)
  const { asin, imaginary } = angles(Math.abs(im), Math.abs(re))
  out[0] = withSign(imaginary, re)
  out[1] = withSign(asin, im)
}

export function complexAcosh(re: number, im: number, out: ComplexOut): void {
  if (re !== re || im !== im) return notANumber(re, im, out)
  const { acos, imaginary } = angles(Math.abs(re), Math.abs(im))
  out[0] = imaginary
  out[1] = withSign(re < 0 ? Math.PI - acos : acos, im)
}

/** Source: Kahan 1987, "Branch cuts for complex elementary functions". */
export function complexAtanh(re: number, im: number, out: ComplexOut): void {
  if (re !== re || im !== im) return notANumber(re, im, out)
  const [x, y] = [Math.abs(re), Math.abs(im)]
  if (x > large || y > large) {
    const size = Math.hypot(x, y)
    out[0] = withSign(size === Infinity ? 0 : x / size / size, re)
    out[1] = withSign(Math.PI / 2, im)
    return
  }
  const distance = (1 - x) * (1 - x) + y * y
  out[0] = withSign(x === 1 && y < tiny ? (y === 0 ? Infinity : (Math.LN2 - Math.log(y)) / 2) : Math.log1p((4 * x) / distance) / 4, re)
  out[1] = withSign(Math.atan2(2 * y, (1 - x) * (1 + x) - y * y) / 2, im)
}

export function complexAtan(re: number, im: number, out: ComplexOut): void {
  // -i atanh(i z)
  complexAtanh(-im, re, out)
  const first = out[0]
  out[0] = out[1]
  out[1] = -first
}

export function complexSinh(re: number, im: number, out: ComplexOut): void {
  out[0] = im === 0 ? Math.sinh(re) : Math.sinh(re) * Math.cos(im)
  out[1] = im === 0 ? im : Math.cosh(re) * Math.sin(im)
}

export function complexCosh(re: number, im: number, out: ComplexOut): void {
  out[0] = im === 0 ? Math.cosh(re) : Math.cosh(re) * Math.cos(im)
  out[1] = im === 0 ? withSign(Math.abs(im), isNegative(re) ? -im : im) : Math.sinh(re) * Math.sin(im)
}

function notANumber(re: number, im: number, out: ComplexOut): void {
  out[0] = Math.abs(re) === Infinity || Math.abs(im) === Infinity ? Infinity : NaN
  out[1] = NaN
}
