import { describe, expect, test } from 'vitest'
import { ModelRunner, randomSteps } from '../support/model-runner.ts'
import { type ReferenceConfig, referenceLogits } from './reference-decoder.ts'

/** The models against the same thing written plainly, over several segments with document starts in between. */

const tiny = { vocabularySize: 11, segmentLength: 4, width: 6, layers: 2, heads: 2, feedForwardSize: 5, computeDtype: 'f64', positionBuckets: 4, positionDistance: 6 }
const memorizing = { ...tiny, model: 'memorizing-transformer', cacheLength: 4, memorySize: 8, neighbours: 3, memoryLayers: [2] }

const same = [4, 4, 4, 4, 4, 4, 4]
const cases: Record<string, { configuration: Record<string, unknown>; segments?: number[] }> = {
  transformer: { configuration: { ...tiny, model: 'transformer' } },
  'transformer, post norm, layer norm, relu, a head of its own': {
    configuration: { ...tiny, model: 'transformer', normPlacement: 'post', norm: 'layer', activation: 'relu', tiedEmbedding: false },
  },
  'transformer, normalised attention, heads that do not make up the width': { configuration: { ...tiny, model: 'transformer', attention: 'normalized', headSize: 5 } },
  'transformer-xl, cache as long as the segment': { configuration: { ...tiny, model: 'transformer-xl' } },
  'transformer-xl, cache shorter than the segment': { configuration: { ...tiny, model: 'transformer-xl', cacheLength: 3 } },
  'transformer-xl, cache longer than two segments': { configuration: { ...tiny, model: 'transformer-xl', cacheLength: 9, norm: 'layer' } },
  'transformer-xl, no cache': { configuration: { ...tiny, model: 'transformer-xl', cacheLength: 0 } },
  'memorizing-transformer': { configuration: memorizing },
  'ring of a size that segments do not divide': { configuration: { ...memorizing, memorySize: 7 } },
  'ring smaller than two segments': { configuration: { ...memorizing, memorySize: 5 } },
  'segment longer than the ring': { configuration: { ...memorizing, memorySize: 3, neighbours: 2 } },
  'segment as long as the ring': { configuration: { ...memorizing, memorySize: 4 } },
  'as many neighbours as places': { configuration: { ...memorizing, memorySize: 6, neighbours: 6 } },
  'memory without cache, several memory layers, post norm': {
    // The first layer's keys of equal tokens are equal: what ties then differs by retrieval, and the reference fetches rows.
    configuration: { ...memorizing, cacheLength: 0, memoryLayers: [1, 2], normPlacement: 'post', norm: 'layer', tiedEmbedding: false, retrieval: 'packed-gather' },
  },
  'rematerialised layers': { configuration: { ...memorizing, rematerialize: true } },
  'segments of changing length': { configuration: { ...memorizing, memorySize: 7 }, segments: [4, 1, 1, 3, 4, 1, 2, 9, 1, 4] },
}

describe.each([undefined, 'tpu'] as const)('models agree with plain loops, lowered for %s', (target) => {
  for (const [name, { configuration, segments = same }] of Object.entries(cases))
    test(name, () => {
      const runner = new ModelRunner(configuration, 3, 1, target)
      const { config } = runner
      const steps = randomSteps(3, segments, config.vocabularySize, 5, 4)
      const reference: ReferenceConfig = {
        cacheLength: 0,
        ...config,
        attention: config.model === 'memorizing-transformer' ? 'normalized' : config.attention,
        memory: config.memorySize ? config : undefined,
      }
      const expected = referenceLogits(reference, runner.parameters, steps)
      const outputs = runner.runAll(steps)
      outputs.forEach(({ logits }, step) => {
        const wanted = expected[step].flat(2)
        expect(logits.data.length).toBe(wanted.length)
        const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(logits.data[i]))), 0)
        expect(worst, `step ${step}`).toBeLessThan(1e-9)
      })
    })
})
