/** Sums of a loss over the tokens that count. */
export interface LossTotals {
  /** Cross-entropy summed, in nats. */
  readonly nats: number
  /** Tokens that count. */
  readonly tokens: number
  /** Bytes of text that those tokens stand for. */
  readonly bytes: number
}

/** The ways to state one loss. */
export interface LossUnits {
  readonly natsPerToken: number
  readonly bitsPerToken: number
  readonly bitsPerByte: number
  readonly perplexity: number
}

export const noLoss: LossTotals = { nats: 0, tokens: 0, bytes: 0 }

/** The sum of two totals. */
export const addLoss = (a: LossTotals, b: LossTotals): LossTotals => ({
  nats: a.nats + b.nats,
  tokens: a.tokens + b.tokens,
  bytes: a.bytes + b.bytes,
})

/** Bits per byte from a summed loss in nats: independent of the tokenizer. NaN if there is no byte. */
export const bitsPerByte = (nats: number, bytes: number): number => (bytes > 0 ? nats / Math.LN2 / bytes : NaN)

/** All units of a summed loss; NaN where nothing was counted. */
export function lossUnits(totals: LossTotals): LossUnits {
  const natsPerToken = totals.tokens > 0 ? totals.nats / totals.tokens : NaN
  return {
    natsPerToken,
    bitsPerToken: natsPerToken / Math.LN2,
    bitsPerByte: bitsPerByte(totals.nats, totals.bytes),
    perplexity: Math.exp(natsPerToken),
  }
}
