import { createHash } from 'node:crypto'
import { z } from 'zod'
import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import { DataError, issueText } from './errors.ts'
import { SeededRandom } from './random.ts'
import type { TokenDocument } from './token-documents.ts'

const packingShape = {
  /** Batch slots `b`. */
  slots: z.int().min(1),
  /** Tokens of a segment `s`. */
  segment: z.int().min(1),
  /** Longer documents are cut into equal pieces of at most so many tokens, each a document of its own. */
  maxDocumentTokens: z.int().min(2).optional(),
  /** Order of documents, a new one in each epoch; `shuffle: false` keeps the given one. */
  seed: z.int().default(0),
  shuffle: z.boolean().default(true),
}
const tokenizerPartSchema = z.custom<TokenUnits>(
  (value) => typeof value === 'object' && value !== null && (value as TokenUnits).tokenBytes instanceof Uint32Array,
  { error: 'expected a tokenizer, or an object with its padding and tokenBytes' },
)
const batchOptionsSchema = z.strictObject({ ...packingShape, tokenizer: tokenizerPartSchema })
const evaluationOptionsSchema = z.strictObject({
  ...packingShape,
  tokenizer: tokenizerPartSchema,
  /** Ends after the batch that brings the tokens that count to this; without it every document is read to its end. */
  tokenBudget: z.int().positive().optional(),
})

/** What packing needs of a tokenizer. */
export interface TokenUnits {
  readonly padding: number
  readonly tokenBytes: Uint32Array
}
export type BatchStreamOptions = z.input<typeof batchOptionsSchema>
export type EvaluationStreamOptions = z.input<typeof evaluationOptionsSchema>

/** What a train step reads: one segment for each slot, and what was counted. */
export interface Batch {
  /** i32[b,s]: the segment's tokens; padding after the end of a document. */
  readonly tokens: HostArray
  /** i32[b,s]: the token after each. */
  readonly targets: HostArray
  /** f32[b,s]: the weight of each target, 0 where there is none. */
  readonly weights: HostArray
  /** bool[b]: whether the slot begins a document here, so that its caches and memories are empty for this step already. */
  readonly start: HostArray
  readonly counts: BatchCounts
  /** What each slot reads; undefined where a finite stream has run out of documents. */
  readonly sources: readonly (SegmentSource | undefined)[]
}

export interface BatchCounts {
  /** Targets of weight above 0. */
  readonly tokens: number
  /** Bytes of text that they stand for. */
  readonly bytes: number
  /** Sum of all weights. */
  readonly weight: number
}

/** A run of a document. */
export interface SegmentSource {
  readonly document: string
  /** The place in the document (the whole one, not the piece) of the segment's first token. */
  readonly offset: number
  /** Tokens read; the rest of the segment is padding. */
  readonly length: number
}

const slotSchema = z.strictObject({ epoch: z.int().min(0), piece: z.int().min(0), offset: z.int().min(0) })
/** The schema of a position in a batch stream, as a checkpoint stores it. */
export const streamPositionSchema = z.strictObject({
  version: z.literal(1),
  slots: z.int().min(1),
  segment: z.int().min(1),
  maxDocumentTokens: z.int().min(2).nullable(),
  seed: z.int(),
  shuffle: z.boolean(),
  /** Hash of the documents' names and lengths. */
  documents: z.string(),
  /** Batches given so far. */
  step: z.int().min(0),
  /** Where the next document is taken from: how many of this epoch's were taken already. */
  epoch: z.int().min(0),
  taken: z.int().min(0),
  /** What each slot reads next; null where it takes a new document first. */
  reading: z.array(slotSchema.nullable()),
})
/** An exact place in a batch stream: a small value that survives JSON. */
export type StreamPosition = z.infer<typeof streamPositionSchema>

/** An endless stream of training batches. */
export interface BatchStream {
  /** The next batch; its arrays are never written again. */
  next(): Batch
  /** Where the next batch begins; give it to `createBatchStream` to go on from here bit for bit. */
  position(): StreamPosition
  /** Documents (or pieces) in one epoch. */
  readonly piecesPerEpoch: number
  /** Targets in one epoch. */
  readonly tokensPerEpoch: number
}

/** A finite pass over documents for evaluation; iterate it or call `next` until undefined. */
export interface EvaluationStream extends Iterable<Batch> {
  next(): Batch | undefined
}

/**
 * Packs documents into `slots` that each read one document from start to end in consecutive segments, then the next. A slot
 * that ends a document takes the next one of a common order, so that no slot runs dry; orders follow each other without
 * end, shuffled by `seed` and epoch. The input of a document of `t` tokens is its first `t - 1`, the targets its last `t - 1`;
 * a document of fewer than two tokens has none and is passed over.
 *
 * Throws `DataError`: `DATA_OPTIONS`, `CORPUS_TOO_SHORT`, `POSITION_INVALID`, `POSITION_MISMATCH`.
 */
export function createBatchStream(documents: readonly TokenDocument[], options: BatchStreamOptions, position?: unknown): BatchStream {
  const checked = batchOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`batch options: ${issueText(checked.error)}`, 'DATA_OPTIONS')
  const packer = new Packer(documents, checked.data, Infinity)
  if (position !== undefined) packer.restore(position)
  return {
    next: () => packer.next()!,
    position: () => packer.position(),
    piecesPerEpoch: packer.pieces.length,
    tokensPerEpoch: packer.pieces.reduce((sum, piece) => sum + piece.end - piece.begin - 1, 0),
  }
}

/**
 * One pass over `documents`, each read once from its start, in the order that `seed` gives (the same every time, so that
 * models are compared on the same batches). It has a state of its own and disturbs no training stream. When documents
 * run out, idle slots hold padding of weight 0.
 */
export function createEvaluationStream(documents: readonly TokenDocument[], options: EvaluationStreamOptions): EvaluationStream {
  const checked = evaluationOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`evaluation options: ${issueText(checked.error)}`, 'DATA_OPTIONS')
  const budget = checked.data.tokenBudget ?? Infinity
  const packer = new Packer(documents, checked.data, 1)
  let counted = 0
  const next = (): Batch | undefined => {
    const batch = counted < budget ? packer.next() : undefined
    counted += batch?.counts.tokens ?? 0
    return batch
  }
  return {
    next,
    *[Symbol.iterator]() {
      for (let batch = next(); batch; batch = next()) yield batch
    },
  }
}

/** A document, or a part of one that is treated as a document: tokens `begin` to `end`. */
interface Piece {
  readonly document: TokenDocument
  readonly begin: number
  readonly end: number
}

type PackingOptions = z.output<typeof batchOptionsSchema>

class Packer {
  readonly pieces: readonly Piece[]
  readonly #options: PackingOptions
  readonly #epochs: number
  readonly #fingerprint: string
  #step = 0
  #epoch = 0
  #taken = 0
  #order: ArrayLike<number>
  #reading: (z.infer<typeof slotSchema> | null)[]

  constructor(documents: readonly TokenDocument[], options: PackingOptions, epochs: number) {
    this.#options = options
    this.#epochs = epochs
    this.pieces = documents.flatMap((document) => cut(document, options.maxDocumentTokens ?? Infinity))
    if (this.pieces.length === 0)
      throw new DataError(`none of the ${documents.length} documents has two tokens or more, so there is nothing to predict`, 'CORPUS_TOO_SHORT')
    const hash = createHash('sha256')
    for (const { name, tokenCount } of documents) hash.update(`${JSON.stringify(name)} ${tokenCount}\n`)
    this.#fingerprint = hash.digest('hex').slice(0, 32)
    this.#order = this.#orderOf(0)
    this.#reading = Array.from({ length: options.slots }, () => null)
  }

  #orderOf(epoch: number): ArrayLike<number> {
    const order = Uint32Array.from(this.pieces, (_, i) => i)
    return this.#options.shuffle ? new SeededRandom('order', this.#options.seed, epoch).shuffle(order) : order
  }

  /** The next document of the common order, or null when the last epoch is over. */
  #take(): z.infer<typeof slotSchema> | null {
    if (this.#taken === this.pieces.length) {
      if (this.#epoch + 1 >= this.#epochs) return null
      this.#epoch++
      this.#taken = 0
      this.#order = this.#orderOf(this.#epoch)
    }
    return { epoch: this.#epoch, piece: this.#order[this.#taken++], offset: 0 }
  }

  /** The next batch, or undefined when every slot is idle. */
  next(): Batch | undefined {
    const { slots, segment, tokenizer } = this.#options
    const tokens = new Int32Array(slots * segment).fill(tokenizer.padding)
    const targets = new Int32Array(slots * segment).fill(tokenizer.padding)
    const weights = new Float32Array(slots * segment)
    const start = new Uint8Array(slots)
    const sources: (SegmentSource | undefined)[] = []
    let counted = 0
    let bytes = 0
    let weight = 0

    for (let slot = 0; slot < slots; slot++) {
      const now = this.#reading[slot] ?? this.#take()
      if (!now) {
        sources.push(undefined)
        continue
      }
      const { document, begin, end } = this.pieces[now.piece]
      const from = begin + now.offset
      // One token more than the segment: the target of its last place. A piece's last token is a target only.
      const to = Math.min(from + segment + 1, end)
      const ids = document.read(from, to)
      const given = document.weights?.(from + 1, to)
      const base = slot * segment
      const length = to - from - 1
      for (let i = 0; i < length; i++) {
        const target = ids[i + 1]
        const w = given ? given[i] : 1
        tokens[base + i] = ids[i]
        targets[base + i] = target
        weights[base + i] = w
        if (w > 0) {
          counted++
          bytes += tokenizer.tokenBytes[target]
          weight += w
        }
      }
      start[slot] = now.offset === 0 ? 1 : 0
      sources.push({ document: document.name, offset: from, length })
      this.#reading[slot] = to < end ? { ...now, offset: now.offset + segment } : null
    }
    if (sources.every((source) => source === undefined)) return undefined
    this.#step++
    return {
      tokens: new HostArray(tensorType('i32', [slots, segment]), tokens),
      targets: new HostArray(tensorType('i32', [slots, segment]), targets),
      weights: new HostArray(tensorType('f32', [slots, segment]), weights),
      start: new HostArray(tensorType('bool', [slots]), start),
      counts: { tokens: counted, bytes, weight },
      sources,
    }
  }

  position(): StreamPosition {
    const { slots, segment, maxDocumentTokens, seed, shuffle } = this.#options
    return {
      version: 1,
      slots,
      segment,
      maxDocumentTokens: maxDocumentTokens ?? null,
      seed,
      shuffle,
      documents: this.#fingerprint,
      step: this.#step,
      epoch: this.#epoch,
      taken: this.#taken,
      reading: this.#reading.map((slot) => slot && { ...slot }),
    }
  }

  restore(value: unknown): void {
    const parsed = streamPositionSchema.safeParse(value)
    if (!parsed.success) throw new DataError(`not a position in a batch stream: ${issueText(parsed.error)}`, 'POSITION_INVALID')
    const position = parsed.data
    const own = this.position()
    for (const key of ['slots', 'segment', 'maxDocumentTokens', 'seed', 'shuffle'] as const)
      if (position[key] !== own[key])
        throw new DataError(`the saved position was made with ${key} ${position[key] ?? 'unset'}, this stream has ${own[key] ?? 'unset'}`, 'POSITION_MISMATCH')
    if (position.documents !== own.documents)
      throw new DataError('the saved position belongs to another corpus (other names, lengths or order of documents)', 'POSITION_MISMATCH')
    const inside = (slot: z.infer<typeof slotSchema>): boolean => {
      const piece = this.pieces[slot.piece]
      return piece !== undefined && slot.offset % position.segment === 0 && piece.begin + slot.offset < piece.end - 1
    }
    if (position.reading.length !== position.slots || position.taken > this.pieces.length || position.reading.some((slot) => slot && !inside(slot)))
      throw new DataError('the saved position points outside its documents: the file it came from is damaged', 'POSITION_INVALID')
    this.#step = position.step
    this.#epoch = position.epoch
    this.#taken = position.taken
    this.#order = this.#orderOf(position.epoch)
    this.#reading = position.reading
  }
}

/** A document as pieces of nearly equal length, at most `max` tokens each; those without a target are left out. */
function cut(document: TokenDocument, max: number): Piece[] {
  const count = document.tokenCount
  const pieces = Math.ceil(count / max) || 1
  return Array.from({ length: pieces }, (_, i) => ({
    document,
    begin: Math.floor((i * count) / pieces),
    end: Math.floor(((i + 1) * count) / pieces),
  })).filter(({ begin, end }) => end - begin >= 2)
}
