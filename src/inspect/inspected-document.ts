import { type LossTotals, type LossUnits, lossUnits } from '../data/loss-units.ts'
import type { InspectedSegment } from './segment.ts'
import type { TokenText } from './token-text.ts'

/** What one memory layer retrieved in a whole document. */
export interface DocumentRetrieval {
  /** Counted from 1. */
  readonly layer: number
  readonly heads: number
  /** Places kept of each query and head. */
  readonly kept: number
  /**
   * `u32[t,h,kept]`: the distance in tokens from the query back to a place retrieved, times 256, and the place's share of the attention in
   * 255ths; 0 where there is none. The query of token `i` is token `i - 1`, which predicts it.
   */
  readonly places: Uint32Array
}

/** One document as a model has read it: all that the page shows. */
export interface InspectedDocument {
  readonly text: TokenText
  /** `f32[t]`: the loss of each token in nats; 0 for the first, which nothing predicts. */
  readonly loss: Float32Array
  /** The same with the memory hidden; absent for a model without one. */
  readonly lossWithout?: Float32Array
  readonly layers: readonly DocumentRetrieval[]
}

/** Distances that fit beside a share. */
export const longestDistance = 2 ** 24 - 1

/** Gathers the segments of one document, in any order. */
export class DocumentCollector {
  readonly #text: TokenText
  readonly #kept: number
  readonly #loss: Float32Array
  #lossWithout: Float32Array | undefined
  readonly #layers: DocumentRetrieval[] = []

  /** Keeps the `kept` nearest places of each query and head. */
  constructor(text: TokenText, kept: number) {
    this.#text = text
    this.#kept = kept
    this.#loss = new Float32Array(text.ids.length)
  }

  add({ offset, length, loss, lossWithout, layers }: InspectedSegment): void {
    const tokens = this.#text.ids.length
    this.#loss.set(loss, offset + 1)
    if (lossWithout) (this.#lossWithout ??= new Float32Array(tokens)).set(lossWithout, offset + 1)
    layers.forEach(({ layer, heads, neighbours, queries, places, weights }, index) => {
      const kept = Math.min(this.#kept, neighbours)
      const into = (this.#layers[index] ??= { layer, heads, kept, places: new Uint32Array(tokens * heads * kept) })
      for (let head = 0; head < heads; head++)
        for (let i = 0; i < length; i++)
          for (let n = 0; n < kept; n++) {
            const from = (head * queries + i) * neighbours + n
            if (places[from] < 0) continue
            const distance = Math.min(longestDistance, offset + i - places[from])
            into.places[((offset + i + 1) * heads + head) * kept + n] = distance * 256 + Math.round(255 * Math.min(1, Math.max(0, weights[from])))
          }
    })
  }

  get document(): InspectedDocument {
    return { text: this.#text, loss: this.#loss, ...(this.#lossWithout ? { lossWithout: this.#lossWithout } : {}), layers: this.#layers }
  }
}

/** A document's losses summed. */
export interface DocumentTotals {
  readonly with: LossTotals & LossUnits
  readonly without?: LossTotals & LossUnits
  /** Share of the tokens predicted whose loss is lower with the memory. */
  readonly gained?: number
}

/** The totals over all tokens but the first. `tokenBytes` are those of the tokenizer. */
export function documentTotals({ text: { ids }, loss, lossWithout }: InspectedDocument, tokenBytes: ArrayLike<number>): DocumentTotals {
  const tokens = Math.max(0, ids.length - 1)
  let bytes = 0
  let gained = 0
  for (let i = 1; i < ids.length; i++) {
    bytes += tokenBytes[ids[i]]
    if (lossWithout && lossWithout[i] > loss[i]) gained++
  }
  const units = (losses: Float32Array): LossTotals & LossUnits => {
    const totals = { nats: losses.reduce((sum, each) => sum + each, 0), tokens, bytes }
    return { ...totals, ...lossUnits(totals) }
  }
  return { with: units(loss), ...(lossWithout ? { without: units(lossWithout), gained: gained / tokens } : {}) }
}

/** The tokens whose loss the memory changed most, the most first: with `sign` 1 those that gained, with -1 those that lost. */
export function mostChanged({ loss, lossWithout }: InspectedDocument, count: number, sign: 1 | -1): number[] {
  if (!lossWithout) return []
  const change = (i: number): number => sign * (lossWithout[i] - loss[i])
  return Array.from(loss.keys()).filter((i) => change(i) > 0).sort((a, b) => change(b) - change(a)).slice(0, count)
}

/** How many places of each query and head fit into `budgetBytes`, 1 to 8. */
export const placesThatFit = (tokens: number, heads: number, budgetBytes: number): number =>
  Math.max(1, Math.min(8, Math.floor(budgetBytes / Math.max(1, 4 * tokens * heads))))
