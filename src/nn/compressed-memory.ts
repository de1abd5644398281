import { stopGradient } from '../autodiff/custom.ts'
import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { wideType } from '../lib/wide.ts'
import { add, divide, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { concatenate } from '../ops/concatenate.ts'
import { fill, zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { maximum, minimum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { reduceSum } from '../ops/reduce.ts'
import { expandDims, reshape } from '../ops/reshape.ts'
import { pad, sliceAxis } from '../ops/slice-pad.ts'
import { attentionMask, lengthAfterStart } from './cache.ts'
import type { OldMemories } from './compression.ts'
import { windowOfEach } from './slot-rows.ts'

/**
 * The two memories of a Compressive Transformer. Every layer keeps the vectors that its attention read: of the last `w` tokens as they were, and
 * of older ones `c` to one in a second queue of `n_c` places. Keys and values are projected from them again in each step, as in the paper.
 *
 * Tokens leave the cache in blocks of `c`, so that none is lost whatever the length of a segment: up to `c - 1` that have left the last `w` wait
 * beside the cache, not attended to, until their block is full. Where `c` divides segment and cache none ever waits, and a step compresses
 * exactly what the paper's does. How many tokens of its document a slot has in either queue is one length each, common to all layers.
 *
 * Letters: `b` slots, `s` segment, `w` cache, `n_c` compressed places, `c` rate, `D` width. Source: Rae et al. 2020, algorithm 1.
 */
export interface CompressedMemorySizes {
  /** `w` */
  readonly cacheLength: number
  /** `n_c` */
  readonly compressedLength: number
  /** `c` */
  readonly compressionRate: number
}

export interface CompressedLayer {
  /** `[b,w+c-1,D]`, the newest last: the cache, and before it what waits. */
  readonly recent: Tensor
  /** `[b,n_c,D]`, the newest last. */
  readonly compressed: Tensor
  /** `f32[b,w+c-1]`: attention that each recent vector has got so far, summed over queries, averaged over heads; most-used alone has it. */
  readonly usage?: Tensor
}

export interface CompressedState {
  /** `i32[b]`: tokens of the document among the recent. */
  readonly length: Tensor
  /** `i32[b]`: places of the compressed memory that are filled. */
  readonly compressedLength: Tensor
  /** `f32[b,w+c-1]`: queries that could attend to each recent vector; most-used alone has it. */
  readonly seen?: Tensor
  readonly layers: readonly CompressedLayer[]
}

export interface CompressedStateShape {
  readonly slots: number
  readonly width: number
  readonly dtype: DType
}

/** The memories of slots that have read nothing; with counts of attention where `usage` is asked for. */
export function emptyCompressed({ slots, width, dtype }: CompressedStateShape, layers: number, sizes: CompressedMemorySizes, usage: boolean): CompressedState {
  const kept = keptLength(sizes)
  const empty = (places: number): Tensor => zeros(tensorType(dtype, [slots, places, width]))
  const none = (): Tensor => fill(0, tensorType('i32', [slots]))
  const counts = (): Tensor => zeros(tensorType(wideType(dtype), [slots, kept]))
  return {
    length: none(),
    compressedLength: none(),
    ...(usage ? { seen: counts() } : {}),
    layers: Array.from({ length: layers }, () => ({ recent: empty(kept), compressed: empty(sizes.compressedLength), ...(usage ? { usage: counts() } : {}) })),
  }
}

const keptLength = ({ cacheLength, compressionRate }: CompressedMemorySizes): number => cacheLength + compressionRate - 1

/** What a step does to the memories, the same in all layers. */
export interface CompressionStep {
  readonly sizes: CompressedMemorySizes
  /** `s` */
  readonly segment: number
  /** `i32[b]`, each after the reset and before the segment. */
  readonly length: Tensor
  readonly compressedLength: Tensor
  /** `i32[b]`: blocks that each slot compresses. */
  readonly blocks: Tensor
  /** Blocks that a slot can have to compress at most. */
  readonly mostBlocks: number
  /** `i32[b]`: where the first of the old vectors stands among those that can leave. */
  readonly first: Tensor
  /** `f32[b,w+c-1+s]`: queries that could attend to each of recent and segment, this step included. */
  readonly seen: Tensor | undefined
}

/** Works out what leaves the cache in this step: `start bool[b]`. */
export function compressionStep(state: CompressedState, start: Tensor, segment: number, sizes: CompressedMemorySizes): CompressionStep {
  const { cacheLength, compressionRate: rate } = sizes
  const length = lengthAfterStart(state.length, start)
  const compressedLength = lengthAfterStart(state.compressedLength, start)
  const leaving = maximum(subtract(add(length, segment), cacheLength), 0)
  const step = {
    sizes,
    segment,
    length,
    compressedLength,
    blocks: divide(leaving, rate),
    mostBlocks: Math.ceil(segment / rate),
    first: subtract(rate - 1 + segment, leaving),
  }
  const seen = state.seen && withAttention(step, state.seen, reduceSum(convert(compressedMask(step), state.seen.dtype), 1))
  return { ...step, seen }
}

/** Which keys a query may attend to, of compressed memory, cache and segment side by side: `bool[b,s,n_c+w+s]`. */
export function compressedMask({ sizes, segment, length, compressedLength }: Omit<CompressionStep, 'seen'>): Tensor {
  const { cacheLength, compressedLength: places } = sizes
  const recent = attentionMask({ queries: segment, keys: cacheLength + segment, offset: cacheLength }, minimum(length, cacheLength))
  const known = compare(iota(tensorType('i32', [1, places]), 1), expandDims(subtract(places, compressedLength), 1), 'GE')
  return concatenate([broadcastInDim(known, [length.shape[0], segment, places], [0, 2]), recent], 2)
}

/** What a layer's attention reads: compressed memory, cache and segment, `x [b,s,D] -> [b,n_c+w+s,D]`. Nothing is differentiated into memories. */
export function throughCompressed({ recent, compressed }: CompressedLayer, x: Tensor, { cacheLength }: CompressedMemorySizes): Tensor {
  const cache = sliceAxis(recent, 1, recent.shape[1] - cacheLength, recent.shape[1])
  return concatenate([stopGradient(compressed), stopGradient(cache), x], 1)
}

/**
 * What a layer has to compress, from its memories and the segment `x [b,s,D]`. `weights f32[b,h,s,n_c+w+s]` of its attention are needed where
 * usage is counted.
 */
export function oldMemories(step: CompressionStep, layer: CompressedLayer, x: Tensor, weights?: Tensor): OldMemories & { readonly allUsage?: Tensor } {
  const { sizes, segment, mostBlocks, blocks, first, seen } = step
  const rate = sizes.compressionRate
  const size = mostBlocks * rate
  const candidates = (all: Tensor): Tensor => windowOfEach(pad(sliceAxis(all, 1, 0, rate - 1 + segment), 0, [0, 0, 0], [0, size, 0]), first, size)
  const below = (count: Tensor, places: number): Tensor => compare(iota(tensorType('i32', [1, places]), 1), expandDims(count, 1), 'LT')
  const old = {
    entries: stopGradient(candidates(concatenate([layer.recent, x], 1))),
    filled: below(multiply(blocks, rate), size),
    filledBlocks: below(blocks, mostBlocks),
  }
  if (!layer.usage || !seen || !weights) return old
  const heads = weights.shape[1]
  const allUsage = withAttention(step, layer.usage, stopGradient(divide(reduceSum(weights, [1, 2]), heads)))
  const average = divide(allUsage, maximum(seen, 1))
  return { ...old, usage: reshape(candidates(expandDims(average, 2)), [average.shape[0], size]), allUsage }
}

/** Counts of the recent `[b,w+c-1]`, moved on to recent and segment and with this step's added: `fresh [b,n_c+w+s] -> [b,w+c-1+s]`. */
function withAttention({ sizes, segment }: Pick<CompressionStep, 'sizes' | 'segment'>, before: Tensor, fresh: Tensor): Tensor {
  const attended = sliceAxis(fresh, 1, sizes.compressedLength, fresh.shape[1])
  return add(pad(before, 0, [0, 0], [0, segment]), pad(attended, 0, [0, sizes.compressionRate - 1], [0, 0]))
}

/** A layer's memories after the step: `x [b,s,D]` the segment, `fresh [b,q,D]` what was compressed, `allUsage` as `oldMemories` gave it. */
export function nextCompressedLayer({ sizes, segment, blocks }: CompressionStep, layer: CompressedLayer, x: Tensor, fresh: Tensor, allUsage?: Tensor): CompressedLayer {
  const kept = keptLength(sizes)
  const newest = (all: Tensor): Tensor => sliceAxis(all, 1, segment, segment + kept)
  return stopGradient({
    recent: newest(concatenate([layer.recent, x], 1)),
    compressed: windowOfEach(concatenate([layer.compressed, fresh], 1), blocks, sizes.compressedLength),
    ...(allUsage ? { usage: newest(allUsage) } : {}),
  })
}

/** Lengths and counts after the step. */
export function nextCompressedState({ sizes, segment, length, compressedLength, blocks, seen }: CompressionStep, layers: readonly CompressedLayer[]): CompressedState {
  return {
    length: subtract(add(length, segment), multiply(blocks, sizes.compressionRate)),
    compressedLength: minimum(add(compressedLength, blocks), sizes.compressedLength),
    ...(seen ? { seen: sliceAxis(seen, 1, segment, segment + keptLength(sizes)) } : {}),
    layers,
  }
}
