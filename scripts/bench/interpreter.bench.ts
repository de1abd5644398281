import { preset } from '../../src/models/registry.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import { compareTrainSteps } from './agreement.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'

export const description = 'the tiny train step: interpreter time against XLA on the CPU, and how far their results are apart'

export async function bench({ quick }: BenchOptions): Promise<BenchResult> {
  const xla = await startRunner()
  const interpreter = startInterpreter()
  try {
    const result = await compareTrainSteps(preset('memorizing-transformer', 'tiny'), interpreter, xla, { batch: 4, steps: quick ? 2 : 4 })
    return compare({
      name: 'interpreter',
      unit: 'ms',
      engram: median(result.ms.interpreter),
      peer: median(result.ms.xla),
      details: { worstRelativeDifference: result.worst, comparedTensors: result.differences.length, batch: 4, preset: 'tiny' },
    })
  } finally {
    await xla.close()
  }
}
