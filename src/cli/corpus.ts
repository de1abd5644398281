import { basename } from 'node:path'
import { Command, Option } from 'commander'
import type { CorpusStatistics, ShardStatistics } from '../data/statistics.ts'
import { jsonOption, positiveInteger } from './options.ts'

export const command = (): Command =>
  new Command('corpus')
    .summary('fetch corpora of long documents, and look at any')
    .description('Fetches corpora with references over long ranges, and tells what a folder of text has in it.')
    .addCommand(fetchCommand())
    .addCommand(listCommand())
    .addCommand(statsCommand())
    .addCommand(tokenizeCommand())

const folderOption = (): Option => new Option('--folder <path>', 'where corpora lie').default('corpora')

const fetchCommand = (): Command =>
  new Command('fetch')
    .summary('download a corpus')
    .description('Downloads a Debian package with apt-get (no root needed), keeps its text, and checks the number of files and bytes.')
    .argument('<name>', 'hol-light, go, metamath; or installed, which is there already')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram corpus fetch hol-light\n  engram train small --corpus hol-light')
    .action(async (name: string, options: { folder: string; json?: boolean }) => {
      if (name === 'installed') {
        process.stdout.write(options.json ? `${JSON.stringify({ name, fetched: false })}\n` : 'installed: the sources that the set-up installed are there already (--corpus installed)\n')
        return
      }
      const { knownCorpus } = await import('../data/known-corpora.ts')
      const { fetchCorpus } = await import('../data/fetch-corpus.ts')
      const { stoppable } = await import('./interruption.ts')
      await stoppable(async (signal) => {
        const result = await fetchCorpus(knownCorpus(name), { folder: options.folder, signal, onStep: (text) => process.stderr.write(`${text} ...\n`) })
        if (result.differs !== undefined) process.stderr.write(`engram: warning: ${result.differs}\n`)
        const facts = `${result.files} files, ${(result.bytes / 1e6).toFixed(1)} MB (${result.package} ${result.version})`
        process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${result.path}: ${facts}${result.fetched ? '' : ', there already'}\ntrain on it: engram train small --corpus ${name}\n`)
      })
    })

const listCommand = (): Command =>
  new Command('list')
    .summary('corpora that can be fetched')
    .description('Lists the corpora that can be fetched, and which of them are there.')
    .addOption(folderOption())
    .addOption(jsonOption())
    .action(async (options: { folder: string; json?: boolean }) => {
      const { fetchedFolder, knownCorpora } = await import('../data/known-corpora.ts')
      const { readNote } = await import('../data/fetch-corpus.ts')
      const rows = knownCorpora.map(({ name, title, files, bytes, debianPackage }) => ({ name, title, files, bytes, package: debianPackage, there: readNote(fetchedFolder(name, options.folder)) !== undefined }))
      if (options.json) process.stdout.write(`${JSON.stringify({ corpora: rows })}\n`)
      else for (const row of rows) process.stdout.write(`${row.name.padEnd(10)} ${row.there ? 'there' : '-    '}  ${(row.bytes / 1e6).toFixed(1).padStart(5)} MB  ${String(row.files).padStart(5)} files  ${row.title}\n`)
    })

interface ReadingOptions {
  readonly extensions?: [string, ...string[]]
  readonly documents: 'files' | 'folders'
  readonly maxDocumentBytes?: number
  readonly json?: boolean
}

/** A command that reads a corpus as a training run would. */
export const corpusReader = (name: string): Command =>
  new Command(name)
    .argument('<corpus>', 'a folder or file of text, a fetched corpus, or "installed"')
    .option('--extensions <ending...>', 'take files with these endings alone')
    .addOption(new Option('--documents <kind>', 'a document per file, or per first-level folder').choices(['files', 'folders']).default('files'))
    .option('--max-document-bytes <count>', 'divide longer documents', positiveInteger)
    .addOption(jsonOption())

/** The text that such a command was given. Throws `DataError`, `CORPUS_BINARY` for token shards. */
export async function openReadCorpus(corpus: string, options: ReadingOptions) {
  const { hasShards } = await import('../data/shards.ts')
  if (hasShards(corpus)) {
    const { DataError } = await import('../data/errors.ts')
    throw new DataError(`${corpus} holds token shards, not text; name the corpus that they were made from`, 'CORPUS_BINARY', { path: corpus })
  }
  const { openCorpus } = await import('../train/corpus.ts')
  const { packageRoot } = await import('../runner/python.ts')
  return openCorpus({ ...options, corpus }, packageRoot)
}

const statsCommand = (): Command =>
  corpusReader('stats')
    .summary('documents, bytes and a histogram of lengths')
    .description('Reads a corpus as a training run would, and tells how many documents it has and how long they are; of token shards, in tokens.')
    .addHelpText('after', '\nExamples:\n  engram corpus stats hol-light\n  engram corpus stats shards/hol-light')
    .action(async (corpus: string, options: ReadingOptions) => {
      const { corpusStatistics } = await import('../data/statistics.ts')
      const { hasShards } = await import('../data/shards.ts')
      if (hasShards(corpus)) return printShardStatistics(corpus, options)
      const opened = await openReadCorpus(corpus, options)
      const statistics = corpusStatistics(opened.documents)
      process.stdout.write(options.json ? `${JSON.stringify({ corpus: opened.name, ...statistics, skipped: opened.skipped })}\n` : statisticsText(opened.name, statistics, opened.skipped))
    })

/** Statistics of a folder of token shards. Throws `DataError`; `DATA_OPTIONS` for options that change how text is read. */
async function printShardStatistics(folder: string, { extensions, documents, maxDocumentBytes, json }: ReadingOptions): Promise<void> {
  const { DataError } = await import('../data/errors.ts')
  const { TokenShards } = await import('../data/shards.ts')
  const { shardStatistics } = await import('../data/statistics.ts')
  const { describeTokenizer } = await import('../data/tokenizer-identity.ts')
  const given = [extensions && '--extensions', documents === 'folders' && '--documents', maxDocumentBytes && '--max-document-bytes'].filter(Boolean)
  if (given.length > 0) throw new DataError(`${folder} holds token shards, whose documents stay as they were written: ${given.join(', ')} cannot change them`, 'DATA_OPTIONS', { path: folder })
  const shards = TokenShards.open(folder)
  shards.close()
  const statistics = shardStatistics(shards.documents)
  const tokenizer = shards.tokenizer.describe()
  process.stdout.write(json ? `${JSON.stringify({ corpus: basename(folder), ...statistics, tokenizer: { kind: tokenizer.kind, vocabularySize: tokenizer.vocabularySize } })}\n` : shardStatisticsText(basename(folder), statistics, describeTokenizer(tokenizer)))
}

interface TokenizeOptions extends ReadingOptions {
  readonly tokenizer: string
  readonly output: string
  readonly shardTokens?: number
}

const tokenizeCommand = (): Command =>
  corpusReader('tokenize')
    .summary('write a corpus as token shards')
    .description('Turns a corpus into tokens on disk, once; training then reads them as a stream and begins at once.')
    .requiredOption('-o, --output <folder>', 'where the shards are written')
    .option('--tokenizer <file>', '"bytes", or a tokenizer.json', 'bytes')
    .option('--shard-tokens <count>', 'tokens of a shard (default 67108864)', positiveInteger)
    .addHelpText('after', '\nExamples:\n  engram corpus tokenize hol-light --tokenizer tokenizer.json -o shards/hol-light\n  engram train small --corpus shards/hol-light')
    .action(async (corpus: string, options: TokenizeOptions) => {
      const { readTokenizer } = await import('../data/tokenizers.ts')
      const { writeShards } = await import('../data/shards.ts')
      const { ProgressLine } = await import('./progress-line.ts')
      const tokenizer = await readTokenizer(options.tokenizer)
      const opened = await openReadCorpus(corpus, options)
      const progress = new ProgressLine()
      const manifest = await writeShards(options.output, opened.documents, { tokenizer, shardTokens: options.shardTokens, onProgress: (done, total) => progress.show(`tokenizing: ${done} of ${total} documents`) }).finally(() => progress.end())
      const tokens = manifest.shards.reduce((sum, shard) => sum + shard.tokens, 0)
      const bytes = manifest.documents.reduce((sum, document) => sum + document.bytes, 0)
      const facts = { corpus: opened.name, output: options.output, documents: manifest.documents.length, tokens, bytes, bytesPerToken: bytes / tokens, shards: manifest.shards.length, vocabularySize: tokenizer.vocabularySize }
      process.stdout.write(options.json ? `${JSON.stringify(facts)}\n` : `${options.output}: ${facts.documents} documents, ${tokens.toLocaleString('en')} tokens of ${tokenizer.vocabularySize} kinds, ${facts.bytesPerToken.toFixed(2)} bytes a token\n`)
    })

function statisticsText(name: string, statistics: CorpusStatistics, skipped: Readonly<Record<string, number>>): string {
  const { documents, bytes } = statistics
  const left = Object.entries(skipped).filter(([, count]) => count > 0).map(([reason, count]) => `${count} ${reason}`)
  return [
    `${name}: ${count(documents)} documents, ${count(bytes)} bytes`,
    ...lengthLines(statistics, (bin) => bin.bytes, sizeText),
    ...(left.length ? [`left out: ${left.join(', ')}`] : []),
    '',
  ].join('\n')
}

const shardStatisticsText = (name: string, statistics: ShardStatistics, tokenizer: string): string =>
  [
    `${name}: ${count(statistics.documents)} documents, ${count(statistics.tokens)} tokens of ${count(statistics.bytes)} bytes (${tokenizer})`,
    ...lengthLines(statistics, (bin) => bin.tokens, count, ' tokens'),
    '',
  ].join('\n')

/** The lengths of documents in lines: the extremes, and a bar for each bin. */
function lengthLines<Bin extends { readonly from: number; readonly to: number; readonly documents: number }>(
  { shortest, median, longest, histogram }: { readonly shortest: number; readonly median: number; readonly longest: number; readonly histogram: readonly Bin[] },
  sizeOf: (bin: Bin) => number,
  text: (size: number) => string,
  unit = '',
): string[] {
  const most = Math.max(...histogram.map(sizeOf), 1)
  const rows = histogram.map((bin) => {
    const range = `${text(bin.from)} to ${text(bin.to)}`
    return `  ${range.padStart(18)}  ${String(bin.documents).padStart(6)} documents  ${text(sizeOf(bin)).padStart(8)}  ${'#'.repeat(Math.round((40 * sizeOf(bin)) / most))}`
  })
  return [`shortest ${text(shortest)}, median ${text(median)}, longest ${text(longest)}${unit}`, ...rows]
}

const count = (value: number): string => value.toLocaleString('en')

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 ** 2 ? `${round(bytes / 1024)} KiB` : `${round(bytes / 1024 ** 2)} MiB`
}

const round = (value: number): string => (value < 10 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0))
