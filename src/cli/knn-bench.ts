import { InputError } from '../ir/errors.ts'
import { parseDataset } from '../data/vector-datasets.ts'
import { openVectors, readFiniteRows } from '../data/vectors.ts'
import { type SearchLowering, type SearchPlan } from '../knn/plan.ts'
import { compileFor, targetTopology } from '../program/compile-for.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { TpuCompiler } from '../runner/tpu-compiler.ts'
import { type IndexFacts, type VectorIndex, isIndexFile, readIndex } from '../search/index-file.ts'
import { type Measured, type SearchSample, measureSearch } from '../search/measure.ts'
import { LoadedIndex, type SearchOptions, searchPlan, searchProgram } from '../search/searcher.ts'
import type { Target } from '../trace/target.ts'
import { stoppable } from './interruption.ts'
import { type BuildFlags, buildFrom } from './knn-build.ts'
import { checkQueries } from './knn-query.ts'
import { ProgressLine } from './progress-line.ts'

interface BenchFlags extends BuildFlags {
  readonly queries?: string
  readonly neighbours: number
  readonly recall: number
  readonly lowering?: readonly (SearchLowering | 'auto')[]
  readonly truth?: string
  readonly estimate?: string
  readonly batch: number
  readonly rounds: number
  readonly backend: BackendName
  readonly json?: boolean
}

/** One line of the table. */
interface BenchRow extends SearchPlan {
  /** Absent where the lowering does not run on the backend. */
  readonly measured?: Omit<Measured, 'truth'>
  readonly estimate?: SearchEstimate
}

/** What the compiler for a TPU makes of the search of one batch. */
interface SearchEstimate {
  readonly target: string
  readonly microseconds: number
  readonly microsecondsPerQuery: number
  readonly temporaryBytes: number
  readonly method: string
}

/** As many queries are generated. */
const generatedQueries = 1024

/** Estimates for a TPU, by one compiler. */
class Estimator {
  readonly #target: string
  readonly #compiler = new TpuCompiler()

  /** Throws `TopologyError`. */
  constructor(target: string) {
    if (targetTopology(target) === undefined) throw new InputError(`an estimate is of a TPU, such as tpu:v5e:2x2, not of ${target}`)
    this.#target = target
  }

  async of(index: IndexFacts, search: SearchOptions, signal: AbortSignal): Promise<SearchEstimate> {
    const { target, estimate, memory } = await compileFor(searchProgram(index, search, 'tpu'), this.#target, { compiler: this.#compiler, signal })
    const microseconds = estimate!.seconds * 1e6
    return { target, microseconds, microsecondsPerQuery: microseconds / search.batch, temporaryBytes: memory?.temporaries ?? 0, method: estimate!.method }
  }

  close(): Promise<void> {
    return this.#compiler.close()
  }
}

export const bench = (reference: string, options: BenchFlags): Promise<void> =>
  stoppable(async (signal) => {
    const estimator = options.estimate === undefined ? undefined : new Estimator(options.estimate)
    const index = (await isIndexFile(reference)) ? await readIndex(reference) : await buildFrom(reference, options, signal)
    const sample = await readSample(index, options)
    const target = options.backend as Target
    const search: SearchOptions = { k: options.neighbours, recallTarget: options.recall, batch: Math.min(options.batch, sample.count) }
    const plans = plansOf(index, search, options.lowering, target)
    const session = await startSession(options.backend)
    const progress = new ProgressLine()
    try {
      const loaded = new LoadedIndex(session, index)
      const rows: BenchRow[] = []
      let { truth } = sample
      for (const plan of plans) {
        progress.show(`${plan.lowering}: estimating`)
        const estimate = await estimator?.of(index, { ...search, lowering: plan.lowering }, signal)
        if (plan.lowering === 'custom-call' && target !== 'tpu') {
          rows.push({ ...plan, estimate })
          continue
        }
        const onProgress = (done: number) => progress.show(`${plan.lowering}: ${done}/${sample.count * (options.rounds + 1)} queries`)
        const { truth: found, ...measured } = await measureSearch(loaded, { ...search, lowering: plan.lowering }, { ...sample, truth }, { rounds: options.rounds, onProgress, signal })
        truth ??= found
        rows.push({ ...plan, measured, estimate })
      }
      const seconds = progress.end()
      const facts = {
        source: index.source, rows: index.rows, size: index.size, distance: index.distance, dtype: index.dtype, shuffled: index.shuffleSeed !== undefined,
        queries: sample.count, batch: search.batch, k: search.k, recallTarget: options.recall, backend: options.backend, truth: options.truth ?? 'exact search', seconds,
      }
      if (options.json) process.stdout.write(`${JSON.stringify({ ...facts, lowerings: rows })}\n`)
      else process.stdout.write(reportText(facts, rows))
    } finally {
      progress.end()
      await estimator?.close()
      await session.close()
    }
  })

/** The queries, and the true neighbours if they are given. */
async function readSample(index: VectorIndex, options: BenchFlags): Promise<SearchSample> {
  const source = await openVectors(queriesOf(index, options), { seed: options.seed, part: 'queries' })
  try {
    checkQueries(source, index)
    const sample = { count: source.rows, queries: await readFiniteRows(source, 0, source.rows) }
    return options.truth === undefined ? sample : { ...sample, truth: await readTruth(options.truth, index, source.rows, options.neighbours) }
  } finally {
    await source.close()
  }
}

/** Queries of the kind of generated vectors, where none are named. Throws `InputError` for vectors of files. */
function queriesOf({ source, size }: VectorIndex, { queries }: BenchFlags): string {
  if (queries !== undefined) return queries
  const dataset = source.includes(':') ? parseDataset(source) : undefined
  if (!dataset) throw new InputError(`${source} is not generated: name vectors to search for with --queries`, 'INPUT_FILE')
  return `${dataset.kind}:${generatedQueries}x${size}`
}

async function readTruth(path: string, index: VectorIndex, queries: number, k: number): Promise<{ indices: Int32Array; k: number }> {
  const source = await openVectors(path)
  try {
    if (source.dtype !== 'i32') throw new InputError(`${path}: true neighbours are rows of the vectors, 32-bit integers as in .ivecs, got ${source.dtype}`, 'VECTORS_FORMAT')
    if (source.rows < queries || source.size < k)
      throw new InputError(`${path} has ${source.size} neighbours of ${source.rows} queries, needed are ${k} of ${queries}`, 'VECTORS_SHAPE')
    const all = (await source.read(0, queries)).data as Int32Array
    const wrong = all.findIndex((row) => row < 0 || row >= index.rows)
    if (wrong >= 0) throw new InputError(`${path}: row ${Math.floor(wrong / source.size)} names vector ${all[wrong]}, there are ${index.rows}`, 'VECTORS_VALUE')
    return { indices: Int32Array.from({ length: queries * k }, (_, i) => all[Math.floor(i / k) * source.size + (i % k)]), k }
  } finally {
    await source.close()
  }
}

/** The exact search, then each lowering that is asked for: by default those that are chosen here and for a TPU. */
function plansOf(index: VectorIndex, search: SearchOptions, wanted: BenchFlags['lowering'], target: Target): SearchPlan[] {
  const plan = (lowering: SearchLowering | 'auto', on: Target) => searchPlan(index, { ...search, lowering }, on)
  const others = wanted ? wanted.map((lowering) => plan(lowering, target)) : [plan('auto', target), plan('auto', 'tpu')]
  const plans = [plan('exact', target), ...others]
  return plans.filter(({ lowering }, i) => plans.findIndex((other) => other.lowering === lowering) === i)
}

type Facts = { readonly [name: string]: unknown; readonly rows: number; readonly size: number }

function reportText(facts: Facts, rows: readonly BenchRow[]): string {
  const head = `${facts.source}: ${facts.rows.toLocaleString('en')} vectors of ${facts.size}, ${facts.dtype}, ${facts.distance}, ${facts.shuffled ? 'in random order' : 'in their own order'}\n` +
    `${facts.queries} queries in batches of ${facts.batch}, k ${facts.k}, recall target ${facts.recallTarget}, on ${facts.backend}; recall against ${facts.truth}\n\n`
  const target = rows[0].estimate?.target
  const columns = ['lowering', 'bins', 'kept', 'expected', 'recall', 'us/query', ...(target ? [`${target} us/query`, 'us/batch', 'temp MB'] : [])]
  const cells = rows.map(({ lowering, bins, perBin, expectedRecall, measured, estimate }) => [
    lowering, lowering === 'exact' ? '-' : String(bins), lowering === 'exact' ? '-' : String(perBin), expectedRecall.toFixed(4),
    measured ? measured.recall.toFixed(4) : '-', measured ? measured.microsecondsPerQuery.toFixed(1) : '-',
    ...(estimate ? [estimate.microsecondsPerQuery.toFixed(3), estimate.microseconds.toFixed(0), (estimate.temporaryBytes / 1e6).toFixed(1)] : []),
  ])
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)))
  const line = (row: readonly string[]) => `${row.map((cell, i) => (i ? cell.padStart(widths[i] + 2) : cell.padEnd(widths[i]))).join('')}\n`
  const notes = rows.map(({ reason }) => `  ${reason}\n`)
  const absent = rows.some(({ measured }) => !measured) ? '  custom-call compiles for TPUs alone: it was not run here\n' : ''
  const method = rows[0].estimate ? `  ${target}: an estimate, not a measurement: ${rows[0].estimate.method}\n` : ''
  return `${head}${line(columns)}${cells.map(line).join('')}\n${notes.join('')}${absent}${method}`
}
