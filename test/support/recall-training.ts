import { type RecallTask, localReach, recallTask } from '../../src/data/recall-task.ts'
import type { TokenDocument } from '../../src/data/token-documents.ts'
import type { Tokenizer } from '../../src/data/tokenizer.ts'
import { configure } from '../../src/models/registry.ts'
import type { Session } from '../../src/program/session.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'
import { Trainer } from '../../src/train/trainer.ts'

const layers = 2
const segment = 16
const cache = 8
const slots = 64

/** Accuracy where the answer is far behind what any cache reaches, and where it is near. */
export interface RecallResult {
  readonly far: number
  readonly near: number
  readonly steps: number
  readonly seconds: number
  readonly chance: number
}

/**
 * Trains a small model on the recall task until it answers `enough` of the far questions of documents it has never seen, or the steps are
 * over. Every answer is further back than segment and cache of all layers together reach.
 */
export async function trainOnRecall(session: Session, model: 'memorizing-transformer' | 'transformer-xl', seed: number, enough: number): Promise<RecallResult> {
  const started = performance.now()
  const task = recallTask({
    pairs: 8,
    practicePairs: 16,
    practiceSpread: 2,
    nameTokens: 24,
    valueTokens: 8,
    minimumDistance: localReach({ layers, segment, cache }),
    seed,
  })
  const sizes = { vocabularySize: task.vocabularySize, segmentLength: segment, cacheLength: cache, width: 64, layers, heads: 1, attentionScale: 10 }
  const memory = { memorySize: task.documentTokens, neighbours: 8, memoryLayers: [2] }
  const configured = configure(model === 'transformer-xl' ? { model, attention: 'normalized', ...sizes } : { model, ...sizes, ...memory })
  const trainer = await Trainer.create(session, {
    ...configured,
    // Adafactor's steps grow with the parameter: so the attention's position bias and scale, which begin small and large, move in few steps.
    run: checkRunConfig({
      optimizer: { kind: 'adafactor', schedule: { kind: 'cosine', learningRate: 0.01, warmupSteps: 50, totalSteps: 1000 } },
      clipGlobalNorm: 1,
      batchSize: slots,
      steps: 1000,
      seed,
      dataSeed: seed,
      logEvery: 1000,
      evaluation: { every: 200, tokens: 1_000_000 },
    }),
    tokenizer: unitsOf(task),
    train: staggered(task, task.documents(0, 12_000)),
    heldOut: task.documents(1_000_000, 2 * slots, 'answers'),
  })
  const stop = new AbortController()
  let far = 0
  const result = await trainer.run({ signal: stop.signal }, {
    evaluated: ({ accuracy }) => {
      far = accuracy
      if (accuracy >= enough) stop.abort()
    },
  })
  const both = await trainer.evaluate(task.documents(2_000_000, 2 * slots))
  await trainer.release()
  const { answersPerDocument: answers } = task
  const near = (both.accuracy * (answers + 16) - far * answers) / 16
  return { far, near, steps: result.step, seconds: (performance.now() - started) / 1000, chance: task.chance }
}

/** What training asks of a tokenizer. */
const unitsOf = (task: RecallTask): Tokenizer => ({
  kind: 'recall',
  vocabularySize: task.vocabularySize,
  endOfDocument: 0,
  ...task.units,
  encode: (bytes) => new Uint8Array(bytes),
  decode: () => new Uint8Array(),
  describe: () => ({ kind: 'recall', vocabularySize: task.vocabularySize }),
})

/**
 * All documents are of one length, so all slots would be at the same part of theirs: a batch of bindings, then one of questions. The
 * first document of each slot is therefore begun at another segment.
 */
function staggered(task: RecallTask, documents: readonly TokenDocument[]): TokenDocument[] {
  const segments = Math.floor(task.documentTokens / segment)
  return documents.map((document, i) => {
    const from = i < slots ? (i % segments) * segment : 0
    return from === 0 ? document : {
      name: document.name,
      tokenCount: document.tokenCount - from,
      read: (start, end) => document.read(start + from, end + from),
      weights: (start, end) => document.weights!(start + from, end + from),
    }
  })
}
