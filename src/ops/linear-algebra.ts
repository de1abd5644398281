import { choleskyArray, triangularSolveArray } from '../host/linear-algebra.ts'
import { dtypes } from '../ir/dtypes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { add, multiply, negate } from './arithmetic.ts'
import { type Piece, attributeDictionary, form, operandList, sameOperandsAndResult } from './assembly.ts'
import * as codec from './codecs.ts'
import { type ComparisonDirection, compare } from './compare.ts'
import { fill, zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { dotGeneral } from './dot-general.ts'
import { agreeWithInferred, compatibleSize } from './inferred-types.ts'
import { iota } from './iota.ts'
import { onExpressed } from './quantized.ts'
import { needTensor } from './result-type.ts'
import { select } from './select.ts'
import { transpose } from './transpose.ts'

/** `, lower = true`, if it is set. */
const lowerPiece: Piece = {
  covers: ['lower'],
  print: (operation, printer) => {
    if (operation.attributes.lower !== undefined) printer.text(`, lower = ${operation.attributes.lower}`)
  },
  parse: (parser, state) => {
    if (!parser.accept(',')) return
    parser.expect('lower')
    parser.expect('=')
    const value = parser.accept('true')
    if (!value) parser.expect('false')
    state.attributes.lower = { kind: 'bool', value }
  },
}

/**
 * The triangular factor of positive definite matrices. Only the triangle that `lower` names is read; the other one of the result is zero;
 * a matrix that is not positive definite gives NaN. Source: specification, "cholesky".
 */
export const choleskyOp = defineOp({
  name: 'stablehlo.cholesky',
  operands: ['a'],
  results: ['result'],
  regions: [],
  attributes: { lower: codec.optional(codec.bool, false) },
  assembly: form(operandList, lowerPiece, attributeDictionary, sameOperandsAndResult),
  infer: ({ operands, results, fail }) => {
    const a = needTensor('a', operands[0], fail)
    const { kind } = dtypes[a.dtype]
    if (!a.quantization && kind !== 'float' && kind !== 'complex') fail(`a must have float or complex elements, got ${shortType(a)}`, 'cholesky_i1')
    const rank = a.shape.length
    if (rank < 2) fail(`argument 'a' must have rank >= 2, got shape ${a.shape.map((size) => (size === DYNAMIC ? '?' : size)).join(', ')}.`, 'cholesky_c2')
    if (!compatibleSize(a.shape[rank - 1], a.shape[rank - 2]))
      fail(`minor dimensions of 'a' must have equal size, got shape ${a.shape.map((size) => (size === DYNAMIC ? '?' : size)).join(', ')}.`, 'cholesky_c3')
    return agreeWithInferred([a], results, fail, 'cholesky_c1')
  },
  evaluate: onExpressed(({ arrays: [a], attributes: { lower } }) => [choleskyArray(a, lower ?? false)]),
  vjp: ({ operation, results: [factor], cotangents: [d], attributes: { lower } }) => {
    if (!d) return [null]
    if (dtypes[d.dtype].kind === 'complex') throw new DifferentiationError('cholesky of complex matrices has no gradient here', operation.location)
    const [l, dl] = lower ? [factor, d] : [flip(factor), flip(d)]
    // Source: Murray 2016, "Differentiation of the Cholesky decomposition", section 3.
    const inner = triangle(halveDiagonal(product(flip(l), dl)), 'GE')
    const left = triangularSolve(l, inner, { transpose: 'TRANSPOSE' })
    const whole = triangularSolve(l, left, { leftSide: false })
    // What is read is one triangle, so that it has the cotangents of both.
    const read = triangle(halveDiagonal(add(whole, flip(whole))), 'GE')
    return [lower ? read : flip(read)]
  },
})

/** Rows for columns in the last two axes. */
const flip = (x: Tensor): Tensor => transpose(x, x.shape.map((_, axis) => (axis < x.rank - 2 ? axis : 2 * x.rank - 3 - axis)))

const product = (a: Tensor, b: Tensor): Tensor => {
  const leading = a.shape.slice(0, -2).map((_, axis) => axis)
  return dotGeneral(a, b, { batching: [leading, leading], contracting: [[a.rank - 1], [b.rank - 2]], precision: 'HIGHEST' })
}

/** Row and column numbers of the elements of matrices. */
const positions = (x: Tensor): [Tensor, Tensor] => [iota(tensorType('i32', x.shape), x.rank - 2), iota(tensorType('i32', x.shape), x.rank - 1)]

/** Zero but where row and column are so: `GE` keeps the lower triangle. */
function triangle(x: Tensor, kept: ComparisonDirection): Tensor {
  const [row, column] = positions(x)
  return select(compare(row, column, kept), x, zeros(x.type))
}

function halveDiagonal(x: Tensor): Tensor {
  const [row, column] = positions(x)
  return multiply(x, select(compare(row, column, 'EQ'), fill(0.5, x.type), fill(1, x.type)))
}

const transposes = ['TRANSPOSE_INVALID', 'NO_TRANSPOSE', 'TRANSPOSE', 'ADJOINT'] as const

/** Systems of equations with a triangular matrix, of which only that triangle is read. Source: specification, "triangular_solve". */
export const triangularSolveOp = defineOp({
  name: 'stablehlo.triangular_solve',
  operands: ['a', 'b'],
  results: ['result'],
  regions: [],
  attributes: {
    left_side: codec.bool,
    lower: codec.bool,
    transpose_a: codec.enumeration('transpose', transposes),
    unit_diagonal: codec.bool,
  },
  assembly: 'generic',
  infer: ({ operands, attributes, results, fail }) => {
    const [a, b] = [needTensor('a', operands[0], fail), needTensor('b', operands[1], fail)]
    const { kind } = dtypes[a.dtype]
    if (!a.quantization && kind !== 'float' && kind !== 'complex') fail(`a must have float or complex elements, got ${shortType(a)}`, 'triangular_solve_i1')
    if (a.dtype !== b.dtype) fail(`operands differ in element type: ${shortType(a)} and ${shortType(b)}`, 'triangular_solve_c1')
    const rank = a.shape.length
    const both = `'${typeText(a)}' and '${typeText(b)}'`
    if (rank < 2) fail(`operand 'a' must have rank >= 2, but got '${typeText(a)}'`, 'triangular_solve_c2')
    if (!compatibleSize(a.shape[rank - 2], a.shape[rank - 1])) fail(`two minor dimensions of operand 'a' must be compatible, but got '${typeText(a)}'`, 'triangular_solve_c3')
    if (rank !== b.shape.length) fail(`operands must have equal rank, but got ${both}`, 'triangular_solve_c2')
    if (!compatibleSize(a.shape[rank - 1], b.shape[rank - (attributes.left_side ? 2 : 1)]))
      fail(`shared dimension of operands 'a' and 'b' does not match, but got ${both}`, 'triangular_solve_c3')
    for (let axis = 0; axis < rank - 2; axis++)
      if (!compatibleSize(a.shape[axis], b.shape[axis])) fail(`batch dimensions of the operands must be compatible, but got ${both}`, 'triangular_solve_c3')
    if (attributes.transpose_a === 'TRANSPOSE_INVALID') fail('Invalid transpose option value for triangular solve', 'triangular_solve_i6')
    return agreeWithInferred([b], results, fail, 'triangular_solve_c4')
  },
  evaluate: onExpressed(({ arrays: [a, b], attributes: { left_side: leftSide, lower, unit_diagonal: unitDiagonal, transpose_a } }) => [
    triangularSolveArray(a, b, { leftSide, lower, unitDiagonal, transpose: transpose_a === 'TRANSPOSE_INVALID' ? 'NO_TRANSPOSE' : transpose_a }),
  ]),
  vjp: ({ operation, operands: [a], results: [x], cotangents: [d], attributes, needed }) => {
    if (!d) return [null, null]
    const { left_side: leftSide, lower, unit_diagonal: unitDiagonal, transpose_a } = attributes
    if (transpose_a === 'ADJOINT' && dtypes[a.dtype].kind === 'complex')
      throw new DifferentiationError('triangular_solve with the adjoint of a complex matrix has no gradient here: conjugate the matrix first', operation.location)
    const plain = transpose_a === 'NO_TRANSPOSE'
    const db = triangularSolve(a, d, { leftSide, lower, unitDiagonal, transpose: plain ? 'TRANSPOSE' : 'NO_TRANSPOSE' })
    if (!needed[0]) return [null, db]
    // Of op(a): -db x^T on the left, -x^T db on the right.
    const operator = leftSide ? product(db, flip(x)) : product(flip(x), db)
    const whole = negate(plain ? operator : flip(operator))
    return [triangle(whole, lower ? (unitDiagonal ? 'GT' : 'GE') : unitDiagonal ? 'LT' : 'LE'), db]
  },
})

/** The lower (or upper) triangular factor of positive definite matrices `a f32[...,n,n]`: `a = l l^T`. Throws `OpError`. */
export const cholesky = (a: Tensor, options: { readonly lower?: boolean } = {}): Tensor =>
  emit(choleskyOp, [a], { lower: options.lower ?? true }).results[0] as Tensor

export interface TriangularSolveOptions {
  /** `op(a) x = b` (the default) rather than `x op(a) = b`. */
  readonly leftSide?: boolean
  /** Which triangle of `a` is there; the lower one if absent. */
  readonly lower?: boolean
  /** The diagonal of `a` counts as ones and is not read. */
  readonly unitDiagonal?: boolean
  /** What `op` is; `NO_TRANSPOSE` if absent. */
  readonly transpose?: 'NO_TRANSPOSE' | 'TRANSPOSE' | 'ADJOINT'
}

/** Solves `op(a) x = b` for triangular `a f32[...,n,n]`, `b f32[...,n,k] -> f32[...,n,k]`. Throws `OpError`. */
export function triangularSolve(a: Tensor, b: Tensor, options: TriangularSolveOptions = {}): Tensor {
  const { leftSide = true, lower = true, unitDiagonal = false, transpose: transpose_a = 'NO_TRANSPOSE' } = options
  return emit(triangularSolveOp, [a, b], { left_side: leftSide, lower, unit_diagonal: unitDiagonal, transpose_a }).results[0] as Tensor
}
