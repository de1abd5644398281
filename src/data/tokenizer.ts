import { DataError } from './errors.ts'

/** Token ids as they are stored: the narrowest unsigned type that holds the vocabulary. */
export type TokenArray = Uint8Array | Uint16Array | Uint32Array

/** Bytes to token ids and back. */
export interface Tokenizer {
  /** Which tokenizer it is, e.g. `bytes`; stands in checkpoints and shards. */
  readonly kind: string
  /** Ids are 0 to `vocabularySize - 1`, special ones included. */
  readonly vocabularySize: number
  /** The id after a document's last token. */
  readonly endOfDocument: number
  /** The id in places that do not count; may be the same as `endOfDocument`, since its weight is 0. */
  readonly padding: number
  /** Bytes of text that each id stands for, `[vocabularySize]`; 0 for special ids. Bits per byte are exact through it. */
  readonly tokenBytes: Uint32Array
  /** Ids of `bytes`, without special ids. `decode(encode(bytes))` is `bytes`. */
  encode(bytes: Uint8Array): TokenArray
  /** Bytes of `ids`; special ids give none. Throws `DataError` for an id outside the vocabulary. */
  decode(ids: ArrayLike<number>): Uint8Array
  /** What a checkpoint stores to get the same tokenizer again. */
  describe(): TokenizerDescription
}

/** Kind and size, and what that kind needs beside them. */
export interface TokenizerDescription {
  readonly kind: string
  readonly vocabularySize: number
  readonly [key: string]: unknown
}

/** Throws `DataError` unless `id`, at place `place` of a list, is one of the vocabulary. */
export function checkId(id: number, place: number, vocabularySize: number, which: string): void {
  if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
    throw new DataError(`token ${id} at place ${place} is outside the vocabulary of ${which} tokenizer (0 to ${vocabularySize - 1})`, 'TOKEN_RANGE')
}

/** The narrowest empty store for `count` ids below `vocabularySize`. */
export function allocateTokens(vocabularySize: number, count: number): TokenArray {
  return vocabularySize <= 2 ** 8 ? new Uint8Array(count)
    : vocabularySize <= 2 ** 16 ? new Uint16Array(count)
    : new Uint32Array(count)
}

const BYTE_END = 256
const byteVocabulary = 257

/**
 * The byte-level tokenizer: id `i` below 256 is the byte `i`, id 256 ends a document and pads. One token is one byte, so
 * bits per token and bits per byte agree (but for the end of a document, which stands for no byte).
 */
export function byteTokenizer(): Tokenizer {
  const tokenBytes = new Uint32Array(byteVocabulary).fill(1)
  tokenBytes[BYTE_END] = 0
  return {
    kind: 'bytes',
    vocabularySize: byteVocabulary,
    endOfDocument: BYTE_END,
    padding: BYTE_END,
    tokenBytes,
    encode: (bytes) => new Uint8Array(bytes),
    decode(ids) {
      const bytes = new Uint8Array(ids.length)
      let used = 0
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]
        checkId(id, i, byteVocabulary, 'the bytes')
        if (id !== BYTE_END) bytes[used++] = id
      }
      return bytes.slice(0, used)
    },
    describe: () => ({ kind: 'bytes', vocabularySize: byteVocabulary }),
  }
}
