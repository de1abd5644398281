import { Command } from 'commander'
import type { CorpusDocument } from '../data/corpus.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { corpusReader, openReadCorpus } from './corpus.ts'
import { jsonOption, positiveInteger } from './options.ts'

export const command = (): Command =>
  new Command('tokenizer')
    .summary('train a tokenizer on a corpus, or look at one')
    .description('Byte-level byte-pair tokenizers, as Hugging Face tokenizer.json files.')
    .addCommand(trainCommand())
    .addCommand(showCommand())

interface TrainTokenizerOptions {
  readonly vocabulary: number
  readonly minFrequency: number
  readonly output: string
  readonly extensions?: [string, ...string[]]
  readonly documents: 'files' | 'folders'
  readonly maxDocumentBytes?: number
  readonly all?: boolean
  readonly json?: boolean
}

const trainCommand = (): Command =>
  corpusReader('train')
    .summary('train a tokenizer')
    .description('Trains a byte-level byte-pair tokenizer on the training documents of a corpus (those that engram train would train on).')
    .option('--vocabulary <size>', 'ids in all, at least 257: the bytes, the end of a document, and what is learnt', positiveInteger, 8192)
    .option('--min-frequency <count>', 'pairs that occur less often are not merged', positiveInteger, 2)
    .option('--all', 'learn from held-out documents too')
    .option('-o, --output <file>', 'the file to write', 'tokenizer.json')
    .addHelpText('after', '\nExamples:\n  engram tokenizer train hol-light --vocabulary 4096 -o hol-light.json\n  engram train small --corpus hol-light --tokenizer hol-light.json')
    .action(async (corpus: string, options: TrainTokenizerOptions) => {
      const { InputError } = await import('../ir/errors.ts')
      if (options.vocabulary < 257) throw new InputError(`--vocabulary ${options.vocabulary} is too small: 256 bytes and the end of a document make 257 ids`, 'INPUT_VOCABULARY')
      const { splitDocuments } = await import('../data/split.ts')
      const { checkRunConfig } = await import('../train/run-config.ts')
      const { huggingFaceTokenizer } = await import('../data/huggingface-tokenizer.ts')
      const { writeFileAtomic } = await import('../data/atomic-file.ts')
      const { trainTokenizer } = await import('./train-tokenizer.ts')
      const { ProgressLine } = await import('./progress-line.ts')
      const { stoppable } = await import('./interruption.ts')
      const opened = await openReadCorpus(corpus, options)
      const documents = options.all ? opened.documents : splitDocuments(opened.documents, { fractions: checkRunConfig({}).data.split, measure: 'bytes' }).train
      const progress = new ProgressLine()
      await stoppable(async (signal) => {
        const onProgress = (done: number, total: number): void => progress.show(`reading documents: ${done} of ${total}`)
        const text = await trainTokenizer(documents, { vocabularySize: options.vocabulary, minFrequency: options.minFrequency, signal, onProgress }).finally(() => progress.end())
        const tokenizer = huggingFaceTokenizer(JSON.parse(text), { source: options.output })
        await writeFileAtomic(options.output, (writer) => writer.write(new TextEncoder().encode(text)))
        const facts = { output: options.output, vocabularySize: tokenizer.vocabularySize, documents: documents.length, bytesPerToken: bytesPerToken(tokenizer, documents) }
        process.stdout.write(options.json ? `${JSON.stringify(facts)}\n` : `${options.output}: ${facts.vocabularySize} ids, learnt from ${facts.documents} documents; ${facts.bytesPerToken.toFixed(2)} bytes a token\n`)
      })
    })

/** Bytes a token, on a sample of a few megabytes. */
function bytesPerToken(tokenizer: Tokenizer, documents: readonly CorpusDocument[]): number {
  const sampleBytes = 2 ** 21
  const every = Math.max(1, Math.floor(documents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / sampleBytes))
  const sample = documents.filter((_, i) => i % every === 0)
  const [tokens, bytes] = sample.reduce(([t, b], document) => [t + tokenizer.encode(document.read(0, sampleBytes)).length, b + Math.min(document.sizeBytes, sampleBytes)], [0, 0])
  return bytes / tokens
}

const showCommand = (): Command =>
  new Command('show')
    .summary('facts about a tokenizer, or how it divides a text')
    .description('Tells what a tokenizer.json has, or prints a text divided into its tokens.')
    .argument('<tokenizer>', '"bytes", or a tokenizer.json')
    .argument('[text]', 'a text to divide')
    .addOption(jsonOption())
    .action(async (reference: string, text: string | undefined, options: { json?: boolean }) => {
      const { readTokenizer } = await import('../data/tokenizers.ts')
      const tokenizer = await readTokenizer(reference)
      const { kind, vocabularySize, endOfDocument } = tokenizer
      const ids = text === undefined ? undefined : Array.from(tokenizer.encode(new TextEncoder().encode(text)))
      const pieces = ids?.map((id) => new TextDecoder().decode(tokenizer.decode([id])))
      if (options.json) process.stdout.write(`${JSON.stringify({ kind, vocabularySize, endOfDocument, ...(ids ? { ids, pieces } : {}) })}\n`)
      else if (ids) process.stdout.write(`${ids.map((id, i) => `${id}\t${JSON.stringify(pieces![i])}`).join('\n')}\n`)
      else process.stdout.write(`${reference}: ${kind}, ${vocabularySize} ids, ${endOfDocument} ends a document\n`)
    })
