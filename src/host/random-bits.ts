import { dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, elementCount, sizeBytes } from '../ir/types.ts'

/**
 * Counter-based random bits, bit for bit as XLA's `RngBitGenerator` makes them.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011); the layout of the results is XLA's.
 */

/** A function that a key chooses: replaces the counter in `words` by random words. */
type Block = (words: Uint32Array) => void

/** Threefry-2x32 with 20 rounds; two words. */
export function threeFry(key0: number, key1: number): Block {
  const keys = [key0 | 0, key1 | 0, key0 ^ key1 ^ 0x1bd11bda]
  const rotations = [13, 15, 26, 6, 17, 29, 16, 24]
  return (words) => {
    let x = (words[0] + keys[0]) | 0
    let y = (words[1] + keys[1]) | 0
    for (let group = 0; group < 5; group++) {
      const base = group % 2 === 0 ? 0 : 4
      for (let round = base; round < base + 4; round++) {
        x = (x + y) | 0
        const by = rotations[round]
        y = ((y << by) | (y >>> (32 - by))) ^ x
      }
      x = (x + keys[(group + 1) % 3]) | 0
      y = (y + keys[(group + 2) % 3] + group + 1) | 0
    }
    words[0] = x
    words[1] = y
  }
}

/** The high half of the product of two 32-bit words. */
function highProduct(a: number, b: number): number {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const middle = a1 * b0 + ((a0 * b0) >>> 16)
  const other = (middle & 0xffff) + a0 * b1
  return a1 * b1 + Math.floor(middle / 65536) + Math.floor(other / 65536)
}

/** Philox-4x32 with 10 rounds; four words. */
export function philox(key0: number, key1: number): Block {
  return (words) => {
    let a = words[0]
    let b = words[1]
    let c = words[2]
    let d = words[3]
    let k0 = key0 >>> 0
    let k1 = key1 >>> 0
    for (let round = 0; round < 10; round++) {
      const high0 = highProduct(a, 0xd2511f53)
      const low0 = Math.imul(a, 0xd2511f53)
      const high1 = highProduct(c, 0xcd9e8d57)
      const low1 = Math.imul(c, 0xcd9e8d57)
      a = (high1 ^ b ^ k0) >>> 0
      b = low1 >>> 0
      c = (high0 ^ d ^ k1) >>> 0
      d = low0 >>> 0
      k0 = (k0 + 0x9e3779b9) >>> 0
      k1 = (k1 + 0xbb67ae85) >>> 0
    }
    words[0] = a
    words[1] = b
    words[2] = c
    words[3] = d
  }
}

/** Adds to a counter of little-endian 32-bit words. */
function advance(counter: Uint32Array, by: number): void {
  let carry = by
  for (let i = 0; i < counter.length && carry > 0; i++) {
    const sum = counter[i] + carry
    counter[i] = sum
    carry = Math.floor(sum / 2 ** 32)
  }
}

export interface RandomBits {
  /** The state to go on with: the key, and the counter moved on. */
  readonly state: BigUint64Array
  readonly bits: HostArray
}

export type RandomAlgorithm = 'THREE_FRY' | 'PHILOX'

/** Random bits of a type from a state `[key, counter]` (or `[key, low, high]` for Philox). */
export function randomBits(algorithm: RandomAlgorithm, state: BigUint64Array, type: TensorType): RandomBits {
  const next = state.slice()
  const key = new Uint32Array(next.buffer, 0, 2)
  const counter = new Uint32Array(next.buffer, 8)
  const wide = sizeBytes({ ...type, shape: [] }) === 8
  const words = (algorithm === 'THREE_FRY' ? threeFryWords : philoxWords)(key, counter, type.shape, wide)
  const count = elementCount(type.shape)
  const bytes = new Uint8Array(count * sizeBytes({ ...type, shape: [] }))
  // Narrow elements take the low bits of a word each.
  const mask = dtypes[type.dtype].bits < 8 ? 2 ** dtypes[type.dtype].bits - 1 : 255
  if (bytes.length === words.byteLength) bytes.set(new Uint8Array(words.buffer))
  else if (bytes.length === 2 * count) new Uint16Array(bytes.buffer).set(words)
  else for (let i = 0; i < count; i++) bytes[i] = words[i] & mask
  const { bits, kind } = dtypes[type.dtype]
  // A narrow signed element keeps its sign.
  if (kind === 'signed' && bits < 8) for (let i = 0; i < count; i++) if (bytes[i] >> (bits - 1)) bytes[i] |= 0xff & ~mask
  return { state: next, bits: HostArray.fromBytes(type, bytes) }
}

/**
 * Words of all elements in row-major order, one each or two if wide. For one word each, the two words of a block are neighbours along
 * the first axis of even size, or the largest axis if all are odd, whose last word is then left out.
 */
function threeFryWords(key: Uint32Array, counter: Uint32Array, shape: readonly number[], wide: boolean): Uint32Array {
  const block = threeFry(key[0], key[1])
  const pair = new Uint32Array(2)
  const count = elementCount(shape)
  if (wide) {
    const words = new Uint32Array(2 * count)
    for (let i = 0; i < count; i++) {
      pair.set(counter)
      block(pair)
      words.set(pair, 2 * i)
      advance(counter, 1)
    }
    return words
  }
  const words = new Uint32Array(count)
  let axis = shape.findIndex((size) => size % 2 === 0)
  if (axis < 0) axis = shape.reduce((best, size, i) => (best < 0 || size > shape[best] ? i : best), -1)
  const size = axis < 0 ? 1 : shape[axis]
  const inner = elementCount(shape.slice(axis + 1))
  const outer = size === 0 ? 0 : axis < 0 ? 1 : count / (size * inner)
  for (let before = 0; before < outer; before++)
    for (let at = 0; at < size; at += 2)
      for (let after = 0; after < inner; after++) {
        pair.set(counter)
        block(pair)
        advance(counter, 1)
        const place = (before * size + at) * inner + after
        words[place] = pair[0]
        if (at + 1 < size) words[place + inner] = pair[1]
      }
  return words
}

/** Words of all elements in order, four from each block. A state without a high half of the counter has the key in its place. */
function philoxWords(key: Uint32Array, counter: Uint32Array, shape: readonly number[], wide: boolean): Uint32Array {
  const block = philox(key[0], key[1])
  const quad = new Uint32Array(4)
  const words = new Uint32Array(elementCount(shape) * (wide ? 2 : 1))
  for (let i = 0; i < words.length; i += 4) {
    quad.set(key, 2)
    quad.set(counter)
    block(quad)
    words.set(quad.subarray(0, Math.min(4, words.length - i)), i)
    advance(counter, 1)
  }
  return words
}
