import { binaryBuilder, binaryOp, logicalKinds, unaryBuilder, unaryOp } from './elementwise.ts'
import { zeroGradient } from './define.ts'
import type { ElementKind } from './elementwise-rules.ts'

/** Logic on `bool` and bits of integers. Source: specification, the op of the same name. */

export const andOp = binaryOp('and', {
  kinds: logicalKinds,
  commutative: true,
  scalars: { integer: (a, b) => a & b, bigint: (a, b) => a & b, bool: (a, b) => a & b },
  vjp: zeroGradient('its results are bits'),
})
/** Logical and for `bool`, bitwise for integers. */
export const and = binaryBuilder(andOp)

export const orOp = binaryOp('or', {
  kinds: logicalKinds,
  commutative: true,
  scalars: { integer: (a, b) => a | b, bigint: (a, b) => a | b, bool: (a, b) => a | b },
  vjp: zeroGradient('its results are bits'),
})
/** Logical or for `bool`, bitwise for integers. */
export const or = binaryBuilder(orOp)

export const xorOp = binaryOp('xor', {
  kinds: logicalKinds,
  commutative: true,
  scalars: { integer: (a, b) => a ^ b, bigint: (a, b) => a ^ b, bool: (a, b) => a ^ b },
  vjp: zeroGradient('its results are bits'),
})
/** Logical exclusive or for `bool`, bitwise for integers. */
export const xor = binaryBuilder(xorOp)

/** The number of bits to shift by, or -1 if it is not in `[0, bits)`. */
const shiftBy = (b: number, bits: number): number => (b >= 0 && b < bits ? b : -1)
const bigShift = (b: bigint): bigint => (b >= 0n && b < 64n ? b : -1n)
const integers: readonly ElementKind[] = ['signed', 'unsigned']

export const shiftLeftOp = binaryOp('shift_left', {
  kinds: integers,
  scalars: {
    integer: (a, b, bits) => (shiftBy(b, bits) < 0 ? 0 : a << b),
    bigint: (a, b) => (bigShift(b) < 0n ? 0n : a << b),
  },
  vjp: zeroGradient('its results are bits'),
})
/** Shifts bits to the left; 0 when `rhs` is not less than the width. */
export const shiftLeft = binaryBuilder(shiftLeftOp)

export const shiftRightArithmeticOp = binaryOp('shift_right_arithmetic', {
  kinds: integers,
  scalars: {
    integer: (a, b, bits) => {
      const value = a << (32 - bits) >> (32 - bits)
      return shiftBy(b, bits) < 0 ? (value < 0 ? -1 : 0) : value >> b
    },
    bigint: (a, b) => BigInt.asIntN(64, a) >> (bigShift(b) < 0n ? 63n : b),
  },
  vjp: zeroGradient('its results are bits'),
})
/** Shifts bits to the right, filling with the sign bit. */
export const shiftRightArithmetic = binaryBuilder(shiftRightArithmeticOp)

export const shiftRightLogicalOp = binaryOp('shift_right_logical', {
  kinds: integers,
  scalars: {
    integer: (a, b, bits) => (shiftBy(b, bits) < 0 ? 0 : (bits === 32 ? a >>> 0 : a & ((1 << bits) - 1)) >>> b),
    bigint: (a, b) => (bigShift(b) < 0n ? 0n : BigInt.asUintN(64, a) >> b),
  },
  vjp: zeroGradient('its results are bits'),
})
/** Shifts bits to the right, filling with zeros. */
export const shiftRightLogical = binaryBuilder(shiftRightLogicalOp)

export const notOp = unaryOp('not', {
  kinds: logicalKinds,
  scalars: { bool: (x) => x ^ 1, integer: (x) => ~x, bigint: (x) => ~x },
  vjp: zeroGradient('its results are bits'),
})
/** Logical not for `bool`, every bit turned for integers. */
export const not = unaryBuilder(notOp)

export const popcntOp = unaryOp('popcnt', {
  kinds: integers,
  scalars: {
    integer: (x, bits) => countOnes(bits === 32 ? x >>> 0 : x & ((1 << bits) - 1)),
    bigint: (x) => {
      const word = BigInt.asUintN(64, x)
      return BigInt(countOnes(Number(word & 0xffffffffn)) + countOnes(Number(word >> 32n)))
    },
  },
  vjp: zeroGradient('its results are bits'),
})
/** Number of bits set. */
export const popcnt = unaryBuilder(popcntOp)

export const countLeadingZerosOp = unaryOp('count_leading_zeros', {
  kinds: integers,
  scalars: {
    integer: (x, bits) => Math.clz32(bits === 32 ? x : x & ((1 << bits) - 1)) - (32 - bits),
    bigint: (x) => {
      const word = BigInt.asUintN(64, x)
      const high = Number(word >> 32n)
      return BigInt(high ? Math.clz32(high) : 32 + Math.clz32(Number(word & 0xffffffffn)))
    },
  },
  vjp: zeroGradient('its results are bits'),
})
/** Number of zero bits before the first one. */
export const countLeadingZeros = unaryBuilder(countLeadingZerosOp)

function countOnes(word: number): number {
  let ones = 0
  for (let rest = word; rest; rest = (rest & (rest - 1)) >>> 0) ones++
  return ones
}
