import { fileURLToPath } from 'node:url'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { mixRows } from '../../src/knn/mix-rows.ts'
import { type NearestOptions, nearest } from '../../src/knn/nearest.ts'
import { type SearchPlan, chooseLowering } from '../../src/knn/plan.ts'
import { expectedRecall, xlaBins } from '../../src/knn/recall.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { startRunner } from '../../src/program/start.ts'
import { TpuCompiler } from '../../src/runner/tpu-compiler.ts'
import { type KnnData, allScores, knnDataSets, leastOfBest, measuredRecall } from './knn-data.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'
import { type TpuFigures, chip, estimateOnTpu, peerText } from './tpu-figures.ts'

export const description = 'estimates of searches on one v5e chip, against JAX\'s approx_max_k at recall 0.95'

const k = 32
const peer = fileURLToPath(new URL('./peers/knn.py', import.meta.url))

interface Shape {
  readonly dtype: 'f32' | 'bf16'
  readonly queries: readonly number[]
  readonly database: readonly number[]
}

const one: Shape = { dtype: 'f32', queries: [1024, 128], database: [65536, 128] }
const perSlot: Shape = { dtype: 'bf16', queries: [64, 512, 128], database: [64, 8192, 128] }

/**
 * `engram` and `peer` are the estimates for 1024 queries in 65,536 rows, a database that `mixRows` made. `details` has the same for rows in any
 * order, which are mixed in the program, for one memory per slot (and as the ring of a Memorizing Transformer, its rows stored mixed and some not there), and
 * for other sizes; and the recall that the search of this size has on XLA's CPU backend, with the bins of the TPU's plan.
 */
export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const compiler = new TpuCompiler({ onLog: log })
  const figures = async (what: string, shape: Shape): Promise<Figures> => {
    const [mixed, any, theirs] = [await ours(compiler, shape, 'mixed'), await ours(compiler, shape, 'any'), await estimateOnTpu(await peerText(peer, peerFlags(shape)), compiler)]
    log(`${what}: mixed ${us(mixed)}, any order ${us(any)}, peer ${us(theirs)} (estimates)`)
    return { mixed, any, peer: { ...theirs, expectedRecall: expectedRecall(xlaBins(shape.database.at(-2)!, k, 0.95).bins, k) }, plan: chooseLowering({ size: shape.database.at(-2)!, k, target: 'tpu' }) }
  }
  try {
    const search = await figures('1024 queries, 65536 rows', one)
    const ring = await estimateOnTpu(ringProgram(), compiler)
    const memory = { ...(await figures('64 x 512 queries, 64 x 8192 rows', perSlot)), ring }
    log(`the same as the ring of a memory: ${us(ring)} (estimate)`)
    const growth = []
    for (const rows of quick ? [1536] : [1536, 4096, 10000, 16384, 65536, 262144, 1048576]) {
      const { mixed, any, peer: theirs, plan } = await figures(`1024 queries, ${rows} rows`, { ...one, database: [rows, 128] })
      growth.push({ rows, us: 1e3 * mixed.ms, anyOrderUs: 1e3 * any.ms, peerUs: 1e3 * theirs.ms, ...plan })
    }
    const recall = await recallOf(quick ? 16 : 128)
    log(`recall on the CPU backend: ${JSON.stringify(recall)}`)
    return compare({ name: 'knn-tpu', unit: 'us (estimate)', engram: 1e3 * search.mixed.ms, peer: 1e3 * search.peer.ms, details: { estimateFor: chip, k, recall, search, memory, growth } })
  } finally {
    await compiler.close()
  }
}

interface Figures {
  readonly mixed: OurFigures
  readonly any: OurFigures
  readonly peer: TpuFigures & { readonly expectedRecall: number }
  readonly plan: SearchPlan
}

type OurFigures = TpuFigures & { readonly scoresInMemory: boolean }

const us = ({ ms, temporariesMB }: TpuFigures): string => `${(1e3 * ms).toFixed(1)} us, ${temporariesMB.toFixed(1)} MB`

const program = ({ dtype, queries, database }: Shape, options: Omit<NearestOptions, 'k'>) =>
  lowerWith({ name: 'search', target: 'tpu' }, (q: Tensor, rows: Tensor) => nearest(q, rows, { k, ...options }), tensorType(dtype, queries), tensorType(dtype, database))

/** The same search as a Memorizing Transformer's, of slots and heads, in a ring of which each slot may read some. */
function ringProgram() {
  const { dtype, queries: [all, queries, size], database: [, rows] } = perSlot
  const slots = Math.sqrt(all)
  const search = (q: Tensor, keys: Tensor, filled: Tensor) => nearest(q, keys, { k, valid: filled, rowOrder: 'unrelated' })
  return lowerWith({ name: 'ring', target: 'tpu' }, search, tensorType(dtype, [slots, slots, queries, size]), tensorType(dtype, [slots, slots, rows, size]), tensorType('bool', [slots, rows]))
}

async function ours(compiler: TpuCompiler, shape: Shape, rowOrder: 'mixed' | 'any'): Promise<OurFigures> {
  const estimated = await estimateOnTpu(program(shape, { rowOrder }), compiler)
  // Any buffer with a number for each query and row; smaller ones are those of the survivors.
  const scores = shape.queries.slice(0, -1).reduce((a, b) => a * b) * shape.database.at(-2)!
  const scoresInMemory = Object.keys(estimated.ops).some((op) => [...op.matchAll(/\w+\[([\d,]+)\]/g)].some(([, sizes]) => sizes.split(',').reduce((a, b) => a * Number(b), 1) >= scores))
  return { ...estimated, scoresInMemory }
}

const peerFlags = ({ dtype, queries, database }: Shape): string[] => ['--queries', queries.join(), '--database', database.join(), '--dtype', dtype, '--k', `${k}`]

/** Recall of the plan for 65,536 rows, on a CPU: of independent rows, and of rows with the period of the bins. */
async function recallOf(queries: number): Promise<Record<string, number>> {
  const [rows, size] = one.database
  const { lowering, bins } = chooseLowering({ size: rows, k, target: 'tpu' })
  const session = await startRunner()
  try {
    const sets = knnDataSets({ queries, rows, size }, [bins])
    const { queries: asked, database } = sets[0]
    const search = await session.compile(lower((q: Tensor, data: Tensor) => nearest(q, mixRows(data), { k, lowering, rowOrder: 'mixed' }).indices, asked.type, database.type))
    const recall: Record<string, number> = {}
    for (const data of sets) recall[data.name] = await measured(data, (each) => search.run(each.queries, each.database))
    return recall
  } finally {
    await session.close()
  }
}

async function measured(data: KnnData, search: (data: KnnData) => Promise<unknown>): Promise<number> {
  const scores = allScores(data)
  return measuredRecall(scores, leastOfBest(scores, k), (await search(data)) as Parameters<typeof measuredRecall>[2])
}
