import { existsSync } from 'node:fs'
import { type Corpus, readCorpus } from '../data/corpus.ts'
import { DataError } from '../data/errors.ts'
import { installedSources } from '../data/installed.ts'
import { fetchedFolder, knownCorpora } from '../data/known-corpora.ts'
import { type SplitName, splitDocuments } from '../data/split.ts'
import { type TokenDocument, encodeDocuments } from '../data/token-documents.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import type { CorpusConfig } from './run-config.ts'

/** A corpus divided into parts, as tokens. */
export interface TrainingData {
  readonly name: string
  readonly tokenizer: Tokenizer
  readonly documents: Readonly<Record<SplitName, readonly TokenDocument[]>>
  /** Documents and bytes of each part. */
  readonly sizes: Readonly<Record<SplitName, { readonly documents: number; readonly bytes: number }>>
}

/**
 * Reads a corpus, divides it and turns it into tokens; all of it is kept in memory. `projectRoot` is where `installed` looks.
 * Throws `DataError` where the corpus is missing, empty, binary or too small to divide.
 */
export function loadTrainingData(config: CorpusConfig, tokenizer: Tokenizer, projectRoot: string): TrainingData {
  const corpus = openCorpus(config, projectRoot)
  const parts = splitDocuments(corpus.documents, { fractions: config.split, measure: 'bytes' })
  const of = <R>(make: (name: SplitName) => R): Record<SplitName, R> => ({ train: make('train'), validation: make('validation'), test: make('test') })
  return {
    name: corpus.name,
    tokenizer,
    documents: of((name) => encodeDocuments(parts[name], tokenizer)),
    sizes: of((name) => ({ documents: parts[name].length, bytes: parts[name].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) })),
  }
}

/**
 * The corpus that a configuration names: `installed`, one that `engram corpus fetch` brought, or a path. A path goes before a name.
 * Throws `DataError`.
 */
export function openCorpus(config: Pick<CorpusConfig, 'corpus' | 'extensions' | 'documents' | 'maxDocumentBytes' | 'maxTotalBytes'>, projectRoot: string): Corpus {
  const { corpus, extensions, documents, maxDocumentBytes, maxTotalBytes } = config
  if (corpus === 'installed') return installedSources(projectRoot, { maxDocumentBytes, maxTotalBytes })
  const options = { extensions: extensions as [string, ...string[]] | undefined, documents, maxDocumentBytes }
  const known = knownCorpora.find(({ name }) => name === corpus)
  if (!known || existsSync(corpus)) return readCorpus(corpus, options)
  const folder = fetchedFolder(known.name)
  if (!existsSync(folder)) throw new DataError(`the corpus ${corpus} is not in ${folder}; fetch it first: engram corpus fetch ${corpus}`, 'CORPUS_MISSING', { path: folder })
  return readCorpus(folder, options)
}
