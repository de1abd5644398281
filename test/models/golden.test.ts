import 'engram/vitest'
import { describe, expect, test } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { configure, preset } from '../../src/models/registry.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { unflatten } from '../../src/trace/tree.ts'

/** What one step of each model is lowered to. A change of it is a change of what is compiled: look at it, then `npx vitest run test/models/golden.test.ts -u`. */

const tiny = { vocabularySize: 16, segmentLength: 4, width: 8, layers: 1, heads: 2, feedForwardSize: 16, computeDtype: 'bf16' }
const goldens: Record<string, Record<string, unknown>> = {
  transformer: { ...tiny, model: 'transformer', normPlacement: 'post', norm: 'layer', activation: 'relu', tiedEmbedding: false },
  'transformer-xl': { ...tiny, model: 'transformer-xl', cacheLength: 6 },
  'compressive-transformer': { ...tiny, model: 'compressive-transformer', cacheLength: 6, compressedLength: 3, compressionRate: 2 },
  'transformer-xl-relative': { ...tiny, model: 'transformer-xl', cacheLength: 6, positions: 'relative' },
  'memorizing-transformer': { ...tiny, model: 'memorizing-transformer', memorySize: 10, neighbours: 3, memoryLayers: [1], memoryDtype: 'f32' },
}

function step({ model, config }: ReturnType<typeof configure>, slots: number, segment: number) {
  const initial = traceFunction('initial', (key: Tensor) => [model.initialParameters(config, key), model.initialState(config, slots)], [tensorType('u32', [2])])
  const [parameters, state] = unflatten(initial.outputs, initial.func.resultTypes) as any[]
  const apply = (weights: unknown, before: unknown, tokens: Tensor, start: Tensor) => {
    const { logits, state: after, auxiliary } = model.apply(config, weights, before, { tokens, start })
    return { logits, state: after, ...(auxiliary ? { auxiliary: auxiliary.loss } : {}) }
  }
  // A plain transformer has no state that could be donated.
  const donate = state.cache || state.compressed ? [1] : []
  return lowerWith({ name: model.name, donate }, apply, parameters, state, tensorType('i32', [slots, segment]), tensorType('bool', [slots]))
}

describe('the lowering of a step', () => {
  for (const [name, configuration] of Object.entries(goldens))
    test(name, async () => {
      await expect(step(configure(configuration), 2, 4)).toMatchStableHLO(`../golden/${name}.mlir`)
    })

  test('is the same however often it is made, and has no large constant', () => {
    const text = step(preset('memorizing-transformer', 'paper-200m'), 8, 512).text
    expect(step(preset('memorizing-transformer', 'paper-200m'), 8, 512).text).toBe(text)
    expect(text.length).toBeLessThan(200_000)
    const constants = [...text.matchAll(/stablehlo\.constant dense<(.*?)> :/g)].map((match) => match[1].length)
    expect(Math.max(...constants)).toBeLessThan(1000)
  })

  test('works out masks, buckets and filled places once, whatever the number of layers', () => {
    const iotas = (layers: number) => step(configure({ ...goldens['memorizing-transformer'], layers }), 2, 4).text.split('stablehlo.iota').length - 1
    expect(iotas(1)).toBeGreaterThan(5)
    expect(iotas(5)).toBe(iotas(1))
  })
})
