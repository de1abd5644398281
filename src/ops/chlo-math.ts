import * as complex from '../host/complex-inverse.ts'
import { mapUnary } from '../host/elementwise.ts'
import { multiplyHigh, nextAfterArrays } from '../host/next-after.ts'
import * as special from '../host/special-functions.ts'
import { DifferentiationError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import type { Cotangent, OpDefinition, VjpContext, VjpRule } from '../ir/op-definition.ts'
import type { TensorType } from '../ir/types.ts'
import { add, divide, multiply, negate, subtract } from './arithmetic.ts'
import { chloBinary, chloUnary } from './chlo-forms.ts'
import { fill } from './constant.ts'
import { defineOp, notDifferentiable, zeroGradient } from './define.ts'
import { binaryBuilder, floatKinds, unaryBuilder } from './elementwise.ts'
import { inferSameType } from './elementwise-rules.ts'
import { exponential, rsqrt, tanOp } from './elementwise-unary.ts'

/**
 * Functions of the `chlo` dialect, element by element: in double precision, rounded once. XLA lowers them to StableHLO itself. Source:
 * openxla/stablehlo, `ChloOps.td`.
 */

/** A gradient that is the cotangent times a function of the operand. */
const slope =
  (derivative: (x: Tensor) => Tensor): VjpRule<{}> =>
  ({ operands: [x], cotangents: [d] }) => [d && multiply(d, derivative(x))]

const square = (x: Tensor): Tensor => multiply(x, x)

export const acosOp = chloUnary('acos', {
  kinds: floatKinds,
  scalars: { float: Math.acos, complex: complex.complexAcos },
  vjp: slope((x) => negate(rsqrt(subtract(1, square(x))))),
})
export const acos = unaryBuilder(acosOp)

export const acoshOp = chloUnary('acosh', {
  kinds: floatKinds,
  scalars: { float: Math.acosh, complex: complex.complexAcosh },
  // Two roots, since that of the product has another branch cut.
  vjp: slope((x) => multiply(rsqrt(subtract(x, 1)), rsqrt(add(x, 1)))),
})
export const acosh = unaryBuilder(acoshOp)

export const asinOp = chloUnary('asin', {
  kinds: floatKinds,
  scalars: { float: Math.asin, complex: complex.complexAsin },
  vjp: slope((x) => rsqrt(subtract(1, square(x)))),
})
export const asin = unaryBuilder(asinOp)

export const asinhOp = chloUnary('asinh', {
  kinds: floatKinds,
  scalars: { float: Math.asinh, complex: complex.complexAsinh },
  vjp: slope((x) => rsqrt(add(square(x), 1))),
})
export const asinh = unaryBuilder(asinhOp)

export const atanOp = chloUnary('atan', {
  kinds: floatKinds,
  scalars: { float: Math.atan, complex: complex.complexAtan },
  vjp: slope((x) => divide(1, add(square(x), 1))),
})
export const atan = unaryBuilder(atanOp)

export const atanhOp = chloUnary('atanh', {
  kinds: floatKinds,
  scalars: { float: Math.atanh, complex: complex.complexAtanh },
  vjp: slope((x) => divide(1, subtract(1, square(x)))),
})
export const atanh = unaryBuilder(atanhOp)

/**
 * In f32 `sinh` and `cosh` are what they are lowered to, with its roundings in f32: other implementations give these results, a few units
 * (for |x| near 80 some dozens) from the exact ones, and compare with them. In all other types they are computed in double precision.
 */
const lowered = (exact: OpDefinition<{}>, float: (x: number) => number): OpDefinition<{}> =>
  defineOp({
    ...exact,
    evaluate: (context) => {
      const [operand] = context.arrays
      return operand.dtype === 'f32' ? [mapUnary({ float }, operand, context.resultTypes[0] as TensorType)] : exact.evaluate(context)
    },
  })

const round = Math.fround
const logHalf = round(Math.log(0.5))
const [halfGrowing, halfFalling] = [(x: number) => round(Math.exp(round(x + logHalf))), (x: number) => round(Math.exp(round(logHalf - x)))]

export const sinhOp = lowered(
  chloUnary('sinh', { kinds: floatKinds, scalars: { float: Math.sinh, complex: complex.complexSinh }, vjp: slope((x) => cosh(x)) }),
  (x) => {
    if (Math.abs(x) >= 1) return halfGrowing(x) - halfFalling(x)
    const growth = round(Math.expm1(x))
    return 0.5 * round(growth + round(growth / round(growth + 1)))
  },
)
export const sinh = unaryBuilder(sinhOp)

export const coshOp = lowered(
  chloUnary('cosh', { kinds: floatKinds, scalars: { float: Math.cosh, complex: complex.complexCosh }, vjp: slope((x) => sinh(x)) }),
  (x) => halfGrowing(x) + halfFalling(x),
)
export const cosh = unaryBuilder(coshOp)

/** The same as StableHLO's `tan`, under the name it had before. */
export const chloTanOp: OpDefinition<{}> = { ...tanOp, name: 'chlo.tan', attributes: {}, assembly: acosOp.assembly }
/** Emits `chlo.tan`; `tan` is the op of StableHLO. */
export const chloTan = unaryBuilder(chloTanOp)

export const squareOp = chloUnary('square', {
  kinds: floatKinds,
  scalars: {
    float: (x) => x * x,
    complex: (re, im, out) => {
      out[0] = (re - im) * (re + im)
      out[1] = 2 * re * im
    },
  },
  vjp: slope((x) => multiply(x, 2)),
})

/** Complex conjugate; real numbers as they are. */
export const conjOp = chloUnary('conj', {
  kinds: floatKinds,
  scalars: {
    float: (x) => x,
    complex: (re, im, out) => {
      out[0] = re
      out[1] = -im
    },
  },
  vjp: ({ cotangents: [d] }) => [d && conj(d)],
})
export const conj = unaryBuilder(conjOp)

export const erfOp = chloUnary('erf', {
  kinds: ['float'],
  scalars: { float: special.erf },
  vjp: slope((x) => multiply(exponential(negate(square(x))), 2 / Math.sqrt(Math.PI))),
})
/** Emits `chlo.erf`, which compilers expand as they see fit; `lib/erf` is made of StableHLO. */
export const chloErf = unaryBuilder(erfOp)

export const erfcOp = chloUnary('erfc', {
  kinds: ['float'],
  scalars: { float: special.erfc },
  vjp: slope((x) => multiply(exponential(negate(square(x))), -2 / Math.sqrt(Math.PI))),
})
/** 1 - erf(x), accurate where erf is near 1. */
export const erfc = unaryBuilder(erfcOp)

export const erfInvOp = chloUnary('erf_inv', {
  kinds: ['float'],
  scalars: { float: special.erfInv },
  vjp: ({ results: [y], cotangents: [d] }) => [d && multiply(d, multiply(exponential(square(y)), Math.sqrt(Math.PI) / 2))],
})
/** Emits `chlo.erf_inv`; the same is true of it. */
export const chloErfInv = unaryBuilder(erfInvOp)

export const lgammaOp = chloUnary('lgamma', { kinds: ['float'], scalars: { float: special.lgamma }, vjp: slope((x) => digamma(x)) })
/** log |gamma(x)| */
export const lgamma = unaryBuilder(lgammaOp)

export const digammaOp = chloUnary('digamma', {
  kinds: ['float'],
  scalars: { float: special.digamma },
  vjp: slope((x) => polygamma(fill(1, x.type), x)),
})
/** The derivative of `lgamma`. */
export const digamma = unaryBuilder(digammaOp)

export const besselI1eOp = chloUnary('bessel_i1e', {
  kinds: ['float'],
  scalars: { float: special.besselI1e },
  vjp: notDifferentiable('its derivative is in terms of the Bessel function of order 0, which is no op'),
})
/** exp(-|x|) times the modified Bessel function of order 1. */
export const besselI1e = unaryBuilder(besselI1eOp)

/** A cotangent for the second operand alone. */
function secondOnly({ operation, cotangents: [d], needed }: VjpContext<{}>, first: string, derivative: () => Tensor): readonly Cotangent[] {
  if (!d) return [null, null]
  if (needed[0]) throw new DifferentiationError(`${operation.name} has no gradient with respect to ${first}`, operation.location)
  return [null, multiply(d, derivative())]
}

export const polygammaOp = chloBinary('polygamma', {
  kinds: ['float'],
  scalars: { float: special.polygamma },
  vjp: (context) => {
    const [n, x] = context.operands
    return secondOnly(context, 'the order', () => polygamma(add(n, 1), x))
  },
})
/** The derivative of order `n` of `digamma`: `f32[...], f32[...] -> f32[...]`. */
export const polygamma = binaryBuilder(polygammaOp)

export const zetaOp = chloBinary('zeta', {
  kinds: ['float'],
  scalars: { float: special.zeta },
  vjp: (context) => {
    const [x, q] = context.operands
    return secondOnly(context, 'the exponent', () => negate(multiply(x, zeta(add(x, 1), q))))
  },
})
/** Hurwitz's zeta function: the sum of (q + n)^-x over all n from 0. */
export const zeta = binaryBuilder(zetaOp)

/** The next number of the type after `lhs` in the direction of `rhs`. */
export const nextAfterOp = defineOp({
  ...chloBinary('next_after', { kinds: ['float'], scalars: {}, vjp: zeroGradient('') }),
  evaluate: ({ arrays: [x, y] }) => [nextAfterArrays(x, y)],
  vjp: ({ cotangents: [d] }) => [d, null],
})
export const nextAfter = binaryBuilder(nextAfterOp)

/** The upper half of the product of integers. */
export const mulhiOp = chloBinary('mulhi', {
  kinds: ['signed', 'unsigned'],
  scalars: {
    integer: (a, b, bits) => multiplyHigh(a, b, bits),
    bigint: (a, b) => (a * b) >> 64n,
  },
  vjp: zeroGradient('its results are integers'),
})
export const mulhi = binaryBuilder(mulhiOp)

/** A question about floats. */
const isLike = (name: string, holds: (x: number) => boolean): OpDefinition<{}> =>
  defineOp({
    ...chloUnary(name, { kinds: ['float'], scalars: {}, vjp: zeroGradient('its results are booleans') }),
    infer: (context) => inferSameType(name, ['float'], context, 'bool'),
    evaluate: ({ arrays: [operand], resultTypes }) => [mapUnary({ float: (x) => (holds(x) ? 1 : 0) }, operand, resultTypes[0] as TensorType)],
  })

export const isInfOp = isLike('is_inf', (x) => Math.abs(x) === Infinity)
export const isInf = unaryBuilder(isInfOp)
export const isPosInfOp = isLike('is_pos_inf', (x) => x === Infinity)
export const isPosInf = unaryBuilder(isPosInfOp)
export const isNegInfOp = isLike('is_neg_inf', (x) => x === -Infinity)
export const isNegInf = unaryBuilder(isNegInfOp)
