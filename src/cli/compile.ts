import { Command, Option } from 'commander'
import type { Program } from '../program/program.ts'
import type { NamedText } from '../runner/optimized.ts'
import { batchOption, jsonOption, setOption, wholeNumber } from './options.ts'

interface CompileOptions {
  readonly entry: 'train' | 'evaluate' | 'init' | 'evaluationInit'
  readonly batch: number
  readonly set: Record<string, unknown>
  readonly output?: string
  readonly locations?: boolean
  readonly stats?: boolean
  readonly backend?: 'cpu'
  readonly target?: string
  readonly hlo?: string
  readonly executable?: string
  readonly ops: number
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('compile')
    .summary('lower a model or a program to StableHLO, or compile it for a TPU')
    .description(
      'Traces, differentiates and lowers a model, and prints its StableHLO or facts about it.\n' +
        'With --target it is compiled too, for TPUs that need not be there: memory, estimated time op by op, and what became of its searches.',
    )
    .argument('<model>', 'a preset, MODEL:PRESET, ./file.ts#export (a model or a program), or with --target a StableHLO file (.mlir)')
    .addOption(new Option('--entry <name>', 'which of the model\'s programs').choices(['train', 'evaluate', 'init', 'evaluationInit']).default('train'))
    .addOption(batchOption())
    .addOption(setOption())
    .option('-o, --output <file>', 'write the text to a file')
    .option('--locations', 'add scope and call site to every op')
    .option('--stats', 'print op counts, sizes, inputs and outputs instead of the text')
    .addOption(new Option('--backend <name>', 'compile with XLA too, and report time and memory').choices(['cpu']))
    .option('--target <target>', 'compile for cpu or for TPUs, tpu:v5e:2x2 (v2, v3, v4, v5e, v5p, v6e, tpu7x), and print what comes of it; tpu alone: lower for a TPU, compile nothing')
    .option('--ops <count>', 'with --target: ops shown of each scope', wholeNumber, 3)
    .option('--hlo <file>', 'with --target: write the optimised program')
    .option('--executable <file>', 'with --target: write the TPU\'s executable, which fits only this version of libtpu')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram compile tiny\n  engram compile paper-200m --stats --target tpu\n  engram compile transformer-xl:small --entry evaluate -o step.mlir\n  engram compile ./my-model.ts#model --backend cpu --json\n  engram compile paper-200m --target tpu:v5e:2x2\n  engram compile search.mlir --target tpu:v6e:1x1 --hlo search.hlo')
    .action(async (reference: string, options: CompileOptions) => {
      await checkCombination(reference, options)
      if (options.target !== undefined && options.target !== anyTpu) {
        const { compileForCommand } = await import('./compile-for.ts')
        const { isFileReference } = await import('./model-reference.ts')
        await compileForCommand(await sourceFor(reference, options, options.target), { ...options, target: options.target, title: isStableHlo(reference) || isFileReference(reference) ? reference : `${reference} ${options.entry}` })
        return
      }
      const { withTarget } = await import('../trace/target.ts')
      const { program, parameters } = await lowerReference(reference, options, (build) => withTarget(options.target === anyTpu ? 'tpu' : undefined, build))
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

/** The target for which a program is lowered and not compiled. */
const anyTpu = 'tpu'

const isStableHlo = (reference: string): boolean => reference.endsWith('.mlir')

async function checkCombination(reference: string, options: CompileOptions): Promise<void> {
  const { InputError } = await import('../ir/errors.ts')
  if (options.target === undefined || options.target === anyTpu) {
    const needing = (['hlo', 'executable'] as const).find((name) => options[name] !== undefined)
    if (needing) throw new InputError(`--${needing} needs --target with a topology, such as tpu:v5e:2x2`)
    if (options.target !== undefined && options.backend !== undefined) throw new InputError(`--target and --backend exclude each other`)
    if (isStableHlo(reference)) throw new InputError(`${reference} is lowered already: give --target to compile it, or see engram check and engram run`)
  } else {
    const other = (['output', 'stats', 'locations', 'backend'] as const).find((name) => options[name] !== undefined)
    if (other) throw new InputError(`--target and --${other} exclude each other`)
  }
}

/** What is compiled for a target: the text of a file as it is, or a program lowered for that target. */
async function sourceFor(reference: string, options: CompileOptions, target: string): Promise<Program<any, any> | NamedText> {
  const { traceTarget } = await import('../program/compile-for.ts')
  const lowered = traceTarget(target)
  if (!isStableHlo(reference)) {
    const { withTarget } = await import('../trace/target.ts')
    return (await lowerReference(reference, options, (build) => withTarget(lowered, build))).program
  }
  const { readVerifiedModule } = await import('./read-module.ts')
  const { basename } = await import('node:path')
  return { name: basename(reference, '.mlir'), text: (await readVerifiedModule(reference)).text }
}

/** `lowering` runs what traces: it may set a target. */
async function lowerReference(reference: string, options: CompileOptions, lowering: <R>(build: () => R) => R = (build) => build()) {
  const { isFileReference, loadExport, loadModel, loadProgram } = await import('./model-reference.ts')
  const { Program } = await import('../program/program.ts')
  if (isFileReference(reference)) {
    const exported = await loadExport(reference, 'model').catch(() => undefined)
    if (exported === undefined || exported instanceof Program || typeof exported === 'function') return { program: await loadProgram(reference, lowering), parameters: undefined }
  }
  const named = await loadModel(reference, options.set)
  const { entryProgram } = await import('../train/programs.ts')
  const { checkRunConfig } = await import('../train/run-config.ts')
  const { elementCount } = await import('../ir/types.ts')
  const run = checkRunConfig({ batchSize: options.batch })
  const init = lowering(() => entryProgram('init', named, run))
  const parameters = init.outputs.reduce((sum, type, i) => (init.outputPaths[i].startsWith('parameters') ? sum + elementCount(type.shape) : sum), 0)
  return { program: options.entry === 'init' ? init : lowering(() => entryProgram(options.entry, named, run)), parameters }
}

async function compileWith(program: Program<any, any>, backend: 'cpu') {
  const { startSession } = await import('../program/start.ts')
  const session = await startSession(backend)
  try {
    return (await session.compile(program)).statistics
  } finally {
    await session.close()
  }
}
