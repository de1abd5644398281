import { complexDivide, complexMultiply } from '../host/complex.ts'
import { addFloats, divideFloats, multiplyFloats, subtractFloats } from '../host/float-loops.ts'
import { binaryBuilder, binaryOp, numericKinds, unaryBuilder, unaryOp } from './elementwise.ts'
import { checkAdded } from './quantized-rules.ts'

/** The four operations and negation. Source: specification, the op of the same name. */

export const negateOp = unaryOp('negate', {
  kinds: numericKinds,
  scalars: {
    float: (x) => -x,
    integer: (x) => -x,
    bigint: (x) => -x,
    complex: (re, im, out) => {
      out[0] = -re
      out[1] = -im
    },
  },
  vjp: ({ cotangents: [d] }) => [d && negate(d)],
})
/** `-operand`; integers wrap around. */
export const negate = unaryBuilder(negateOp)

export const addOp = binaryOp('add', {
  perAxis: checkAdded,
  kinds: ['bool', ...numericKinds],
  commutative: true,
  scalars: {
    float: (a, b) => a + b,
    floats: addFloats,
    integer: (a, b) => a + b,
    bigint: (a, b) => a + b,
    bool: (a, b) => a | b,
    complex: (a, b, c, d, out) => {
      out[0] = a + c
      out[1] = b + d
    },
  },
  vjp: ({ cotangents: [d] }) => [d, d],
})
/** `lhs + rhs`; logical or for `bool`. */
export const add = binaryBuilder(addOp)

export const subtractOp = binaryOp('subtract', {
  kinds: numericKinds,
  scalars: {
    float: (a, b) => a - b,
    floats: subtractFloats,
    integer: (a, b) => a - b,
    bigint: (a, b) => a - b,
    complex: (a, b, c, d, out) => {
      out[0] = a - c
      out[1] = b - d
    },
  },
  vjp: ({ cotangents: [d], needed }) => [d, d && needed[1] ? negate(d) : null],
})
/** `lhs - rhs` */
export const subtract = binaryBuilder(subtractOp)

export const multiplyOp = binaryOp('multiply', {
  kinds: ['bool', ...numericKinds],
  commutative: true,
  scalars: {
    float: (a, b) => a * b,
    floats: multiplyFloats,
    integer: (a, b) => Math.imul(a, b),
    bigint: (a, b) => a * b,
    bool: (a, b) => a & b,
    complex: complexMultiply,
  },
  vjp: ({ operands: [lhs, rhs], cotangents: [d], needed }) => [
    d && needed[0] ? multiply(d, rhs) : null,
    d && needed[1] ? multiply(d, lhs) : null,
  ],
})
/** `lhs * rhs`; logical and for `bool`. */
export const multiply = binaryBuilder(multiplyOp)

export const divideOp = binaryOp('divide', {
  kinds: numericKinds,
  scalars: {
    float: (a, b) => a / b,
    floats: divideFloats,
    // By zero: -1 (all bits set), as XLA; the smallest signed value by -1 wraps to itself.
    integer: (a, b) => (b === 0 ? -1 : Math.trunc(a / b)),
    bigint: (a, b) => (b === 0n ? -1n : a / b),
    complex: complexDivide,
  },
  vjp: ({ operands: [, rhs], results: [result], cotangents: [d], needed }) => {
    if (!d) return [null, null]
    const scaled = divide(d, rhs)
    return [scaled, needed[1] ? negate(multiply(scaled, result)) : null]
  },
})
/** `lhs / rhs`; integers truncate towards zero, and a division by zero gives -1 (all bits set). */
export const divide = binaryBuilder(divideOp)
