import { Command, InvalidArgumentError } from 'commander'
import type { TextGeneration } from './generate-text.ts'
import { backendOption, checkpointOption, jsonOption, positiveInteger, readWithOption, wholeNumber } from './options.ts'

interface GenerateOptions extends Omit<TextGeneration, 'signal' | 'onPrompt' | 'onText'> {
  readonly greedy?: boolean
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('generate')
    .summary('go on with a text')
    .description(
      'Reads a prompt of any length, which fills the caches and the memory, and prints what the model goes on with, token by token.\n' +
        'The same seed gives the same text. Ctrl-C ends it (exit code 130).',
    )
    .argument('<run>', 'a run (its newest checkpoint; see --checkpoint) or a checkpoint')
    .option('--prompt <text>', 'the text to go on from')
    .option('--prompt-file <file>', 'a file with it; - for standard input')
    .option('--tokens <count>', 'draw so many tokens at most', positiveInteger, 200)
    .option('--temperature <number>', 'divide logits by it; 0 is --greedy', numberFrom(0), 1)
    .option('--top-k <count>', 'draw from so many of the most likely tokens alone', positiveInteger)
    .option('--top-p <share>', 'draw from the most likely tokens that together have this probability', share)
    .option('--greedy', 'take the most likely token always')
    .option('--seed <number>', 'draws the tokens', wholeNumber, 0)
    .option('--ignore-end', 'go on where the model ends the document')
    .addOption(checkpointOption())
    .addOption(readWithOption())
    .addOption(backendOption())
    .addOption(jsonOption('print one JSON object at the end instead of the text'))
    .addHelpText('after', '\nExamples:\n  engram generate runs/small --prompt "let ADD_COMM = prove" --temperature 0.8\n  engram generate runs/small --prompt-file proofs.ml --greedy --tokens 500\n  head -c 100000 proofs.ml | engram generate runs/small --prompt-file - --top-p 0.9 --json')
    .action(async (path: string, options: GenerateOptions) => {
      const { generateText } = await import('./generate-text.ts')
      const { interruption } = await import('./interruption.ts')
      const { ProgressLine } = await import('./progress-line.ts')
      const { exitCodes } = await import('./report-error.ts')
      const stop = interruption('the token under way ends')
      const progress = new ProgressLine()
      let begun = false
      try {
        const result = await generateText(path, {
          ...options,
          temperature: options.greedy ? 0 : options.temperature,
          signal: stop.signal,
          onPrompt: (done, total) => progress.show(`reading the prompt: ${done} of ${total} tokens`),
          onText: (text) => {
            if (!begun) progress.end()
            begun = true
            if (!options.json) process.stdout.write(text)
          },
        })
        process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : '\n')
        if (result.reason === 'interrupted') process.exitCode = exitCodes.interrupted
      } finally {
        stop.forget()
      }
    })

function numberFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value) || value < least) throw new InvalidArgumentError(`expected a number of at least ${least}.`)
    return value
  }
}

function share(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('expected a number above 0 and at most 1.')
  return value
}
