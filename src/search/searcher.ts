import { InputError } from '../ir/errors.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { DeviceBuffer } from '../ir/backend.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { type NearestOptions, nearest } from '../knn/nearest.ts'
import { type SearchLowering, type SearchPlan, chooseLowering } from '../knn/plan.ts'
import type { Neighbours } from '../knn/top-k.ts'
import { lowerWith } from '../program/lower.ts'
import type { Program } from '../program/program.ts'
import type { Executable, Session } from '../program/session.ts'
import type { Target } from '../trace/target.ts'
import { normaliseRows, rowsAs } from './build-index.ts'
import type { IndexFacts, VectorIndex } from './index-file.ts'

export interface SearchOptions {
  /** Neighbours of each query. */
  readonly k: number
  /** Expected share of the true neighbours among those found; 0.95 by default. */
  readonly recallTarget?: number
  readonly lowering?: SearchLowering | 'auto'
  /** Queries searched at once. */
  readonly batch: number
  /** Computes the scores of what was found once more, where the search's own are rounded. */
  readonly rescore?: boolean
}

/** What a search found, query by query, the nearest first. */
export interface Found {
  readonly count: number
  readonly k: number
  /** Scores, the larger the nearer: inner products, cosines, or minus squared distances; -inf where nothing was found. */
  readonly values: Float32Array
  /** Rows of the source; -1 where nothing was found. */
  readonly indices: Int32Array
}

export type SearchProgram = Program<[queries: Tensor, vectors: Tensor], Neighbours>

/** The search of an index as a program: queries `[batch,size]`, vectors `[rows,size]` in the index's type -> values, indices `[batch,k]`. Throws `EngramError`. */
export function searchProgram(index: IndexFacts, { k, recallTarget, lowering, batch, rescore }: SearchOptions, target: Target): SearchProgram {
  const options: NearestOptions = {
    k,
    recallTarget,
    lowering,
    // The vectors of an index have length 1 already, and so have the queries when they come.
    distance: index.distance === 'cosine' ? 'innerProduct' : index.distance,
    rowOrder: index.shuffleSeed === undefined ? 'any' : 'unrelated',
    rescore,
  }
  const { rows, size, dtype } = index
  const search = (queries: Tensor, vectors: Tensor): Neighbours => nearest(queries, vectors, options)
  return lowerWith({ name: 'search', target }, search, tensorType(dtype, [batch, size]), tensorType(dtype, [rows, size]))
}

/** How the search of an index is carried out on a target. Throws `EngramError` for a k or a recall that cannot be. */
export const searchPlan = ({ rows }: IndexFacts, { k, recallTarget, lowering }: Omit<SearchOptions, 'batch'>, target: Target): SearchPlan =>
  chooseLowering({ size: rows, k, recallTarget, target, lowering: lowering === 'auto' ? undefined : lowering })

/** An index's vectors on a session's device, for any number of searches. */
export class LoadedIndex {
  readonly index: VectorIndex
  readonly session: Session
  readonly vectors: DeviceBuffer

  constructor(session: Session, index: VectorIndex) {
    this.session = session
    this.index = index
    this.vectors = session.put(index.vectors)
  }

  /** Compiles a search. Throws `EngramError`; rejects with the backend's error. */
  async searcher(options: SearchOptions): Promise<Searcher> {
    const target = this.session.platform as Target
    const plan = searchPlan(this.index, options, target)
    const program = searchProgram(this.index, options, target)
    return new Searcher(this, options, plan, await this.session.compile(program))
  }
}

/** A compiled search of an index, for batches of queries. */
export class Searcher {
  readonly plan: SearchPlan
  readonly options: SearchOptions
  readonly #loaded: LoadedIndex
  readonly #executable: Executable<[Tensor, Tensor], Neighbours>

  constructor(loaded: LoadedIndex, options: SearchOptions, plan: SearchPlan, executable: Executable<[Tensor, Tensor], Neighbours>) {
    this.#loaded = loaded
    this.options = options
    this.plan = plan
    this.#executable = executable
  }

  /** The neighbours of up to `batch` queries, `f32[count,size]` row by row. Throws `InputError` if there are more. */
  async search(queries: Float32Array): Promise<Found> {
    const { index, vectors } = this.#loaded
    const { batch, k } = this.options
    const count = queries.length / index.size
    const found = await this.#executable.run(this.prepare(queries), vectors)
    const indices = (found.indices.data as Int32Array).slice(0, count * k)
    const rows = index.sourceRows?.data as Int32Array | undefined
    if (rows) for (let i = 0; i < indices.length; i++) if (indices[i] >= 0) indices[i] = rows[indices[i]]
    return { count, k, values: (found.values.data as Float32Array).slice(0, Math.min(count, batch) * k), indices }
  }

  get compileSeconds(): number | undefined {
    return this.#executable.statistics.compileSeconds
  }

  /** Queries as the program takes them: in the index's type, filled up with zeros to a whole batch. */
  prepare(queries: Float32Array): HostArray {
    const { distance, dtype, size } = this.#loaded.index
    const { batch } = this.options
    if (queries.length > batch * size || queries.length % size !== 0)
      throw new InputError(`a search takes up to ${batch} queries of ${size} components, got ${queries.length} numbers`, 'VECTORS_SHAPE')
    const rows = new Float32Array(batch * size)
    rows.set(queries)
    if (distance === 'cosine') normaliseRows(rows, size)
    return rowsAs(dtype, rows, size)
  }

  release(): Promise<void> {
    return this.#executable.release()
  }
}
