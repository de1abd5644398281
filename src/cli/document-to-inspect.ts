import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { DataError, systemCode } from '../data/errors.ts'
import { hasShards } from '../data/shards.ts'
import { type SplitName, splitDocuments, splitNames } from '../data/split.ts'
import { looksLikeText, nearestName } from '../data/text-files.ts'
import { encodeDocument } from '../data/token-documents.ts'
import type { TokenArray, Tokenizer } from '../data/tokenizer.ts'
import { packageRoot } from '../runner/python.ts'
import { openCorpus, openTrainingData } from '../train/corpus.ts'
import type { CorpusConfig } from '../train/run-config.ts'

/** A document that was found, as tokens. */
export interface FoundDocument {
  readonly name: string
  readonly ids: ArrayLike<number>
  /** Which part of the run's corpus it is of; absent for a file. */
  readonly split?: SplitName
}

/**
 * The document that a name means: a file, or else a document of a run's corpus by its name or the end of it. Throws `DataError`
 * `CORPUS_MISSING` with the nearest name where there is none, `CORPUS_EMPTY`, `CORPUS_BINARY`, and as `openTrainingData`.
 */
export async function findDocument(name: string, data: CorpusConfig, tokenizer: Tokenizer): Promise<FoundDocument> {
  const file = await stat(name).catch(() => undefined)
  if (file?.isFile()) return fileDocument(name, tokenizer)
  if (file) throw new DataError(`${name} is a folder: name one text file, or a document of the run's corpus`, 'CORPUS_MISSING', { path: name })
  return hasShards(data.corpus) ? shardDocument(name, data, tokenizer) : corpusDocument(name, data, tokenizer)
}

async function fileDocument(path: string, tokenizer: Tokenizer): Promise<FoundDocument> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw new DataError(`cannot read ${path}: ${(error as Error).message}`, systemCode(error) === 'ENOENT' ? 'FILE_MISSING' : 'FILE_UNREADABLE', { path, cause: error })
  }
  return { name: basename(path), ids: encoded(path, bytes, tokenizer) }
}

function encoded(name: string, bytes: Uint8Array, tokenizer: Tokenizer): TokenArray {
  if (bytes.length === 0) throw new DataError(`${name} is empty: there is nothing to inspect`, 'CORPUS_EMPTY', { path: name })
  if (!looksLikeText(bytes)) throw new DataError(`${name} is binary: name a file of text (UTF-8)`, 'CORPUS_BINARY', { path: name })
  return encodeDocument({ name, group: name, sizeBytes: bytes.length, read: () => bytes }, tokenizer)
}

function corpusDocument(name: string, data: CorpusConfig, tokenizer: Tokenizer): FoundDocument {
  const { documents } = openCorpus(data, packageRoot)
  const found = namedDocument(name, documents, data.corpus)
  const parts = splitDocuments(documents, { fractions: data.split, measure: 'bytes' })
  return { name: found.name, ids: encoded(found.name, found.read(), tokenizer), split: splitNames.find((part) => parts[part].includes(found)) }
}

async function shardDocument(name: string, data: CorpusConfig, tokenizer: Tokenizer): Promise<FoundDocument> {
  const opened = await openTrainingData(data, packageRoot, tokenizer)
  try {
    const all = splitNames.flatMap((split) => opened.documents[split].map((document) => ({ split, document, name: document.name })))
    const { document, split } = namedDocument(name, all, data.corpus)
    return { name: document.name, ids: Uint32Array.from(document.read(0, document.tokenCount)), split }
  } finally {
    opened.close()
  }
}

/** The document of that name, or the only one whose name ends so. */
function namedDocument<D extends { readonly name: string }>(name: string, documents: readonly D[], corpus: string): D {
  const exact = documents.find((document) => document.name === name)
  if (exact) return exact
  const ending = documents.filter((document) => document.name.endsWith(`/${name}`))
  if (ending.length === 1) return ending[0]
  const where = `the corpus ${corpus}, which has ${documents.length} document${documents.length === 1 ? '' : 's'}`
  if (ending.length > 1)
    throw new DataError(`${name} may mean ${ending.length} documents of ${where}: ${ending.slice(0, 4).map((document) => document.name).join(', ')}${ending.length > 4 ? ', ...' : ''}`, 'CORPUS_MISSING')
  const names = documents.map((document) => document.name)
  const near = nearestName(name, names) ?? nearestName(basename(name), names.map((each) => basename(each)))
  throw new DataError(`there is no file ${name}, and no such document in ${where}${near === undefined ? '' : `; did you mean ${near}?`}`, 'CORPUS_MISSING', { path: name })
}
