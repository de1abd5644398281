import { stopGradient } from '../autodiff/custom.ts'
import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { add, subtract } from '../ops/arithmetic.ts'
import { and } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { concatenate } from '../ops/concatenate.ts'
import { fill, zeros } from '../ops/constant.ts'
import { minimum } from '../ops/elementwise-binary.ts'
import { iota } from '../ops/iota.ts'
import { expandDims } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import type { RelativeExtent } from './position.ts'

/**
 * The cache of Transformer-XL: every layer keeps keys and values of the last `w` tokens of its slot, the newest last. Which of them the slot
 * has really read in its present document is one length per slot, common to all layers. Source: Dai et al. 2019, section 3.2.
 */
export interface KeysAndValues {
  /** `[b,h,l,d]` */
  readonly keys: Tensor
  /** `[b,h,l,d]` */
  readonly values: Tensor
}

export interface CacheState {
  /** `i32[b]`: tokens of the document among the last `w`. */
  readonly length: Tensor
  /** Of each layer, `[b,h,w,d]`. */
  readonly layers: readonly KeysAndValues[]
}

export interface KeysAndValuesShape {
  readonly slots: number
  readonly heads: number
  readonly headSize: number
  readonly dtype: DType
}

/** Room for keys and values of `places` tokens, zeroed. */
export function emptyKeysAndValues({ slots, heads, headSize, dtype }: KeysAndValuesShape, places: number): KeysAndValues {
  const type = tensorType(dtype, [slots, heads, places, headSize])
  return { keys: zeros(type), values: zeros(type) }
}

/** The cache of slots that have read nothing; `null` for a cache length of 0. */
export function emptyCache(shape: KeysAndValuesShape, layers: number, cacheLength: number): CacheState | null {
  if (cacheLength === 0) return null
  return {
    length: fill(0, tensorType('i32', [shape.slots])),
    layers: Array.from({ length: layers }, () => emptyKeysAndValues(shape, cacheLength)),
  }
}

/** `length` (`i32[b]`), 0 where a slot begins a document (`start bool[b]`). */
export const lengthAfterStart = (length: Tensor, start: Tensor): Tensor => select(start, fill(0, length.type), length)

/** `length` after reading `count` tokens more, at most `capacity`. */
export const grownLength = (length: Tensor, count: number, capacity: number): Tensor => minimum(add(length, Math.min(count, capacity)), capacity)

/**
 * Which keys a query may attend to: itself, what is before it in the segment, and what the slot's cache has of its document.
 * `length i32[b]` after the reset (absent without cache) -> `bool[b,s,l]` (`bool[1,s,l]` without cache).
 */
export function attentionMask({ queries, keys, offset }: RelativeExtent, length?: Tensor): Tensor {
  const shape = [length?.shape[0] ?? 1, queries, keys]
  const place = iota(tensorType('i32', [1, 1, keys]), 2)
  const last = add(iota(tensorType('i32', [1, queries, 1]), 1), offset)
  const causal = compare(place, last, 'LE')
  if (!length) return causal
  const known = compare(place, expandDims(subtract(offset, length), [1, 2]), 'GE')
  return and(broadcastInDim(causal, shape, [0, 1, 2]), broadcastInDim(known, shape, [0, 1, 2]))
}

/** Cache and segment one after the other, nothing being differentiated into the cache; and the cache that they leave behind. */
export function throughCache(cache: KeysAndValues | undefined, fresh: KeysAndValues): { joined: KeysAndValues; next: KeysAndValues | undefined } {
  if (!cache) return { joined: fresh, next: undefined }
  const join = (old: Tensor, recent: Tensor): Tensor => concatenate([stopGradient(old), recent], 2)
  const joined = { keys: join(cache.keys, fresh.keys), values: join(cache.values, fresh.values) }
  const newest = (x: Tensor, kept: number): Tensor => stopGradient(sliceAxis(x, 2, x.shape[2] - kept, x.shape[2]))
  const kept = cache.keys.shape[2]
  return { joined, next: { keys: newest(joined.keys, kept), values: newest(joined.values, kept) } }
}
