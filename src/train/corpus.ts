import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { type Corpus, readCorpus } from '../data/corpus.ts'
import { DataError } from '../data/errors.ts'
import { installedSources } from '../data/installed.ts'
import { fetchedFolder, knownCorpora } from '../data/known-corpora.ts'
import { TokenShards, hasShards } from '../data/shards.ts'
import { type SplitName, splitDocuments } from '../data/split.ts'
import { type TokenDocument, encodeDocuments } from '../data/token-documents.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { describeTokenizer, tokenizerIdentity } from '../data/tokenizer-identity.ts'
import { readTokenizer } from '../data/tokenizers.ts'
import type { CorpusConfig } from './run-config.ts'

/** A corpus divided into parts, as tokens. */
export interface TrainingData {
  readonly name: string
  readonly tokenizer: Tokenizer
  readonly documents: Readonly<Record<SplitName, readonly TokenDocument[]>>
  /** Documents and bytes of each part. */
  readonly sizes: Readonly<Record<SplitName, { readonly documents: number; readonly bytes: number }>>
  /** Closes the files that documents are read from. */
  close(): void
}

/**
 * The data of a run. A folder of token shards is read as a stream, with the tokenizer that wrote them; any other corpus is turned into
 * tokens here and kept in memory, with the tokenizer that the configuration names, or with `saved`, that of a checkpoint. `projectRoot` is
 * where `installed` looks. Throws `DataError` where the corpus is missing, empty, binary or too small to divide, and where shards were
 * written with another tokenizer than the one that is asked for.
 */
export async function openTrainingData(config: CorpusConfig, projectRoot: string, saved?: Tokenizer): Promise<TrainingData> {
  if (hasShards(config.corpus)) return shardData(config, saved)
  const tokenizer = saved ?? (await readTokenizer(config.tokenizer))
  const corpus = openCorpus(config, projectRoot)
  const parts = splitDocuments(corpus.documents, { fractions: config.split, measure: 'bytes' })
  return { ...divided(corpus.name, tokenizer, parts, (documents) => encodeDocuments(documents, tokenizer)), close: () => {} }
}

/** The tokenizer that a run of this configuration has. Throws as `openTrainingData`. */
export async function tokenizerOf(config: Pick<CorpusConfig, 'corpus' | 'tokenizer'>): Promise<Tokenizer> {
  if (!hasShards(config.corpus)) return readTokenizer(config.tokenizer)
  const shards = TokenShards.open(config.corpus)
  shards.close()
  return shards.tokenizer
}

async function shardData(config: CorpusConfig, saved?: Tokenizer): Promise<TrainingData> {
  const shards = TokenShards.open(config.corpus)
  try {
    const wanted = saved ?? (config.tokenizer === 'bytes' ? undefined : await readTokenizer(config.tokenizer))
    if (wanted && identity(wanted) !== identity(shards.tokenizer))
      throw new DataError(
        `the token shards in ${config.corpus} were written with another tokenizer (${describe(shards.tokenizer)}) than ${saved ? 'the checkpoint has' : config.tokenizer} (${describe(wanted)}); write them again with that one`,
        'TOKENIZER_UNKNOWN',
        { path: config.corpus },
      )
    const parts = splitDocuments(shards.documents, { fractions: config.split, measure: 'bytes' })
    return { ...divided(basename(config.corpus), shards.tokenizer, parts, (documents) => documents), close: () => shards.close() }
  } catch (error) {
    shards.close()
    throw error
  }
}

const identity = (tokenizer: Tokenizer): string => tokenizerIdentity(tokenizer.describe())
const describe = (tokenizer: Tokenizer): string => describeTokenizer(tokenizer.describe())

function divided<D extends { readonly sizeBytes: number }>(
  name: string,
  tokenizer: Tokenizer,
  parts: Readonly<Record<SplitName, readonly D[]>>,
  asTokens: (documents: readonly D[]) => readonly TokenDocument[],
): Omit<TrainingData, 'close'> {
  const of = <R>(make: (name: SplitName) => R): Record<SplitName, R> => ({ train: make('train'), validation: make('validation'), test: make('test') })
  return {
    name,
    tokenizer,
    documents: of((part) => asTokens(parts[part])),
    sizes: of((part) => ({ documents: parts[part].length, bytes: parts[part].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) })),
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
