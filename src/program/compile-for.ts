import type { CompileStatistics } from '../ir/backend.ts'
import { startRunner } from '../runner/start.ts'
import { type NamedText, type OptimizedProgram } from '../runner/optimized.ts'
import { partitionsOf } from '../runner/partitions.ts'
import { type Topology, TopologyError, parseTopology } from '../runner/topology.ts'
import { TpuCompiler, type TpuCompilerOptions } from '../runner/tpu-compiler.ts'
import type { Target } from '../trace/target.ts'
import { type TimeEstimate, estimateTime } from '../xla/estimate.ts'
import { parseHlo } from '../xla/hlo.ts'
import { Program } from './program.ts'

/** What a program can be compiled for: this machine's processor, or TPUs that need not be there (`tpu:v5e:2x2`). */
export type CompileTarget = 'cpu' | `tpu:${string}`

export interface CompileForOptions extends TpuCompilerOptions {
  /** The program's name where only text is given; `main` if nothing is said. */
  readonly name?: string
  /** Ends the compilation. */
  readonly signal?: AbortSignal
  /** Whether to get a TPU's executable too, `serialized`. */
  readonly executable?: boolean
  /** The compiler to use for a TPU; without one, one is started for this program alone, which takes about two seconds. */
  readonly compiler?: TpuCompiler
}

/** What a compiler made of a program, and what can be said of it without running it. Sizes in bytes, of one device. */
export interface CompiledFor {
  readonly target: CompileTarget
  /** Undefined for `cpu`. */
  readonly topology: Topology | undefined
  /** How many devices the program is for; all figures are of one of them. */
  readonly devices: number
  /** The optimised program as XLA prints it; of a TPU, in the order in which its ops are carried out. */
  readonly hlo: string
  /** Undefined for `cpu`. */
  readonly estimate: TimeEstimate | undefined
  /** `hbm` is what the device has; 0 for `cpu`. */
  readonly memory: (NonNullable<CompileStatistics['memory']> & { readonly peak: number; readonly hbm: number }) | undefined
  readonly flops: number | undefined
  readonly compileSeconds: number
  /** The executable, for exactly this version of libtpu; only if it was asked for. */
  readonly serialized: Uint8Array | undefined
}

/** The topology that a target names, undefined for `cpu`. Throws `TopologyError`. */
export function targetTopology(target: string): Topology | undefined {
  if (target === 'cpu') return undefined
  if (!target.startsWith('tpu:')) throw new TopologyError(`there is no target ${JSON.stringify(target)}: expected cpu, or tpu: and a topology, such as tpu:v5e:2x2`)
  return parseTopology(target.slice('tpu:'.length))
}

/** For what a program has to be lowered that will be compiled for `target`. Throws `TopologyError`. */
export const traceTarget = (target: string): Target => (targetTopology(target) === undefined ? 'cpu' : 'tpu')

/**
 * Compiles a lowered program, or StableHLO text, without running it: `compileFor(lowerWith({ target: 'tpu' }, f, spec), 'tpu:v5e:2x2')`. How
 * many devices it is for, the text says (`sdy.mesh`, `mhlo.num_partitions`). Rejects with what `TpuCompiler.compile` rejects with, `TopologyError` too.
 */
export async function compileFor(program: Program<any, any> | NamedText | string, target: string, options: CompileForOptions = {}): Promise<CompiledFor> {
  const topology = targetTopology(target)
  const source = typeof program === 'string' ? { name: options.name ?? 'main', text: program } : namedText(program)
  const optimized = topology === undefined ? await optimizedHere(source, options) : await optimizedForTpu(source, topology, options)
  const { hlo, kernels, statistics, serialized } = optimized
  const { memory, flops, compileSeconds } = statistics
  return {
    target: topology === undefined ? 'cpu' : `tpu:${topology.name}`,
    topology,
    devices: topology === undefined ? 1 : partitionsOf(source.text),
    hlo,
    estimate: topology && estimateTime(parseHlo(hlo, `${source.name}.mlir`), kernels, topology.device),
    memory: memory && { ...memory, peak: memory.peak ?? 0, hbm: topology?.device.hbmBytes ?? 0 },
    flops,
    compileSeconds,
    serialized,
  }
}

/** The scopes of a program's ops reach the optimised program only as locations. */
const namedText = (program: Program | NamedText): NamedText =>
  program instanceof Program ? { name: program.name, text: program.textWithLocations } : { name: program.name, text: program.text }

async function optimizedHere(source: NamedText, options: CompileForOptions): Promise<OptimizedProgram> {
  const partitions = partitionsOf(source.text)
  const runner = await startRunner({ python: options.python, command: options.command, onLog: options.onLog, devices: partitions > 1 ? partitions : undefined })
  try {
    return await runner.optimized(source)
  } finally {
    await runner.close()
  }
}

async function optimizedForTpu(source: NamedText, topology: Topology, options: CompileForOptions): Promise<OptimizedProgram> {
  const compiler = options.compiler ?? new TpuCompiler(options)
  try {
    return await compiler.compile(source, topology, { signal: options.signal, executable: options.executable })
  } finally {
    if (options.compiler === undefined) await compiler.close()
  }
}
