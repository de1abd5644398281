import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, subtract } from '../ops/arithmetic.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { expandDims } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { type KeysAndValues, type KeysAndValuesShape, emptyKeysAndValues, grownLength } from './cache.ts'
import { ringPlaces, ringWrite } from './ring.ts'

/**
 * External memory: a ring of `n` places per slot and head that keeps the keys and values of the last `n` tokens of a document. All slots
 * advance together, so they share one write position, and a write touches the written blocks alone; what a slot may read is told by its own length.
 * A slot that begins a document is emptied by setting its length to 0: nothing is moved. Source: Wu et al. 2022, section 3.1.
 */
export interface MemoryState {
  /** `i32[]`: the place that is written next, 0 to n - 1. */
  readonly position: Tensor
  /** `i32[b]`: tokens of the document that the ring holds, 0 to n. */
  readonly length: Tensor
  /** Of each memory layer, `[b,h,n,d]`, the rows in the order that `ringOrder` says. */
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

/** Which rows of a ring, as they are stored, a slot may read: `position i32[]`, `length i32[b]` after the reset -> `bool[b,n]`. */
export function filledRows({ position, length }: Pick<MemoryState, 'position' | 'length'>, memorySize: number): Tensor {
  return compare(expandDims(tokensSince(ringPlaces(memorySize), position, memorySize), 0), expandDims(length, 1), 'LT')
}

/** How many tokens were written after the one in each place. */
function tokensSince(places: Tensor, position: Tensor, memorySize: number): Tensor {
  const distance = subtract(subtract(position, 1), places)
  return select(compare(distance, 0, 'LT'), add(distance, memorySize), distance)
}

/**
 * How many tokens before the next write places of the ring were written: places `i32[...]`, `position i32[]` -> `i32[...]`, 1 for the token written last,
 * 0 for a place of -1, which is none.
 */
export const agesOfPlaces = (places: Tensor, position: Tensor, memorySize: number): Tensor =>
  select(compare(places, 0, 'LT'), fill(0, places.type), add(tokensSince(places, position, memorySize), 1))

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
  const stored = (ring: Tensor, rows: Tensor): Tensor => write(ring, stopGradient(convert(rows, ring.dtype)))
  return { keys: stored(memory.keys, fresh.keys), values: stored(memory.values, fresh.values) }
}
