import { Command } from 'commander'

interface FormatOptions {
  readonly output?: string
  readonly generic?: boolean
  readonly locations?: boolean
}

export const command = (): Command =>
  new Command('format')
    .summary('print a StableHLO file in one form')
    .description('Reads a StableHLO file and prints it as Engram does: values numbered, each op in its own form. The program is not verified.')
    .argument('<file>', 'a StableHLO file (.mlir)')
    .option('-o, --output <file>', 'write the text to a file, which may be the one that is read')
    .option('--generic', 'print every op in MLIR\'s generic form')
    .option('--locations', 'keep the place of every op')
    .addHelpText('after', '\nExamples:\n  engram format step.mlir\n  engram format step.mlir --generic -o generic.mlir')
    .action(async (file: string, { output, generic, locations }: FormatOptions) => {
      const { readModule } = await import('./read-module.ts')
      const { printModule } = await import('../text/print.ts')
      const { module } = await readModule(file, { allowForeignOps: true })
      const text = printModule(module, { generic, locations })
      if (output === undefined) {
        process.stdout.write(text)
        return
      }
      const { writeFileAtomic } = await import('../data/atomic-file.ts')
      await writeFileAtomic(output, (writer) => writer.write(new TextEncoder().encode(text)))
    })
