import type { CompiledFor } from '../program/compile-for.ts'
import type { Program } from '../program/program.ts'
import type { NamedText } from '../runner/optimized.ts'

export interface CompileForFlags {
  /** What the user named. */
  readonly title: string
  readonly target: string
  /** Where the optimised program and the executable shall be written. */
  readonly hlo?: string
  readonly executable?: string
  readonly json?: boolean
  /** How many ops of each scope the table shows. */
  readonly ops: number
}

/** `engram compile --target`: compiles, writes the files that are asked for, and prints the table or one JSON object. Ctrl-C ends the compiler. */
export async function compileForCommand(source: Program<any, any> | NamedText, flags: CompileForFlags): Promise<void> {
  const { InputError } = await import('../ir/errors.ts')
  const { stoppable } = await import('./interruption.ts')
  if (flags.executable !== undefined && flags.target === 'cpu') throw new InputError('--executable: only a TPU\'s executable can be written; give --target tpu:TOPOLOGY')
  await stoppable(async (signal) => {
    const compiled = await withProgress(source, flags, signal)
    if (flags.hlo !== undefined) await writeWhole(flags.hlo, new TextEncoder().encode(compiled.hlo))
    if (flags.executable !== undefined && compiled.serialized) await writeWhole(flags.executable, compiled.serialized)
    const { compiledJson, compiledText } = await import('./compiled-report.ts')
    const { choiceFacts } = await import('./program-facts.ts')
    const choices = 'module' in source ? choiceFacts(source) : []
    process.stdout.write(flags.json ? `${JSON.stringify({ ...compiledJson(compiled), choices })}\n` : compiledText(flags.title, compiled, { shown: flags.ops, choices }))
  })
}

async function withProgress(source: Program<any, any> | NamedText, flags: CompileForFlags, signal: AbortSignal): Promise<CompiledFor> {
  const { compileFor, targetTopology } = await import('../program/compile-for.ts')
  const { ProgressLine } = await import('./progress-line.ts')
  targetTopology(flags.target)
  const progress = new ProgressLine()
  const begin = performance.now()
  const timer = setInterval(() => progress.show(`compiling ${flags.title} for ${flags.target}: ${Math.round((performance.now() - begin) / 1000)} s`), 1000)
  try {
    return await compileFor(source, flags.target, { signal, executable: flags.executable !== undefined })
  } finally {
    clearInterval(timer)
    progress.end()
  }
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const { writeFileAtomic } = await import('../data/atomic-file.ts')
  await writeFileAtomic(path, (writer) => writer.write(bytes))
}
