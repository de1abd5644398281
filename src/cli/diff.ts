import { Command } from 'commander'
import { jsonOption } from './options.ts'
import { exitCodes } from './report-error.ts'

export const command = (): Command =>
  new Command('diff')
    .summary('compare two StableHLO files by structure')
    .description(
      'Compares two programs: ops, attributes, types and which value goes where. Names of values, spacing, form and locations do not matter.\n' +
        'Exit code 0 if they are the same program, 1 if not.',
    )
    .argument('<a>', 'a StableHLO file (.mlir)')
    .argument('<b>', 'another')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram diff before.mlir after.mlir\n  engram diff before.mlir after.mlir --json')
    .action(async (a: string, b: string, options: { json?: boolean }) => {
      const { readModule } = await import('./read-module.ts')
      const { diffModules, differencesText } = await import('../text/compare.ts')
      const [first, second] = await Promise.all([a, b].map((file) => readModule(file, { allowForeignOps: true })))
      const differences = diffModules(first.module, second.module)
      const same = differences.length === 0
      if (options.json) process.stdout.write(`${JSON.stringify({ same, differences })}\n`)
      else process.stdout.write(same ? 'the same program\n' : differencesText(differences))
      if (!same) process.exitCode = exitCodes.failed
    })
