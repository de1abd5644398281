import { createHash } from 'node:crypto'

/**
 * Seeded choice for the data side (order of documents, synthetic tasks). It never leaves the host, so it need not be the
 * device's Threefry; it has to be the same on every machine and for every Node version.
 */
export class SeededRandom {
  #a: number
  #b: number
  #c: number
  #d: number

  /** A generator whose sequence is a function of `keys` alone. */
  constructor(...keys: readonly (string | number)[]) {
    const digest = createHash('sha256').update(JSON.stringify(keys)).digest()
    this.#a = digest.readUInt32LE(0)
    this.#b = digest.readUInt32LE(4)
    this.#c = digest.readUInt32LE(8)
    // One odd word keeps the state away from all zeros, the generator's one fixed point.
    this.#d = digest.readUInt32LE(12) | 1
  }

  /** The next 32 random bits. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", xoshiro128**. */
  uint32(): number {
    const product = Math.imul(this.#b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** A whole number from 0 up to `limit` (exclusive, at most 2^32), without bias. */
  below(limit: number): number {
    const fair = 2 ** 32 - (2 ** 32 % limit)
    let value = this.uint32()
    while (value >= fair) value = this.uint32()
    return value % limit
  }

  /** Shuffles `items` in place and returns them. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const kept = items[i]
      items[i] = items[j]
      items[j] = kept
    }
    return items
  }

  /** `count` different whole numbers below `limit`, in random order. */
  distinct(count: number, limit: number): number[] {
    // Floyd's choice of a subset needs memory for `count` alone; the shuffle makes its order random too.
    const chosen = new Set<number>()
    for (let i = limit - count; i < limit; i++) {
      const candidate = this.below(i + 1)
      chosen.add(chosen.has(candidate) ? i : candidate)
    }
    return this.shuffle([...chosen])
  }
}

/** A fraction in [0, 1) that depends on `text` alone. */
export function hashFraction(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48
}

/** Order of two strings by code units: the same on every machine, whatever its locale. */
export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
