import { expect, test } from 'vitest'
import { RecallCount } from '../../scripts/bench/recall-count.ts'
import { HostArray } from '../../src/ir/host-array.ts'

/** `i32[b,h,s,k]` of two slots, two heads, two queries and two neighbours. */
const ages = (values: number[]): HostArray => HostArray.of('i32', [2, 2, 2, 2], Int32Array.from(values))
const nothing = new Array<number>(8).fill(0)

test('counts what was found of the true neighbours, in any order, by segment and head', () => {
  const count = new RecallCount()
  const exact = ages([...nothing, 1, 2, 3, 4, 5, 6, 7, 8])
  count.add(exact, ages([...nothing, 2, 1, 4, 3, 6, 5, 8, 7]), 1, 2)
  count.add(exact, ages([...nothing, 1, 9, 3, 4, 9, 6, 9, 9]), 1, 2)
  expect(count.figures()).toEqual({ recall: 0.75, standardError: 0.25, lowest: 0.5, heads: [0.875, 0.625], segments: 2, queries: 8 })
})

test('a segment that the document ends in counts for its queries alone, and a neighbour that is none for nothing', () => {
  const count = new RecallCount()
  count.add(ages([1, 0, 3, 4, 5, 6, 7, 8, ...nothing]), ages([1, 0, 9, 9, 5, 9, 9, 9, ...nothing]), 0, 1)
  expect(count.figures()).toMatchObject({ heads: [1, 0.5], recall: 0.75, standardError: 0, queries: 2 })
})

test('without segments there is no recall', () => {
  const count = new RecallCount()
  expect(count.isEmpty).toBe(true)
  expect(() => count.figures()).toThrow(RangeError)
})
