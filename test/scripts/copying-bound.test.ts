import { describe, expect, test } from 'vitest'
import { copyingBound } from '../../scripts/experiments/copying-bound.ts'

const costs = (count: number, nats: number): number[] => Array.from({ length: count }, () => nats)

describe('what copying could be worth', () => {
  test('much for a text that repeats, to a model that does not see it', () => {
    const ids = [...Array(40)].map((_, i) => i % 20)
    const { alone, mixed } = copyingBound([{ ids, loss: costs(39, 3) }], 100, 10)
    expect(alone).toBe(3)
    // What follows the second 0 is the first that can be copied: 19 of 39 tokens. The largest share of the guess is .95.
    expect(mixed).toBeCloseTo((20 / 39) * 3 - (19 / 39) * Math.log(0.95 + 0.05 * Math.exp(-3)), 12)
  })

  test('nothing where nothing stood before, or only further back than the window', () => {
    expect(copyingBound([{ ids: [...Array(30).keys()], loss: costs(29, 2) }], 100, 10).mixed).toBeCloseTo(2, 12)
    const ids = [...Array(40)].map((_, i) => i % 20)
    expect(copyingBound([{ ids, loss: costs(39, 2) }], 19, 10).mixed).toBeCloseTo(2, 12)
  })

  test('nothing is taken from one document to another', () => {
    const once = { ids: [...Array(20).keys()], loss: costs(19, 2) }
    expect(copyingBound([once, once], 100, 10).mixed).toBeCloseTo(2, 12)
    expect(() => copyingBound([], 100, 10)).toThrow('no document')
  })
})
