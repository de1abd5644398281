/**
 * `npm run -s experiment -- NAME`: trains and evaluates the cells of an experiment, as many at once as `--workers` says, and writes
 * `docs/results/NAME.json` (settings, seeds, values, command), `.svg` and `.md`. What was computed before is taken over; an interrupted cell goes on.
 */
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { createCorpusShards } from './corpus-shards.ts'
import type { Arm, Experiment } from './experiment.ts'
import { experimentNames, loadExperiment } from './registry.ts'
import { rowsOf } from './experiment.ts'
import { type CorpusName, type Plan, corpora } from './plan.ts'
import { readCellResult } from './run-cell.ts'
import { runCells } from './run-cells.ts'
import { writeResults } from './results.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Options {
  readonly corpus: CorpusName
  readonly seeds: number[]
  readonly steps: number
  readonly testTokens: number
  readonly workers: number
  readonly work: string
  readonly out: string
  readonly only?: string
}

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}

const program = new Command('npm run -s experiment --')
  .description('Trains and evaluates the cells of an experiment and writes what they gave to docs/results. Run again, it goes on where it was.')
  .argument('<name>', `an experiment: ${experimentNames.join(', ')}`)
  .addOption(new Option('--corpus <name>', 'what is read').choices(Object.keys(corpora)).default('hol-light'))
  .option('--seeds <numbers>', 'a run of each arm for each, e.g. 1,2,3', (text) => text.split(',').map(wholeNumber), [1, 2, 3])
  .option('--steps <count>', 'training steps of 1,024 tokens', wholeNumber, 2000)
  .option('--test-tokens <count>', 'tokens of test documents that the last evaluation reads', wholeNumber, 262_144)
  .option('--workers <count>', 'cells at once; each takes a core', wholeNumber, Math.max(1, os.availableParallelism()))
  .option('--work <folder>', 'where corpora, shards and runs are kept', path.join(root, 'runs', 'experiments'))
  .option('--out <folder>', 'where results are written', path.join(root, 'docs', 'results'))
  .option('--only <text>', 'only arms whose name has this in it are computed; nothing is written')
  .action(async (name: string, options: Options) => perform(name, await loadExperiment(name), options))

async function perform(name: string, experiment: Experiment, { corpus, seeds, steps, testTokens, workers, work, out, only }: Options): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
  const shards = await createCorpusShards(work, corpus, say)
  const plan: Plan = { corpus, shards, seeds, steps, testTokens }
  const arms = experiment.arms(plan).filter((arm) => only === undefined || arm.name.includes(only))
  const runs = path.join(work, 'cells')
  await runCells(runs, arms.flatMap(({ cells }) => cells), workers, say)
  const results = await Promise.all(arms.map(async (arm) => ({ name: arm.name, results: await resultsOf(runs, arm) })))
  if (only === undefined) {
    const suffix = corpus === 'hol-light' ? '' : `-${corpus}`
    const flags = [`--corpus ${corpus}`, `--seeds ${seeds.join(',')}`, `--steps ${steps}`, `--test-tokens ${testTokens}`]
    const command = `npm run -s experiment -- ${name} ${flags.join(' ')}`
    const written = await writeResults(path.join(out, `${name}${suffix}`), { experiment, plan, arms, results, rows: rowsOf(results, experiment.base), command })
    say(`written: ${written.join(', ')}`)
  }
}

const resultsOf = (runs: string, { cells }: Arm) => Promise.all(cells.map(async (cell) => (await readCellResult(runs, cell))!))

await program.parseAsync()
