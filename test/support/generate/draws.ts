/**
 * The choices behind one generated step: numbers that fast-check drew, used up in order. Past the end every choice is 0, and 0 is always the
 * simplest one, so that a program gets simpler as fast-check makes the numbers smaller.
 */
export class Draws {
  readonly #numbers: readonly number[]
  #next = 0

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    if (limit <= 1) return 0
    return (this.#numbers[this.#next++] ?? 0) % limit
  }

  /** An integer from `low` to `high`, `low` being the simplest. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True in one of `n` cases. */
  oneIn(n: number): boolean {
    return this.below(n) === n - 1
  }

  /** One of the list, the first being the simplest. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }

  /** `0 .. n-1` in any order. */
  permutation(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i)
    for (let i = 0; i + 1 < n; i++) {
      const j = i + this.below(n - i)
      ;[order[i], order[j]] = [order[j], order[i]]
    }
    return order
  }

  /** Some of `0 .. n-1`, ascending; none is the simplest. */
  subset(n: number): number[] {
    return Array.from({ length: n }, (_, i) => i).filter(() => this.below(2) === 1)
  }
}
