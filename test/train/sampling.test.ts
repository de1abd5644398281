import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { foldIn, randomKey } from '../../src/lib/random.ts'
import { map } from '../../src/lib/loops.ts'
import { iota } from '../../src/ops/iota.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { drawToken, samplingSchema } from '../../src/train/sampling.ts'

/** Probabilities .4, .3, .2, .1 in an order of their own. */
const logits = HostArray.from('f32', [Math.log(0.2), Math.log(0.4), Math.log(0.1), Math.log(0.3)])
const draws = 400

/** How often each token is drawn. */
function counts(options: Parameters<typeof samplingSchema.parse>[0]): number[] {
  const sampling = samplingSchema.parse(options)
  const many = (x: Tensor): Tensor => map((i: Tensor) => drawToken(x, foldIn(randomKey(7), i), sampling), iota(tensorType('i32', [draws]), 0))
  const tokens = evaluate(many, logits).toNested() as number[]
  return [0, 1, 2, 3].map((token) => tokens.filter((drawn) => drawn === token).length)
}

/** Three standard deviations of a count of that probability. */
const near = (p: number): [number, number] => {
  const spread = 3 * Math.sqrt(draws * p * (1 - p))
  return [draws * p - spread, draws * p + spread]
}
function expectCounts(found: number[], probabilities: number[]): void {
  for (const [i, p] of probabilities.entries()) {
    const [least, most] = near(p)
    expect(found[i], `token ${i} of probability ${p}`).toBeGreaterThanOrEqual(least)
    expect(found[i], `token ${i} of probability ${p}`).toBeLessThanOrEqual(most)
  }
}

describe('drawing a token', () => {
  it('follows the probabilities', () => expectCounts(counts({}), [0.2, 0.4, 0.1, 0.3]))
  it('takes the most likely one at temperature 0', () => expect(counts({ temperature: 0 })).toEqual([0, draws, 0, 0]))
  it('sharpens with a low temperature', () => {
    const squares = [0.04, 0.16, 0.01, 0.09].map((p) => p / 0.3)
    expectCounts(counts({ temperature: 0.5 }), squares)
  })
  it('draws from the k most likely ones alone', () => expectCounts(counts({ topK: 2 }), [0, 4 / 7, 0, 3 / 7]))
  it('takes a k beyond the vocabulary for all', () => expectCounts(counts({ topK: 9 }), [0.2, 0.4, 0.1, 0.3]))
  // .4 is less than the share, .4 + .3 is not.
  it('draws from the fewest that have the probability together', () => expectCounts(counts({ topP: 0.6 }), [0, 4 / 7, 0, 3 / 7]))
  it('always leaves one', () => expect(counts({ topP: 0.001 })).toEqual([0, draws, 0, 0]))
  it('combines both limits', () => expectCounts(counts({ topK: 3, topP: 0.75 }), [2 / 9, 4 / 9, 0, 3 / 9]))
  it('refuses what means nothing', () => {
    for (const wrong of [{ temperature: -1 }, { topK: 0 }, { topP: 0 }, { topP: 1.5 }, { other: 1 }]) expect(samplingSchema.safeParse(wrong).success).toBe(false)
  })
})
