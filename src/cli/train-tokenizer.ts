import { Readable } from 'node:stream'
import { execa } from 'execa'
import { textRuns } from '../data/byte-level.ts'
import type { CorpusDocument } from '../data/corpus.ts'
import { DataError } from '../data/errors.ts'
import { findPython, pythonEnvironment } from '../runner/python.ts'

export interface TokenizerTraining {
  /** Ids in all: 256 bytes, the end of a document, and what is learnt. */
  readonly vocabularySize: number
  /** Pairs that occur less often are not merged. */
  readonly minFrequency: number
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** What stands after each document in a trained tokenizer. */
const endOfDocument = '<|endoftext|>'

/**
 * Trains a byte-level byte-pair tokenizer on documents with the Python library `tokenizers`: the text of its `tokenizer.json`. The same
 * documents in the same order give the same tokenizer. Bytes that are not UTF-8 are passed over. Throws `DataError`.
 */
export async function trainTokenizer(documents: readonly CorpusDocument[], { vocabularySize, minFrequency, signal, onProgress }: TokenizerTraining): Promise<string> {
  const { command } = findPython()
  const result = await execa(command, ['-m', 'engram_runner.train_tokenizer', String(vocabularySize), String(minFrequency), endOfDocument], {
    input: Readable.from(lines(documents, onProgress)),
    env: { ...pythonEnvironment(), TOKENIZERS_PARALLELISM: 'true' },
    cancelSignal: signal,
    reject: false,
    // The tokenizer.json of a million ids has some 100 MB.
    maxBuffer: 2 ** 29,
  })
  if (!result.failed) return result.stdout
  if (signal?.aborted) throw new DataError('training of the tokenizer was interrupted; nothing was written', 'TOKENIZER_TRAINING')
  const reason = result.stderr.trim().split('\n').at(-1) || result.shortMessage
  const hint = /ModuleNotFoundError|ENOENT/.test(reason + (result.code ?? '')) ? '; run `npm run setup`' : ''
  throw new DataError(`the tokenizer could not be trained: ${reason}${hint}`, 'TOKENIZER_TRAINING', { cause: result })
}

function* lines(documents: readonly CorpusDocument[], onProgress?: (done: number, total: number) => void): Generator<string> {
  for (const [i, document] of documents.entries()) {
    for (const run of textRuns(document.read())) if ('text' in run) yield `${JSON.stringify(run.text)}\n`
    onProgress?.(i + 1, documents.length)
  }
}
