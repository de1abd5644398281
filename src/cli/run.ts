import { Command } from 'commander'
import type { ProgramSource } from '../ir/backend.ts'
import { InputError } from '../ir/errors.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { TensorType } from '../ir/types.ts'
import { backendOption, jsonOption, wholeNumber } from './options.ts'

interface RunOptions {
  readonly inputs?: string[]
  readonly random?: number
  readonly backend: 'cpu' | 'interpreter' | 'tpu'
  readonly output?: string
  readonly json?: boolean
}

export const command = (): Command =>
  new Command('run')
    .summary('run a StableHLO file or a program of a TypeScript file')
    .description('Runs a program once and prints its results, or writes them to files.')
    .argument('<program>', 'a StableHLO file (.mlir), or ./file.ts#export of a lowered program')
    .option('--inputs <file...>', 'an .npy file per argument in order, or one .safetensors file with a tensor per argument path')
    .option('--random <seed>', 'draw the inputs: floats in [-1, 1), small integers', wholeNumber)
    .addOption(backendOption())
    .option('-o, --output <folder>', 'write each result as an .npy file there')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram run attention.mlir --inputs q.npy k.npy v.npy\n  engram run ./layer.ts#program --random 1 --backend interpreter --json')
    .action(async (reference: string, options: RunOptions) => {
      const { source, paths } = await loadSource(reference)
      const inputs = await loadInputs(source, paths, options)
      const { startSession } = await import('../program/start.ts')
      const { partitionsOf } = await import('../runner/partitions.ts')
      const devices = partitionsOf(source.text)
      const session = await startSession(options.backend, devices > 1 ? { devices } : {})
      try {
        const compiled = await session.backend.compile(source)
        const results = await Promise.all(compiled.execute(inputs).map((buffer) => buffer.read()))
        await report(results, options)
      } finally {
        await session.close()
      }
    })

/** The program, and the paths of its arguments. */
async function loadSource(reference: string): Promise<{ source: ProgramSource; paths: string[] }> {
  const { isFileReference, loadProgram } = await import('./model-reference.ts')
  if (isFileReference(reference)) {
    const program = await loadProgram(reference)
    return { source: program, paths: program.inputPaths }
  }
  const { readVerifiedModule } = await import('./read-module.ts')
  const { module, text } = await readVerifiedModule(reference)
  const { main } = module
  const inputs = main.argumentTypes as TensorType[]
  const dynamic = inputs.findIndex((type) => type.kind !== 'tensor' || type.shape.some((size) => size < 0))
  if (dynamic >= 0) throw new InputError(`${reference}: argument ${dynamic} has no static shape; only programs of static tensors can be run`, 'INPUT_TYPE')
  return { source: { name: reference, text, module, inputs, outputs: main.resultTypes as TensorType[] }, paths: inputs.map((_, i) => String(i)) }
}

async function loadInputs({ inputs: types, name }: ProgramSource, paths: readonly string[], options: RunOptions): Promise<HostArray[]> {
  const { shortType, sameType } = await import('../ir/types.ts')
  const files = options.inputs ?? []
  if (files.length && options.random !== undefined) throw new InputError('--inputs and --random exclude each other')
  let arrays: HostArray[]
  if (options.random !== undefined) arrays = (await import('../data/random-arrays.ts')).randomArrays(types, options.random)
  else if (files.length === 1 && files[0].endsWith('.safetensors')) {
    const { readSafetensors } = await import('../data/safetensors.ts')
    const { tensors } = await readSafetensors(files[0])
    arrays = paths.map((path) => {
      const array = tensors.get(path)
      if (!array) throw new InputError(`${files[0]}: no tensor named ${path}; it has ${[...tensors.keys()].slice(0, 8).join(', ')}`)
      return array
    })
  } else {
    const { readNpy } = await import('../data/npy.ts')
    arrays = await Promise.all(files.map(readNpy))
  }
  if (arrays.length !== types.length)
    throw new InputError(`${name} takes ${types.length} inputs, got ${arrays.length}; it wants\n${types.map((type, i) => `  ${paths[i]}: ${shortType(type)}`).join('\n')}\nGive --inputs FILE... or --random SEED`, 'INPUT_COUNT')
  arrays.forEach((array, i) => {
    if (!sameType(array.type, types[i])) throw new InputError(`input ${i} (${paths[i]}): expected ${shortType(types[i])}, got ${shortType(array.type)}`, 'INPUT_TYPE')
  })
  return arrays
}

async function report(results: readonly HostArray[], options: RunOptions): Promise<void> {
  const { shortType } = await import('../ir/types.ts')
  const files: string[] = []
  if (options.output !== undefined) {
    const { mkdir } = await import('node:fs/promises')
    const { join } = await import('node:path')
    const { writeNpy } = await import('../data/npy.ts')
    await mkdir(options.output, { recursive: true })
    for (const [i, result] of results.entries()) {
      files.push(join(options.output, `${i}.npy`))
      await writeNpy(files[i], result)
    }
  }
  const first = (result: HostArray) => Array.from({ length: Math.min(8, result.size) }, (_, i) => result.at(i))
  if (options.json) {
    const values = results.map((result, i) => ({
      type: shortType(result.type),
      ...(files[i] ? { file: files[i] } : { values: JSON.parse(JSON.stringify(result.toNested(), numberText)) as unknown }),
    }))
    process.stdout.write(`${JSON.stringify({ results: values })}\n`)
    return
  }
  for (const [i, result] of results.entries())
    process.stdout.write(`${i}  ${shortType(result.type)}  ${files[i] ?? `[${first(result).map((value) => JSON.stringify(value, numberText)).join(', ')}${result.size > 8 ? ', ...' : ''}]`}\n`)
}

/** JSON has neither big integers nor non-finite numbers: both become strings. */
const numberText = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value
