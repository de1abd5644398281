import { z } from 'zod'
import type { CompressionConfig } from '../nn/compress-layer.ts'
import { auxiliaryLosses } from '../nn/compression-loss.ts'
import { compressions } from '../nn/compression.ts'
import { activations } from '../nn/feed-forward.ts'
import { type SearchLowering, searchLowerings } from '../knn/plan.ts'
import { searches } from '../nn/retrieved-attention.ts'
import { type Retrieval, retrievals } from '../nn/retrieval-plan.ts'
import { normKinds } from '../nn/norm.ts'
import { computeDTypes } from './model.ts'

/**
 * What the models' configurations have in common, as parts of schemas. Sizes are in tokens or elements; every key says what it means where
 * it is defined, and defaults are those of the papers.
 */
const size = z.int().positive()

export const attentionKinds = ['scaled', 'normalized'] as const
export const positionSchemes = ['t5', 'relative'] as const

/** Keys of every model. */
export const commonKeys = {
  vocabularySize: size,
  /** Tokens of one slot that a training step reads. */
  segmentLength: size,
  width: size,
  layers: size,
  heads: size,
  /** Size of one head; `width / heads` if absent. */
  headSize: size.optional(),
  /** Hidden size of the feed-forward part; four times the width if absent. */
  feedForwardSize: size.optional(),
  computeDtype: z.enum(computeDTypes).default('f32'),
  /** Norm before each part (with one more at the end), or after each residual sum. */
  normPlacement: z.enum(['pre', 'post']).default('pre'),
  norm: z.enum(normKinds).default('rms'),
  activation: z.enum(activations).default('gelu'),
  /** Share of elements dropped after the embedding and after each part, in training. */
  dropout: z.number().min(0).lt(1).default(0),
  /** The embedding is the output head too. */
  tiedEmbedding: z.boolean().default(true),
  positionBuckets: z.int().min(2).multipleOf(2).default(32),
  /** From this distance on all are in the last position bucket. */
  positionDistance: z.int().positive().default(128),
  /** First value of the learned scale of normalised attention. */
  attentionScale: z.number().positive().default(10),
  /**
   * Heads of the first layer whose T5 position bias begins with the token before, the one before that, and so on. With them a layer above can
   * find where the present token stood before and see what followed, which small models take long to learn otherwise.
   */
  previousTokenHeads: z.int().nonnegative().default(0),
  /** Output projections begin as the value projections transposed, so that attention begins by copying what it attends to. */
  copyingStart: z.boolean().default(false),
  /** Compute each layer again for the gradient in place of keeping what is inside it: less memory for about a third more time. */
  rematerialize: z.boolean().default(false),
} as const

/** Scores are `q.k / sqrt(d)`, or products of normalised vectors with a learned scale per head. */
export const attentionKey = { attention: z.enum(attentionKinds).default('scaled') } as const

/** Keys of models with a cache. */
export const cacheKeys = {
  /** Tokens of earlier segments that each layer keeps; any length, 0 for none. By default the segment length. */
  cacheLength: z.int().nonnegative().optional(),
  /** How scores know of distance: a learned bias by bucket of distance (T5), or Transformer-XL's products of queries with distances. */
  positions: z.enum(positionSchemes).default('t5'),
  /** Of relative positions: whether all layers share the two vectors that are added to queries, as in the paper, or each has its own. */
  tiedQueryBiases: z.boolean().default(true),
} as const

/** Keys of models with an external memory. */
export const memoryKeys = {
  /** Tokens that the memory of a slot holds; with 0 the model computes what the Transformer-XL does, and its gates wait for a memory. */
  memorySize: z.int().nonnegative(),
  /** Neighbours retrieved for each query and head. */
  neighbours: size.default(32),
  /** Layers that have a memory, counted from 1 as in the paper ("the 9th of 12"). */
  memoryLayers: z.array(size).min(1),
  /** Element type of stored keys and values; the compute type if absent. */
  memoryDtype: z.enum(computeDTypes).optional(),
  search: z.enum(searches).default('exact'),
  /** Share of the true neighbours that an approximate search has to find on average. */
  recallTarget: z.number().gt(0).max(1).default(0.95),
  /** How an approximate search is carried out: chosen by target and sizes (on a CPU it is then exact), or one of the ways of `searchLowerings`. */
  searchLowering: z.enum(['auto', ...searchLowerings]).default('auto'),
  /** How attention gets at the neighbours' keys and values: chosen by target and sizes, or one of the ways of `retrievals`. */
  retrieval: z.enum(['auto', ...retrievals]).default('auto'),
  /** First bias of the gates: 0 mixes evenly; -6 leaves the local result almost alone, for fine-tuning a model trained without memory. */
  gateBias: z.number().default(0),
} as const

/** Keys of models with a compressed memory. */
export const compressionKeys = {
  /** Old memories that become one. */
  compressionRate: size.default(4),
  /** Places of the compressed memory; by default as many as the cache has. */
  compressedLength: size.optional(),
  compression: z.enum(compressions).default('convolution'),
  /** What the compression is trained for; by default attention reconstruction for the convolutions, and none for what has nothing to learn. */
  auxiliaryLoss: z.enum(auxiliaryLosses).optional(),
} as const

interface CommonInput {
  readonly segmentLength: number
  readonly width: number
  readonly heads: number
  readonly headSize?: number | undefined
  readonly feedForwardSize?: number | undefined
  readonly positionBuckets: number
  readonly positionDistance: number
  readonly previousTokenHeads: number
  readonly positions?: (typeof positionSchemes)[number]
}

/** Rules over several keys. */
export function checkCommon(config: CommonInput, issue: (path: string, message: string) => void): void {
  const { width, heads, headSize, positionBuckets, positionDistance, positions, previousTokenHeads } = config
  if (headSize === undefined && width % heads !== 0)
    issue('heads', `${heads} heads do not divide the width ${width}: choose a divisor, or give headSize`)
  if (positionDistance <= positionBuckets / 2)
    issue('positionDistance', `${positionDistance} must be more than half of positionBuckets ${positionBuckets}: the first half is exact`)
  if (previousTokenHeads > Math.min(heads, positionBuckets / 2 - 1))
    issue('previousTokenHeads', `${previousTokenHeads} is too many: there are ${heads} heads, and buckets of a single distance up to ${positionBuckets / 2 - 1}`)
  if (previousTokenHeads > 0 && positions === 'relative') issue('previousTokenHeads', `${previousTokenHeads} needs positions "t5": relative positions have no bias to begin with`)
  if (positions === 'relative' && width % 2 !== 0) issue('width', `${width} is odd: relative positions need as many cosines as sines`)
}

/** The sizes that follow from others. */
export const completeCommon = <C extends CommonInput>(config: C) => ({
  ...config,
  headSize: config.headSize ?? config.width / config.heads,
  feedForwardSize: config.feedForwardSize ?? 4 * config.width,
})

export const commonSchema = z.strictObject({ ...commonKeys, ...attentionKey })
type Common = ReturnType<typeof completeCommon<z.output<typeof commonSchema>>>

export interface MemoryConfig {
  readonly memorySize: number
  readonly neighbours: number
  readonly memoryLayers: readonly number[]
  readonly memoryDtype: Common['computeDtype']
  readonly search: (typeof searches)[number]
  readonly recallTarget: number
  readonly searchLowering: SearchLowering | 'auto'
  readonly retrieval: Retrieval | 'auto'
  readonly gateBias: number
}

/** What a decoder's configuration makes of parameters beyond their types: what is said here goes for fine-tuning from one model to another. */
export function decoderMeaning(config: DecoderConfig): Readonly<Record<string, unknown>> {
  const { heads, headSize, attention, norm, normPlacement, activation, tiedEmbedding, positions, positionDistance, cacheLength, compression } = config
  const distance = positions === 't5' ? { positionDistance } : {}
  return { heads, headSize, attention, norm, normPlacement, activation, tiedEmbedding, positions, ...distance, cacheLength, compressedMemory: compression ?? null }
}

/** What the decoder needs to know, whichever model it is. */
export interface DecoderConfig extends Common {
  readonly cacheLength: number
  readonly positions: (typeof positionSchemes)[number]
  readonly tiedQueryBiases: boolean
  readonly memory: MemoryConfig | null
  /** Of a model that compresses what leaves its cache. */
  readonly compression?: CompressionConfig
}
