import { z } from 'zod'
import { streamPositionSchema } from '../data/packing.ts'

/** The version of the format of checkpoints. */
export const checkpointVersion = 1

/** Totals of a run so far. */
export const totalsSchema = z.strictObject({
  /** Targets trained on. */
  tokens: z.int().min(0),
  /** Bytes of text that they stand for. */
  bytes: z.int().min(0),
  /** Seconds spent in steps. */
  seconds: z.number().min(0),
})
export type Totals = z.output<typeof totalsSchema>

/** The loss on held-out documents. */
export const heldOutSchema = z.strictObject({
  bitsPerByte: z.number(),
  /** Per token. */
  perplexity: z.number(),
  split: z.enum(['validation', 'test']),
  /** Targets that were counted. */
  tokens: z.int().positive(),
})
export type HeldOutLoss = z.output<typeof heldOutSchema>

/** What a checkpoint says of itself, in `manifest.json`, beside its tensors. */
export const manifestSchema = z.strictObject({
  format: z.literal('engram-checkpoint'),
  version: z.literal(checkpointVersion),
  /** Steps done. */
  step: z.int().min(0),
  totals: totalsSchema,
  /** Where it was evaluated after this very step. */
  heldOut: heldOutSchema.nullable().default(null),
  model: z.looseObject({ model: z.string() }),
  /** The file's export that made the model, where it is not one of Engram's own: `./my-model.ts#model`. */
  modelSource: z.string().nullable(),
  run: z.record(z.string(), z.unknown()),
  tokenizer: z.looseObject({ kind: z.string(), vocabularySize: z.int().positive() }),
  dataPosition: streamPositionSchema,
  seeds: z.strictObject({ seed: z.int(), dataSeed: z.int() }),
  versions: z.record(z.string(), z.string()),
  tensors: z.strictObject({
    file: z.literal('state.safetensors'),
    sizeBytes: z.int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    count: z.int().positive(),
  }),
})
export type Manifest = z.output<typeof manifestSchema>
