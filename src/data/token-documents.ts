import type { CorpusDocument } from './corpus.ts'
import { type TokenArray, type Tokenizer, allocateTokens } from './tokenizer.ts'

/** A document as tokens, in memory, on disk or made on demand: all that packing needs to know of it. */
export interface TokenDocument {
  readonly name: string
  readonly tokenCount: number
  /** The ids from `start` to `end` (exclusive), `0 <= start <= end <= tokenCount`. */
  read(start: number, end: number): ArrayLike<number>
  /** The weight of each of those tokens *as a target*; without this, all count 1. */
  weights?(start: number, end: number): ArrayLike<number>
}

/** A document over ids in memory. */
export function memoryDocument(name: string, tokens: TokenArray | Int32Array, weights?: Float32Array): TokenDocument {
  return {
    name,
    tokenCount: tokens.length,
    read: (start, end) => tokens.subarray(start, end),
    ...(weights ? { weights: (start: number, end: number) => weights.subarray(start, end) } : {}),
  }
}

/** The ids of one corpus document, with the end-of-document id after them if `end` is true (default). */
export function encodeDocument(document: CorpusDocument, tokenizer: Tokenizer, end = true): TokenArray {
  const ids = tokenizer.encode(document.read())
  if (!end) return ids
  const withEnd = allocateTokens(tokenizer.vocabularySize, ids.length + 1)
  withEnd.set(ids)
  withEnd[ids.length] = tokenizer.endOfDocument
  return withEnd
}

/** Corpus documents as token documents in memory: about two bytes a token. For more than memory holds, write shards. */
export function encodeDocuments(documents: readonly CorpusDocument[], tokenizer: Tokenizer, end = true): TokenDocument[] {
  return documents.map((document) => memoryDocument(document.name, encodeDocument(document, tokenizer, end)))
}
