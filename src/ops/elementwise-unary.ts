import { complexExp, complexLog, complexSqrt } from '../host/complex.ts'
import * as scalar from '../host/scalar-functions.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, compatibleShape, typeText } from '../ir/types.ts'
import { mapUnary } from '../host/elementwise.ts'
import { emit } from '../trace/emit.ts'
import { add, divide, multiply, negate, subtract } from './arithmetic.ts'
import { functionalForm } from './assembly.ts'
import { compare } from './compare.ts'
import { complex, imag, real } from './complex.ts'
import { zeros } from './constant.ts'
import { defineOp, zeroGradient } from './define.ts'
import { floatKinds, unaryBuilder, unaryOp } from './elementwise.ts'
import { inferSameType } from './elementwise-rules.ts'
import { onExpressed } from './quantized.ts'
import { select } from './select.ts'

/** Element-wise ops of one operand. Source: specification, the op of the same name. */

export const signOp = unaryOp('sign', {
  kinds: ['signed', 'float', 'complex'],
  scalars: {
    float: (x) => (x !== x ? NaN : x > 0 ? 1 : x < 0 ? -1 : x),
    integer: Math.sign,
    bigint: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
    complex: (re, im, out) => {
      const modulus = Math.hypot(re, im)
      out[0] = modulus === 0 ? 0 : re / modulus
      out[1] = modulus === 0 ? 0 : im / modulus
    },
  },
  vjp: zeroGradient('the sign is constant almost everywhere'),
})
/** -1, 0 or 1; zeros keep their sign, NaN stays. */
export const sign = unaryBuilder(signOp)

/** Absolute value; the result of a complex operand is real. */
export const absOp = defineOp({
  ...unaryOp('abs', { kinds: ['signed', 'float', 'complex'], scalars: {}, vjp: zeroGradient('') }),
  infer: (context) => {
    const [operand] = context.operands
    const complex = operand.kind === 'tensor' && (operand.dtype === 'c64' ? 'f32' : operand.dtype === 'c128' ? 'f64' : undefined)
    return inferSameType('abs', ['signed', 'float', 'complex'], context, complex || undefined)
  },
  evaluate: onExpressed(({ arrays: [operand], resultTypes }) => [
    mapUnary(
      {
        float: Math.abs,
        integer: Math.abs,
        bigint: (x) => (x < 0n ? -x : x),
        complex: (re, im, out) => {
          out[0] = Math.hypot(re, im)
        },
      },
      operand,
      resultTypes[0] as TensorType,
    ),
  ]),
  vjp: ({ operands: [x], results: [modulus], cotangents: [d] }) => {
    if (!d || x.dtype === d.dtype) return [d && multiply(d, sign(x))]
    // The conjugate of x, as cotangents of complex numbers are; 0 at 0.
    const scale = select(compare(modulus, 0, 'EQ'), zeros(d.type), divide(d, modulus))
    return [complex(multiply(real(x), scale), negate(multiply(imag(x), scale)))]
  },
})
/** |x| */
export const abs = (operand: Tensor): Tensor => emit(absOp, [operand], {}).results[0] as Tensor

const rounding = (name: string, float: (x: number) => number) =>
  unaryOp(name, { kinds: ['float'], scalars: { float }, vjp: zeroGradient('rounding is constant almost everywhere') })

export const ceilOp = rounding('ceil', Math.ceil)
export const ceil = unaryBuilder(ceilOp)
export const floorOp = rounding('floor', Math.floor)
export const floor = unaryBuilder(floorOp)
export const roundNearestAfzOp = rounding('round_nearest_afz', (x) => {
  const magnitude = Math.abs(x)
  const whole = Math.floor(magnitude)
  const rounded = magnitude - whole >= 0.5 ? whole + 1 : whole
  return x < 0 || Object.is(x, -0) ? -rounded : rounded
})
/** To the nearest integer, halves away from zero. */
export const roundNearestAfz = unaryBuilder(roundNearestAfzOp)
export const roundNearestEvenOp = rounding('round_nearest_even', (x) => {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x
  const floorValue = Math.floor(x)
  const rest = x - floorValue
  const rounded = rest > 0.5 || (rest === 0.5 && floorValue % 2 !== 0) ? floorValue + 1 : floorValue
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded
})
/** To the nearest integer, halves to the even one. */
export const roundNearestEven = unaryBuilder(roundNearestEvenOp)

export const exponentialOp = unaryOp('exponential', {
  accuracy: true,
  kinds: floatKinds,
  scalars: { float: scalar.exp, complex: complexExp },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, y)],
})
/** e to the power x. */
export const exponential = unaryBuilder(exponentialOp)

export const exponentialMinusOneOp = unaryOp('exponential_minus_one', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: scalar.expm1,
    complex: (re, im, out) => {
      const half = Math.sin(im / 2)
      const growth = Math.expm1(re)
      out[0] = growth * Math.cos(im) - 2 * half * half
      out[1] = (growth + 1) * Math.sin(im)
    },
  },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, add(y, 1))],
})
/** e^x - 1, accurate near 0. */
export const exponentialMinusOne = unaryBuilder(exponentialMinusOneOp)

export const logOp = unaryOp('log', {
  accuracy: true,
  kinds: floatKinds,
  scalars: { float: scalar.log, complex: complexLog },
  vjp: ({ operands: [x], cotangents: [d] }) => [d && divide(d, x)],
})
/** Natural logarithm. */
export const log = unaryBuilder(logOp)

export const logPlusOneOp = unaryOp('log_plus_one', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: scalar.log1p,
    complex: (re, im, out) => {
      out[0] = 0.5 * Math.log1p(2 * re + re * re + im * im)
      out[1] = Math.atan2(im, re + 1)
    },
  },
  vjp: ({ operands: [x], cotangents: [d] }) => [d && divide(d, add(x, 1))],
})
/** log(1 + x), accurate near 0. */
export const logPlusOne = unaryBuilder(logPlusOneOp)

export const logisticOp = unaryOp('logistic', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: (x) => 1 / (1 + scalar.exp(-x)),
    complex: (re, im, out) => {
      // Of e^z and e^-z the one that cannot overflow.
      const left = re < 0
      complexExp(left ? re : -re, left ? im : -im, out)
      const [a, b] = [out[0], out[1]]
      const modulus = (1 + a) * (1 + a) + b * b
      out[0] = left ? (a * (1 + a) + b * b) / modulus : (1 + a) / modulus
      out[1] = (left ? b : -b) / modulus
    },
  },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, multiply(y, subtract(1, y)))],
})
/** 1 / (1 + e^-x) */
export const logistic = unaryBuilder(logisticOp)

export const tanhOp = unaryOp('tanh', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: scalar.tanh,
    complex: (re, im, out) => {
      if (Math.abs(re) > 20) {
        out[0] = Math.sign(re)
        out[1] = 4 * Math.sin(im) * Math.cos(im) * Math.exp(-2 * Math.abs(re))
        return
      }
      const denominator = Math.cosh(2 * re) + Math.cos(2 * im)
      out[0] = Math.sinh(2 * re) / denominator
      out[1] = Math.sin(2 * im) / denominator
    },
  },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, subtract(1, multiply(y, y)))],
})
export const tanh = unaryBuilder(tanhOp)

export const sqrtOp = unaryOp('sqrt', {
  accuracy: true,
  kinds: floatKinds,
  scalars: { float: Math.sqrt, complex: complexSqrt },
  vjp: ({ results: [y], cotangents: [d] }) => [d && divide(d, multiply(y, 2))],
})
export const sqrt = unaryBuilder(sqrtOp)

export const rsqrtOp = unaryOp('rsqrt', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: (x) => 1 / Math.sqrt(x),
    complex: (re, im, out) => {
      complexSqrt(re, im, out)
      const [a, b] = out
      const modulus = a * a + b * b
      out[0] = a / modulus
      out[1] = -b / modulus
    },
  },
  vjp: ({ operands: [x], results: [y], cotangents: [d] }) => [d && multiply(d, divide(multiply(y, -0.5), x))],
})
/** 1 / sqrt(x) */
export const rsqrt = unaryBuilder(rsqrtOp)

export const cbrtOp = unaryOp('cbrt', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: scalar.cbrt,
    complex: (re, im, out) => {
      const modulus = Math.cbrt(Math.hypot(re, im))
      const angle = Math.atan2(im, re) / 3
      out[0] = modulus * Math.cos(angle)
      out[1] = modulus * Math.sin(angle)
    },
  },
  vjp: ({ results: [y], cotangents: [d] }) => [d && divide(d, multiply(multiply(y, y), 3))],
})
/** Cube root. */
export const cbrt = unaryBuilder(cbrtOp)

export const sineOp = unaryOp('sine', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: Math.sin,
    complex: (re, im, out) => {
      out[0] = Math.sin(re) * Math.cosh(im)
      out[1] = Math.cos(re) * Math.sinh(im)
    },
  },
  vjp: ({ operands: [x], cotangents: [d] }) => [d && multiply(d, cosine(x))],
})
export const sine = unaryBuilder(sineOp)

export const cosineOp = unaryOp('cosine', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: Math.cos,
    complex: (re, im, out) => {
      out[0] = Math.cos(re) * Math.cosh(im)
      out[1] = -Math.sin(re) * Math.sinh(im)
    },
  },
  vjp: ({ operands: [x], cotangents: [d] }) => [d && negate(multiply(d, sine(x)))],
})
export const cosine = unaryBuilder(cosineOp)

export const tanOp = unaryOp('tan', {
  accuracy: true,
  kinds: floatKinds,
  scalars: {
    float: Math.tan,
    complex: (re, im, out) => {
      if (Math.abs(im) > 20) {
        out[0] = 4 * Math.sin(re) * Math.cos(re) * Math.exp(-2 * Math.abs(im))
        out[1] = Math.sign(im)
        return
      }
      const denominator = Math.cos(2 * re) + Math.cosh(2 * im)
      out[0] = Math.sin(2 * re) / denominator
      out[1] = Math.sinh(2 * im) / denominator
    },
  },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, add(multiply(y, y), 1))],
})
export const tan = unaryBuilder(tanOp)

export const isFiniteOp = defineOp({
  ...unaryOp('is_finite', { kinds: ['float'], scalars: {}, vjp: zeroGradient('its results are booleans') }),
  assembly: functionalForm,
  infer: (context) => {
    const [operand, result] = [context.operands[0], context.results?.[0]]
    if (result?.kind === 'tensor' && operand.kind === 'tensor' && !compatibleShape(operand.shape, result.shape))
      context.fail(`all non-scalar operands/results must have the same shape and base type: '${typeText(operand)}' and '${typeText(result)}'`, 'is_finite_c1')
    return inferSameType('is_finite', ['float'], context, 'bool')
  },
  evaluate: onExpressed(({ arrays: [operand], resultTypes }) => [
    mapUnary({ float: (x) => (Number.isFinite(x) ? 1 : 0) }, operand, resultTypes[0] as TensorType),
  ]),
})
/** Whether a value is neither infinite nor NaN. */
export const isFinite = (operand: Tensor): Tensor => emit(isFiniteOp, [operand], {}).results[0] as Tensor

/** max(x, 0), whose gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => select(compare(x, 0, 'GT'), x, zeros(x.type))

