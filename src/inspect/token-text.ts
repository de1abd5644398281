import { DataError } from '../data/errors.ts'
import type { Tokenizer } from '../data/tokenizer.ts'

/** A document as text and as tokens, and which part of the text each token is. */
export interface TokenText {
  readonly text: string
  readonly ids: ArrayLike<number>
  /** `u32[t + 1]`: where the text of each token begins, in UTF-16 code units; the last is the text's length. */
  readonly starts: Uint32Array
}

/**
 * The text of tokens. A character that several tokens make together belongs to the last of them, so that the others are empty; what is not
 * UTF-8 becomes the replacement character. Throws `DataError` for an id that the tokenizer does not have.
 */
export function tokenText(ids: ArrayLike<number>, tokenizer: Pick<Tokenizer, 'decode' | 'vocabularySize'>): TokenText {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const starts = new Uint32Array(ids.length + 1)
  const pieces: string[] = []
  let length = 0
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] >= tokenizer.vocabularySize)
      throw new DataError(`token ${ids[i]} at place ${i} is outside the vocabulary of the tokenizer (0 to ${tokenizer.vocabularySize - 1})`, 'TOKEN_RANGE')
    const piece = decoder.decode(tokenizer.decode([ids[i]]), { stream: true })
    pieces.push(piece)
    length += piece.length
    starts[i + 1] = length
  }
  const rest = decoder.decode()
  if (rest.length > 0 && ids.length > 0) {
    pieces.push(rest)
    starts[ids.length] = length + rest.length
  }
  return { text: pieces.join(''), ids, starts }
}

/** The token that a place of the text, in code units, is part of. */
export function tokenAt({ starts }: Pick<TokenText, 'starts'>, place: number): number {
  let [low, high] = [0, starts.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle] <= place) low = middle
    else high = middle
  }
  return low
}
