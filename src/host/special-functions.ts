/**
 * Special functions of the interpreter, in double precision: a few units in the last place, near zeros of the function that are no exact
 * numbers an absolute error of that size. Rounded to f32 and narrower they are within one unit of the correctly rounded value.
 */

const twoOverRootPi = 2 / Math.sqrt(Math.PI)
const halfLogTwoPi = 0.91893853320467274178
const eulerGamma = 0.57721566490153286061

/** Bernoulli numbers B2, B4, ..., B20. */
const bernoulli = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330]

/** sin(pi x), exact where it is 0 or 1. */
export function sinPi(x: number): number {
  const r = x - 2 * Math.round(x / 2)
  const size = Math.abs(r)
  const value = size > 0.75 ? Math.sin(Math.PI * (1 - size)) : size > 0.25 ? Math.cos(Math.PI * (0.5 - size)) : Math.sin(Math.PI * size)
  return r < 0 ? -value : value
}

/** exp(-x^2) without the error of the square. */
function gaussian(x: number): number {
  const high = Math.fround(x)
  return Math.exp(-high * high) * Math.exp(-(x - high) * (x + high))
}

/** Coefficients of the power series of erf: (-1)^n / (n! (2n + 1)). */
const erfSeries = Array.from({ length: 24 }, (_, n) => (n % 2 ? -1 : 1) / (factorial(n) * (2 * n + 1)))

/** The error function. Source: DLMF 7.6.1; from 1 on by its complement. */
export function erf(x: number): number {
  if (x !== x || x === 0) return x
  const size = Math.abs(x)
  if (size >= 1) return Math.sign(x) * (size > 6 ? 1 : 1 - erfcFraction(size))
  const square = x * x
  let sum = 0
  for (let n = erfSeries.length - 1; n > 0; n--) sum = (sum + erfSeries[n]) * square
  return twoOverRootPi * (x + x * sum)
}

/** The complement of the error function, accurate where that is near 1. */
export function erfc(x: number): number {
  if (x !== x) return NaN
  if (x < 0.5) return 1 - erf(x)
  return x > 27.5 ? 0 : erfcFraction(x)
}

/** erfc from 1/2 on. Source: DLMF 7.9.1, the continued fraction from inside out. */
function erfcFraction(x: number): number {
  let tail = x
  for (let n = Math.ceil((13 / x) ** 2) + 12; n > 0; n--) tail = x + n / 2 / tail
  return (gaussian(x) / tail) * (twoOverRootPi / 2)
}

/** The inverse of `erf` on [-1, 1]: an approximation, brought to full accuracy by Halley's method. Source: Giles 2010 for the start. */
export function erfInv(x: number): number {
  if (!(Math.abs(x) <= 1)) return NaN
  if (Math.abs(x) === 1) return x * Infinity
  if (x === 0) return x
  const size = Math.abs(x)
  let y = erfInvStart(size)
  for (let i = 0; i < 4; i++) {
    const error = y > 0.5 ? 1 - size - erfc(y) : erf(y) - size
    const step = error / (twoOverRootPi * gaussian(y))
    y -= step / (1 + y * step)
  }
  return x < 0 ? -y : y
}

const giles = {
  near: [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3, 2.46640727e-1, 1.50140941],
  far: [-2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682],
}

function erfInvStart(x: number): number {
  const w = -Math.log((1 - x) * (1 + x))
  if (w > 16) {
    // Beyond what the polynomials were made for: the first terms of the asymptotic expansion. Source: DLMF 7.17.6.
    const size = Math.log(2 / Math.PI) - 2 * Math.log(1 - x)
    return Math.sqrt((size - Math.log(size)) / 2)
  }
  const t = w < 5 ? w - 2.5 : Math.sqrt(w) - 3
  let sum = 0
  for (const c of w < 5 ? giles.near : giles.far) sum = sum * t + c
  return sum * x
}

/** zeta(k) - 1 for k = 2, 3, ...: the terms from 2 to 9, and the rest by the Euler-Maclaurin formula. */
const zetaMinusOne = Array.from({ length: 40 }, (_, i) => {
  const s = i + 2
  const from = 10
  let tail = from ** (1 - s) / (s - 1) + from ** -s / 2
  let factor = s
  for (let j = 0; j < 8; j++) {
    tail += (bernoulli[j] / factorial(2 * j + 2)) * factor * from ** (-s - 2 * j - 1)
    factor *= (s + 2 * j + 1) * (s + 2 * j + 2)
  }
  for (let n = from - 1; n >= 2; n--) tail += n ** -s
  return tail
})

function factorial(n: number): number {
  let product = 1
  for (let i = 2; i <= n; i++) product *= i
  return product
}

/** log gamma(2 + z) for |z| <= 1/2. Source: DLMF 5.7.3. */
function logGammaNearTwo(z: number): number {
  let sum = 0
  for (let i = 34; i >= 0; i--) {
    const k = i + 2
    sum = sum * z + (k % 2 ? -1 : 1) * (zetaMinusOne[i] / k)
  }
  return z * (1 - eulerGamma + z * sum)
}

/** log |gamma(x)|; infinite at the integers up to 0. */
export function lgamma(x: number): number {
  if (x !== x) return NaN
  if (Math.abs(x) === Infinity) return Infinity
  if (x <= 0) {
    if (Number.isInteger(x)) return Infinity
    // Source: DLMF 5.5.3, the reflection formula.
    if (x > -1e-17) return -Math.log(-x)
    return Math.log(Math.PI / Math.abs(x * sinPi(x))) - lgamma(-x)
  }
  if (x < 0.5) return logGammaNearTwo(x) - Math.log1p(x) - Math.log(x)
  if (x < 1.5) return logGammaNearTwo(x - 1) - Math.log1p(x - 1)
  if (x <= 2.5) return logGammaNearTwo(x - 2)
  if (x < 12) {
    let product = 1
    let rest = x
    while (rest > 2.5) product *= --rest
    return Math.log(product) + logGammaNearTwo(rest - 2)
  }
  // Source: DLMF 5.11.1, Stirling's series.
  const inverse = 1 / (x * x)
  let series = 0
  for (let j = 7; j >= 0; j--) series = series * inverse + bernoulli[j] / ((2 * j + 2) * (2 * j + 1))
  return (x - 0.5) * (Math.log(x) - 1) + (halfLogTwoPi - 0.5) + series / x
}

/** The derivative of `lgamma`; NaN at its poles. */
export function digamma(x: number): number {
  if (x !== x || x === -Infinity) return NaN
  if (x <= 0) {
    if (Number.isInteger(x)) return NaN
    // Source: DLMF 5.5.4.
    return digamma(1 - x) - (Math.PI * sinPi(x + 0.5)) / sinPi(x)
  }
  if (x < 1e-3) return digamma(x + 1) - 1 / x
  if (x === Infinity) return Infinity
  let shift = 0
  let y = x
  while (y < 12) shift += 1 / y++
  // Source: DLMF 5.11.2.
  const inverse = 1 / (y * y)
  let series = 0
  for (let j = 8; j >= 0; j--) series = series * inverse + bernoulli[j] / (2 * j + 2)
  return Math.log(y) - 0.5 / y - inverse * series - shift
}

/** So many terms of the zeta function are added one by one. */
const fewTerms = 64

/**
 * Hurwitz's zeta function, the sum of (q + n)^-x: infinite at x = 1 and where q is an integer up to 0; NaN for x < 1, and for negative q
 * unless x is an integer.
 */
export function zeta(x: number, q: number): number {
  if (x !== x || q !== q || x < 1) return NaN
  if (x === 1) return Infinity
  if (q <= 0) {
    if (Number.isInteger(q)) return Infinity
    if (!Number.isInteger(x)) return NaN
  }
  if (q === Infinity) return 0
  if (q < -fewTerms) {
    // Adding one by one would take as many steps as q is large. The terms below 0 are those of two other sums, of alternate sign if x is odd.
    const above = q - Math.floor(q)
    return zeta(x, above) + (x % 2 ? -1 : 1) * (zeta(x, 1 - above) - zeta(x, 1 - q))
  }
  // Source: DLMF 25.11.28, the Euler-Maclaurin formula from the first term that is large enough.
  let sum = 0
  let a = q
  // The formula's terms fall fast only where `a` is larger than the exponent; below, the sum's own do.
  const enough = Math.max(12, 1.5 * x)
  while (a < enough) {
    const term = a ** -x
    sum += term
    a++
    if (a > 1 && Math.abs(term) < 1e-18 * Math.abs(sum)) return sum
  }
  sum += a ** (1 - x) / (x - 1) + a ** -x / 2
  let factor = x * a ** (-x - 1)
  for (let j = 0; j < 10; j++) {
    const term = (bernoulli[j] / factorial(2 * j + 2)) * factor
    sum += term
    if (Math.abs(term) < 1e-18 * Math.abs(sum)) break
    factor *= ((x + 2 * j + 1) * (x + 2 * j + 2)) / (a * a)
  }
  return sum
}

/** The derivative of order `n` of `digamma`; NaN unless `n` is an integer from 0 on. Source: DLMF 5.15.1. */
export function polygamma(n: number, x: number): number {
  if (!Number.isInteger(n) || n < 0 || x !== x) return NaN
  if (n === 0) return digamma(x)
  const sign = n % 2 ? 1 : -1
  return sign * (n < 171 ? factorial(n) * zeta(n + 1, x) : Math.exp(lgamma(n + 1) + Math.log(zeta(n + 1, x))))
}

/** exp(-|x|) times the modified Bessel function of the first kind of order 1. Source: DLMF 10.25.2 and 10.40.1. */
export function besselI1e(x: number): number {
  const size = Math.abs(x)
  if (!(size > 0)) return x
  if (size < 20) {
    const quarter = (x * x) / 4
    let term = x / 2
    let sum = term
    for (let k = 1; Math.abs(term) > 1e-18 * Math.abs(sum); k++) {
      term *= quarter / (k * (k + 1))
      sum += term
    }
    return Math.exp(-size) * sum
  }
  let term = 1
  let sum = 1
  for (let k = 1; k < 40; k++) {
    const next = (-term * (4 - (2 * k - 1) ** 2)) / (8 * k * size)
    if (Math.abs(next) >= Math.abs(term) || Math.abs(next) < 1e-18) break
    sum += term = next
  }
  return (Math.sign(x) * sum) / Math.sqrt(2 * Math.PI * size)
}
