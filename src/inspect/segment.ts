/** What one memory layer retrieved for a run of `s` queries. */
export interface LayerRetrieval {
  /** Counted from 1. */
  readonly layer: number
  readonly heads: number
  readonly neighbours: number
  /** Queries that `places` and `weights` have room for: `s`, of which the first `length` of the segment are there. */
  readonly queries: number
  /** `i32[h,s,k]`: the places retrieved, in tokens from the start of the document, the nearest key first; -1 where there are fewer. */
  readonly places: Int32Array
  /** `f32[h,s,k]`: their shares of the attention to the memory, 0 where there is none. */
  readonly weights: Float32Array
}

/** A run of a document as a model with memory has read it. */
export interface InspectedSegment {
  /** Which of the documents that are read. */
  readonly document: number
  /** The place of the first token read. The loss that is said of token `i` of the segment is that of predicting token `offset + i + 1`. */
  readonly offset: number
  /** Tokens read. */
  readonly length: number
  /** `f32[length]`, in nats. */
  readonly loss: Float32Array
  /** `f32[length]`: the same with the memory hidden; absent for a model without one. */
  readonly lossWithout?: Float32Array
  /** The places that the memory held, of this document: all queries of a segment read the same. */
  readonly readable: { readonly from: number; /** Exclusive. */ readonly to: number }
  /** Memory layers in order; empty for a model without memory. */
  readonly layers: readonly LayerRetrieval[]
}
