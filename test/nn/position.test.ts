import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bucketStarts, positionBias, positionMap } from '../../src/nn/position.ts'
import { type Target, withTarget } from '../../src/trace/target.ts'
import { build, read } from '../support/arrays.ts'
import { runOp } from '../support/run-ops.ts'

const t5 = { buckets: 32, maxDistance: 128 }

/** The definition: exact below 16, then logarithmic. */
const bucketOf = (r: number): number => (r < 16 ? r : Math.min(31, 16 + Math.floor((16 * Math.log(r / 16)) / Math.log(128 / 16))))

describe('position buckets', () => {
  test('start where the definition changes its answer', () => {
    const starts = bucketStarts(t5)
    expect(starts).toMatchInlineSnapshot(`
      [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        19,
        21,
        24,
        27,
        31,
        35,
        40,
        46,
        52,
        59,
        67,
        77,
        87,
        99,
        113,
      ]
    `)
    for (let r = 0; r < 1000; r++) expect(starts.findLastIndex((start) => start <= r)).toBe(bucketOf(r))
  })

  test.each([undefined, 'tpu'] as (Target | undefined)[])('the bias of a query and a key is the table entry of their distance, lowered for %s', (target) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 3 }), (queries, cached, heads) => {
        const extent = { queries, keys: cached + queries, offset: cached }
        const table = build('f32', [32, heads], ([bucket, head]) => bucket + head / 8)
        const bias = runOp((weights) => withTarget(target, () => positionBias(weights, positionMap(extent, t5, 'f32'))), table)
        expect(bias.shape).toEqual([heads, queries, cached + queries])
        for (let h = 0; h < heads; h++)
          for (let q = 0; q < queries; q++)
            for (let k = 0; k <= q + cached; k++) expect(read(bias, [h, q, k])).toBe(bucketOf(q + cached - k) + h / 8)
      }),
      { numRuns: 25 },
    )
  })

  test('a few buckets with a short reach', () => {
    expect(bucketStarts({ buckets: 4, maxDistance: 6 })).toEqual([0, 1, 2, 4])
    expect(bucketStarts({ buckets: 8, maxDistance: 5 })).toEqual([0, 1, 2, 3, 4, 5, 5, 5])
  })
})
