import { Command, Option } from 'commander'
import { backendOption, changesText, checkpointOption, jsonOption, positiveInteger, readWithOption } from './options.ts'

interface EvalOptions {
  readonly corpus?: string
  readonly split: 'train' | 'validation' | 'test'
  readonly tokens?: number
  readonly maxDocumentTokens?: number
  readonly batch?: number
  readonly checkpoint: 'newest' | 'best' | number
  readonly set: Record<string, unknown>
  readonly backend: 'cpu' | 'tpu' | 'interpreter'
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('eval')
    .summary('evaluate a checkpoint on held-out documents')
    .description('Reads the held-out documents of a run (or of another corpus) with a fresh memory, each from its start, and prints the loss in every unit.')
    .argument('<run>', 'a run (its newest checkpoint; see --checkpoint) or a checkpoint')
    .option('--corpus <path>', 'another corpus than the run\'s; the same share of it is read')
    .addOption(new Option('--split <name>', 'which documents').choices(['train', 'validation', 'test']).default('test'))
    .option('--tokens <count>', 'stop after so many tokens (default: all)', positiveInteger)
    .option('--max-document-tokens <count>', 'read longer documents as several (default: as in training)', positiveInteger)
    .option('--batch <slots>', 'documents that are read side by side (default: as in training)', positiveInteger)
    .addOption(checkpointOption())
    .addOption(readWithOption())
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram eval runs/small\n  engram eval runs/small --checkpoint best\n  engram eval runs/small/checkpoints/step-00000400 --split validation --tokens 100000\n  engram eval runs/small --set memorySize=8192\n  engram eval runs/small --corpus ~/other --json')
    .action(async (path: string, options: EvalOptions) => {
      const { evaluateCheckpoint } = await import('./evaluate-checkpoint.ts')
      const { evaluationLine } = await import('./progress.ts')
      const { checkpoint, evaluation, step } = await evaluateCheckpoint(path, options)
      process.stdout.write(options.json ? `${JSON.stringify({ checkpoint, split: options.split, set: options.set, step, ...evaluation })}\n` : `${checkpoint}, ${options.split} documents${changesText(options.set)}\n${evaluationLine({ ...evaluation, step })}\n`)
    })
