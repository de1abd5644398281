import { describe, expect, it } from 'vitest'
import { compare } from '../../scripts/bench/result.ts'
import { rowsOf, tableText } from '../../scripts/bench/search-table.ts'

const figures = (ms: number, temporariesMB: number) => ({ ms, temporariesMB, scoresInMemory: false })
const knnTpu = (memoryMs: number, recall: number) =>
  compare({
    name: 'knn-tpu', unit: 'us', engram: 119, peer: 198,
    details: {
      recall: { gaussian: 0.99, sorted: recall },
      search: { mixed: figures(0.119, 0), any: figures(0.17, 0), peer: { ...figures(0.198, 0), expectedRecall: 0.97 } },
      memory: { mixed: figures(memoryMs, 34), ring: figures(0.9, 34), any: figures(1.2, 134), peer: figures(4.2, 403) },
    },
  })

describe('the table of the search', () => {
  it('holds every figure against its limit', () => {
    expect(rowsOf(knnTpu(0.9, 0.975)).map(({ met }) => met)).toEqual([true, true, true, null, true, true, true, true, null, null])
    const met = (memoryMs: number, recall: number) => rowsOf(knnTpu(memoryMs, recall)).filter((row) => row.met === false).map(({ work }) => work)
    expect(met(1.01, 0.975)).toEqual(['64 x 512 queries, 64 x 8192 rows of 128, bf16'])
    expect(met(0.9, 0.96)).toEqual(['1024 queries, 65536 rows of 128, f32: least recall measured'])
  })

  it('takes the ratio where the peer is the limit, and a promise where there is no peer', () => {
    const cpu = (engram: number) => rowsOf(compare({ name: 'knn-cpu', unit: 'ms', engram, peer: 10, details: {} }))[0].met
    expect([cpu(11), cpu(11.1)]).toEqual([true, false])
    const recall = (engram: number) => rowsOf(compare({ name: 'knn-recall', unit: 'recall', engram, peer: 0, details: {} }))[0].met
    expect([recall(0), recall(-0.001)]).toEqual([true, false])
    expect(rowsOf(compare({ name: 'step-tpu', unit: 'ms', engram: 61, peer: 77, details: { peakMB: { engram: 5400, peer: 5850 } } })).map(({ met }) => met)).toEqual([false, true])
    expect(rowsOf(compare({ name: 'attention-tpu', unit: 'ms', engram: 4, peer: 9, details: {} }))[0].met).toBe(true)
  })

  it('is printed with what is not met in capitals', () => {
    expect(tableText(rowsOf(compare({ name: 'step-tpu', unit: 'ms', engram: 61, peer: 77.5, details: { peakMB: { engram: 5400, peer: 5850 } } })))).toMatchInlineSnapshot(`
      "work                                   unit  engram  peer  ratio    limit
      paper-200m train step                    ms    61.0  77.5  0.787    <= 60  NOT MET
      paper-200m train step: peak of memory    MB    5400  5850  0.923  <= 5500      met"
    `)
  })
})
