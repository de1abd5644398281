import { checkpoint, stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { dropout, foldIn } from '../lib/random.ts'
import { add } from '../ops/arithmetic.ts'
import { afterReading } from '../nn/after-reading.ts'
import {
  type AttentionParameters, attend, attentionWeights, initialAttention, project, projectKeysAndValues, projectOutput, projectQueries,
} from '../nn/attention.ts'
import { type CacheState, type KeysAndValues, attentionMask, emptyCache, grownLength, lengthAfterStart, throughCache } from '../nn/cache.ts'
import { compressLayer } from '../nn/compress-layer.ts'
import { type CompressedLayer, type CompressedState, type CompressionStep, compressedMask, compressionStep, emptyCompressed, nextCompressedState, throughCompressed } from '../nn/compressed-memory.ts'
import { type CompressionParameters, initialCompression } from '../nn/compression.ts'
import { embed, headLogits, tiedLogits } from '../nn/embedding.ts'
import { type FeedForwardParameters, feedForward, initialFeedForward } from '../nn/feed-forward.ts'
import { type ParameterDraw, constantParameter, parameterDraws } from '../nn/initial.ts'
import { gateMemory } from '../nn/memory-gate.ts'
import { type MemoryState, advanceMemory, emptyMemory, filledRows, writeMemory } from '../nn/memory.ts'
import { type NormParameters, initialNorm, normalize } from '../nn/norm.ts'
import { type PositionMap, positionBias, positionMap, towardsPreviousTokens } from '../nn/position.ts'
import { type PositionRows, type QueryBiases, initialQueryBiases, positionRows, relativeQueries } from '../nn/relative-attention.ts'
import { retrievedAttention } from '../nn/retrieved-attention.ts'
import { ringOrder } from '../nn/ring.ts'
import { scope } from '../trace/frame.ts'
import type { DecoderConfig, MemoryConfig } from './decoder-config.ts'
import { compressionDiagnostics, compressionOutput, memoryDiagnostics, retrievedPlaces } from './diagnostics.ts'
import type { ApplyOptions, ModelInput, ModelOutput } from './model.ts'

/**
 * The decoder that all models here are: embedding, layers of causal attention and feed-forward, logits. What a model has beyond that is
 * data: a cache of earlier segments (`cacheLength`), layers with an external memory (`memory`), and a compressed memory of what leaves the
 * cache (`compression`). So a model without memory is exactly the model with an empty one.
 */
export interface LayerParameters {
  readonly attentionNorm: NormParameters
  readonly attention: AttentionParameters
  /** `f32[buckets,h]`, of T5 positions. */
  readonly positionBias?: Tensor
  /** `f32[D,h*d]`, of relative positions. */
  readonly positionKey?: Tensor
  /** Of relative positions, where layers do not share them. */
  readonly queryBiases?: QueryBiases
  /** `f32[h]`; memory layers alone have it. */
  readonly memoryGate?: Tensor
  /** Layers with a compressed memory alone have it. */
  readonly compression?: CompressionParameters
  readonly feedForwardNorm: NormParameters
  readonly feedForward: FeedForwardParameters
}

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

function initialLayer(config: DecoderConfig, draw: ParameterDraw, index: number): LayerParameters {
  const { width, heads, norm, memory, compression } = config
  return {
    attentionNorm: initialNorm(norm, width),
    attention: initialAttention(draw, config, { scale: config.attention === 'normalized' ? config.attentionScale : undefined, copying: config.copyingStart }),
    ...initialPositions(config, draw, index),
    ...(memory?.memoryLayers.includes(index + 1) ? { memoryGate: constantParameter([heads], memory.gateBias) } : {}),
    feedForwardNorm: initialNorm(norm, width),
    feedForward: initialFeedForward(draw, width, config.feedForwardSize),
    ...(compression ? { compression: initialCompression(draw, compression, width, compression.auxiliaryLoss === 'auto-encoding') } : {}),
  }
}

function initialPositions(config: DecoderConfig, draw: ParameterDraw, index: number): Pick<LayerParameters, 'positionBias' | 'positionKey' | 'queryBiases'> {
  const { width, heads, headSize, positionBuckets, positions, tiedQueryBiases, previousTokenHeads } = config
  if (positions === 't5') {
    const positionBias = draw([positionBuckets, heads], width ** -0.5)
    return { positionBias: index === 0 && previousTokenHeads > 0 ? towardsPreviousTokens(positionBias, previousTokenHeads) : positionBias }
  }
  const positionKey = draw([width, heads * headSize], width ** -0.5)
  return tiedQueryBiases ? { positionKey } : { positionKey, queryBiases: initialQueryBiases(draw, config) }
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

/** What a step works out once for all its layers. */
interface StepContext {
  /** `bool[b,s,l]` */
  readonly mask: Tensor
  readonly positions: PositionMap | PositionRows
  /** Of relative positions, where layers share them. */
  readonly queryBiases: QueryBiases | undefined
  readonly memory: MemoryContext | undefined
  readonly compression: CompressionStep | undefined
  readonly dropoutKey: Tensor | undefined
}

interface MemoryContext {
  readonly config: MemoryConfig
  /** `i32[]` */
  readonly position: Tensor
  /** `i32[b]`, after the reset and before this segment. */
  readonly length: Tensor
  /** `bool[b,n]` */
  readonly filled: Tensor
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

/** What a layer keeps from one step to the next. */
interface LayerState {
  readonly cache?: KeysAndValues | undefined
  readonly memory?: KeysAndValues | undefined
  readonly compressed?: CompressedLayer | undefined
}

interface LayerResult extends LayerState {
  readonly x: Tensor
  /** `f32[b,h,s,k]`, of a memory layer. */
  readonly weights?: Tensor | undefined
  /** `i32[b,h,s,k]`, of a memory layer. */
  readonly places?: Tensor | undefined
  /** `f32[]`, of a compression that is trained. */
  readonly loss?: Tensor | undefined
}

function applyLayer(
  config: DecoderConfig,
  parameters: LayerParameters,
  x: Tensor,
  context: StepContext,
  index: number,
  state: LayerState,
): LayerResult {
  const residual = (name: string, norm: NormParameters, input: Tensor, site: number, branch: (normed: Tensor) => Tensor): Tensor =>
    scope(name, () => {
      const pre = config.normPlacement === 'pre'
      const sum = add(input, dropped(branch(pre ? normalize(norm, input) : input), config, context, site))
      return pre ? sum : normalize(norm, sum)
    })
  let kept: Omit<LayerResult, 'x'> | undefined
  const attended = residual('attention', parameters.attentionNorm, x, 2 * index + 1, (normed) => {
    const { out, ...rest } = layerAttention(config, parameters, normed, context, state)
    kept = rest
    return out
  })
  const out = residual('feedForward', parameters.feedForwardNorm, attended, 2 * index + 2, (normed) =>
    feedForward(parameters.feedForward, normed, config.activation))
  return { x: out, ...kept! }
}

function layerAttention(config: DecoderConfig, parameters: LayerParameters, x: Tensor, context: StepContext, state: LayerState): { out: Tensor } & Omit<LayerResult, 'x'> {
  const { mask, memory: shared } = context
  const { attention } = parameters
  const { queries, fresh, joined, cache } = localKeys(config, attention, x, state)
  const asked = scope('position', () => positioned(config, parameters, queries, context))
  const local = attend(asked.queries, joined.keys, joined.values, mask, asked.bias)
  if (state.compressed && context.compression) {
    const usage = config.compression!.compression === 'most-used' ? attentionWeights(...stopGradient([asked.queries, joined.keys, mask, asked.bias] as const)) : undefined
    const layer = { memories: state.compressed, x, weights: usage, attention, sizes: config }
    const { next, loss } = compressLayer(config.compression!, parameters.compression!, context.compression, layer)
    return { out: projectOutput(attention, local), compressed: next, loss }
  }
  if (!state.memory || !shared || !fresh) return { out: projectOutput(attention, local), cache }
  const { memory } = state
  const { mixed, weights, places, written } = scope('memory', () => {
    const retrieved = retrievedAttention(queries, memory, { ...shared.config, rowOrder: ringOrder(memory.keys.shape[2]), filled: shared.filled })
    return {
      mixed: gateMemory(local, retrieved.out, parameters.memoryGate!, shared.length),
      weights: retrieved.weights,
      places: retrieved.places,
      // Written after it was read: the memory and the cache overlap by the last segment.
      written: writeMemory(memory, fresh, afterReading(shared.position, retrieved.out)),
    }
  })
  return { out: projectOutput(attention, mixed), cache, memory: written, weights, places }
}

interface LocalKeys {
  readonly queries: Tensor
  /** The segment's own; absent where keys and values are projected from compressed memory, cache and segment at once. */
  readonly fresh?: KeysAndValues
  readonly joined: KeysAndValues
  /** The cache after the segment. */
  readonly cache?: KeysAndValues | undefined
}

/** What local attention reads: keys and values out of the cache, or of the vectors that a compressed memory keeps. */
function localKeys(config: DecoderConfig, attention: AttentionParameters, x: Tensor, { cache, compressed }: LayerState): LocalKeys {
  if (compressed && config.compression) {
    const kept = throughCompressed(compressed, x, config.compression)
    return { queries: projectQueries(attention, x, config), joined: projectKeysAndValues(attention, kept, config) }
  }
  const { queries, keys, values } = project(attention, x, config)
  const { joined, next } = throughCache(cache, { keys, values })
  return { queries, fresh: { keys, values }, joined, cache: next }
}

/** Queries and bias as local attention takes them. */
function positioned(config: DecoderConfig, layer: LayerParameters, queries: Tensor, { positions, queryBiases }: StepContext): { queries: Tensor; bias: Tensor } {
  if (!('rows' in positions)) return { queries, bias: positionBias(layer.positionBias!, positions) }
  const { positionKey, attention } = layer
  return relativeQueries({ positionKey: positionKey!, biases: (queryBiases ?? layer.queryBiases)!, scale: attention.scale }, queries, positions, config)
}

/** Dropout of one of the places that have it, each with a key of its own. */
const dropped = (x: Tensor, config: DecoderConfig, { dropoutKey }: Pick<StepContext, 'dropoutKey'>, site: number): Tensor =>
  dropoutKey ? dropout(foldIn(dropoutKey, site), x, config.dropout) : x
