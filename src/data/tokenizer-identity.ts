import { createHash } from 'node:crypto'
import type { TokenizerDescription } from './tokenizer.ts'

/**
 * What tells one tokenizer from another: the SHA-256 of its description, in hexadecimal digits. Two of the same size with other tokens differ,
 * and the order of the keys in a file is of no account.
 */
export const tokenizerIdentity = (description: TokenizerDescription): string =>
  createHash('sha256').update(JSON.stringify(sorted(JSON.parse(JSON.stringify(description))))).digest('hex')

/** A tokenizer in a message: `huggingface, 4096 ids, 3f2a91c0d4e5`. */
export const describeTokenizer = (description: TokenizerDescription): string =>
  `${description.kind}, ${description.vocabularySize} ids, ${tokenizerIdentity(description).slice(0, 12)}`

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}
