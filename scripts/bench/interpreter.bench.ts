import { HostArray } from '../../src/ir/host-array.ts'
import { preset } from '../../src/models/registry.ts'
import type { Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import { flatten } from '../../src/trace/tree.ts'
import { compareTrainSteps, relativeDifference } from './agreement.ts'
import { attentionGradient, attentionInputs } from './attention-program.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'

export const description = 'the gradient of two attention layers at 128 x 128 and the tiny train step: interpreter against XLA on the CPU, times and differences'

const size = 128

/** The gradient of two attention layers on both sides, run in turns. */
async function compareAttention(sessions: { interpreter: Session; xla: Session }, runs: number) {
  const program = attentionGradient(size)
  const inputs = attentionInputs(size)
  const sides = { interpreter: await sessions.interpreter.compile(program), xla: await sessions.xla.compile(program) }
  const ms = { interpreter: [] as number[], xla: [] as number[] }
  const results: Partial<Record<keyof typeof sides, HostArray[]>> = {}
  for (let run = 0; run < runs; run++)
    for (const side of ['interpreter', 'xla'] as const) {
      const begin = performance.now()
      const result = await sides[side].run(...inputs)
      ms[side].push(performance.now() - begin)
      results[side] = flatten(result, (value): value is HostArray => value instanceof HostArray, 'the results').leaves
    }
  const worst = Math.max(...results.interpreter!.map((array, i) => relativeDifference(results.xla![i], array)))
  return { ms, worst }
}

/** Milliseconds of the attention gradient, once the engine has compiled what it runs; the rest is in `details`. */
export async function bench({ quick }: BenchOptions): Promise<BenchResult> {
  const xla = await startRunner()
  const interpreter = startInterpreter()
  try {
    const attention = await compareAttention({ interpreter, xla }, quick ? 4 : 24)
    const warm = (times: readonly number[]) => times.slice(Math.floor(times.length / 3))
    const step = await compareTrainSteps(preset('memorizing-transformer', 'tiny'), interpreter, xla, { batch: 4, steps: quick ? 2 : 4 })
    return compare({
      name: 'interpreter',
      unit: 'ms',
      engram: median(warm(attention.ms.interpreter)),
      peer: median(warm(attention.ms.xla)),
      details: {
        size,
        firstMs: attention.ms.interpreter[0],
        bestMs: Math.min(...attention.ms.interpreter),
        worstRelativeDifference: attention.worst,
        trainStep: {
          preset: 'tiny',
          batch: 4,
          interpreterMs: median(step.ms.interpreter),
          xlaMs: median(step.ms.xla),
          worstRelativeDifference: step.worst,
          comparedTensors: step.differences.length,
        },
      },
    })
  } finally {
    await xla.close()
  }
}
