import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { configure } from '../../src/models/registry.ts'
import type { Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import { initProgram, stateSpec, trainProgram } from '../../src/train/programs.ts'
import type { StepReport } from '../../src/train/step-meter.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

let session: Session
beforeAll(async () => { session = await startRunner() })
afterAll(() => session.close())

const models = {
  transformer: () => configure({ model: 'transformer', vocabularySize: 257, segmentLength: 8, width: 16, layers: 2, heads: 2 }),
  'memorizing-transformer': () => tinyModel({ dropout: 0 }),
}

interface Steps {
  readonly reports: readonly StepReport[]
  readonly state: Readonly<Record<string, HostArray>>
}

/** The reports and the state of 6 steps of 4 slots: some reach the end of a document, so that groups have different numbers of targets. */
async function train(model: keyof typeof models, accumulate: number, on: Session): Promise<Steps> {
  const run = tinyRun({ batchSize: 4, accumulate, logEvery: 1, clipGlobalNorm: 1 })
  const trainer = await Trainer.create(on, { ...models[model](), run, tokenizer: byteTokenizer(), train: tinyDocuments() })
  const reports: StepReport[] = []
  await trainer.run({}, { report: (report) => { reports.push(report) } })
  const state = await trainer.readState()
  await trainer.release()
  return { reports, state }
}

const trained = new Map<string, Promise<Steps>>()
/** The same on the CPU, compiled once. */
function steps(model: keyof typeof models, accumulate: number): Promise<Steps> {
  const key = `${model} ${accumulate}`
  if (!trained.has(key)) trained.set(key, train(model, accumulate, session))
  return trained.get(key)!
}

const numbers = (array: HostArray): number[] => Array.from(array.data as ArrayLike<number>, Number)

describe.each(Object.keys(models) as (keyof typeof models)[])('gradients of a %s, accumulated over groups of slots', (model) => {
  it('are those of all slots at once, within rounding', async () => {
    const [whole, parts] = [await steps(model, 1), await steps(model, 2)]
    parts.reports.forEach((report, i) => {
      const expected = whole.reports[i]
      expect(report.loss).toBeCloseTo(expected.loss, 4)
      expect(report.accuracy).toBeCloseTo(expected.accuracy, 6)
      expect(Math.abs(report.gradientNorm / expected.gradientNorm - 1)).toBeLessThan(1e-3)
      for (const [name, values] of Object.entries(expected.diagnostics)) values.forEach((value, j) => expect(report.diagnostics[name][j]).toBeCloseTo(value, 3))
    })
    // Before rounding has had an effect on any update.
    expect(Math.abs(parts.reports[0].gradientNorm / whole.reports[0].gradientNorm - 1)).toBeLessThan(1e-5)
    for (const [name, array] of Object.entries(whole.state).filter(([name]) => name.startsWith('parameters.'))) {
      const [a, b] = [numbers(array), numbers(parts.state[name])]
      // Adam divides by the size of the gradient: where that is nearly 0, rounding decides the direction of a step of 0.01.
      expect(a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length, name).toBeLessThan(1e-4)
    }
  })
})

it('keeps caches and memories of every slot, group after group', async () => {
  const [whole, parts] = [await steps('memorizing-transformer', 1), await steps('memorizing-transformer', 2)]
  const state = Object.keys(whole.state).filter((name) => name.startsWith('model.'))
  expect(state).toContain('model.memory.layers[0].keys')
  for (const name of state) {
    const [a, b] = [whole.state[name], parts.state[name]]
    if (a.type.shape.length === 0) expect(numbers(b)).toEqual([a.item(), a.item()])
    else {
      expect(b.type.shape).toEqual([2, 2, ...a.type.shape.slice(1)])
      numbers(a).forEach((value, i) => expect(numbers(b)[i]).toBeCloseTo(value, 2))
    }
  }
  expect(numbers(whole.state['model.memory.length']).some((length) => length > 0)).toBe(true)
})

it('gives the same on the interpreter, one slot at a time', async () => {
  const [ours, xla] = [await train('memorizing-transformer', 4, startInterpreter()), await steps('memorizing-transformer', 2)]
  ours.reports.forEach(({ loss }, i) => expect(loss).toBeCloseTo(xla.reports[i].loss, 3))
})

it('draws other dropout masks for every group', async () => {
  const { model, config } = tinyModel({ dropout: 0.5 })
  const run = tinyRun({ batchSize: 2, accumulate: 2, logEvery: 1, steps: 1 })
  // Both groups read the same text: without dropout their losses, hence the memory's keys after a layer, were the same.
  const [document] = tinyDocuments(1)
  const trainer = await Trainer.create(startInterpreter(), { model, config, run, tokenizer: byteTokenizer(), train: [document] })
  await trainer.run()
  const keys = numbers((await trainer.readState())['model.memory.layers[0].keys'])
  await trainer.release()
  expect(keys.slice(0, keys.length / 2)).not.toEqual(keys.slice(keys.length / 2))
})

it('needs the memory of the activations of one group', async () => {
  const large = configure({ model: 'transformer-xl', vocabularySize: 257, segmentLength: 64, width: 64, layers: 3, heads: 4 })
  const temporaries = async (accumulate: number): Promise<number> => {
    const run = tinyRun({ batchSize: 16, accumulate })
    const compiled = await session.compile(trainProgram(large, run, stateSpec(initProgram(large, run))))
    const { memory } = compiled.statistics
    await compiled.release()
    return memory!.temporaries
  }
  const [whole, eighths] = [await temporaries(1), await temporaries(8)]
  expect(eighths).toBeLessThan(whole / 4)
})

it('refuses groups of different sizes', () => {
  expect(() => tinyRun({ batchSize: 8, accumulate: 3 })).toThrow('accumulate: 3 groups of the same size cannot be made of batchSize 8')
})
