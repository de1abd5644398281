import { complexAtan2, complexLess, complexPower } from '../host/complex.ts'
import type { Tensor } from '../ir/module.ts'
import type { VjpRule } from '../ir/op-definition.ts'
import { add, divide, multiply, negate, subtract } from './arithmetic.ts'
import { compare } from './compare.ts'
import { fill } from './constant.ts'
import { binaryBuilder, binaryOp, floatKinds, numericKinds } from './elementwise.ts'
import { abs, floor, log, sign } from './elementwise-unary.ts'
import { select } from './select.ts'

/** Element-wise ops of two operands beyond plain arithmetic. Source: specification, the op of the same name. */

/** Cotangent of an op that passes one of its operands through: ties share it. */
const choose = (direction: 'GT' | 'LT'): VjpRule<{}> => ({ operands: [lhs, rhs], cotangents: [d], needed }) => {
  if (!d) return [null, null]
  const half = multiply(d, 0.5)
  const zero = fill(0, d.type)
  const tie = compare(lhs, rhs, 'EQ')
  const side = (a: Tensor, b: Tensor) => select(compare(a, b, direction), d, select(tie, half, zero))
  return [needed[0] ? side(lhs, rhs) : null, needed[1] ? side(rhs, lhs) : null]
}

export const maximumOp = binaryOp('maximum', {
  kinds: ['bool', ...numericKinds],
  commutative: true,
  scalars: {
    float: (a, b) => Math.max(a, b),
    integer: (a, b) => Math.max(a, b),
    bigint: (a, b) => (a > b ? a : b),
    bool: (a, b) => a | b,
    complex: (a, b, c, d, out) => {
      const first = a !== a || b !== b || !complexLess(a, b, c, d) && !(c !== c || d !== d)
      out[0] = first ? a : c
      out[1] = first ? b : d
    },
  },
  vjp: choose('GT'),
})
/** The larger of the two; NaN if either is NaN. Ties share the gradient. */
export const maximum = binaryBuilder(maximumOp)

export const minimumOp = binaryOp('minimum', {
  kinds: ['bool', ...numericKinds],
  commutative: true,
  scalars: {
    float: (a, b) => Math.min(a, b),
    integer: (a, b) => Math.min(a, b),
    bigint: (a, b) => (a < b ? a : b),
    bool: (a, b) => a & b,
    complex: (a, b, c, d, out) => {
      const first = a !== a || b !== b || complexLess(a, b, c, d) && !(c !== c || d !== d)
      out[0] = first ? a : c
      out[1] = first ? b : d
    },
  },
  vjp: choose('LT'),
})
/** The smaller of the two; NaN if either is NaN. Ties share the gradient. */
export const minimum = binaryBuilder(minimumOp)

export const powerOp = binaryOp('power', {
  kinds: numericKinds,
  scalars: {
    float: ieeePower,
    integer: (a, b, _bits, signed) => (signed && b < 0 ? negativePower(a, b) : integerPower(a, b)),
    bigint: (a, b, signed) => (signed && b < 0n ? BigInt(negativePower(Number(a), b % 2n === 0n ? 0 : 1)) : bigPower(a, b)),
    complex: complexPower,
  },
  vjp: ({ operands: [lhs, rhs], results: [result], cotangents: [d], needed }) => {
    if (!d) return [null, null]
    const dlhs = () => {
      const slope = multiply(rhs, power(lhs, subtract(rhs, 1)))
      return multiply(d, select(compare(rhs, fill(0, rhs.type), 'EQ'), fill(0, rhs.type), slope))
    }
    // The limit at base 0 is 0; the logarithm there would make it NaN.
    const drhs = () => multiply(d, multiply(result, log(select(compare(lhs, fill(0, lhs.type), 'EQ'), fill(1, lhs.type), lhs))))
    return [needed[0] ? dlhs() : null, needed[1] ? drhs() : null]
  },
})
/** `lhs` to the power `rhs`. */
export const power = binaryBuilder(powerOp)

export const remainderOp = binaryOp('remainder', {
  kinds: numericKinds,
  scalars: {
    float: (a, b) => a % b,
    integer: (a, b) => (b === 0 ? a : a % b),
    bigint: (a, b) => (b === 0n ? a : a % b),
  },
  vjp: ({ operands: [lhs, rhs], cotangents: [d], needed }) => {
    if (!d) return [null, null]
    const quotient = divide(lhs, rhs)
    const truncated = () => multiply(sign(quotient), floor(abs(quotient)))
    return [d, needed[1] ? negate(multiply(d, truncated())) : null]
  },
})
/** The remainder of a division that truncates, with the sign of `lhs`; an integer remainder by zero is `lhs`. */
export const remainder = binaryBuilder(remainderOp)

export const atan2Op = binaryOp('atan2', {
  kinds: floatKinds,
  scalars: { float: Math.atan2, complex: complexAtan2 },
  vjp: ({ operands: [lhs, rhs], cotangents: [d], needed }) => {
    if (!d) return [null, null]
    const scaled = divide(d, add(multiply(lhs, lhs), multiply(rhs, rhs)))
    return [needed[0] ? multiply(scaled, rhs) : null, needed[1] ? negate(multiply(scaled, lhs)) : null]
  },
})
/** The angle of the point (`rhs`, `lhs`) in radians. */
export const atan2 = binaryBuilder(atan2Op)

/** IEEE pow: unlike JavaScript's, `1 ** NaN` and `(-1) ** Infinity` are 1. */
function ieeePower(a: number, b: number): number {
  if (a === 1) return 1
  if (a === -1 && (b === Infinity || b === -Infinity)) return 1
  return a ** b
}
function integerPower(base: number, exponent: number): number {
  let result = 1
  for (let square = base, e = exponent; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = Math.imul(result, square)
    square = Math.imul(square, square)
  }
  return result
}
/** An integer to a negative power: only 1 and -1 have an integer reciprocal; 0 gives all bits set, as a division by zero. */
const negativePower = (base: number, exponent: number): number =>
  base === 1 ? 1 : base === -1 ? (exponent % 2 === 0 ? 1 : -1) : base === 0 ? -1 : 0
function bigPower(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base, e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = BigInt.asIntN(64, result * square)
    square = BigInt.asIntN(64, square * square)
  }
  return result
}
