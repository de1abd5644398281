import type { CorpusDocument } from './corpus.ts'
import type { ShardDocument } from './shards.ts'

/** What the lengths of documents are measured in. */
export type LengthUnit = 'bytes' | 'tokens'

/** How many documents have lengths in one range, and how much they are together. */
export type LengthBin<Unit extends LengthUnit> = {
  /** Inclusive. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly documents: number
} & { readonly [unit in Unit]: number }

export interface LengthStatistics<Unit extends LengthUnit> {
  readonly documents: number
  readonly shortest: number
  readonly median: number
  readonly longest: number
  /** Bins that double in width, from the shortest document's to the longest's. */
  readonly histogram: readonly LengthBin<Unit>[]
}

/** Text, in bytes. */
export type CorpusStatistics = LengthStatistics<'bytes'> & { readonly bytes: number }
/** Token shards: lengths in tokens, and the bytes of the text that they were made from. */
export type ShardStatistics = LengthStatistics<'tokens'> & { readonly tokens: number; readonly bytes: number }

/** Number and lengths of documents of text. */
export const corpusStatistics = (documents: readonly Pick<CorpusDocument, 'sizeBytes'>[]): CorpusStatistics => {
  const sizes = documents.map(({ sizeBytes }) => sizeBytes)
  return { bytes: total(sizes), ...lengthStatistics(sizes, 'bytes') }
}

/** Number and lengths of documents of tokens. */
export const shardStatistics = (documents: readonly Pick<ShardDocument, 'sizeBytes' | 'tokenCount'>[]): ShardStatistics => {
  const counts = documents.map(({ tokenCount }) => tokenCount)
  return { tokens: total(counts), bytes: total(documents.map(({ sizeBytes }) => sizeBytes)), ...lengthStatistics(counts, 'tokens') }
}

function lengthStatistics<Unit extends LengthUnit>(lengths: readonly number[], unit: Unit): LengthStatistics<Unit> {
  const sorted = [...lengths].sort((a, b) => a - b)
  const bins = new Map<number, { documents: number; sum: number }>()
  for (const length of sorted) {
    const power = Math.floor(Math.log2(Math.max(1, length)))
    const { documents, sum } = bins.get(power) ?? noDocuments
    bins.set(power, { documents: documents + 1, sum: sum + length })
  }
  const powers = [...bins.keys()]
  const histogram = powers.length === 0 ? [] : Array.from({ length: powers[powers.length - 1] - powers[0] + 1 }, (_, i) => {
    const power = powers[0] + i
    const { documents, sum } = bins.get(power) ?? noDocuments
    return { from: power === 0 ? 0 : 2 ** power, to: 2 ** (power + 1), documents, [unit]: sum } as LengthBin<Unit>
  })
  return { documents: sorted.length, shortest: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, longest: sorted[sorted.length - 1] ?? 0, histogram }
}

const noDocuments = { documents: 0, sum: 0 }

const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)
