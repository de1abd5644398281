import { describe, expect, it } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { nearest } from '../../src/knn/nearest.ts'
import { chooseLowering, searchLowerings } from '../../src/knn/plan.ts'
import { lowerWith } from '../../src/program/lower.ts'

describe('the choice of a lowering', () => {
  it('says why', () => {
    const reasons = [
      { size: 65536, k: 32, target: 'tpu' },
      { size: 65536, k: 32, target: 'cpu' },
      { size: 65536, k: 32 },
      { size: 65536, k: 32, target: 'tpu', recallTarget: 1 },
      { size: 300, k: 32, target: 'tpu' },
      { size: 1048576, k: 1024, target: 'tpu' },
      { size: 65536, k: 32, lowering: 'packed' },
      { size: 65536, k: 32, lowering: 'custom-call' },
      { size: 200, k: 32, lowering: 'custom-call' },
    ].map((size) => chooseLowering(size as Parameters<typeof chooseLowering>[0]).reason)
    expect(reasons).toMatchInlineSnapshot(`
      [
        "packed-2: the target is tpu; the best two of each of 128 bins reach recall 0.9916 for the 0.95 wanted",
        "exact: the target is cpu, where all scores and a top-k cost least",
        "exact: no target is named, where all scores and a top-k cost least",
        "exact: the recall target is 1",
        "exact: 300 entries are too few to reduce for 32 of them at a recall of 0.95",
        "packed-2: the target is tpu; the best two of each of 4096 bins reach recall 0.9909 for the 0.95 wanted",
        "packed was asked for; the best of each of 1024 bins reach recall 0.9852 for the 0.95 wanted",
        "custom-call was asked for; XLA chooses 2048 bins",
        "exact: ApproxTopK would not reduce 200 entries for 32 of them at a recall of 0.95",
      ]
    `)
  })

  it('expects at least the recall that is wanted, from survivors enough', () => {
    for (const lowering of searchLowerings)
      for (const size of [1000, 1536, 10007, 65536, 1048576])
        for (const k of [1, 10, 32, 100, 512])
          for (const recallTarget of [0.5, 0.9, 0.95, 0.99]) {
            const plan = chooseLowering({ size, k, recallTarget, lowering })
            expect(plan.expectedRecall, `${lowering}, ${k} of ${size}, ${recallTarget}`).toBeGreaterThanOrEqual(recallTarget)
            expect(plan.bins * plan.perBin).toBeGreaterThanOrEqual(k)
          }
  })

  it('can be read off every op of the search', () => {
    const { textWithLocations } = lowerWith({ target: 'tpu' }, (q: Tensor, rows: Tensor) => nearest(q, rows, { k: 32 }), tensorType('f32', [8, 16]), tensorType('f32', [8192, 16]))
    expect(textWithLocations).toContain('nearest[packed-2 bins=128 recall=0.9919]')
  })
})
