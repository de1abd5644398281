import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { preset } from '../../src/models/registry.ts'
import { startInterpreter } from '../../src/program/start.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import type { Program } from '../../src/program/program.ts'
import { initProgram, seedKey, stateSpec, trainProgram } from '../../src/train/programs.ts'
import type { StepReport } from '../../src/train/step-meter.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { tinyDocuments, tinyRun } from './tiny-run.ts'

/** Training of what the predictions do not reach: the compression of a Compressive Transformer. */

const sizes = { vocabularySize: 257, segmentLength: 8, width: 12, headSize: 6, layers: 1, feedForwardSize: 16, cacheLength: 6, compressedLength: 6, compressionRate: 2 }
const compressive = (changes: Record<string, unknown> = {}) => preset('compressive-transformer', 'tiny', { ...sizes, ...changes })

async function reportsOf(changes: Record<string, unknown>, steps: number): Promise<StepReport[]> {
  const session = startInterpreter()
  const run = tinyRun({ steps, logEvery: 10, batchSize: 4, optimizer: { kind: 'adam', schedule: { kind: 'constant', learningRate: 0.003 } } })
  const trainer = await Trainer.create(session, { ...compressive(changes), run, tokenizer: byteTokenizer(), train: tinyDocuments(12) })
  const reports: StepReport[] = []
  await trainer.run({}, { report: (report) => void reports.push(report) })
  await trainer.release()
  await session.close()
  return reports
}

describe('training lowers the auxiliary loss, and reports it beside that of the predictions', () => {
  test.each([
    ['convolution', 'attention-reconstruction'],
    ['convolution', 'auto-encoding'],
    ['dilated-convolution', 'attention-reconstruction'],
  ])('%s, %s', async (compression, auxiliaryLoss) => {
    const reports = await reportsOf({ compression, auxiliaryLoss }, 80)
    // The first reports are of steps whose caches were still filling.
    const [early, late] = [reports[2], reports.at(-1)!]
    expect(late.auxiliary).toBeLessThan(0.7 * early.auxiliary!)
    expect(late.loss).toBeLessThan(early.loss)
    expect(Object.keys(late.diagnostics).sort()).toEqual([auxiliaryLoss === 'auto-encoding' ? 'autoEncoding' : 'attentionReconstruction', 'compressedFill'])
  })

  test('a model without one reports none', async () => {
    const [report] = await reportsOf({ compression: 'mean-pooling' }, 1)
    expect(report).not.toHaveProperty('auxiliary')
    expect(Object.keys(report.diagnostics)).toEqual(['compressedFill'])
  })
})

/** A step of training, the same in every call: of a model with a loss, on slots in so many groups. */
function stepOf(auxiliaryLoss: string, accumulate = 1) {
  const trained = compressive({ auxiliaryLoss })
  const run = tinyRun({ batchSize: 4, accumulate })
  const init = initProgram(trained, run)
  const program = trainProgram(trained, run, stateSpec(init)) as Program<any, any>
  const tokens = HostArray.from('i32', [0, 1, 2, 3].map((slot) => Array.from({ length: 8 }, (_, i) => (31 * slot + 7 * i) % 257)))
  const batch = { tokens, targets: tokens, weights: HostArray.of('f32', [4, 8], new Array<number>(32).fill(1)), start: HostArray.from('bool', [false, false, false, false]) }
  return { initial: interpretProgram(init as Program<any, any>, seedKey(3)) as any, step: (state: any): any => interpretProgram(program, state, batch) }
}

describe('the objective', () => {
  test('loss and main network are those of a model that is not trained so; the compression alone differs', () => {
    const { initial, step } = stepOf('attention-reconstruction')
    const before = step(step(initial).state).state
    const [trained, untrained] = [step(before), stepOf('none').step(before)]
    expect(trained.metrics.loss.item()).toBe(untrained.metrics.loss.item())
    expect(trained.metrics.auxiliary.item()).toBeGreaterThan(0)
    const { compression, ...rest } = trained.state.parameters.layers[0]
    const { compression: left, ...others } = untrained.state.parameters.layers[0]
    expect({ ...trained.state.parameters, layers: [rest] }).toEqual({ ...untrained.state.parameters, layers: [others] })
    expect(compression.compress.kernel.data).not.toEqual(left.compress.kernel.data)
  })

  test('slots in groups give the same', () => {
    const [whole, groups] = [1, 2].map((accumulate) => {
      const { initial, step } = stepOf('attention-reconstruction', accumulate)
      return step(step(initial).state)
    })
    expect(groups.metrics.auxiliary.item()).toBeCloseTo(whole.metrics.auxiliary.item(), 5)
    expect(groups.metrics.auxiliary.item()).toBeGreaterThan(0)
    const kernel = ({ state }: any): number[] => Array.from(state.parameters.layers[0].compression.compress.kernel.data as Float32Array)
    kernel(whole).forEach((value, i) => expect(kernel(groups)[i]).toBeCloseTo(value, 4))
  })
})
