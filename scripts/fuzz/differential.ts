/**
 * `npx tsx scripts/fuzz/differential.ts [--programs 10000] [--seed 1]`: generates StableHLO programs, runs them in XLA on the CPU and in the
 * interpreter, and reports every op whose results differ, with a program made as small as possible. See `docs/reference/fuzzing.md`.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { Command, Option } from 'commander'
import { ProgressLine } from '../../src/cli/progress-line.ts'
import { positiveInteger, wholeNumber } from '../../src/cli/options.ts'
import { exitCodes, reportError } from '../../src/cli/report-error.ts'
import { writeFileAtomic } from '../../src/data/atomic-file.ts'
import { writeNpy } from '../../src/data/npy.ts'
import { printModule } from '../../src/text/print.ts'
import { type CampaignResult, type FoundProgram, runCampaign } from '../../test/support/generate/campaign.ts'
import { findingText } from '../../test/support/generate/findings.ts'
import { generators, recipes } from '../../test/support/generate/programs.ts'
import { type Compiler, XlaRunner, compilerFlags } from '../../test/support/generate/run-on-xla.ts'

interface Options {
  readonly programs: number
  readonly from: number
  readonly seed: number
  readonly ops?: readonly string[]
  readonly steps: number
  readonly time?: number
  readonly xla: Compiler
  readonly output: string
  readonly json?: boolean
}

/** Writes the program as `NUMBER.mlir`, its inputs as `NUMBER-i.npy`, and the report as `NUMBER.txt`. */
async function writeFound(folder: string, { seed }: Options, { index, program, finding }: FoundProgram): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const base = path.join(folder, `${seed}-${index}`)
  await writeFileAtomic(`${base}.mlir`, (file) => file.write(Buffer.from(printModule(program.module))))
  await writeFileAtomic(`${base}.txt`, (file) => file.write(Buffer.from(findingText(program, finding))))
  for (const [i, input] of program.inputs.entries()) await writeNpy(`${base}-${i}.npy`, input)
}

const again = ({ seed, ops, steps, xla }: Options, index: number): string =>
  `npx tsx scripts/fuzz/differential.ts --seed ${seed} --from ${index} --programs 1 --steps ${steps} --xla ${xla}${ops ? ` --ops ${ops.join(',')}` : ''}`

function report(options: Options, result: CampaignResult, seconds: number): void {
  if (options.json) {
    const found = result.found.map(({ index, path: shrunk, finding }) => ({ index, path: shrunk, kind: finding.kind, message: finding.message, again: again(options, index) }))
    process.stdout.write(`${JSON.stringify({ seed: options.seed, programs: result.programs, operations: result.operations, seconds, byOp: Object.fromEntries(result.byOp), found })}\n`)
    return
  }
  for (const { index, path: shrunk, program, finding } of result.found)
    process.stdout.write(`── program ${index} of seed ${options.seed}, shrunk along ${shrunk}\n${findingText(program, finding)}\nagain: ${again(options, index)}\n\n`)
  process.stdout.write(`${result.programs} programs with ${result.operations} ops of ${result.byOp.size} kinds in ${seconds} s: ${result.found.length} found\n`)
}

async function main(options: Options): Promise<number> {
  const progress = new ProgressLine()
  const xla = new XlaRunner(options.xla)
  const end = options.time === undefined ? Infinity : performance.now() + 1000 * options.time
  let interrupted = false
  process.once('SIGINT', () => (interrupted = true))
  try {
    const result = await runCampaign({
      recipes: recipes({ ops: options.ops, mostSteps: options.steps }),
      xla,
      seed: options.seed,
      from: options.from,
      programs: options.programs,
      onProgress: (done, found) => progress.show(`${done} of ${options.programs} programs, ${found} suspicious`),
      stop: () => interrupted || performance.now() > end,
    })
    const seconds = progress.end()
    for (const found of result.found) await writeFound(options.output, options, found)
    report(options, result, seconds)
    return result.found.length > 0 ? exitCodes.failed : interrupted ? exitCodes.interrupted : exitCodes.done
  } finally {
    await xla.close()
  }
}

const command = new Command('differential')
  .description('Runs generated StableHLO programs in XLA on the CPU and in the interpreter and compares every op. Exit code 1 if any differs.')
  .option('--programs <count>', 'how many', positiveInteger, 10_000)
  .option('--from <index>', 'the first program: to run one again, with --programs 1', wholeNumber, 0)
  .option('--seed <number>', 'other programs', wholeNumber, 1)
  .option('--ops <names>', 'only steps of these ops, separated by commas', (text: string) => text.split(','))
  .option('--steps <count>', 'the longest program', positiveInteger, 16)
  .option('--time <seconds>', 'stop after this time', positiveInteger)
  .addOption(new Option('--xla <compiler>', 'quick: without optimisations, 4 times as fast; default: as users run it').choices(Object.keys(compilerFlags)).default('quick'))
  .option('--output <folder>', 'where programs that differ are written', 'fuzz-differences')
  .option('--json', 'print one JSON object')
  .addHelpText('after', `\nops: ${[...generators.keys()].join(', ')}`)
  .action(async (options: Options) => {
    process.exitCode = await main(options).catch((error: unknown) => {
      if (!(error instanceof RangeError)) return reportError(error)
      process.stderr.write(`${error.message}\n`)
      return exitCodes.usage
    })
  })
await command.parseAsync()
