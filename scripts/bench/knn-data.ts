import { HostArray } from '../../src/ir/host-array.ts'

/** Data to search: rows in an order that may be made to hurt, and queries. */
export interface KnnData {
  readonly name: string
  readonly queries: HostArray
  readonly database: HostArray
}

export interface KnnSize {
  readonly queries: number
  readonly rows: number
  readonly size: number
}

/** Normal numbers from a seed (mulberry32, Box and Muller). */
export function normalNumbers(seed: number): () => number {
  let state = seed >>> 0
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** Rows `[count, size]` from a function of the row's number. */
const matrix = (count: number, size: number, row: (i: number) => ArrayLike<number>): HostArray => {
  const data = new Float32Array(count * size)
  for (let i = 0; i < count; i++) data.set(row(i), i * size)
  return HostArray.of('f32', [count, size], data)
}

/**
 * Rows whose score for a query is `score(i)` and what is the query's own: the score stands in the first number, which is 1 in each query, and the
 * other numbers are random. So the queries have neighbours of their own, but all of them where `score` is high.
 */
function scored(name: string, { queries, rows, size }: KnnSize, score: (i: number) => number): KnnData {
  const normal = normalNumbers(7)
  const vector = (first: number, length: number) => Array.from({ length: size }, (_, j) => (j === 0 ? first : length * normal()))
  return { name, queries: matrix(queries, size, () => vector(1, 0.1)), database: matrix(rows, size, (i) => vector(score(i), 1)) }
}

/**
 * The data sets of the recall benchmark: independent numbers; clusters; every row eight times, apart and in a row; rows sorted by their score; and
 * rows that repeat with a period: the same rows with a little noise, one good row in each period, scores that rise through it.
 */
export function knnDataSets(of: KnnSize, periods: readonly number[]): KnnData[] {
  const normal = normalNumbers(1)
  const vector = (): number[] => Array.from({ length: of.size }, normal)
  const near = (centre: readonly number[], length: number): number[] => centre.map((x) => x + length * normal())
  const centres = Array.from({ length: 64 }, vector)
  const someCentre = () => centres[Math.abs(Math.trunc(normal() * 1e6)) % 64]
  const bases = Array.from({ length: of.rows }, vector)
  const distinct = bases.slice(0, Math.ceil(of.rows / 8))
  const queries = matrix(of.queries, of.size, vector)
  const database = (row: (i: number) => ArrayLike<number>): HostArray => matrix(of.rows, of.size, row)
  return [
    { name: 'gaussian', queries, database: database((i) => bases[i]) },
    { name: 'clustered', queries: matrix(of.queries, of.size, () => near(someCentre(), 0.3)), database: database(() => near(someCentre(), 0.3)) },
    { name: 'duplicated', queries, database: database((i) => distinct[i % distinct.length]) },
    { name: 'duplicated in a row', queries, database: database((i) => distinct[i >> 3]) },
    scored('sorted', of, (i) => (5 * i) / of.rows),
    scored('sorted descending', of, (i) => (-5 * i) / of.rows),
    ...periods.flatMap((period) => [
      { name: `period ${period}`, queries, database: database((i) => near(bases[i % period], 0.05)) },
      scored(`period ${period}, one good row`, of, (i) => (i % period === 5 % period ? 5 : 0)),
      scored(`period ${period}, rising`, of, (i) => (5 * (i % period)) / period),
    ]),
  ]
}

/** All inner products in f64: `[q][n]`. */
export function allScores({ queries, database }: KnnData): Float64Array[] {
  const [count, size] = queries.shape
  const rows = database.shape[0]
  const [a, b] = [queries.data as Float32Array, database.data as Float32Array]
  return Array.from({ length: count }, (_, q) => {
    const scores = new Float64Array(rows)
    for (let n = 0; n < rows; n++) {
      let sum = 0
      for (let j = 0; j < size; j++) sum += a[q * size + j] * b[n * size + j]
      scores[n] = sum
    }
    return scores
  })
}

/**
 * Of every query the least score that counts as one of the k best: the k-th less 1e-6 of it, for f32 products differ that much with the order of
 * their sums. So recall is by value: of rows with equal scores any will do.
 */
export const leastOfBest = (scores: readonly Float64Array[], k: number): number[] =>
  scores.map((line) => {
    const kth = Float64Array.from(line).sort()[line.length - k]
    return kth - 1e-6 * Math.max(1, Math.abs(kth))
  })

/** The share of the k best that is among `indices i32[q,k]`. */
export function measuredRecall(scores: readonly Float64Array[], least: readonly number[], indices: HostArray): number {
  const [count, k] = indices.shape
  let hits = 0
  for (let q = 0; q < count; q++) {
    const found = new Set(Array.from(indices.data.subarray(q * k, (q + 1) * k), Number))
    for (const at of found) if (at >= 0 && scores[q][at] >= least[q]) hits++
  }
  return hits / (count * k)
}
