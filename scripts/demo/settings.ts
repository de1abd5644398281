import { preset } from '../../src/models/registry.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'

/**
 * What the demo trains: two models that are alike but for the memory, small enough to show something in minutes on two cores. Documents are
 * whole packages, cut at a largest length so that few slots still see many of them.
 */
const size = { vocabularySize: 257, segmentLength: 128, cacheLength: 128, width: 128, layers: 3, heads: 4, headSize: 32, feedForwardSize: 512 }
const memory = { memorySize: 2048, neighbours: 16, memoryLayers: [2] }

export const transformerXl = () => preset('transformer-xl', 'small', size)
export const memorizing = () => preset('memorizing-transformer', 'small', { ...size, ...memory })

export const batchSize = 8
export const evaluationTokens = 65_536

/** The configuration of a run of so many steps; both models have the same. */
export const runConfig = (steps: number, seed: number) =>
  checkRunConfig({
    steps,
    seed,
    dataSeed: seed,
    batchSize,
    optimizer: { kind: 'adam', schedule: { kind: 'cosine', learningRate: 4e-3, warmupSteps: Math.min(40, Math.ceil(steps / 5)), totalSteps: steps } },
    clipGlobalNorm: 1,
    data: { corpus: 'installed', maxDocumentTokens: 8192, maxDocumentBytes: 262_144, maxTotalBytes: 24_000_000, split: { train: 0.9, validation: 0.05, test: 0.05 } },
    evaluation: { every: 0, tokens: evaluationTokens },
    checkpoints: { every: 0 },
    logEvery: 5,
  })
