import type { HostArray } from '../../src/ir/host-array.ts'

export interface RecallFigures {
  /** Share of the true neighbours that were found. */
  readonly recall: number
  /** Of `recall`, from how segments differ. */
  readonly standardError: number
  /** That of the segment with the lowest. */
  readonly lowest: number
  readonly heads: readonly number[]
  readonly segments: number
  /** Of all heads together. */
  readonly queries: number
}

/** Counts how many of the true neighbours a search found, by segment and head. A neighbour that scores the same as a true one does not count: the recall is at least what is counted. */
export class RecallCount {
  /** Recall of each head in each segment. */
  readonly #segments: number[][] = []
  #queries = 0

  get isEmpty(): boolean {
    return this.#segments.length === 0
  }

  /** Adds the first `queries` queries of a slot: neighbours `i32[b,h,s,k]`, each by a number of its own, 0 for none. */
  add(exact: HostArray, found: HostArray, slot: number, queries: number): void {
    const [, heads, length, k] = exact.shape
    const row = ({ data }: HostArray, head: number, query: number): Int32Array => (data as Int32Array).subarray(((slot * heads + head) * length + query) * k, ((slot * heads + head) * length + query + 1) * k)
    this.#queries += heads * queries
    this.#segments.push(Array.from({ length: heads }, (_, head) => {
      let [right, all] = [0, 0]
      for (let query = 0; query < queries; query++) {
        const known = new Set(row(found, head, query))
        const wanted = row(exact, head, query).filter((age) => age > 0)
        all += wanted.length
        right += wanted.filter((age) => known.has(age)).length
      }
      return right / all
    }))
  }

  /** Throws `RangeError` if nothing was added. */
  figures(): RecallFigures {
    if (this.isEmpty) throw new RangeError('no segment was added')
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    const own = this.#segments.map(mean)
    const recall = mean(own)
    const variance = own.reduce((sum, value) => sum + (value - recall) ** 2, 0) / Math.max(1, own.length - 1)
    return {
      recall,
      standardError: Math.sqrt(variance / own.length),
      lowest: Math.min(...own),
      heads: this.#segments[0].map((_, head) => mean(this.#segments.map((segment) => segment[head]))),
      segments: own.length,
      queries: this.#queries,
    }
  }
}
