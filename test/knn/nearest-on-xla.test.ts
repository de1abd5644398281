import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KnnData, allScores, knnDataSets, leastOfBest, measuredRecall } from '../../scripts/bench/knn-data.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { mixRows } from '../../src/knn/mix-rows.ts'
import { type NearestOptions, nearest } from '../../src/knn/nearest.ts'
import { lower } from '../../src/program/lower.ts'
import type { Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'

/** What XLA's CPU backend can run of the lowerings: all but the custom call. */
const lowerings = ['exact', 'partial-reduce', 'packed', 'packed-2'] as const

describe('nearest on XLA', () => {
  let xla: Session
  beforeAll(async () => {
    xla = await startRunner()
  })
  afterAll(() => xla.close())

  const compile = async (session: Session, data: KnnData, options: NearestOptions) => {
    const program = lower((q: Tensor, rows: Tensor) => nearest(q, options.rowOrder === 'mixed' ? mixRows(rows) : rows, options), data.queries.type, data.database.type)
    return await session.compile(program)
  }
  const search = async (session: Session, data: KnnData, options: NearestOptions) => (await compile(session, data, options)).run(data.queries, data.database)

  const k = 16
  const sets = knnDataSets({ queries: 32, rows: 4096, size: 8 }, [2, 128, 1024]).map((data) => {
    const scores = allScores(data)
    return { data, scores, least: leastOfBest(scores, k) }
  })

  it.each(lowerings.flatMap((lowering) => (['any', 'mixed'] as const).map((rowOrder) => ({ lowering, rowOrder }))))(
    '$lowering reaches its recall on data in orders that hurt, rows $rowOrder', async ({ lowering, rowOrder }) => {
      const compiled = await compile(xla, sets[0].data, { k, recallTarget: 0.9, lowering, rowOrder })
      for (const { data, scores, least } of sets) {
        const { indices } = await compiled.run(data.queries, data.database)
        expect(measuredRecall(scores, least, indices), data.name).toBeGreaterThan(0.9)
      }
    })

  it.each(lowerings)('%s finds there what the interpreter finds', async (lowering) => {
    const [data] = knnDataSets({ queries: 3, rows: 1100, size: 8 }, [])
    const options = { k: 12, recallTarget: 0.7, lowering, distance: 'l2', valid: 1000 } as const
    const [there, here] = [await search(xla, data, options), await search(startInterpreter(), data, options)]
    expect(there.indices.toNested()).toEqual(here.indices.toNested())
    there.values.data.forEach((value, i) => expect(Number(value)).toBeCloseTo(Number(here.values.data[i]), 3))
  })

  it('rows in their own order lose what a period of the bins puts into one of them', async () => {
    const { data, scores, least } = sets.find((set) => set.data.name === 'period 128, one good row')!
    const { indices } = await search(xla, data, { k, recallTarget: 0.9, lowering: 'packed-2', rowOrder: 'unrelated' })
    expect(measuredRecall(scores, least, indices)).toBeLessThan(0.3)
  })
})
