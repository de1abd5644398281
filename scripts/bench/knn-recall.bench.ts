import type { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { mixRows } from '../../src/knn/mix-rows.ts'
import { type RowOrder, nearest } from '../../src/knn/nearest.ts'
import { type SearchLowering, chooseLowering, searchLowerings } from '../../src/knn/plan.ts'
import { lower } from '../../src/program/lower.ts'
import type { Executable, Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import { type KnnData, allScores, knnDataSets, leastOfBest, measuredRecall } from './knn-data.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'

export const description = 'recall of every lowering on every data set, measured and expected, against the recall wanted'

interface Measurement {
  readonly data: string
  readonly rows: number
  readonly k: number
  readonly lowering: SearchLowering
  readonly rowOrder: RowOrder
  readonly wanted: number
  readonly expected: number
  readonly measured: number
}

/**
 * The plain-op lowerings run on XLA's CPU backend; the custom call, which no CPU has, in the interpreter by its own definition. `engram` is the
 * least measured recall less the recall wanted, over all of it; the peer is 0, so `engram` must not be negative.
 */
export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const measurements: Measurement[] = []
  const xla = await startRunner()
  const interpreter = startInterpreter()
  try {
    for (const { rows, k, wanted } of quick ? cases.slice(0, 1) : cases) {
      // Every power of two, the numbers of bins among them.
      const periods = Array.from({ length: Math.ceil(Math.log2(rows)) - 1 }, (_, i) => 2 ** (i + 1))
      const sets = knnDataSets({ queries: quick ? 16 : 64, rows, size: 16 }, quick ? [128, 1024] : periods).map((data) => {
        const scores = allScores(data)
        return { data, scores, least: leastOfBest(scores, k) }
      })
      for (const lowering of searchLowerings) {
        const session = lowering === 'custom-call' ? interpreter : xla
        for (const rowOrder of lowering === 'exact' ? (['any'] as const) : (['any', 'mixed'] as const)) {
          const { expectedRecall } = chooseLowering({ size: rows, k, recallTarget: wanted, lowering })
          const search = await searchOn(session, sets[0].data, { k, recallTarget: wanted, lowering, rowOrder })
          const from = measurements.length
          for (const { data, scores, least } of sets)
            measurements.push({ data: data.name, rows, k, lowering, rowOrder, wanted, expected: expectedRecall, measured: measuredRecall(scores, least, await search(data)) })
          const lowest = measurements.slice(from).reduce((a, b) => (b.measured < a.measured ? b : a))
          log(`n ${rows}, k ${k}, ${lowering}, rows ${rowOrder}: expected ${expectedRecall.toFixed(4)}, least measured ${lowest.measured.toFixed(4)} (${lowest.data}), wanted ${wanted}`)
        }
      }
    }
  } finally {
    await xla.close()
  }
  const worst = measurements.reduce((a, b) => (b.measured - b.wanted < a.measured - a.wanted ? b : a))
  return compare({ name: 'knn-recall', unit: 'recall over the wanted', engram: worst.measured - worst.wanted, peer: 0, details: { worst, under: measurements.filter((m) => m.measured < m.wanted), measurements } })
}

const cases = [
  { rows: 16384, k: 32, wanted: 0.95 },
  { rows: 10007, k: 10, wanted: 0.9 },
  { rows: 16384, k: 100, wanted: 0.95 },
  { rows: 8192, k: 32, wanted: 0.99 },
] as const

async function searchOn(session: Session, { queries, database }: KnnData, options: { k: number; recallTarget: number; lowering: SearchLowering; rowOrder: RowOrder }): Promise<(data: KnnData) => Promise<HostArray>> {
  const program = lower((q: Tensor, rows: Tensor) => nearest(q, options.rowOrder === 'mixed' ? mixRows(rows) : rows, options).indices, queries.type, database.type)
  const compiled = (await session.compile(program)) as Executable<any, any>
  return async (data) => (await compiled.run(data.queries, data.database)) as HostArray
}
