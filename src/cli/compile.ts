import { Command, Option } from 'commander'
import { batchOption, jsonOption, setOption } from './options.ts'

interface CompileOptions {
  readonly entry: 'train' | 'evaluate' | 'init' | 'evaluationInit'
  readonly batch: number
  readonly set: Record<string, unknown>
  readonly output?: string
  readonly locations?: boolean
  readonly stats?: boolean
  readonly backend?: 'cpu'
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('compile')
    .summary('lower a model or a program to StableHLO')
    .description('Traces, differentiates and lowers a model, and prints its StableHLO or facts about it.')
    .argument('<model>', 'a preset, MODEL:PRESET, or ./file.ts#export (a model or a program)')
    .addOption(new Option('--entry <name>', 'which of the model\'s programs').choices(['train', 'evaluate', 'init', 'evaluationInit']).default('train'))
    .addOption(batchOption())
    .addOption(setOption())
    .option('-o, --output <file>', 'write the text to a file')
    .option('--locations', 'add scope and call site to every op')
    .option('--stats', 'print op counts, sizes, inputs and outputs instead of the text')
    .addOption(new Option('--backend <name>', 'compile with XLA too, and report time and memory').choices(['cpu']))
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram compile tiny\n  engram compile paper-200m --stats\n  engram compile transformer-xl:small --entry evaluate -o step.mlir\n  engram compile ./my-model.ts#model --backend cpu --json')
    .action(async (reference: string, options: CompileOptions) => {
      const { program, parameters } = await lowerReference(reference, options)
      const text = options.locations ? program.textWithLocations : program.text
      if (options.output !== undefined) {
        const { writeFileAtomic } = await import('../data/atomic-file.ts')
        await writeFileAtomic(options.output, (writer) => writer.write(new TextEncoder().encode(text)))
      }
      const wantsFacts = options.stats || options.json || options.backend
      if (!wantsFacts) {
        if (options.output === undefined) process.stdout.write(text)
        return
      }
      const { programFacts, factsText } = await import('./program-facts.ts')
      const facts = { ...programFacts(program), ...(parameters === undefined ? {} : { parameters }), ...(options.backend ? { compiled: await compileWith(program, options.backend) } : {}) }
      process.stdout.write(options.json ? `${JSON.stringify({ ...facts, ...(options.output ? { output: options.output } : {}) })}\n` : factsText(facts))
    })

async function lowerReference(reference: string, options: CompileOptions) {
  const { isFileReference, loadExport, loadModel, loadProgram } = await import('./model-reference.ts')
  const { Program } = await import('../program/program.ts')
  if (isFileReference(reference)) {
    const exported = await loadExport(reference, 'model').catch(() => undefined)
    if (exported === undefined || exported instanceof Program || typeof exported === 'function') return { program: await loadProgram(reference), parameters: undefined }
  }
  const named = await loadModel(reference, options.set)
  const { entryProgram } = await import('../train/programs.ts')
  const { checkRunConfig } = await import('../train/run-config.ts')
  const { elementCount } = await import('../ir/types.ts')
  const run = checkRunConfig({ batchSize: options.batch })
  const init = entryProgram('init', named, run)
  const parameters = init.outputs.reduce((sum, type, i) => (init.outputPaths[i].startsWith('parameters') ? sum + elementCount(type.shape) : sum), 0)
  return { program: options.entry === 'init' ? init : entryProgram(options.entry, named, run), parameters }
}

async function compileWith(program: import('../program/program.ts').Program<any, any>, backend: 'cpu') {
  const { startSession } = await import('../program/start.ts')
  const session = await startSession(backend)
  try {
    return (await session.compile(program)).statistics
  } finally {
    await session.close()
  }
}
