import { z } from 'zod'
import { checkConfiguration } from '../models/configuration.ts'
import { optimizerSchema } from './optimizers/registry.ts'

/** Where text comes from and how it is cut. */
export const corpusConfigSchema = z.strictObject({
  /** A folder or file of text, or a name: `installed` (the sources that the set-up itself installed),
   * what `engram corpus fetch` brought, or a folder of token shards. */
  corpus: z.string().min(1).default('installed'),
  /** `bytes`, or a Hugging Face `tokenizer.json`; token shards bring their own. */
  tokenizer: z.string().min(1).default('bytes'),
  /** File endings to take; all text files without it. */
  extensions: z.array(z.string().min(1)).min(1).optional(),
  /** One document per file, or per first-level folder. */
  documents: z.enum(['files', 'folders']).default('files'),
  /** Leaves out documents by chance until the whole fits. Of `installed` alone. */
  maxTotalBytes: z.int().positive().optional(),
  maxDocumentBytes: z.int().min(256).optional(),
  /** Longer documents are read as several, so that slots see more of them. */
  maxDocumentTokens: z.int().min(2).optional(),
  /** Shares of the documents; which goes where is a hash of their names. */
  split: z
    .strictObject({ train: z.number().min(0), validation: z.number().min(0), test: z.number().min(0) })
    .default({ train: 0.9, validation: 0.05, test: 0.05 }),
})
export type CorpusConfig = z.output<typeof corpusConfigSchema>

/** The configuration of a run but for the model, which has a schema of its own. */
export const runConfigSchema = z.strictObject({
  optimizer: optimizerSchema.default({
    kind: 'adafactor',
    schedule: { kind: 'inverse-sqrt', learningRate: 0.01, warmupSteps: 1000 },
    factorFrom: 128,
    decayExponent: 0.8,
    epsilon: 1e-30,
    clipThreshold: 1,
    minimumScale: 1e-3,
  }),
  /** Gradients are scaled so that their norm is at most this. */
  clipGlobalNorm: z.number().positive().optional(),
  data: corpusConfigSchema.prefault({}),
  /** Documents that are read side by side: `b`. */
  batchSize: z.int().positive().default(8),
  /** Groups that the slots of a step are worked through in, one after another, for less memory; it divides `batchSize`. */
  accumulate: z.int().positive().default(1),
  steps: z.int().positive().default(1000),
  /** Draws the parameters and the dropout. */
  seed: z.int().min(0).max(2 ** 53 - 1).default(0),
  /** The checkpoint whose parameters the run begins with; without it they are drawn. */
  from: z
    .strictObject({
      checkpoint: z.string().min(1),
      /** Of its tensors, so that the run cannot begin again from another. */
      sha256: z.string().optional(),
      /** `kept`: the optimiser's statistics and its step, and so the schedule, go on from the checkpoint; otherwise they begin anew. */
      optimizer: z.enum(['fresh', 'kept']).default('fresh'),
    })
    .optional(),
  /** Parameters that stay as they are: patterns over their paths, such as `layers.0` or `*.attention.*`. */
  freeze: z.array(z.string().min(1)).min(1).optional(),
  /** If given, all other parameters stay as they are. */
  trainOnly: z.array(z.string().min(1)).min(1).optional(),
  /** Orders the documents. */
  dataSeed: z.int().min(0).default(0),
  evaluation: z
    .strictObject({
      /** Steps between evaluations; 0 for one at the end alone. */
      every: z.int().nonnegative().default(0),
      /** Held-out tokens that are read each time. */
      tokens: z.int().positive().default(50_000),
      split: z.enum(['validation', 'test']).default('validation'),
    })
    .prefault({}),
  checkpoints: z
    .strictObject({
      /** Steps between checkpoints; 0 for one at the end alone. */
      every: z.int().nonnegative().default(200),
      /** How many are kept; the oldest go first. */
      keep: z.int().positive().default(3),
      /** Keeps the one with the least loss on held-out documents, too, and saves one after each evaluation that is the best so far. */
      best: z.boolean().default(true),
    })
    .prefault({}),
  /** Ends a run whose loss is above what a guess has, by `margin` nats, in `steps` steps in a row; 0 steps: never. */
  divergence: z.strictObject({ margin: z.number().min(0).default(1), steps: z.int().nonnegative().default(100) }).prefault({}),
  /** Steps between two lines of metrics. */
  logEvery: z.int().positive().default(10),
}).refine(({ batchSize, accumulate }) => batchSize % accumulate === 0, {
  path: ['accumulate'],
  error: ({ input }) => {
    const { batchSize, accumulate } = input as { batchSize: number; accumulate: number }
    return `${accumulate} groups of the same size cannot be made of batchSize ${batchSize}`
  },
})
export type RunConfig = z.output<typeof runConfigSchema>
export type RunConfigInput = z.input<typeof runConfigSchema>

/** A run's configuration with its defaults. Throws `ConfigurationError`: key, value, rule; for an unknown key the nearest known one. */
export const checkRunConfig = (value: unknown): RunConfig => checkConfiguration(runConfigSchema, value, 'the configuration of the run')

/** Keys that may change when a run is resumed; all others decide what is computed. */
const freeKeys = new Set(['steps', 'evaluation', 'checkpoints', 'divergence', 'logEvery'])

/** The part of a run's configuration, with its model's, that has to be the same for a run to go on from a checkpoint. */
export const fixedPart = (model: unknown, run: RunConfig): Record<string, unknown> => ({
  model,
  ...Object.fromEntries(Object.entries(run).filter(([key]) => !freeKeys.has(key))),
})

/** Where two plain values differ: `model.width: 32 in the checkpoint, 64 here`. */
export function differences(saved: unknown, present: unknown, path = ''): string[] {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isObject(saved) && isObject(present)) {
    const keys = [...new Set([...Object.keys(saved), ...Object.keys(present)])]
    return keys.flatMap((key) => differences(saved[key], present[key], path ? `${path}.${key}` : key))
  }
  const [a, b] = [JSON.stringify(saved), JSON.stringify(present)]
  return a === b ? [] : [`${path}: ${a ?? 'unset'} in the checkpoint, ${b ?? 'unset'} here`]
}
