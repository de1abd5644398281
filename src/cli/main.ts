import { Command, CommanderError } from 'commander'
import { exitCodes, reportError } from './report-error.ts'

/**
 * The `engram` command. Each subcommand is a file of this room that says its options here and loads what it needs only when it
 * runs, so that `--help` is quick. Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.
 */
const commands: Readonly<Record<string, () => Promise<{ command: () => Command }>>> = {
  train: () => import('./train.ts'),
  eval: () => import('./eval.ts'),
  runs: () => import('./runs.ts'),
  replay: () => import('./replay.ts'),
  generate: () => import('./generate.ts'),
  inspect: () => import('./inspect.ts'),
  corpus: () => import('./corpus.ts'),
  tokenizer: () => import('./tokenizer.ts'),
  compile: () => import('./compile.ts'),
  run: () => import('./run.ts'),
  knn: () => import('./knn.ts'),
  check: () => import('./check.ts'),
  format: () => import('./format.ts'),
  diff: () => import('./diff.ts'),
  conformance: () => import('./conformance.ts'),
  doctor: () => import('./doctor.ts'),
}

async function main(args: readonly string[]): Promise<void> {
  const { packageVersion } = await import('./version.ts')
  const program = new Command('engram')
    .description('A TypeScript compiler frontend for TPUs: train, evaluate, compile and run models with memory.')
    .version(packageVersion, '-V, --version')
    .option('--debug', 'print the stack of an error')
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for the options)')
    .exitOverride()
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.')
  // Only the command that runs is loaded; help over all of them needs all.
  const wanted = args.find((arg) => Object.hasOwn(commands, arg))
  for (const [name, load] of Object.entries(commands)) if (wanted === undefined || wanted === name) program.addCommand(quiet((await load()).command()))
  await program.parseAsync([...args], { from: 'user' })
}

/** Subcommands, and theirs, give their errors to `main` instead of ending the process. */
const quiet = (command: Command): Command => {
  command.commands.forEach(quiet)
  return command.exitOverride().showSuggestionAfterError().showHelpAfterError('(add --help for the options)')
}

// A reader that has seen enough, as in `engram compile tiny | head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(exitCodes.done)
})

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  else process.exitCode = reportError(error, process.argv.includes('--debug'))
}
