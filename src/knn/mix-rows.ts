import { largestFinite } from '../ir/float-bits.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType, tensorType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { and, or, shiftLeft, shiftRightLogical, xor } from '../ops/bitwise.ts'
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
 * with bins i mod L, all rows of a period of L share one. So rows are moved: blocks of 128 rows by `stir`, which multiplies the bits of their number
 * by Pascal's triangle modulo 2, and the rows within each block are turned, as on a wheel, by a number of the block's own, which comes of the same triangle.
 *
 * Every t rows of that triangle are independent in every t neighbouring columns (the property that makes Sobol's points even). So for any power
 * of two as a period, rows of one phase in 128 blocks that follow each other lie in 128 different bins. Rows of one block lie in bins of their own
 * anyway, as the best of sorted rows do. The turn is scrambled last, so that two phases meet in about as many of their bins as chance would have it. No
 * fixed assignment is safe from rows laid out against it.
 *
 * `stirBins` does it inside the program that searches, `mixRows` once for a database that is searched many times.
 */

/** Rows in a block: as many as a TPU's registers have lanes, and the least number of bins. */
export const blockRows = 128
const blockBits = 7

const swaps = [[1, 0x55555555], [2, 0x33333333], [4, 0x0f0f0f0f], [8, 0x00ff00ff], [16, 0x0000ffff]] as const

/** Bit j of the result is the parity of the bits i of `x` whose number has all bits of j's. It is its own inverse, and raises no bit above the highest. */
const stir = (x: Tensor): Tensor => swaps.reduce((bits, [by, mask]) => xor(bits, and(shiftRightLogical(bits, by), mask)), x)
const stirNumber = (x: number): number => swaps.reduce((bits, [by, mask]) => bits ^ ((bits >>> by) & mask), x)

/** Rounds of an odd factor and what is added, after which high bits go to low ones: a bijection of the numbers below 128 without pattern. */
const turnRounds = [[0x6b, 0x4c], [0x35, 0x1b], [0x5d, 0x62], [0x2b, 0x37]] as const

/** By how many rows the rows of a block are turned: `block i32` -> the same shape, below 128. */
const turnOf = (block: Tensor): Tensor =>
  turnRounds.reduce((bits, [factor, added]) => {
    const product = and(add(multiply(bits, factor), added), blockRows - 1)
    return xor(product, shiftRightLogical(product, 3))
  }, and(stir(shiftLeft(block, blockBits)), blockRows - 1))

/** Where in its block a row goes, and which row stands at a place there, for rows and blocks `i32` of one shape. */
const placeInBlock = (row: Tensor, block: Tensor): Tensor => and(add(row, turnOf(block)), blockRows - 1)
export const rowInBlock = (place: Tensor, block: Tensor): Tensor => and(subtract(place, turnOf(block)), blockRows - 1)

/** The block that stands at a place of a view with lines of `count` blocks: `i32` of any shape -> the same. */
function blockAt(place: Tensor, count: number): Tensor {
  if (count === 1) return place
  const line = and(place, -count)
  return or(line, stir(and(xor(place, stir(line)), count - 1)))
}

/** The row of the database that `stirBins` put at a place of the view: `i32` of any shape -> the same. */
export function unstirredRow(place: Tensor, bins: number): Tensor {
  const block = blockAt(shiftRightLogical(place, blockBits), bins / blockRows)
  return add(multiply(block, blockRows), rowInBlock(and(place, blockRows - 1), block))
}

/**
 * Moves the rows of the `[R, L]` view of a database to their bins: `[batch, R, L, d]` -> the same type; L is a power of two, 128 or more. Rows of a
 * block are moved by a product with matrices of one 1 a row, which a TPU does in a fraction of the time that moving rows takes it. Exact, but for
 * what the product's precision takes from f32 on a TPU, and the search's own product takes that too.
 */
export function stirBins(view: Tensor): Tensor {
  const [lines, bins, d] = view.shape.slice(-3)
  const batch = view.shape.slice(0, -3)
  const count = (lines * bins) / blockRows
  const blocks = reshape(view, [...batch, count, blockRows, d])
  const numbers = blockAt(iota(tensorType('i32', [count]), 0), bins / blockRows)
  return reshape(turnBlocks(bins === blockRows ? blocks : takeAt(blocks, batch.length, numbers), numbers), view.shape)
}

/** Blocks `[batch, blocks, 128, d]` with their rows moved, each by its own turn. */
function turnBlocks(blocks: Tensor, numbers: Tensor): Tensor {
  const batch = blocks.rank - 3
  const square = tensorType('i32', [numbers.shape[0], blockRows, blockRows])
  const ofBlock = broadcastInDim(turnOf(numbers), square.shape, [0])
  const target = and(add(iota(square, 2), ofBlock), blockRows - 1)
  const matrices = convert(compare(target, iota(square, 1), 'EQ'), blocks.dtype)
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

/**
 * Where `mixRows` puts blocks, or with `back` which blocks stand at places. Their number is divided into powers of two, and each part is ordered
 * by `stir`, less what would lead out of the part.
 */
export function movedBlock(block: Tensor, count: number, back: boolean): Tensor {
  const like = (value: number): Tensor => fill(value, block.type)
  let [start, mask, turn] = [like(0), like(0), like(0)]
  for (let from = 0; from < count; ) {
    const part = 2 ** Math.floor(Math.log2(count - from))
    const inside = compare(block, from, 'GE')
    start = select(inside, like(from), start)
    mask = select(inside, like(part - 1), mask)
    turn = select(inside, like(stirNumber(from) & (part - 1)), turn)
    from += part
  }
  const within = subtract(block, start)
  return add(start, and(back ? stir(xor(within, turn)) : xor(stir(within), turn), mask))
}

/** Moves whole blocks and rows within them; the rows after the last whole block stay. */
function movedRow(index: Tensor, size: number, back: boolean): Tensor {
  const count = Math.floor(size / blockRows)
  if (count === 0) return index
  const block = shiftRightLogical(index, blockBits)
  const target = movedBlock(block, count, back)
  const within = and(index, blockRows - 1)
  const row = back ? rowInBlock(within, target) : placeInBlock(within, block)
  return select(compare(index, count * blockRows, 'LT'), add(multiply(target, blockRows), row), index)
}

/** The row before mixing that stands at a place of the mixed database: `i32` of any shape -> the same. */
export const unmixedIndex = (place: Tensor, size: number): Tensor => movedRow(place, size, true)

/** The place of a row in the mixed database: `i32` of any shape -> the same. */
export const mixedPlace = (index: Tensor, size: number): Tensor => movedRow(index, size, false)

/**
 * A database with its rows in the order that spreads periods and neighbours over any number of bins, the same for all databases of a size, for
 * `nearest` with `rowOrder: 'mixed'`. Done once, when the database is built, it keeps every later search from losing neighbours to rows that come
 * sorted or periodic: `[..., n, d]` -> the same type. Throws `OpError`.
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
