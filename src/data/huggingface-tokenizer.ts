import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import { bytesOfToken, characterOfByte, textRuns } from './byte-level.ts'
import { DataError, issueText } from './errors.ts'
import { type Tokenizer, type TokenizerDescription, allocateTokens, checkId } from './tokenizer.ts'

const typed = z.looseObject({ type: z.string() })
const addedTokenSchema = z.looseObject({ id: z.int().nonnegative(), content: z.string().min(1), special: z.boolean().default(false) })
const tokenizerJsonSchema = z.looseObject({
  model: z.looseObject({ type: z.string().default('BPE'), vocab: z.record(z.string(), z.int().nonnegative()), merges: z.array(z.unknown()) }),
  normalizer: typed.nullish(),
  pre_tokenizer: typed.nullish(),
  decoder: typed.nullish(),
  added_tokens: z.array(addedTokenSchema).default([]),
})
type TokenizerJson = z.infer<typeof tokenizerJsonSchema>
type AddedToken = z.infer<typeof addedTokenSchema>

/** Names that published tokenizers give to the token after a document, the most usual first. */
const endNames = ['<|endoftext|>', '<|end_of_text|>', '</s>', '<eos>', '<|eos|>', '[EOS]']

export interface HuggingFaceOptions {
  /** What to call the tokenizer in errors: its file. */
  readonly source?: string
  /** The special token after each document, where it has none of the usual names. */
  readonly endOfDocument?: string
}

/**
 * A tokenizer of a Hugging Face `tokenizer.json`: byte-level byte-pair encodings (GPT-2, Llama 3, Qwen, and what `engram tokenizer train`
 * makes). Text is taken as it is: normalisers and added spaces are left out, special tokens are not looked for in it, and bytes that are not
 * UTF-8 become the tokens of single bytes, so that `decode(encode(bytes))` is `bytes`. Without a special token for the end of a document it
 * gets one more id for it. Throws `DataError` `TOKENIZER_UNKNOWN` for other kinds of tokenizers, which do not keep every text.
 */
export function huggingFaceTokenizer(json: unknown, { source = 'tokenizer.json', endOfDocument: endName }: HuggingFaceOptions = {}): Tokenizer {
  const parsed = tokenizerJsonSchema.safeParse(json)
  if (!parsed.success) throw new DataError(`${source} is no Hugging Face tokenizer: ${issueText(parsed.error)}`, 'TOKENIZER_UNKNOWN')
  const definition = parsed.data
  checkKeepsText(definition, source)
  const { vocab } = definition.model
  const special = definition.added_tokens.filter((token) => token.special)
  const end = findEnd(special, endName, source)
  const largest = Math.max(...Object.values(vocab), ...definition.added_tokens.map(({ id }) => id))
  const endOfDocument = end?.id ?? largest + 1
  const vocabularySize = Math.max(largest, endOfDocument) + 1
  const pieces = tokenPieces(definition, vocabularySize, source)
  const byteIds = Uint32Array.from({ length: 256 }, (_, byte) => vocab[characterOfByte(byte)])
  const library = new LibraryTokenizer(asWritten(definition), {})

  return {
    kind: 'huggingface',
    vocabularySize,
    endOfDocument,
    padding: endOfDocument,
    tokenBytes: Uint32Array.from(pieces, (piece) => piece.length),
    encode(bytes) {
      const runs = textRuns(bytes).map((run) => ('text' in run ? library.encode(run.text, { add_special_tokens: false }).ids : Array.from(run.invalid, (byte) => byteIds[byte])))
      const ids = allocateTokens(vocabularySize, runs.reduce((sum, run) => sum + run.length, 0))
      let used = 0
      for (const run of runs) {
        ids.set(run, used)
        used += run.length
      }
      return ids
    },
    decode(ids) {
      let size = 0
      for (let i = 0; i < ids.length; i++) {
        checkId(ids[i], i, vocabularySize, 'this')
        size += pieces[ids[i]].length
      }
      const bytes = new Uint8Array(size)
      let used = 0
      for (let i = 0; i < ids.length; i++) {
        bytes.set(pieces[ids[i]], used)
        used += pieces[ids[i]].length
      }
      return bytes
    },
    describe: (): TokenizerDescription => ({ kind: 'huggingface', vocabularySize, tokenizer: json, ...(endName === undefined ? {} : { endOfDocument: endName }) }),
  }
}

/** The tokenizer that `describe` told of. */
export const fromHuggingFaceDescription = (description: TokenizerDescription): Tokenizer =>
  huggingFaceTokenizer(description.tokenizer, {
    source: 'the saved tokenizer',
    ...(typeof description.endOfDocument === 'string' ? { endOfDocument: description.endOfDocument } : {}),
  })

/** Refuses what would lose or change text. */
function checkKeepsText({ model, normalizer, pre_tokenizer: splitter, decoder }: TokenizerJson, source: string): void {
  const refuse = (why: string): never => {
    throw new DataError(`${source}: ${why}; byte-level byte-pair tokenizers can be used (GPT-2, Llama 3, Qwen, or one trained by engram tokenizer train)`, 'TOKENIZER_UNKNOWN')
  }
  if (model.type !== 'BPE') refuse(`its model is ${model.type}, not BPE`)
  const isByteLevel = (part: { readonly type: string; readonly pretokenizers?: unknown; readonly decoders?: unknown } | null | undefined): boolean =>
    part?.type === 'ByteLevel' || (part?.type === 'Sequence' && [part.pretokenizers, part.decoders].some((parts) => Array.isArray(parts) && parts.some(isByteLevel)))
  if (!isByteLevel(splitter) && !isByteLevel(decoder)) refuse('it is not byte-level, so that it cannot write every text')
  if (normalizer && !['NFC', 'NFKC', 'NFD', 'NFKD'].includes(normalizer.type)) refuse(`its normaliser ${normalizer.type} changes the text`)
  for (let byte = 0; byte < 256; byte++)
    if (model.vocab[characterOfByte(byte)] === undefined) refuse(`it has no token for the single byte 0x${byte.toString(16).padStart(2, '0')}`)
}

/** The definition without what changes text: normalisers, special tokens, a space before the first word, and what is put around a text. */
function asWritten(definition: TokenizerJson): TokenizerJson {
  const withoutSpace = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) return part
    const parts = (part as { pretokenizers?: unknown }).pretokenizers
    return { ...part, ...('add_prefix_space' in part ? { add_prefix_space: false } : {}), ...(Array.isArray(parts) ? { pretokenizers: parts.map(withoutSpace) } : {}) }
  }
  return {
    ...definition,
    normalizer: null,
    pre_tokenizer: withoutSpace(definition.pre_tokenizer) as TokenizerJson['pre_tokenizer'],
    post_processor: null,
    truncation: null,
    padding: null,
    added_tokens: definition.added_tokens.filter((token) => !token.special),
  }
}

function findEnd(special: readonly AddedToken[], wanted: string | undefined, source: string): AddedToken | undefined {
  if (wanted === undefined) return endNames.map((name) => special.find(({ content }) => content === name)).find((token) => token !== undefined)
  const found = special.find(({ content }) => content === wanted)
  if (!found)
    throw new DataError(`${source} has no special token ${wanted} (special tokens: ${special.map(({ content }) => content).join(', ') || 'none'})`, 'TOKENIZER_UNKNOWN')
  return found
}

/** The bytes of every id; none for special ids and for ids that no token has. */
function tokenPieces({ model, added_tokens: added }: TokenizerJson, vocabularySize: number, source: string): Uint8Array[] {
  const pieces = new Array<Uint8Array>(vocabularySize).fill(new Uint8Array(0))
  const encoder = new TextEncoder()
  const addedContents = new Map(added.map((token) => [token.content, token]))
  for (const [token, id] of Object.entries(model.vocab)) {
    if (addedContents.has(token)) continue
    const bytes = bytesOfToken(token)
    if (!bytes) throw new DataError(`${source}: token ${id} ${JSON.stringify(token)} has characters outside the byte-level alphabet`, 'TOKENIZER_UNKNOWN')
    pieces[id] = bytes
  }
  for (const { id, content, special } of added) if (!special) pieces[id] = encoder.encode(content)
  return pieces
}
