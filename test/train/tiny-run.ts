import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { type TokenDocument, memoryDocument } from '../../src/data/token-documents.ts'
import { type ConfiguredModel, configure } from '../../src/models/registry.ts'
import { type RunConfig, type RunConfigInput, checkRunConfig } from '../../src/train/run-config.ts'

/** A model that trains in milliseconds, with a cache and a memory that wraps around within a few steps. */
export const tinyModel = (changes: Record<string, unknown> = {}): ConfiguredModel =>
  configure({
    model: 'memorizing-transformer',
    vocabularySize: 257,
    segmentLength: 8,
    width: 16,
    layers: 2,
    heads: 2,
    memorySize: 20,
    neighbours: 4,
    memoryLayers: [2],
    dropout: 0.1,
    ...changes,
  })

export const tinyRun = (changes: Partial<RunConfigInput> = {}): RunConfig =>
  checkRunConfig({
    optimizer: { kind: 'adam', schedule: { kind: 'constant', learningRate: 0.01 } },
    batchSize: 2,
    steps: 6,
    logEvery: 2,
    evaluation: { tokens: 60 },
    checkpoints: { every: 0, keep: 2 },
    ...changes,
  })

const sentence = 'const memory = new Map(); function recall(name) { return memory.get(name) }\n'

/** Documents of different lengths, so that slots begin new ones at different steps. */
export const tinyDocuments = (count = 4): TokenDocument[] =>
  Array.from({ length: count }, (_, i) => memoryDocument(`document ${i}`, byteTokenizer().encode(new TextEncoder().encode(`// ${i}\n${sentence}`.slice(0, 30 + 13 * i)))))
