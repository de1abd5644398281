import { preset } from '../../src/models/registry.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'

/**
 * What the demo trains: two models that are alike but for the memory, small enough to show something in minutes on two cores. Documents are
 * whole packages, cut at a largest length so that few slots still see many of them.
 */
const size = { vocabularySize: 257, segmentLength: 64, cacheLength: 64, width: 64, layers: 2, heads: 1, headSize: 64, feedForwardSize: 256 }
const memory = { memorySize: 2048, neighbours: 16, memoryLayers: [2], gateBias: -2 }

export const transformerXl = () => preset('transformer-xl', 'small', size)
export const memorizing = () => preset('memorizing-transformer', 'small', { ...size, ...memory })

export const batchSize = 16
export const evaluationTokens = 131_072

/** The configuration of a run of so many steps; both models have the same. */
export const runConfig = (steps: number, seed: number) =>
  checkRunConfig({
    steps,
    seed,
    dataSeed: seed,
    batchSize,
    // Measured at this size: after 1600 steps Adafactor at 0.03 was 0.07 bits per byte ahead of Adam at 0.005, and width 128 far behind for its time.
    optimizer: { kind: 'adafactor', schedule: { kind: 'cosine', learningRate: 0.03, warmupSteps: Math.min(50, Math.ceil(steps / 5)), totalSteps: steps, finalFraction: 0.01 } },
    clipGlobalNorm: 1,
    data: { corpus: 'installed', maxDocumentTokens: 8192, maxDocumentBytes: 262_144, maxTotalBytes: 24_000_000, split: { train: 0.88, validation: 0.12, test: 0 } },
    evaluation: { every: Math.ceil(steps / 4), tokens: evaluationTokens },
    checkpoints: { every: 0 },
    logEvery: Math.max(1, Math.round(steps / 100)),
  })
