import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { and, shiftRightLogical, xor } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { abs } from '../ops/elementwise-unary.ts'
import { gather } from '../ops/gather-scatter.ts'
import { iota } from '../ops/iota.ts'
import { optimizationBarrier } from '../ops/optimization-barrier.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { transpose } from '../ops/transpose.ts'

/**
 * Which row goes to which bin. A search that keeps the best few of each bin loses neighbours when many of them share a bin. For data whose
 * order has nothing to do with the scores that is a matter of chance, which the recall theory reckons with; other data make it happen always:
 * with bins i mod L, all rows of a period of L share one. Here row i goes to bin `stir(i) mod L`, where `stir` multiplies the bits of i by
 * Pascal's triangle modulo 2. Every t rows of it are independent in every t neighbouring columns, so that for any power of two of bins, and any
 * power of two as a period, rows of the same phase are dealt out evenly: 2^t of them in a row fill each of 2^t bins once; for a period of 1,
 * so are neighbours, as the best of sorted rows are. No fixed assignment is safe from rows laid out against it. The same property makes
 * Sobol's points even. `stirBins` does it inside the program that searches, `mixRows` once for a database that is searched many times.
 */

const swaps = [[1, 0x55555555], [2, 0x33333333], [4, 0x0f0f0f0f], [8, 0x00ff00ff], [16, 0x0000ffff]] as const

/** Bit j of the result is the parity of the bits i of `x` whose number has all bits of j's. It is its own inverse, and raises no bit above the highest. */
const stir = (x: Tensor): Tensor => swaps.reduce((bits, [by, mask]) => xor(bits, and(shiftRightLogical(bits, by), mask)), x)

/** The same of a number. */
export const stirred = (x: number): number => swaps.reduce((bits, [by, mask]) => bits ^ ((bits >>> by) & mask), x)

/** Lines of this many rows are ordered by a product with a matrix: as many as a TPU's registers have lanes. */
const lineRows = 128

/** What the blocks before it add to the bins of a line of `size` rows: numbers of lines `i32` -> the same shape. */
const lineBits = (line: Tensor, size: number): Tensor => and(stir(multiply(line, size)), size - 1)

/**
 * Orders every line of the `[R, L]` view of a database by the bins of its rows: `[batch, R, L, d]` -> the same type; L is a power of two. Lines of
 * 128 rows are ordered by a product with matrices of one 1 a row, which a TPU does in a fraction of the time that moving rows takes it. In longer
 * lines blocks of 128 rows are moved first: of what is stirred, the bits above the lowest 7 depend on the block alone. Exact, but for what the
 * product's precision takes from f32 on a TPU, and the search's own product takes that too.
 */
export function stirBins(view: Tensor): Tensor {
  const [lines, bins, d] = view.shape.slice(-3)
  const batch = view.shape.slice(0, -3)
  const size = Math.min(bins, lineRows)
  const count = (lines * bins) / size
  const blocks = reshape(view, [...batch, count, size, d])
  const places = iota(tensorType('i32', [count]), 0)
  if (bins === size) return stirLines(blocks, places)
  const numbers = shiftRightLogical(unstirredRow(multiply(places, size), bins), Math.log2(size))
  return reshape(stirLines(takeAt(blocks, blocks.rank - 3, numbers), numbers), view.shape)
}

/** Lines `[batch, lines, size, d]` in the order of the bins of their rows, by the numbers of the lines, `i32[lines]`. */
function stirLines(blocks: Tensor, numbers: Tensor): Tensor {
  const [lines, size] = blocks.shape.slice(-3)
  const batch = blocks.rank - 3
  const square = tensorType('i32', [lines, size, size])
  const ofLine = broadcastInDim(lineBits(numbers, size), square.shape, [0])
  const ofRow = broadcastInDim(stir(iota(tensorType('i32', [size]), 0)), square.shape, [2])
  const matrices = convert(compare(xor(ofRow, ofLine), iota(square, 1), 'EQ'), blocks.dtype)
  // 0 times NaN is NaN: a row with one would spoil its whole line. It goes through the product as a number that no data has.
  const mark = largestFinite(blocks.dtype) > 2 ** 1000 ? 2 ** 1023 : Math.min(largestFinite(blocks.dtype), 2 ** 127)
  const finite = select(compare(abs(blocks), mark, 'LT'), blocks, fill(mark, blocks.type))
  const product = dotGeneral(matrices, finite, { batching: [[0], [batch]], contracting: [[2], [batch + 1]] })
  const moved = select(compare(abs(product), mark, 'LT'), product, fill(NaN, product.type))
  // The product's axes are R, L, the batch, d.
  if (batch > 0) return transpose(moved, [...Array.from({ length: batch }, (_, i) => i + 2), 0, 1, blocks.rank - 1])
  // The compiler would put this product into the search's, and so do it again for every few queries.
  return optimizationBarrier([moved])[0]
}

/** The row of the database that `stirBins` put at a place of the view: `i32` of any shape -> the same. */
export function unstirredRow(place: Tensor, bins: number): Tensor {
  const line = shiftRightLogical(place, Math.log2(bins))
  return add(multiply(line, bins), stir(xor(and(place, bins - 1), lineBits(line, bins))))
}

/**
 * Places of `mixRows`, or with `back` the rows at places. The rows are divided as the size is into powers of two, and each part is ordered by
 * `stir` of the row's number, less what would lead out of the part.
 */
function permuted(index: Tensor, size: number, back: boolean): Tensor {
  const like = (value: number): Tensor => fill(value, index.type)
  let [start, mask, turn] = [like(0), like(0), like(0)]
  for (let from = 0; from < size; ) {
    const part = 2 ** Math.floor(Math.log2(size - from))
    const inside = compare(index, from, 'GE')
    start = select(inside, like(from), start)
    mask = select(inside, like(part - 1), mask)
    turn = select(inside, like(stirred(from) & (part - 1)), turn)
    from += part
  }
  const within = subtract(index, start)
  const moved = back ? stir(xor(within, turn)) : xor(stir(within), turn)
  return add(start, and(moved, mask))
}

/** The row before mixing that stands at a place of the mixed database: `i32` of any shape -> the same. */
export const unmixedIndex = (place: Tensor, size: number): Tensor => permuted(place, size, true)

/** The place of a row in the mixed database: `i32` of any shape -> the same. */
export const mixedPlace = (index: Tensor, size: number): Tensor => permuted(index, size, false)

/**
 * A database with its rows in the order that spreads periods and neighbours over any number of bins, the same for all databases of a size, for
 * `nearest` with `rowOrder: 'mixed'`. Done once, when the database is built, it keeps every later search from losing neighbours to rows that come
 * sorted or periodic: `[..., n, d]` -> the same type. Throws `OpError`. Source: Sobol 1967; the recursion is that of Pascal's triangle modulo 2.
 */
export function mixRows(database: Tensor): Tensor {
  if (database.rank < 2) failIn('mixRows', `a database has rows of numbers, [..., n, d]; got ${shortType(database.type)}`)
  const axis = database.rank - 2
  const size = database.shape[axis]
  if (size < 2) return database
  return takeAt(database, axis, unmixedIndex(iota(tensorType('i32', [size]), 0), size))
}

/** The slices of `x` at `indices i32[m]` along an axis. */
const takeAt = (x: Tensor, axis: number, indices: Tensor): Tensor =>
  gather(x, indices, {
    dimension_numbers: { offset_dims: x.shape.map((_, i) => i).filter((i) => i !== axis), collapsed_slice_dims: [axis], start_index_map: [axis], index_vector_dim: 1 },
    slice_sizes: x.shape.with(axis, 1),
  })
