import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { approxTopK } from '../knn/approx-top-k.ts'
import { topK } from '../knn/top-k.ts'
import { maskedSoftmax } from '../lib/softmax.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { logistic } from '../ops/elementwise-unary.ts'
import { gather } from '../ops/gather-scatter.ts'
import { select } from '../ops/select.ts'
import type { KeysAndValues } from './cache.ts'

export const searches = ['exact', 'approximate'] as const

export interface SearchOptions {
  readonly neighbours: number
  readonly search: (typeof searches)[number]
  /** Share of the true neighbours that an approximate search has to find on average. */
  readonly recallTarget: number
}

export interface Retrieval {
  /** `i32[b,h,s,k]`: places in the ring. */
  readonly places: Tensor
  /** `bool[b,h,s,k]`: false where the slot has fewer than `k` tokens in its memory. */
  readonly valid: Tensor
  /** `[b,h,s,k,d]` */
  readonly keys: Tensor
  /** `[b,h,s,k,d]` */
  readonly values: Tensor
}

/**
 * The `k` places of the memory whose keys score highest: queries `[b,h,s,d]`, memory `[b,h,n,d]`, `filled bool[b,n]`. Every slot and head
 * searches its own memory. Nothing is differentiated. Source: Wu et al. 2022, section 3.2.
 */
export function retrieve(queries: Tensor, memory: KeysAndValues, filled: Tensor, { neighbours, search, recallTarget }: SearchOptions): Retrieval {
  const [asked, keys, values] = stopGradient([queries, memory.keys, memory.values])
  const scores = dotGeneral(convert(asked, keys.dtype), keys, { batching: [[0, 1], [0, 1]], contracting: [[3], [3]], outputDtype: wideType(keys.dtype) })
  const known = select(broadcastInDim(filled, scores.shape, [0, 3]), scores, -Infinity)
  const found = search === 'exact' ? topK(known, neighbours) : approxTopK(known, neighbours, { recallTarget })
  return {
    places: found.indices,
    valid: compare(found.values, -Infinity, 'GT'),
    keys: convert(takePlaces(keys, found.indices), queries.dtype),
    values: convert(takePlaces(values, found.indices), queries.dtype),
  }
}

/** Rows of every slot's and head's own ring: `[b,h,n,d]`, places `i32[b,h,s,k]` -> `[b,h,s,k,d]`. */
const takePlaces = (ring: Tensor, places: Tensor): Tensor =>
  gather(ring, places, {
    dimension_numbers: {
      offset_dims: [4],
      collapsed_slice_dims: [2],
      operand_batching_dims: [0, 1],
      start_indices_batching_dims: [0, 1],
      start_index_map: [2],
      index_vector_dim: 4,
    },
    slice_sizes: [1, 1, 1, ring.shape[3]],
  })

/**
 * Attention to what was retrieved and to nothing else, without positions: queries `[b,h,s,d] -> [b,h,s,d]`, and the weights `f32[b,h,s,k]`.
 * Scores are computed again from the retrieved keys, so that the gradient reaches the queries. Where nothing is valid the result is 0.
 */
export function attendRetrieved(queries: Tensor, { keys, values, valid }: Retrieval): { out: Tensor; weights: Tensor } {
  const batching = [[0, 1, 2], [0, 1, 2]] as const
  const scores = dotGeneral(queries, keys, { batching, contracting: [[3], [4]], outputDtype: wideType(queries.dtype) })
  const weights = maskedSoftmax(scores, valid)
  return { out: dotGeneral(convert(weights, values.dtype), values, { batching, contracting: [[3], [3]] }), weights }
}

/**
 * `g memory + (1 - g) local` with one learned gate per head, `g = sigmoid(bias)`; a slot whose memory is empty uses the local result alone:
 * local and memory `[b,h,s,d]`, bias `f32[h]`, `length i32[b]` before this segment. Source: Wu et al. 2022, equation in section 3.2.
 */
export function gateMemory(local: Tensor, memory: Tensor, bias: Tensor, length: Tensor): Tensor {
  const dtype = wideType(local.dtype)
  const perSlot = [local.shape[0], local.shape[1]]
  const open = broadcastInDim(compare(length, 0, 'GT'), perSlot, [0])
  const gate = select(open, broadcastInDim(logistic(convert(bias, dtype)), perSlot, [1]), zeros(tensorType(dtype, perSlot)))
  const wide = broadcastInDim(gate, local.shape, [0, 1])
  const own = convert(local, dtype)
  return convert(add(own, multiply(wide, subtract(convert(memory, dtype), own))), local.dtype)
}
