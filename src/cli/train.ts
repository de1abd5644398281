import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { RunConfigInput } from '../train/run-config.ts'
import type { NamedModel } from './model-reference.ts'
import { backendOption, batchOption, jsonOption, positiveInteger, setOption, wholeNumber } from './options.ts'
import { exitCodes } from './report-error.ts'

interface TrainOptions {
  readonly corpus?: string
  readonly tokenizer: string
  readonly extensions?: string[]
  readonly documents?: 'files' | 'folders'
  readonly maxDocumentTokens?: number
  readonly steps?: number
  readonly batch: number
  readonly accumulate: number
  readonly seed: number
  readonly dataSeed: number
  readonly optimizer: 'adafactor' | 'adam'
  readonly learningRate?: number
  readonly schedule: 'inverse-sqrt' | 'constant' | 'cosine'
  readonly warmup?: number
  readonly clip?: number
  readonly evalEvery: number
  readonly evalTokens: number
  readonly checkpointEvery: number
  readonly keep: number
  readonly logEvery: number
  readonly name?: string
  readonly runs: string
  readonly resume?: string
  readonly from?: string
  readonly keepOptimizer?: boolean
  readonly freeze?: string[]
  readonly trainOnly?: string[]
  readonly config?: string
  readonly set: Record<string, unknown>
  readonly backend: 'cpu' | 'tpu' | 'interpreter'
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('train')
    .summary('train a model on a corpus')
    .description(
      'Trains a model and writes a run folder: config.json, metrics.jsonl, checkpoints/ and report.html.\n' +
        'Ctrl-C ends the step, saves a checkpoint and says how to go on (exit code 130); a second Ctrl-C quits at once.',
    )
    .argument('[model]', 'a preset, MODEL:PRESET, or ./file.ts#export; not needed with --resume and --from, and with --from it may be a model without a size')
    .option('--corpus <path>', 'a folder or file of text, a fetched corpus, a folder of token shards (see engram corpus), or "installed": the sources that the set-up installed', 'installed')
    .option('--tokenizer <file>', '"bytes", or a tokenizer.json (see engram tokenizer); token shards bring their own', 'bytes')
    .option('--extensions <ending...>', 'take files with these endings alone, e.g. --extensions .ml .hl')
    .addOption(new Option('--documents <kind>', 'a document per file, or per first-level folder').choices(['files', 'folders']).default('files'))
    .option('--max-document-tokens <count>', 'read longer documents as several', positiveInteger)
    .option('--steps <count>', 'train so many steps (default 1000)', positiveInteger)
    .addOption(batchOption())
    .option('--accumulate <groups>', 'work through the slots in so many groups, one after another, for less memory', positiveInteger, 1)
    .option('--seed <number>', 'draws parameters and dropout', wholeNumber, 0)
    .option('--data-seed <number>', 'orders the documents', wholeNumber, 0)
    .addOption(new Option('--optimizer <name>').choices(['adafactor', 'adam']).default('adafactor'))
    .option('--learning-rate <number>', 'largest learning rate (default 0.01; 0.001 for adam)', positiveNumber)
    .addOption(new Option('--schedule <name>', 'what follows the warm-up').choices(['inverse-sqrt', 'constant', 'cosine']).default('inverse-sqrt'))
    .option('--warmup <steps>', 'steps of linear rise (default: a tenth of the steps, at most 1000)', positiveInteger)
    .option('--clip <norm>', 'largest global norm of the gradient', positiveNumber)
    .option('--eval-every <steps>', 'evaluate on held-out documents; 0: at the end alone', wholeNumber, 0)
    .option('--eval-tokens <count>', 'held-out tokens of an evaluation', positiveInteger, 50_000)
    .option('--checkpoint-every <steps>', 'save the whole state; 0: at the end alone', wholeNumber, 200)
    .option('--keep <count>', 'checkpoints to keep', positiveInteger, 3)
    .option('--log-every <steps>', 'steps between two lines of metrics', positiveInteger, 10)
    .option('--name <name>', 'name of the run (default: of the model)')
    .option('--runs <folder>', 'where runs are', 'runs')
    .option('--resume <run>', 'go on with a run from its newest checkpoint (or the named one), bit for bit; only --steps, --backend and --json count then')
    .option('--from <run>', 'begin with the parameters of a checkpoint (or the newest of a run), also of another model or with another memory; its tokenizer is taken, too')
    .option('--keep-optimizer', 'with --from: take the optimiser\'s statistics, too, and go on in its schedule where the checkpoint stood; by default both begin anew')
    .option('--freeze <pattern...>', 'leave parameters as they are, by patterns over their paths, e.g. --freeze embedding layers.0 "*.feedForward"')
    .option('--train-only <pattern...>', 'leave all other parameters as they are, e.g. --train-only "*.memoryGate"')
    .option('--config <file>', 'a JSON file with the keys of a run\'s configuration (see config.json of a run); it goes before the flags')
    .addOption(setOption())
    .addOption(backendOption())
    .addOption(jsonOption('print a JSON object per line on stdout: report, evaluation, checkpoint, done'))
    .addHelpText(
      'after',
      '\nExamples:\n  engram train tiny --steps 200\n  engram train transformer-xl:small --corpus ~/proofs --extensions .ml --name proofs-xl\n' +
        '  engram train small --set memorySize=8192 neighbours=64 --eval-every 500\n  engram train ./my-model.ts#model --optimizer adam --schedule cosine\n' +
        '  engram train --resume runs/small --steps 4000\n' +
        '  engram train memorizing-transformer --from runs/proofs-xl --set memorySize=8192 memoryLayers=[2] --name proofs-memory\n' +
        '  engram train --from runs/small/checkpoints/best --set memorySize=65536 --steps 200 --name small-65536',
    )
    .action(async (reference: string | undefined, options: TrainOptions, train: Command) => {
      const { prepareNewRun, prepareResumedRun } = await import('./training-run.ts')
      const { checkTrainArguments } = await import('./start-model.ts')
      checkTrainArguments(reference, options)
      const prepared =
        options.resume === undefined
          ? await newRun(reference, options, train.getOptionValueSource('tokenizer') === 'cli', prepareNewRun)
          : await prepareResumedRun(options.resume, options.steps)
      const { performRun } = await import('./training-run.ts')
      const result = await performRun(prepared, { backend: options.backend, json: options.json ?? false })
      if (result.reason === 'interrupted') process.exitCode = exitCodes.interrupted
    })

async function newRun(reference: string | undefined, options: TrainOptions, tokenizerAsked: boolean, prepare: typeof import('./training-run.ts').prepareNewRun) {
  const { loadModel } = await import('./model-reference.ts')
  const { hasShards } = await import('../data/shards.ts')
  const { modelToStart, readStart } = await import('./start-model.ts')
  const { tokenizerOf } = await import('../train/corpus.ts')
  const { checkRunConfig } = await import('../train/run-config.ts')
  const fromFile = options.config === undefined ? {} : await readConfigFile(options.config)
  const config = { ...runConfigOf(options), ...fromFile }
  if (options.from !== undefined) {
    const { data } = checkRunConfig(config)
    const hasOwn = tokenizerAsked || fromFile.data?.tokenizer !== undefined || hasShards(data.corpus)
    const start = await readStart(options.from, { keepOptimizer: options.keepOptimizer, tokenizer: hasOwn ? await tokenizerOf(data) : undefined })
    const named = await modelToStart(reference, start, options.set)
    return prepare(join(options.runs, options.name ?? runName(named.reference)), named, { ...config, from: start.from })
  }
  const { vocabularySize } = await tokenizerOf(checkRunConfig(config).data)
  const named: NamedModel = await loadModel(reference!, { vocabularySize, ...options.set })
  return prepare(join(options.runs, options.name ?? runName(named.reference)), named, config)
}

const runName = (reference: string): string => reference.replace(/^.*[/\\]/, '').replace(/[^A-Za-z0-9._-]+/g, '-')

/** The run's configuration that the flags give. */
export function runConfigOf(options: TrainOptions): RunConfigInput {
  const steps = options.steps ?? 1000
  const learningRate = options.learningRate ?? (options.optimizer === 'adam' ? 0.001 : 0.01)
  const warmupSteps = options.warmup ?? Math.max(1, Math.min(1000, Math.round(steps / 10)))
  const schedule = { kind: options.schedule, learningRate, warmupSteps, ...(options.schedule === 'cosine' ? { totalSteps: steps } : {}) } as never
  return {
    optimizer: { kind: options.optimizer, schedule },
    clipGlobalNorm: options.clip,
    data: { corpus: options.corpus, tokenizer: options.tokenizer, extensions: options.extensions, documents: options.documents, maxDocumentTokens: options.maxDocumentTokens },
    batchSize: options.batch,
    accumulate: options.accumulate,
    steps,
    freeze: options.freeze,
    trainOnly: options.trainOnly,
    seed: options.seed,
    dataSeed: options.dataSeed,
    evaluation: { every: options.evalEvery, tokens: options.evalTokens },
    checkpoints: { every: options.checkpointEvery, keep: options.keep },
    logEvery: options.logEvery,
  }
}

async function readConfigFile(path: string): Promise<RunConfigInput> {
  const { readFile } = await import('node:fs/promises')
  const { InputError } = await import('../ir/errors.ts')
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RunConfigInput
  } catch (error) {
    throw new InputError(`the configuration ${path} cannot be read: ${(error as Error).message}`, 'INPUT_FILE', error)
  }
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0.')
  return value
}
