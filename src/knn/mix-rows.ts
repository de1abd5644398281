import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { and, shiftRightLogical, xor } from '../ops/bitwise.ts'
import { compare } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { remainder } from '../ops/elementwise-binary.ts'
import { gather } from '../ops/gather-scatter.ts'
import { iota } from '../ops/iota.ts'
import { optimizationBarrier } from '../ops/optimization-barrier.ts'
import { select } from '../ops/select.ts'
import { transpose } from '../ops/transpose.ts'

/**
 * Which row goes to which bin. A search that keeps the best few of each bin loses neighbours when many of them share a bin. For data whose
 * order has nothing to do with the scores that is a matter of chance, which the recall theory reckons with; sorted or periodic data make it
 * happen always: with bins i mod L, all rows of a period of L fall into one. No fixed assignment is safe from an adversary who knows it; one
 * made of a hash is safe from every order that was not made against it. Two are here: `rotateBins` inside the program that searches, and
 * `mixRows` for a database that is searched many times.
 */

/** The bits of a `u32` well stirred. Source: Wellons, "lowbias32". */
function hash(x: Tensor): Tensor {
  const once = multiply(xor(x, shiftRightLogical(x, 16)), 0x21f0aaad)
  const twice = multiply(xor(once, shiftRightLogical(once, 15)), 0x735a2d97)
  return xor(twice, shiftRightLogical(twice, 15))
}

/** A hash of `u32` numbers below `limit`. */
function hashBelow(x: Tensor, limit: number, key: number): Tensor {
  const stirred = hash(add(x, key))
  return (limit & (limit - 1)) === 0 ? and(stirred, limit - 1) : remainder(stirred, limit)
}

/** By how much line `r` of an `[R, L]` view of the database is rotated: `r i32` -> `i32` below `bins`. */
const rotationOf = (line: Tensor, bins: number): Tensor => convert(hashBelow(convert(line, 'u32'), bins, 0x9e3779b9), 'i32')

/** A number below `2 limit`, without the limit if it is in it. */
const wrapped = (x: Tensor, limit: number): Tensor => select(compare(x, limit, 'GE'), subtract(x, limit), x)

/**
 * Rotates every line of the `[R, L]` view of a database along L, each by its own pseudo-random number, as a product with matrices of one 1 a
 * row, which a TPU does in a fraction of the time that moving rows takes it: `[batch, R, L, d]` -> the same type. Exact, but for what the
 * product's precision takes from f32 on a TPU, and the search's own product takes that too.
 */
export function rotateBins(view: Tensor): Tensor {
  const [lines, bins] = view.shape.slice(-3)
  const batch = view.rank - 3
  const square = tensorType('i32', [lines, bins, bins])
  const source = unrotated(iota(square, 0), iota(square, 1), bins)
  const matrices = convert(compare(source, iota(square, 2), 'EQ'), view.dtype)
  const moved = dotGeneral(matrices, view, { batching: [[0], [batch]], contracting: [[2], [batch + 1]] })
  // The product's axes are R, L, the batch, d.
  if (batch > 0) return transpose(moved, [...Array.from({ length: batch }, (_, i) => i + 2), 0, 1, view.rank - 1])
  // The compiler would put this product into the search's, and so do it again for every few queries.
  return optimizationBarrier([moved])[0]
}

/** The column that `rotateBins` took column `column` of line `line` from. */
export const unrotated = (line: Tensor, column: Tensor, bins: number): Tensor => wrapped(subtract(add(column, bins), rotationOf(line, bins)), bins)

/** Each round of the permutation of `mixRows` stirs one coordinate by a hash of the other. */
const roundKeys = [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f, 0x165667b1] as const

/** Where `mixRows` puts a row, or with `back` which row stands at a place. The rows form a rectangle, about square; what does not fill a line of it stays. */
function permuted(index: Tensor, size: number, back: boolean): Tensor {
  const columns = 2 ** Math.round(Math.log2(size) / 2)
  const lines = Math.floor(size / columns)
  const wide = convert(index, 'u32')
  const turn = (x: Tensor, by: Tensor, limit: number): Tensor => remainder(back ? subtract(add(x, limit), by) : add(x, by), limit)
  let column = and(wide, columns - 1)
  let line = shiftRightLogical(wide, Math.log2(columns))
  for (let i = 0; i < roundKeys.length; i++) {
    const round = back ? roundKeys.length - 1 - i : i
    if (round % 2 === 0) column = turn(column, hashBelow(line, columns, roundKeys[round]), columns)
    else line = turn(line, hashBelow(column, lines, roundKeys[round]), lines)
  }
  return select(compare(index, lines * columns, 'LT'), convert(add(multiply(line, columns), column), 'i32'), index)
}

/** The row before mixing that stands at a place of the mixed database: `i32` of any shape -> the same. */
export const unmixedIndex = (place: Tensor, size: number): Tensor => permuted(place, size, true)

/** The place of a row in the mixed database: `i32` of any shape -> the same. */
export const mixedPlace = (index: Tensor, size: number): Tensor => permuted(index, size, false)

/**
 * A database with its rows in a pseudo-random order, the same for all databases of a size, for `nearest` with `rowOrder: 'mixed'`. Done once,
 * when the database is built, it makes every later search safe from rows that come sorted or periodic: `[..., n, d]` -> the same type.
 * Throws `OpError`.
 */
export function mixRows(database: Tensor): Tensor {
  if (database.rank < 2) failIn('mixRows', `a database has rows of numbers, [..., n, d]; got ${shortType(database.type)}`)
  const axis = database.rank - 2
  const size = database.shape[axis]
  if (size < 2) return database
  return gather(database, unmixedIndex(iota(tensorType('i32', [size]), 0), size), {
    dimension_numbers: {
      offset_dims: database.shape.map((_, i) => i).filter((i) => i !== axis),
      collapsed_slice_dims: [axis],
      start_index_map: [axis],
      index_vector_dim: 1,
    },
    slice_sizes: database.shape.with(axis, 1),
  })
}
