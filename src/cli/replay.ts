import { Command } from 'commander'
import type { BackendName } from '../program/start.ts'
import { backendOption, jsonOption } from './options.ts'

export const command = (): Command =>
  new Command('replay')
    .summary('run a step again at which training diverged')
    .description('Takes the state and the batch that engram train kept of the step, runs it, and says what it measures and which tensors hold NaN or infinity before and after.')
    .argument('<failure>', 'a folder such as runs/NAME/failures/step-00000231')
    .addOption(backendOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram replay runs/small/failures/step-00000231\n  engram replay runs/small/failures/step-00000231 --backend interpreter --json')
    .action(async (path: string, options: { backend: BackendName; json?: boolean }) => {
      const { replayFailure, replayText } = await import('./replay-failure.ts')
      const replay = await replayFailure(path, options.backend)
      process.stdout.write(options.json ? `${JSON.stringify(replay)}\n` : replayText(replay))
    })
