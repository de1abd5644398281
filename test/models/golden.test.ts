import { describe, expect, test } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { configure, preset } from '../../src/models/registry.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { unflatten } from '../../src/trace/tree.ts'

/** The text of one step of each model. A change of it is a change of what is compiled: look at it, then `npx vitest run test/models/golden.test.ts -u`. */

const tiny = { vocabularySize: 16, segmentLength: 4, width: 8, layers: 1, heads: 2, feedForwardSize: 16, computeDtype: 'bf16' }
const goldens: Record<string, Record<string, unknown>> = {
  transformer: { ...tiny, model: 'transformer', normPlacement: 'post', norm: 'layer', activation: 'relu', tiedEmbedding: false },
  'transformer-xl': { ...tiny, model: 'transformer-xl', cacheLength: 6 },
  'memorizing-transformer': { ...tiny, model: 'memorizing-transformer', memorySize: 10, neighbours: 3, memoryLayers: [1], memoryDtype: 'f32' },
}

function stepText({ model, config }: ReturnType<typeof configure>, slots: number, segment: number): string {
  const initial = traceFunction('initial', (key: Tensor) => [model.initialParameters(config, key), model.initialState(config, slots)], [tensorType('u32', [2])])
  const [parameters, state] = unflatten(initial.outputs, initial.func.resultTypes) as any[]
  const step = (weights: unknown, before: unknown, tokens: Tensor, start: Tensor) => {
    const { logits, state: after } = model.apply(config, weights, before, { tokens, start })
    return { logits, state: after }
  }
  // A plain transformer has no state that could be donated.
  const donate = state.cache ? [1] : []
  return lowerWith({ name: model.name, donate }, step, parameters, state, tensorType('i32', [slots, segment]), tensorType('bool', [slots])).text
}

describe('the text of a step', () => {
  for (const [name, configuration] of Object.entries(goldens))
    test(name, async () => {
      await expect(stepText(configure(configuration), 2, 4)).toMatchFileSnapshot(`../golden/${name}.mlir`)
    })

  test('is the same however often it is made, and has no large constant', () => {
    const text = stepText(preset('memorizing-transformer', 'paper-200m'), 8, 512)
    expect(stepText(preset('memorizing-transformer', 'paper-200m'), 8, 512)).toBe(text)
    expect(text.length).toBeLessThan(200_000)
    const constants = [...text.matchAll(/stablehlo\.constant dense<(.*?)> :/g)].map((match) => match[1].length)
    expect(Math.max(...constants)).toBeLessThan(1000)
  })

  test('works out masks, buckets and filled places once, whatever the number of layers', () => {
    const iotas = (layers: number) => stepText(configure({ ...goldens['memorizing-transformer'], layers }), 2, 4).split('stablehlo.iota').length - 1
    expect(iotas(1)).toBeGreaterThan(5)
    expect(iotas(5)).toBe(iotas(1))
  })
})
