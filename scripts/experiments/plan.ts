import type { RunConfigInput } from '../../src/train/run-config.ts'
import type { Cell, CellEvaluation } from './cell.ts'

/** Corpora that the experiments know how to get and cut. */
export const corpora = {
  'hol-light': { title: 'HOL Light', vocabulary: 2048 },
  go: { title: 'Go sources', vocabulary: 2048 },
} as const
export type CorpusName = keyof typeof corpora

/** What all experiments have in common; every value is in the result. */
export interface Plan {
  readonly corpus: CorpusName
  /** Token shards of the corpus. */
  readonly shards: string
  readonly seeds: readonly number[]
  readonly steps: number
  /** Tokens of test documents that the last evaluation reads. */
  readonly testTokens: number
}

/**
 * The model of the experiments. Small for the steps that minutes on a CPU core allow, with a short cache, so that what lies further back than a few
 * lines can come from the memory alone. Two layers: the first brings the tokens before into each place, which the second, with the memory, looks for;
 * for that two heads of the first begin with the tokens before, and outputs by copying. In trials these starts helped with and without
 * a memory; heads that copy what followed had not formed in 1,500 steps even so (docs/guide/experiments.md).
 */
export const size = {
  vocabularySize: 2048,
  segmentLength: 32,
  cacheLength: 64,
  width: 128,
  layers: 2,
  heads: 4,
  headSize: 32,
  feedForwardSize: 512,
  attentionScale: 16,
  previousTokenHeads: 2,
  copyingStart: true,
} as const

/**
 * Eight neighbours: while the scores are still blunt, the mean of 32 is a mean of everything. The gates begin below even: Adafactor's steps are a share
 * of the parameter, so a bias of 0 stays where it is.
 */
export const memory = { memorySize: 8192, neighbours: 8, memoryLayers: [2], gateBias: -1 } as const

/**
 * Thirty-two slots and documents cut at 4,096 tokens let few steps see many documents, since the parameters learn those that are being read.
 * Evaluation reads them at up to 32,768 tokens.
 */
export const batchSize = 32
export const maxDocumentTokens = 4096
export const testDocumentTokens = 32_768

const peakRate = 0.015

export function runConfig(plan: Plan, seed: number, changes: { steps?: number; evaluateEvery?: number; checkpoints?: { every: number; keep: number } } = {}): Cell['run'] {
  const steps = changes.steps ?? plan.steps
  return {
    steps,
    seed,
    dataSeed: seed,
    batchSize,
    optimizer: { kind: 'adafactor', schedule: { kind: 'cosine', learningRate: peakRate, warmupSteps: Math.min(100, Math.ceil(steps / 10)), totalSteps: steps, finalFraction: 0.02 } },
    clipGlobalNorm: 1,
    data: { corpus: plan.shards, maxDocumentTokens } satisfies RunConfigInput['data'],
    evaluation: { every: changes.evaluateEvery ?? Math.ceil(steps / 4), tokens: Math.min(65_536, plan.testTokens) },
    checkpoints: changes.checkpoints ?? { every: Math.ceil(steps / 4), keep: 1 },
    logEvery: 50,
  } as Cell['run']
}

export const testEvaluation = (plan: Plan, name = 'test', set: Readonly<Record<string, unknown>> = {}): CellEvaluation => ({ name, split: 'test', tokens: plan.testTokens, maxDocumentTokens: testDocumentTokens, set })

/** A Transformer-XL: the model of the experiments without memory. */
export const withoutMemory = (plan: Plan, seed: number, set: Readonly<Record<string, unknown>> = {}): Cell => ({
  model: 'transformer-xl',
  set: { ...size, ...set },
  run: runConfig(plan, seed),
  evaluations: [testEvaluation(plan)],
})

/** A Memorizing Transformer of the same size. */
export const withMemory = (plan: Plan, seed: number, set: Readonly<Record<string, unknown>> = {}): Cell => ({
  model: 'memorizing-transformer',
  set: { ...size, ...memory, ...set },
  run: runConfig(plan, seed),
  evaluations: [testEvaluation(plan)],
})
