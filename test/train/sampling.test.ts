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

/** Tokens whose count is more than three standard deviations from what their probability makes likely. */
const unlikely = (found: number[], probabilities: number[]): number[] =>
  [0, 1, 2, 3].filter((token) => {
    const p = probabilities[token]
    return Math.abs(found[token] - draws * p) > 3 * Math.sqrt(draws * p * (1 - p))
  })

describe('drawing a token', () => {
  it.each([
    ['follows the probabilities', {}, [0.2, 0.4, 0.1, 0.3]],
    ['takes the most likely one at temperature 0', { temperature: 0 }, [0, 1, 0, 0]],
    ['sharpens with a low temperature', { temperature: 0.5 }, [4 / 30, 16 / 30, 1 / 30, 9 / 30]],
    ['draws from the k most likely ones alone', { topK: 2 }, [0, 4 / 7, 0, 3 / 7]],
    ['takes a k beyond the vocabulary for all', { topK: 9 }, [0.2, 0.4, 0.1, 0.3]],
    // .4 is less than the share, .4 + .3 is not.
    ['draws from the fewest that have the probability together', { topP: 0.6 }, [0, 4 / 7, 0, 3 / 7]],
    ['always leaves one', { topP: 0.001 }, [0, 1, 0, 0]],
    ['combines both limits', { topK: 3, topP: 0.75 }, [2 / 9, 4 / 9, 0, 3 / 9]],
  ])('%s', (_, options, probabilities) => {
    expect(unlikely(counts(options), probabilities)).toEqual([])
  })

  it('refuses what means nothing', () => {
    for (const wrong of [{ temperature: -1 }, { topK: 0 }, { topP: 0 }, { topP: 1.5 }, { other: 1 }]) expect(samplingSchema.safeParse(wrong).success).toBe(false)
  })
})
