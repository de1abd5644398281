import { once } from 'node:events'
import { extname } from 'node:path'
import { type FileWriter, writeFileAtomic } from '../data/atomic-file.ts'
import { writeVecsRows } from '../data/fvecs.ts'
import { npyHeader } from '../data/npy.ts'
import { type VectorSource, openVectors, readFiniteRows } from '../data/vectors.ts'
import { InputError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import type { SearchLowering } from '../knn/plan.ts'
import { type BackendName, startSession } from '../program/start.ts'
import type { Target } from '../trace/target.ts'
import { readIndex } from '../search/index-file.ts'
import { type Found, LoadedIndex, searchPlan } from '../search/searcher.ts'
import { stoppable } from './interruption.ts'
import { ProgressLine } from './progress-line.ts'

interface QueryFlags {
  readonly neighbours: number
  readonly recall: number
  readonly lowering: SearchLowering | 'auto'
  readonly seed: number
  readonly batch: number
  readonly output?: string
  readonly scores?: string
  readonly backend: BackendName
  readonly json?: boolean
}

/** What takes the results, part by part. */
type Sink = (found: Found, first: number) => Promise<void>

/** Throws `InputError` unless the queries have the vectors' size. */
export function checkQueries(queries: VectorSource, index: { readonly size: number; readonly source: string }): void {
  if (queries.size !== index.size)
    throw new InputError(`${queries.name} has vectors of ${queries.size} components, the index (of ${index.source}) has ${index.size}`, 'VECTORS_SHAPE')
}

export const query = (indexPath: string, reference: string, options: QueryFlags): Promise<void> =>
  stoppable(async (signal) => {
    // Everything that can be wrong with the flags and the files is found before a backend is started.
    const [rowsFile, scoresFile] = [fileKind(options.output, ['.npy', '.ivecs', '.jsonl'], 'i32'), fileKind(options.scores, ['.npy', '.fvecs'], 'f32')]
    const index = await readIndex(indexPath)
    const queries = await openVectors(reference, { seed: options.seed, part: 'queries' })
    const search = { k: options.neighbours, recallTarget: options.recall, lowering: options.lowering, batch: Math.min(options.batch, queries.rows), rescore: true }
    try {
      checkQueries(queries, index)
      const plan = searchPlan(index, search, options.backend as Target)
      const session = await startSession(options.backend)
      try {
        const searcher = await new LoadedIndex(session, index).searcher(search)
        const begin = performance.now()
        const type = (dtype: 'i32' | 'f32') => tensorType(dtype, [queries.rows, search.k])
        await writing(rowsFile, type('i32'), (found) => found.indices, (rowsSink) =>
          writing(scoresFile, type('f32'), (found) => found.values, async (scoresSink) => {
            const progress = new ProgressLine()
            const sinks = [rowsSink, scoresSink].filter((sink) => sink !== undefined)
            for (let first = 0; first < queries.rows; first += search.batch) {
              signal.throwIfAborted()
              const found = await searcher.search(await readFiniteRows(queries, first, Math.min(search.batch, queries.rows - first)))
              for (const sink of sinks) await sink(found, first)
              // A slow reader is waited for, so that the lines do not pile up here.
              if (!rowsFile && !options.json && !process.stdout.write(lines(found, first))) await once(process.stdout, 'drain', { signal })
              progress.show(`${first + found.count}/${queries.rows} queries`)
            }
            progress.end()
          }))
        const seconds = Math.round(performance.now() - begin) / 1000
        const summary = { index: indexPath, queries: queries.rows, k: search.k, ...plan, output: options.output ?? null, scores: options.scores ?? null, seconds }
        if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
        else process.stderr.write(`${queries.rows} queries in ${seconds.toFixed(2)} s; ${plan.reason}\n`)
      } finally {
        await session.close()
      }
    } finally {
      await queries.close()
    }
  })

interface OutputFile {
  readonly path: string
  readonly ending: string
}

function fileKind(path: string | undefined, endings: readonly string[], dtype: string): OutputFile | undefined {
  if (path === undefined) return undefined
  const ending = extname(path)
  if (!endings.includes(ending)) throw new InputError(`${path}: what is found (${dtype}) can be written as ${endings.join(', ')}`, 'INPUT_FILE')
  return { path, ending }
}

/** Runs `body` with a sink into a file that appears when `body` has succeeded; without a file, with none. */
async function writing(
  file: OutputFile | undefined,
  type: HostArray['type'],
  of: (found: Found) => Int32Array | Float32Array,
  body: (sink?: Sink) => Promise<void>,
): Promise<void> {
  if (!file) return body()
  await writeFileAtomic(file.path, async (writer: FileWriter) => {
    if (file.ending === '.npy') await writer.write(npyHeader(type))
    await body(async (found, first) => {
      const rows = new HostArray(tensorType(type.dtype, [found.count, found.k]), of(found))
      if (file.ending === '.jsonl') await writer.write(new TextEncoder().encode(lines(found, first)))
      else if (file.ending === '.npy') await writer.write(rows.toBytes())
      else await writeVecsRows(writer, rows)
    })
  })
}

/** `{"query":0,"rows":[5,3],"scores":[-0.1,-0.5]}`, a line per query; what was not found is left out. */
function lines({ count, k, indices, values }: Found, first: number): string {
  let text = ''
  for (let query = 0; query < count; query++) {
    const there = Array.from({ length: k }, (_, i) => query * k + i).filter((i) => indices[i] >= 0)
    text += `${JSON.stringify({ query: first + query, rows: there.map((i) => indices[i]), scores: there.map((i) => values[i]) })}\n`
  }
  return text
}
