import type { HostArray } from '../../../src/ir/host-array.ts'
import type { Backend } from '../../../src/ir/backend.ts'
import type { TensorType } from '../../../src/ir/types.ts'
import { RunnerDiedError, RunnerError, RunnerStartError } from '../../../src/runner/errors.ts'
import { startRunner } from '../../../src/runner/start.ts'
import { printModule } from '../../../src/text/print.ts'
import type { GeneratedProgram } from './builder.ts'

/** What XLA makes of a program. */
export type XlaOutcome =
  | { readonly kind: 'results'; readonly results: readonly HostArray[] }
  /** It refuses to compile or to run the program. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The process ended. */
  | { readonly kind: 'crashed'; readonly message: string }

/**
 * Flags of XLA's compiler. `quick` compiles 4 times as fast as the default, with LLVM's optimisations off and XLA's older loops; `default`
 * is what users get.
 */
export const compilerFlags = {
  quick: '--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_allow_excess_precision=false',
  default: '',
} as const
export type Compiler = keyof typeof compilerFlags

/** A runner on the CPU that is started again when a program ends it. */
export class XlaRunner {
  readonly #compiler: Compiler
  #runner: Promise<Backend> | undefined

  constructor(compiler: Compiler = 'quick') {
    this.#compiler = compiler
  }

  async run(program: GeneratedProgram): Promise<XlaOutcome> {
    try {
      const runner = await (this.#runner ??= this.#start())
      const compiled = await runner.compile({
        name: 'generated',
        text: printModule(program.module),
        module: program.module,
        inputs: program.inputs.map(({ type }) => type),
        outputs: program.results.map(({ type }) => type as TensorType),
      })
      const buffers = compiled.execute(program.inputs)
      const reads = await Promise.allSettled(buffers.map((buffer) => buffer.read()))
      buffers.forEach((buffer) => buffer.release())
      await compiled.release()
      const failed = reads.find((read) => read.status === 'rejected')
      if (failed) throw failed.reason
      return { kind: 'results', results: reads.map((read) => (read as PromiseFulfilledResult<HostArray>).value) }
    } catch (error) {
      if (error instanceof RunnerDiedError) {
        this.#runner = undefined
        return { kind: 'crashed', message: error.message }
      }
      if (error instanceof RunnerError && !(error instanceof RunnerStartError)) return { kind: 'refused', message: (error as Error).message }
      throw error
    }
  }

  /** The flags are read once, when the process starts. */
  async #start(): Promise<Backend> {
    const before = process.env.XLA_FLAGS
    process.env.XLA_FLAGS = `${before ?? ''} ${compilerFlags[this.#compiler]}`.trim()
    try {
      return await startRunner({ platform: 'cpu' })
    } finally {
      if (before === undefined) delete process.env.XLA_FLAGS
      else process.env.XLA_FLAGS = before
    }
  }

  async close(): Promise<void> {
    const runner = this.#runner
    this.#runner = undefined
    await (await runner)?.close()
  }
}
