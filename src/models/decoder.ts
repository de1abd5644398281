import { checkpoint } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { type CacheState, type KeysAndValues, attentionMask, emptyCache, grownLength, lengthAfterStart } from '../nn/cache.ts'
import { type CompressedLayer, type CompressedState, compressedMask, compressionStep, emptyCompressed, nextCompressedState } from '../nn/compressed-memory.ts'
import { embed, headLogits, tiedLogits } from '../nn/embedding.ts'
import { parameterDraws } from '../nn/initial.ts'
import { type MemoryState, advanceMemory, emptyMemory, filledRows } from '../nn/memory.ts'
import { type NormParameters, initialNorm, normalize } from '../nn/norm.ts'
import { positionMap } from '../nn/position.ts'
import { type QueryBiases, initialQueryBiases, positionRows } from '../nn/relative-attention.ts'
import { scope } from '../trace/frame.ts'
import type { DecoderConfig } from './decoder-config.ts'
import { type LayerParameters, type MemoryContext, type StepContext, applyLayer, dropped, initialLayer } from './decoder-layer.ts'
import { compressionDiagnostics, compressionOutput, memoryDiagnostics, retrievedPlaces } from './diagnostics.ts'
import type { ApplyOptions, ModelInput, ModelOutput } from './model.ts'

/**
 * The decoder that all models here are: embedding, layers of causal attention and feed-forward, logits. What a model has beyond that is
 * data: a cache of earlier segments (`cacheLength`), layers with an external memory (`memory`), and a compressed memory of what leaves the
 * cache (`compression`). So a model without memory is exactly the model with an empty one.
 */
export interface DecoderParameters {
  /** `f32[V,D]` */
  readonly embedding: Tensor
  readonly layers: readonly LayerParameters[]
  /** Of relative positions, where layers share them. */
  readonly queryBiases?: QueryBiases
  /** Absent where every layer ends with a norm. */
  readonly finalNorm?: NormParameters
  /** `f32[D,V]`; absent where the embedding is the output head too. */
  readonly head?: Tensor
}

export interface DecoderState {
  readonly cache: CacheState | null
  readonly memory: MemoryState | null
  /** Takes the cache's place where old memories are compressed. */
  readonly compressed: CompressedState | null
}

export function initialDecoder(config: DecoderConfig, key: Tensor): DecoderParameters {
  const draw = parameterDraws(key)
  const { width, vocabularySize, tiedEmbedding, norm, normPlacement } = config
  return {
    // Rows of length sqrt(D) where they are the output head too, whose logits are divided by that.
    embedding: draw([vocabularySize, width], 1),
    layers: Array.from({ length: config.layers }, (_, i) => initialLayer(config, draw, i)),
    ...(config.positions === 'relative' && config.tiedQueryBiases ? { queryBiases: initialQueryBiases(draw, config) } : {}),
    ...(normPlacement === 'pre' ? { finalNorm: initialNorm(norm, width) } : {}),
    ...(tiedEmbedding ? {} : { head: draw([width, vocabularySize], width ** -0.5) }),
  }
}

export function initialDecoderState(config: DecoderConfig, slots: number): DecoderState {
  const { heads, headSize, memory, compression } = config
  const shape = { slots, heads, headSize, dtype: config.computeDtype }
  return {
    cache: compression ? null : emptyCache(shape, config.layers, config.cacheLength),
    memory: memory && memory.memorySize > 0 ? emptyMemory({ ...shape, dtype: memory.memoryDtype }, memory.memoryLayers.length, memory.memorySize) : null,
    compressed: compression ? emptyCompressed({ slots, width: config.width, dtype: config.computeDtype }, config.layers, compression, compression.compression === 'most-used') : null,
  }
}

/** Reads one segment. Source: the design of each model, in its own file. */
export function applyDecoder(
  config: DecoderConfig,
  parameters: DecoderParameters,
  state: DecoderState,
  input: ModelInput,
  options: ApplyOptions = {},
): ModelOutput<DecoderState> {
  const segment = input.tokens.shape[1]
  const { context, cacheLength } = scope('shared', () => sharedContext(config, parameters, state, input, options))
  let x = scope('embed', () => dropped(embed(parameters.embedding, input.tokens, config.computeDtype), config, context, 0))
  const caches: KeysAndValues[] = []
  const memories: KeysAndValues[] = []
  const weights: Tensor[] = []
  const places: Tensor[] = []
  const compressed: CompressedLayer[] = []
  const losses: Tensor[] = []
  parameters.layers.forEach((layer, index) => {
    const memoryIndex = config.memory?.memoryLayers.indexOf(index + 1) ?? -1
    const run = (layerParameters: LayerParameters, inputs: Tensor) =>
      applyLayer(config, layerParameters, inputs, context, index, {
        cache: state.cache?.layers[index],
        memory: state.memory?.layers[memoryIndex],
        compressed: state.compressed?.layers[index],
      })
    const result = scope(`layer${index + 1}`, () => (config.rematerialize ? checkpoint(run) : run)(layer, x))
    x = result.x
    if (result.cache) caches.push(result.cache)
    if (result.memory) memories.push(result.memory)
    if (result.weights) weights.push(result.weights)
    if (result.places) places.push(result.places)
    if (result.compressed) compressed.push(result.compressed)
    if (result.loss) losses.push(result.loss)
  })
  const { finalNorm, head, embedding } = parameters
  const logits = scope('logits', () => {
    const final = finalNorm ? normalize(finalNorm, x) : x
    return head ? headLogits(head, final) : tiedLogits(embedding, final)
  })
  const { memory, compression } = context
  return {
    logits,
    state: {
      cache: cacheLength ? { length: grownLength(cacheLength, segment, config.cacheLength), layers: caches } : null,
      memory: memory ? { ...advanceMemory(memory, segment, memory.config.memorySize), layers: memories } : null,
      compressed: compression ? nextCompressedState(compression, compressed) : null,
    },
    ...(losses.length > 0 ? { auxiliary: compressionOutput(config.compression!.auxiliaryLoss, losses) } : {}),
    ...(memory ? { retrieved: retrievedPlaces(memory.config, memory.position, places, weights) } : {}),
    diagnostics: {
      ...(memory ? memoryDiagnostics(memory.config, parameters.layers, memory.length, weights) : {}),
      ...(compression ? compressionDiagnostics(compression) : {}),
    },
  }
}

function sharedContext(
  config: DecoderConfig,
  { queryBiases }: DecoderParameters,
  state: DecoderState,
  { tokens, start }: ModelInput,
  { dropoutKey }: ApplyOptions,
): { context: StepContext; cacheLength: Tensor | undefined } {
  const segment = tokens.shape[1]
  const compression = config.compression && state.compressed ? compressionStep(state.compressed, start, segment, config.compression) : undefined
  const cached = compression ? compression.sizes.compressedLength + config.cacheLength : state.cache ? config.cacheLength : 0
  const extent = { queries: segment, keys: cached + segment, offset: cached }
  const cacheLength = state.cache ? lengthAfterStart(state.cache.length, start) : undefined
  const buckets = { buckets: config.positionBuckets, maxDistance: config.positionDistance }
  const context: StepContext = {
    mask: compression ? compressedMask(compression) : attentionMask(extent, cacheLength),
    positions: config.positions === 't5' ? positionMap(extent, buckets, config.computeDtype) : positionRows(extent, config.width, config.computeDtype),
    queryBiases,
    memory: memoryContext(config, state, start),
    compression,
    dropoutKey: config.dropout > 0 ? dropoutKey : undefined,
  }
  return { context, cacheLength }
}

function memoryContext({ memory: config }: DecoderConfig, { memory }: DecoderState, start: Tensor): MemoryContext | undefined {
  if (!config || !memory) return undefined
  const length = lengthAfterStart(memory.length, start)
  const { position } = memory
  return { config, position, length, filled: filledRows({ position, length }, config.memorySize) }
}
