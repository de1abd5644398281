import { Command, InvalidArgumentError, Option } from 'commander'
import { backendOption, jsonOption, positiveInteger, wholeNumber } from './options.ts'

/** Where vectors come from, in the help of all three. */
const vectorsHelp = 'FILE.npy, FILE.fvecs, FILE.bvecs, FILE.safetensors#TENSOR, or generated: gaussian, clustered, duplicated, sorted, periodic, as in gaussian:65536x128'

const distanceOption = (): Option => new Option('--distance <name>', 'what is near').choices(['innerProduct', 'cosine', 'l2'])
const neighboursOption = (): Option => new Option('-k, --neighbours <count>', 'neighbours of each query').argParser(wholeNumber).default(10)
const recallOption = (): Option => new Option('--recall <share>', 'expected share of the true neighbours to find, in (0, 1]').argParser(number).default(0.95)
const seedOption = (): Option => new Option('--seed <number>', 'draws generated vectors, and the order of the rows').argParser(wholeNumber).default(0)
const lowerings = ['auto', 'exact', 'custom-call', 'partial-reduce', 'packed', 'packed-2']

/** Options of what is built, which `bench` has too. */
const buildOptions = (command: Command): Command =>
  command
    .addOption(distanceOption().default('l2'))
    .addOption(new Option('--dtype <type>', 'what the vectors are kept and multiplied as').choices(['f32', 'bf16']).default('f32'))
    .option('--no-shuffle', 'keep the order of the rows; a search on a TPU then mixes them every time, at the price of a pass over all of them')
    .addOption(seedOption())

const build = (): Command =>
  buildOptions(new Command('build')
    .summary('make an index of vectors')
    .description('Reads vectors, checks that all are finite, prepares them for search, and writes an index: a safetensors file with a checksum.')
    .argument('<vectors>', vectorsHelp)
    .requiredOption('-o, --output <file>', 'the index to write'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram knn build base.fvecs -o base.index\n  engram knn build model.safetensors#keys -o keys.index --distance innerProduct --dtype bf16\n  engram knn build clustered:100000x64 -o clustered.index --seed 7')
    .action(async (vectors: string, options) => (await import('./knn-build.ts')).build(vectors, options))

const query = (): Command =>
  new Command('query')
    .summary('find the neighbours of queries')
    .description('Finds the nearest rows of an index for each query, batch by batch. Without --output it prints a JSON object per query: its neighbours\' rows and their scores.')
    .argument('<index>', 'an index that `engram knn build` wrote')
    .argument('<queries>', vectorsHelp)
    .addOption(neighboursOption())
    .addOption(recallOption())
    .addOption(new Option('--lowering <name>', 'how the search is carried out').choices(lowerings).default('auto'))
    .addOption(seedOption())
    .option('--batch <queries>', 'queries searched at once', positiveInteger, 256)
    .option('-o, --output <file>', 'write the rows found: .npy, .ivecs or .jsonl')
    .option('--scores <file>', 'write their scores too, the larger the nearer: .npy or .fvecs')
    .addOption(backendOption())
    .addOption(jsonOption('print a summary as one JSON object on stdout'))
    .addHelpText('after', '\nScores are inner products, cosines, or minus squared distances. Where fewer than k rows are found, the rest has row -1.' +
      '\n\nExamples:\n  engram knn query base.index queries.fvecs -k 100 -o found.ivecs\n  engram knn query keys.index queries.npy | head -3\n  engram knn query base.index queries.fvecs --recall 0.9 -o found.npy --scores scores.npy --json')
    .action(async (index: string, queries: string, options) => (await import('./knn-query.ts')).query(index, queries, options))

const bench = (): Command =>
  buildOptions(new Command('bench')
    .summary('measure recall and time of a search')
    .description('Searches exactly and by the lowerings named, and says for each: the recall that theory expects and the one measured, time for a query, and, for a named TPU, the compiler\'s estimate.')
    .argument('<vectors>', `an index, or vectors to make one of: ${vectorsHelp}`)
    .option('--queries <vectors>', 'the queries; for generated vectors 1024 of their kind by default')
    .addOption(neighboursOption())
    .addOption(recallOption())
    .addOption(new Option('--lowering <name...>', 'how the search is carried out (default: exact, and what is chosen for the backend and for a TPU)').choices(lowerings))
    .option('--truth <file.ivecs>', 'true neighbours, a row per query, instead of those of the exact search'))
    .option('--estimate <target>', 'also compile for a TPU that is not there, and estimate the time of a batch, e.g. tpu:v5e:2x2')
    .option('--batch <queries>', 'queries searched at once', positiveInteger, 256)
    .option('--rounds <count>', 'how often all queries are searched for the time', positiveInteger, 3)
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram knn bench gaussian:65536x128 -k 32 --distance innerProduct\n  engram knn bench base.fvecs --queries queries.fvecs --truth truth.ivecs -k 100\n  engram knn bench periodic:20000x64 --no-shuffle --lowering packed-2\n  engram knn bench gaussian:65536x128 -k 32 --batch 1024 --estimate tpu:v5e:2x2 --json')
    .action(async (vectors: string, options) => (await import('./knn-bench.ts')).bench(vectors, options))

export const command = (): Command =>
  new Command('knn')
    .summary('search for nearest neighbours')
    .description('Nearest neighbours of vectors in files: build an index, query it, measure recall and time.')
    .addCommand(build())
    .addCommand(query())
    .addCommand(bench())

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number.')
  return value
}
