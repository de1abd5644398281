import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { concatenate } from '../ops/concatenate.ts'
import { fill } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../ops/dynamic-slice.ts'
import { maximum, minimum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { expandDims } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { type KeysAndValues, type KeysAndValuesShape, emptyKeysAndValues, grownLength } from './cache.ts'

/**
 * External memory: a ring of `n` places per slot and head that keeps the keys and values of the last `n` tokens of a document. All slots
 * advance together, so they share one write position, and a write is one plain slice update; what a slot may read is told by its own length.
 * A slot that begins a document is emptied by setting its length to 0: nothing is moved. Source: Wu et al. 2022, section 3.1.
 */
export interface MemoryState {
  /** `i32[]`: the place that is written next, 0 to n - 1. */
  readonly position: Tensor
  /** `i32[b]`: tokens of the document that the ring holds, 0 to n. */
  readonly length: Tensor
  /** Of each memory layer, `[b,h,n,d]`. */
  readonly layers: readonly KeysAndValues[]
}

/** The memory of slots that have read nothing. */
export function emptyMemory(shape: KeysAndValuesShape, layers: number, memorySize: number): MemoryState {
  return {
    position: fill(0, tensorType('i32', [])),
    length: fill(0, tensorType('i32', [shape.slots])),
    layers: Array.from({ length: layers }, () => emptyKeysAndValues(shape, memorySize)),
  }
}

/** Which places a slot may read: `position i32[]`, `length i32[b]` after the reset -> `bool[b,n]`. */
export function filledPlaces({ position, length }: Pick<MemoryState, 'position' | 'length'>, memorySize: number): Tensor {
  const place = iota(tensorType('i32', [memorySize]), 0)
  const distance = subtract(subtract(position, 1), place)
  const age = select(compare(distance, 0, 'LT'), add(distance, memorySize), distance)
  return compare(expandDims(age, 0), expandDims(length, 1), 'LT')
}

/** Position and lengths after `count` tokens more. */
export function advanceMemory({ position, length }: Pick<MemoryState, 'position' | 'length'>, count: number, memorySize: number): Pick<MemoryState, 'position' | 'length'> {
  // A segment that fills the whole ring is written from place 0 on.
  if (count >= memorySize) return { position: fill(0, position.type), length: fill(memorySize, length.type) }
  const moved = add(position, count)
  const position2 = select(compare(moved, memorySize, 'GE'), subtract(moved, memorySize), moved)
  return { position: position2, length: grownLength(length, count, memorySize) }
}

/** Writes a segment's keys and values `[b,h,s,d]` into the ring, the oldest lost first; nothing is differentiated into it. */
export function writeMemory(memory: KeysAndValues, fresh: KeysAndValues, position: Tensor): KeysAndValues {
  const write = ringWrite(position, fresh.keys.shape[2], memory.keys.shape[2])
  return { keys: write(memory.keys, fresh.keys), values: write(memory.values, fresh.values) }
}

/**
 * Writes of `count` rows at `position` of rings of `size` rows. A write that goes past the end covers two windows, the last `count` rows and
 * the first; the rows are turned so that each already lies at its place in the window that it belongs to, and both windows keep what is
 * not theirs. So the write costs a few slices of `count` rows, wherever it stands, and never touches the rest of the ring.
 */
function ringWrite(position: Tensor, count: number, size: number): (ring: Tensor, rows: Tensor) => Tensor {
  const asStored = (ring: Tensor, rows: Tensor): Tensor => stopGradient(convert(rows, ring.dtype))
  if (count >= size) return (ring, rows) => sliceAxis(asStored(ring, rows), 2, count - size, count)
  if (count === 1) return (ring, rows) => dynamicUpdateSlice(ring, asStored(ring, rows), [0, 0, position, 0])
  const beyond = maximum(subtract(add(position, count), size), 0)
  const tail = minimum(position, size - count)
  const turn = subtract(count, beyond)
  const inTail = compare(iota(tensorType('i32', [1, 1, count, 1]), 2), beyond, 'GE')
  return (ring, rows) => {
    const stored = asStored(ring, rows)
    const turned = dynamicSlice(concatenate([stored, stored], 2), [0, 0, turn, 0], stored.shape)
    const mask = broadcastInDim(inTail, stored.shape, [0, 1, 2, 3])
    const atTail = dynamicUpdateSlice(ring, select(mask, turned, dynamicSlice(ring, [0, 0, tail, 0], stored.shape)), [0, 0, tail, 0])
    return dynamicUpdateSlice(atTail, select(mask, sliceAxis(atTail, 2, 0, count), turned), [0, 0, 0, 0])
  }
}
