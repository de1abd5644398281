import { Command } from 'commander'
import type { InspectFlags } from './inspect-document.ts'
import { backendOption, positiveInteger, readWithOption } from './options.ts'

export const command = (): Command =>
  new Command('inspect')
    .summary('see what a model remembers in a document')
    .description(
      'Reads a document with the memory and without it, and writes one HTML page that opens offline: each token coloured by what the memory did\n' +
        'for it, the places that each head retrieved, the gates, the tokens that gained most, and how often the use of a name retrieves its\n' +
        'definition. Definitions are looked for in HOL Light, Go, TypeScript, JavaScript and Python, by the ending of the file.',
    )
    .argument('<run>', 'a run (its newest checkpoint) or a checkpoint')
    .argument('<document>', 'a text file, or the name of a document of the run\'s corpus (or the end of one)')
    .option('-o, --out <file>', 'the page (default: NAME.inspect.html)')
    .option('--json <file>', 'write the figures as JSON too; - for standard output')
    .option('--tokens <count>', 'read so many tokens from the start alone', positiveInteger)
    .option('--neighbours <count>', 'places that the page keeps of each token and head (default: up to 8, as long as they take at most 24 MB)', positiveInteger)
    .option('--definition <regex>', 'definitions are what this finds, the name being its group (?<name>...) or its first one; may be given several times', (regex: string, given: readonly string[] = []) => [...given, regex])
    .addOption(readWithOption())
    .addOption(backendOption())
    .addHelpText(
      'after',
      '\nExamples:\n  engram inspect runs/small Library/analysis.ml\n  engram inspect runs/small notes.txt --out notes.html --json notes.json\n  engram inspect runs/small Library/analysis.ml --set memorySize=32768\n  engram inspect runs/small macros.el --definition "^\\(defmacro ([a-z-]+)"',
    )
    .action(async (path: string, document: string, options: InspectFlags) => {
      const { inspect } = await import('./inspect-document.ts')
      await inspect(path, document, options)
    })
