import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { dropout, foldIn } from '../lib/random.ts'
import { add } from '../ops/arithmetic.ts'
import { afterReading } from '../nn/after-reading.ts'
import { type AttentionParameters, attend, attentionWeights, initialAttention, project, projectKeysAndValues, projectOutput, projectQueries } from '../nn/attention.ts'
import { type KeysAndValues, throughCache } from '../nn/cache.ts'
import { compressLayer } from '../nn/compress-layer.ts'
import { type CompressedLayer, type CompressionStep, throughCompressed } from '../nn/compressed-memory.ts'
import { type CompressionParameters, initialCompression } from '../nn/compression.ts'
import { type FeedForwardParameters, feedForward, initialFeedForward } from '../nn/feed-forward.ts'
import { type ParameterDraw, constantParameter } from '../nn/initial.ts'
import { gateMemory } from '../nn/memory-gate.ts'
import { writeMemory } from '../nn/memory.ts'
import { type NormParameters, initialNorm, normalize } from '../nn/norm.ts'
import { type PositionMap, positionBias, towardsPreviousTokens } from '../nn/position.ts'
import { type PositionRows, type QueryBiases, initialQueryBiases, relativeQueries } from '../nn/relative-attention.ts'
import { retrievedAttention } from '../nn/retrieved-attention.ts'
import { ringOrder } from '../nn/ring.ts'
import { scope } from '../trace/frame.ts'
import type { DecoderConfig, MemoryConfig } from './decoder-config.ts'

/**
 * One layer of the decoder: attention over the segment and what was kept of earlier ones, then the feed-forward network, each with its norm
 * and its residual connection.
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

/** The parameters of layer `index`, counted from 0. */
export function initialLayer(config: DecoderConfig, draw: ParameterDraw, index: number): LayerParameters {
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

/** What a step works out once for all its layers. */
export interface StepContext {
  /** `bool[b,s,l]` */
  readonly mask: Tensor
  readonly positions: PositionMap | PositionRows
  /** Of relative positions, where layers share them. */
  readonly queryBiases: QueryBiases | undefined
  readonly memory: MemoryContext | undefined
  readonly compression: CompressionStep | undefined
  readonly dropoutKey: Tensor | undefined
}

/** What the memory layers of a step share. */
export interface MemoryContext {
  readonly config: MemoryConfig
  /** `i32[]` */
  readonly position: Tensor
  /** `i32[b]`, after the reset and before this segment. */
  readonly length: Tensor
  /** `bool[b,n]` */
  readonly filled: Tensor
}

/** What a layer keeps from one step to the next. */
export interface LayerState {
  readonly cache?: KeysAndValues | undefined
  readonly memory?: KeysAndValues | undefined
  readonly compressed?: CompressedLayer | undefined
}

/** What a layer gives. */
export interface LayerResult extends LayerState {
  readonly x: Tensor
  /** `f32[b,h,s,k]`, of a memory layer. */
  readonly weights?: Tensor | undefined
  /** `i32[b,h,s,k]`, of a memory layer. */
  readonly places?: Tensor | undefined
  /** `f32[]`, of a compression that is trained. */
  readonly loss?: Tensor | undefined
}

/** Reads one segment with layer `index`, counted from 0: `x f32[b,s,D] -> f32[b,s,D]`, and what the layer keeps. */
export function applyLayer(
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

/** Dropout at one of the places of the model that have it, each with a key of its own; shapes stay as they are. */
export const dropped = (x: Tensor, config: DecoderConfig, { dropoutKey }: Pick<StepContext, 'dropoutKey'>, site: number): Tensor =>
  dropoutKey ? dropout(foldIn(dropoutKey, site), x, config.dropout) : x
