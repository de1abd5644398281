import type { VectorIndex } from './index-file.ts'
import type { Found, LoadedIndex, SearchOptions, Searcher } from './searcher.ts'

/** Queries to measure a search with. */
export interface SearchSample {
  readonly count: number
  /** `f32[count,size]` */
  readonly queries: Float32Array
  /** The true neighbours; those that this search finds, if none are given. */
  readonly truth?: Pick<Found, 'indices' | 'k'>
}

export interface Measured {
  /** Against the sample's true neighbours. */
  readonly recall: number
  /** Time of a batch divided by its queries, until its results are here: the middle of all rounds. */
  readonly microsecondsPerQuery: number
  readonly compileSeconds: number | undefined
  /** What was found, for the measure of other searches. */
  readonly truth: Found
}

export interface MeasureOptions {
  readonly rounds: number
  readonly onProgress?: (queries: number) => void
  readonly signal?: AbortSignal
}

/** Searches for all queries of a sample once to see what is found, and again for the time. Throws `EngramError`. */
export async function measureSearch(
  loaded: LoadedIndex,
  options: SearchOptions,
  sample: SearchSample,
  { rounds, onProgress, signal }: MeasureOptions,
): Promise<Measured> {
  const searcher = await loaded.searcher(options)
  try {
    let done = 0
    const step = (count: number): void => {
      signal?.throwIfAborted()
      onProgress?.((done += count))
    }
    const found = (await searchAll(searcher, sample, loaded.index.size, step)).found
    const times: number[] = []
    for (let round = 0; round < rounds; round++) times.push(...(await searchAll(searcher, sample, loaded.index.size, step)).times)
    times.sort((a, b) => a - b)
    return {
      recall: recallOf(loaded.index, sample.queries, sample.truth ?? found, found),
      microsecondsPerQuery: times[Math.floor(times.length / 2)] * 1000,
      compileSeconds: searcher.compileSeconds,
      truth: found,
    }
  } finally {
    await searcher.release()
  }
}

/** All neighbours, and milliseconds for a query of each batch. */
async function searchAll(
  searcher: Searcher,
  { count, queries }: SearchSample,
  size: number,
  step: (count: number) => void,
): Promise<{ found: Found; times: number[] }> {
  const { batch, k } = searcher.options
  const found = { count, k, values: new Float32Array(count * k), indices: new Int32Array(count * k) }
  const times: number[] = []
  for (let first = 0; first < count; first += batch) {
    const own = Math.min(batch, count - first)
    const begin = performance.now()
    const part = await searcher.search(queries.subarray(first * size, (first + own) * size))
    // A batch that is filled up takes as long as a full one.
    times.push((performance.now() - begin) / batch)
    found.values.set(part.values, first * k)
    found.indices.set(part.indices, first * k)
    step(own)
  }
  return { found, times }
}

/**
 * The share of the true neighbours among those found, averaged over the queries. A row found counts if it is among the true ones, or as near as the furthest
 * of them: where several rows are equally near, any of them will do. Scores are computed again in double precision.
 * `queries f32[count,size]`; `truth` and `found` hold k rows of the source for each.
 */
export function recallOf(index: VectorIndex, queries: Float32Array, truth: Pick<Found, 'indices' | 'k'>, found: Found): number {
  const { k, count } = found
  const score = scorer(index, queries)
  let right = 0
  let wanted = 0
  for (let query = 0; query < count; query++) {
    const best = Array.from(truth.indices.subarray(query * truth.k, query * truth.k + Math.min(k, truth.k))).filter((row) => row >= 0)
    const known = new Set(best)
    wanted += best.length
    let least: number | undefined
    for (const row of new Set(found.indices.subarray(query * k, (query + 1) * k))) {
      if (row < 0) continue
      if (known.has(row)) right++
      else {
        least ??= Math.min(...best.map((each) => score(query, each)))
        if (score(query, row) >= least) right++
      }
    }
  }
  return wanted === 0 ? 1 : Math.min(1, right / wanted)
}

/** The score of a query and a row of the source, larger for nearer. */
function scorer({ distance, size, rows, vectors, sourceRows }: VectorIndex, queries: Float32Array): (query: number, row: number) => number {
  const places = new Int32Array(rows)
  for (let place = 0; place < rows; place++) places[sourceRows ? (sourceRows.data as Int32Array)[place] : place] = place
  const values = vectors.data as Float32Array
  return (query, row) => {
    const [x, y] = [query * size, places[row] * size]
    let sum = 0
    if (distance === 'l2') for (let i = 0; i < size; i++) sum -= (queries[x + i] - values[y + i]) ** 2
    // The rows of an index for cosines have length 1, and the query's length does not change the order.
    else for (let i = 0; i < size; i++) sum += queries[x + i] * values[y + i]
    return sum
  }
}
