import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { DataError, issueText, systemCode } from './errors.ts'
import { fromHuggingFaceDescription, huggingFaceTokenizer } from './huggingface-tokenizer.ts'
import { type Tokenizer, type TokenizerDescription, byteTokenizer } from './tokenizer.ts'

const descriptionSchema = z.looseObject({ kind: z.string(), vocabularySize: z.int().positive() })

/** How each kind of tokenizer is made from its description. */
const makers: Readonly<Record<string, (description: TokenizerDescription) => Tokenizer>> = {
  bytes: byteTokenizer,
  huggingface: fromHuggingFaceDescription,
}

/**
 * The tokenizer that `describe()` told of. Throws `DataError` if the description is malformed, of an unknown kind, or of
 * another vocabulary size than that kind gives.
 */
export function tokenizerFrom(description: unknown): Tokenizer {
  const parsed = descriptionSchema.safeParse(description)
  if (!parsed.success) throw new DataError(`not a tokenizer's description: ${issueText(parsed.error)}`, 'TOKENIZER_UNKNOWN')
  const { kind, vocabularySize } = parsed.data
  const make = Object.hasOwn(makers, kind) ? makers[kind] : undefined
  if (!make) throw new DataError(`tokenizer '${kind}' is not known; known: ${Object.keys(makers).join(', ')}`, 'TOKENIZER_UNKNOWN')
  const tokenizer = make(parsed.data)
  if (tokenizer.vocabularySize !== vocabularySize)
    throw new DataError(`tokenizer '${kind}' has ${tokenizer.vocabularySize} ids, but ${vocabularySize} were expected`, 'TOKENIZER_UNKNOWN')
  return tokenizer
}

/**
 * The tokenizer that a command line or configuration names: `bytes`, or the path of a Hugging Face `tokenizer.json` (or of a folder with
 * one). Throws `DataError` `FILE_MISSING`, `FILE_UNREADABLE`, `TOKENIZER_UNKNOWN`.
 */
export async function readTokenizer(reference: string): Promise<Tokenizer> {
  if (reference === 'bytes') return byteTokenizer()
  const [path, text] = await readFirst([reference, `${reference}/tokenizer.json`])
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new DataError(`tokenizer ${path} is not JSON: ${(error as Error).message}`, 'TOKENIZER_UNKNOWN', { path, cause: error })
  }
  return huggingFaceTokenizer(json, { source: path })
}

/** The first of the paths that is a file, and its text. */
async function readFirst([path, ...others]: readonly string[]): Promise<[string, string]> {
  try {
    return [path, await readFile(path, 'utf8')]
  } catch (error) {
    if (systemCode(error) === 'EISDIR' && others.length) return readFirst(others)
    if (systemCode(error) === 'ENOENT') throw new DataError(`tokenizer ${path} does not exist; expected 'bytes' or a tokenizer.json`, 'FILE_MISSING', { path, cause: error })
    throw new DataError(`cannot read the tokenizer ${path}: ${(error as Error).message}`, 'FILE_UNREADABLE', { path, cause: error })
  }
}
