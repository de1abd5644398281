import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { binsForRecall, expectedRecall, expectedRecallOfBest, xlaBins } from '../../src/knn/recall.ts'
import { findPython } from '../../src/runner/python.ts'
import { seededRandom } from '../support/op-samples/sample.ts'

/** Mean share of the true top k that survives when entries are dealt to equal bins at random and the best few of each bin are kept. */
function simulatedRecall(size: number, bins: number, keptPerBin: number, k: number, rounds: number): number {
  const random = seededRandom(11)
  let found = 0
  for (let round = 0; round < rounds; round++) {
    // Only where the best k fall matters: the first k places of a random permutation.
    const places = Array.from({ length: size }, (_, i) => i)
    const taken = new Array<number>(bins).fill(0)
    for (let rank = 0; rank < k; rank++) {
      const other = rank + Math.floor(random() * (size - rank))
      ;[places[rank], places[other]] = [places[other], places[rank]]
      if (taken[places[rank] % bins]++ < keptPerBin) found++
    }
  }
  return found / (rounds * k)
}

describe('recall of a partial reduction', () => {
  it('agrees with the published figures', () => {
    expect(expectedRecallOfBest({ size: 65536, bins: 512, keptPerBin: 1, k: 32 })).toBeCloseTo(0.9705, 4)
    expect(expectedRecallOfBest({ size: 65536, bins: 128, keptPerBin: 2, k: 32 })).toBeCloseTo(0.9916, 4)
    expect([256, 512, 1024, 4096].map((bins) => Number(expectedRecall(bins, 32).toFixed(3)))).toEqual([0.886, 0.941, 0.97, 0.992])
  })

  it.each([
    { size: 1024, bins: 128, keptPerBin: 1, k: 32 },
    { size: 1024, bins: 64, keptPerBin: 2, k: 32 },
    { size: 256, bins: 32, keptPerBin: 4, k: 64 },
    { size: 512, bins: 512, keptPerBin: 1, k: 100 },
  ])('agrees with a simulation: $keptPerBin of each of $bins bins, $size entries, k $k', ({ size, bins, keptPerBin, k }) => {
    const simulated = simulatedRecall(size, bins, keptPerBin, k, 2000)
    expect(Math.abs(expectedRecallOfBest({ size, bins, keptPerBin, k }) - simulated)).toBeLessThan(0.005)
  })

  it('is a lower bound that the simulation stays above, close to it', () => {
    const simulated = simulatedRecall(8192, 256, 1, 32, 500)
    expect(simulated).toBeGreaterThan(expectedRecall(256, 32) - 0.01)
    expect(simulated).toBeLessThan(expectedRecall(256, 32) + 0.1)
  })

  it('gives the least number of bins for a recall', () => {
    for (const k of [2, 10, 32, 100])
      for (const recall of [0.5, 0.8, 0.95, 0.99]) {
        const bins = binsForRecall(k, recall)
        expect(expectedRecall(bins, k)).toBeGreaterThanOrEqual(recall)
        expect(expectedRecall(bins - 1, k)).toBeLessThan(recall)
      }
    expect(binsForRecall(1, 0.5)).toBe(1)
    expect(binsForRecall(5, 1)).toBe(Infinity)
  })

  it('chooses bins as XLA does', () => {
    const bins = (size: number, k: number, recall: number, rank?: number, sizeOverride?: number) => {
      const chosen = xlaBins(size, k, recall, { rank, sizeOverride })
      return `${chosen.bins} ${chosen.log2PerBin}`
    }
    expect([0.8, 0.9, 0.95, 0.99].map((recall) => xlaBins(65536, 32, recall).bins)).toEqual([256, 512, 1024, 4096])
    // Taken from jaxlib 0.10.2, which agrees on 12,798 further cases.
    expect(bins(129, 2, 0.5, 2, 516)).toBe('256 0')
    expect(bins(128, 32, 0.9)).toBe('128 0')
    expect(bins(8192, 1, 0.9)).toBe('128 6')
    expect(bins(8192, 32, 1)).toBe('8192 0')
    expect(bins(10000, 32, 0.95)).toBe('640 4')
    expect(bins(10000, 10, 0.9, 1)).toBe('2048 3')
  })

  it('chooses bins as jaxlib does', () => {
    const random = seededRandom(5)
    const cases = Array.from({ length: 3000 }, () => {
      const size = 1 + Math.floor(2 ** (random() * 20))
      const k = 1 + Math.floor(random() ** 2 * Math.min(size, 1024))
      const recall = [0.5, 0.8, 0.9, 0.95, 0.99, 1, 0.05 + 0.9 * random()][Math.floor(random() * 7)]
      return [size, Math.min(k, size), Math.fround(recall), random() < 0.2 ? 1 : 2, random() < 0.3 ? size * (1 + Math.floor(random() * 8)) : -1] as const
    })
    const script = fileURLToPath(new URL('approx-bins.py', import.meta.url))
    const output = execFileSync(findPython().command, [script], { input: JSON.stringify(cases), encoding: 'utf8', env: { ...process.env, JAX_PLATFORMS: 'cpu' } })
    const ours = cases.map(([size, k, recall, rank, sizeOverride]) => {
      const { bins, log2PerBin } = xlaBins(size, k, recall, { rank, sizeOverride })
      return [bins, log2PerBin]
    })
    expect(ours).toEqual(JSON.parse(output))
  })

  it('refuses what has no answer', () => {
    const messages = [
      () => expectedRecall(0, 3),
      () => binsForRecall(3, 0),
      () => xlaBins(100, 2, 1.5),
      () => xlaBins(100, 0, 0.5),
      () => xlaBins(1000, 2, 0.5, { sizeOverride: 10 }),
      () => expectedRecallOfBest({ size: 100, bins: 30, keptPerBin: 1, k: 5 }),
      () => expectedRecallOfBest({ size: 100, bins: 25, keptPerBin: 1, k: 101 }),
    ].map((call) => {
      try {
        return String(call())
      } catch (error) {
        return (error as Error).message
      }
    })
    expect(messages).toMatchInlineSnapshot(`
      [
        "bins is 0, must be an integer of 1 or more",
        "the recall target is 0, must be greater than 0 and at most 1",
        "the recall target is 1.5, must be greater than 0 and at most 1",
        "k is 0, must be an integer of 1 or more",
        "reductionInputSizeOverride is 10, must be at least the 1000 entries of this shard",
        "100 entries do not divide into 30 equal bins",
        "k is 101, there are 100 entries",
      ]
    `)
  })
})
