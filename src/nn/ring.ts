import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { blockRows, mixRows, mixedPlace, movedBlock, rowInBlock, unmixedIndex } from '../knn/mix-rows.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { and, shiftRightLogical } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { concatenate } from '../ops/concatenate.ts'
import { fill } from '../ops/constant.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../ops/dynamic-slice.ts'
import { maximum, minimum, remainder } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { select } from '../ops/select.ts'
import { pad, sliceAxis } from '../ops/slice-pad.ts'

/**
 * Where the rows of a ring stand. Token t of a document goes to place t mod n of a ring of n places. A search of the memory wants its rows mixed, so
 * that text which repeats itself loses no neighbours (see `mixRows`), and to mix all n of them at every step costs more than a third of the
 * search. So they are stored mixed, and a write mixes only what it writes. The order depends on n alone: programs with other
 * segments, and those that write token by token, may take turns with one ring.
 */

/** The order in which a ring of n places stores its rows: that of `mixRows`, or in rings that are not of whole blocks that of the places. */
export const ringOrder = (size: number): 'mixed' | 'any' => (size % blockRows === 0 ? 'mixed' : 'any')

/** The place in the ring of each stored row: `i32[n]`. */
export function ringPlaces(size: number): Tensor {
  const row = iota(tensorType('i32', [size]), 0)
  return ringOrder(size) === 'mixed' ? unmixedIndex(row, size) : row
}

/** Writes rows `[b,h,s,d]` into a ring `[b,h,n,d]`. */
type Write = (ring: Tensor, rows: Tensor) => Tensor

/** Writes of `count` rows from place `position i32[]` of rings of `size` places on. Of more rows than places the last are written, from place 0 on. */
export function ringWrite(position: Tensor, count: number, size: number): Write {
  const mixed = ringOrder(size) === 'mixed'
  if (count >= size) return (_, rows) => inOrder(sliceAxis(rows, 2, count - size, count), mixed)
  if (count === 1) {
    const row = mixed ? mixedPlace(position, size) : position
    return (ring, rows) => dynamicUpdateSlice(ring, rows, [0, 0, row, 0])
  }
  return mixed ? blockWrite(position, count, size) : windowWrite(position, count, size)
}

const inOrder = (rows: Tensor, mixed: boolean): Tensor => (mixed ? mixRows(rows) : rows)

/**
 * The plain ring. A write that goes past the end covers two windows, the last `count` rows and
 * the first; the rows are turned so that each already lies at its place in the window that it belongs to, and both windows keep what is
 * not theirs. So the write costs a few slices of `count` rows, wherever it stands, and never touches the rest of the ring.
 */
function windowWrite(position: Tensor, count: number, size: number): Write {
  const beyond = maximum(subtract(add(position, count), size), 0)
  const tail = minimum(position, size - count)
  const turn = subtract(count, beyond)
  const inTail = compare(iota(tensorType('i32', [1, 1, count, 1]), 2), beyond, 'GE')
  return (ring, rows) => {
    const turned = dynamicSlice(concatenate([rows, rows], 2), [0, 0, turn, 0], rows.shape)
    const mask = broadcastInDim(inTail, rows.shape, [0, 1, 2, 3])
    const atTail = dynamicUpdateSlice(ring, select(mask, turned, dynamicSlice(ring, [0, 0, tail, 0], rows.shape)), [0, 0, tail, 0])
    return dynamicUpdateSlice(atTail, select(mask, sliceAxis(atTail, 2, 0, count), turned), [0, 0, 0, 0])
  }
}

/** The mixed ring, block by block: the rows that go into each are turned as it wants them, and what it has of others it keeps. */
function blockWrite(position: Tensor, count: number, size: number): Write {
  // The write may begin with the last row of a block.
  const touched = Array.from({ length: Math.floor((count + blockRows - 2) / blockRows) + 1 }, (_, i) => touchedBlock(position, count, size, i))
  return (ring, rows) => {
    const none = rows.shape.map(() => 0)
    const late = pad(rows, 0, none.with(2, blockRows - 1), none.with(2, touched.length * blockRows - count))
    const shape = rows.shape.with(2, blockRows)
    return touched.reduce((before, { start, turn, from, written }) => {
      const own = dynamicSlice(late, [0, 0, from, 0], shape)
      const turned = dynamicSlice(concatenate([own, own], 2), [0, 0, turn, 0], shape)
      const after = select(broadcastInDim(written, shape, [2]), turned, dynamicSlice(before, [0, 0, start, 0], shape))
      return dynamicUpdateSlice(before, after, [0, 0, start, 0])
    }, ring)
  }
}

/** A block that a write touches. */
interface TouchedBlock {
  /** The first of its stored rows, `i32[]`. */
  readonly start: Tensor
  /** Which of its rows is stored first, `i32[]`. */
  readonly turn: Tensor
  /** Where it begins in the rows written, if those begin `blockRows - 1` rows late: `i32[]`. */
  readonly from: Tensor
  /** Which of its stored rows are written, `bool[128]`. */
  readonly written: Tensor
}

/** Scalars are worked out for each block by itself: XLA's TPU compiler puts an update into one fusion with what is written only where its place is no element of an array. */
function touchedBlock(position: Tensor, count: number, size: number, i: number): TouchedBlock {
  const blocks = size / blockRows
  const begin = subtract(i * blockRows, and(position, blockRows - 1))
  const block = remainder(add(shiftRightLogical(position, Math.log2(blockRows)), i), blocks)
  const turn = rowInBlock(fill(0, block.type), block)
  const rows = tensorType('i32', [blockRows])
  const everywhere = (x: Tensor): Tensor => broadcastInDim(x, rows.shape, [])
  const row = add(and(add(iota(rows, 0), everywhere(turn)), blockRows - 1), everywhere(begin))
  return {
    start: multiply(movedBlock(block, blocks, false), blockRows),
    turn,
    from: add(begin, blockRows - 1),
    written: and(compare(row, 0, 'GE'), compare(row, count, 'LT')),
  }
}
