import 'engram/vitest'
import { describe, expect, test } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { randomArrays } from '../../src/data/random-arrays.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { configure } from '../../src/models/registry.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { startRunner } from '../../src/program/start.ts'
import { initProgram, isTensorType, seedKey, stateSpec, trainProgram } from '../../src/train/programs.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'
import { flatten, unflatten } from '../../src/trace/tree.ts'
import { verifyModule } from '../../src/verify/verify.ts'
import { ModelRunner, randomSteps, typesOf } from '../support/model-runner.ts'

/** A memory of any size, any type and in any layers, by configuration alone. */

const tiny = { vocabularySize: 17, segmentLength: 5, width: 8, layers: 2, heads: 2, feedForwardSize: 12, positionBuckets: 8, positionDistance: 12 }
const memorizing = { ...tiny, model: 'memorizing-transformer', cacheLength: 4, memorySize: 12, neighbours: 4, memoryLayers: [2] }
const steps = randomSteps(2, [5, 5, 5, 5], 17, 3)
const numbers = (array: HostArray): number[] => Array.from(array.data, Number)

describe('a memory of 0 places', () => {
  const none = new ModelRunner({ ...memorizing, memorySize: 0 }, 2)

  test('is the Transformer-XL with normalised attention, bit for bit, with the same parameters besides the gates', () => {
    const xl = new ModelRunner({ ...tiny, model: 'transformer-xl', cacheLength: 4, attention: 'normalized' }, 2)
    const [first, { memoryGate, ...second }] = none.parameters.layers
    expect(memoryGate.shape).toEqual([2])
    xl.parameters = { ...none.parameters, layers: [first, second] }
    expect(typesOf(xl.parameters)).toEqual(xl.parameterTypes())
    const [own, others] = [none.runAll(steps), xl.runAll(steps)]
    steps.forEach((_, i) => expect(numbers(own[i].logits)).toEqual(numbers(others[i].logits)))
    expect(own[3].state.memory).toBe(null)
    expect(own[3].diagnostics).toEqual({})
  })

  test('has the parameters of any other size, so that a checkpoint of one is one of the other; its gates get no gradient', () => {
    expect(none.parameterTypes()).toEqual(new ModelRunner(memorizing, 2).parameterTypes())
    const [state, input] = [none.initialState(), { tokens: HostArray.from('i32', steps[0].tokens), start: HostArray.from('bool', steps[0].start) }]
    const loss = (parameters: unknown, before: unknown, given: any) => reduceSum(none.configured.model.apply(none.config, parameters, before, given).logits)
    const program = lower(grad(loss) as (...args: unknown[]) => unknown, typesOf(none.parameters), typesOf(state), typesOf(input)) as Program<any, any>
    const gradient = interpretProgram(program, none.parameters, state, input) as any
    expect(numbers(gradient.layers[1].memoryGate)).toEqual([0, 0])
    expect(numbers(gradient.layers[1].attention.scale)).not.toEqual([0, 0])
  })
})

test('one place is a memory, too', () => {
  const one = new ModelRunner({ ...memorizing, memorySize: 1, neighbours: 1 }, 2)
  const outputs = one.runAll(steps)
  expect(numbers(outputs[1].logits)).not.toEqual(numbers(new ModelRunner({ ...memorizing, memorySize: 0 }, 2).runAll(steps)[1].logits))
})

describe('types of the memory', () => {
  const of = (computeDtype: string, memoryDtype: string) => new ModelRunner({ ...memorizing, memoryLayers: [1, 2], computeDtype, memoryDtype }, 2).runAll(steps)

  test('an f32 memory of a model that computes in bf16 holds what a bf16 memory holds, and gives the same', () => {
    const [wide, narrow] = [of('bf16', 'f32'), of('bf16', 'bf16')]
    expect(wide[3].state.memory.layers[1].keys.dtype).toBe('f32')
    expect(numbers(wide[3].state.memory.layers[0].keys)).toEqual(numbers(narrow[3].state.memory.layers[0].keys))
    steps.forEach((_, i) => expect(numbers(wide[i].logits)).toEqual(numbers(narrow[i].logits)))
  })

  test('a bf16 memory of a model that computes in f32 holds the rounded keys and values', () => {
    const [narrow, wide] = [of('f32', 'bf16'), of('f32', 'f32')]
    const kept = wide[0].state.memory.layers[1]
    const rounded = narrow[0].state.memory.layers[1]
    expect(rounded.values.dtype).toBe('bf16')
    numbers(rounded.values).forEach((value, i) => expect(Math.abs(value - Number(kept.values.data[i]))).toBeLessThanOrEqual(2 ** -8 * Math.abs(Number(kept.values.data[i]))))
    expect(numbers(narrow[0].logits)).toEqual(numbers(wide[0].logits))
    expect(numbers(narrow[2].logits)).not.toEqual(numbers(wide[2].logits))
  })
})

describe('a memory of 262,144 places', () => {
  const large = (search: string) =>
    configure({ ...memorizing, segmentLength: 4, width: 8, headSize: 4, layers: 1, memoryLayers: [1], memorySize: 2 ** 18, neighbours: 32, memoryDtype: 'bf16', search })
  const run = checkRunConfig({ batchSize: 1 })
  const programs = (search: string) => {
    const init = initProgram(large(search), run)
    return { init, train: trainProgram(large(search), run, stateSpec(init)) }
  }

  test.each(['exact', 'approximate'])('traces and verifies, %s search', (search) => {
    const { train } = programs(search)
    expect(verifyModule(train.module)).toEqual([])
    expect(train.text).toContain('tensor<1x2x262144x4xbf16>')
    expect(train.text.length).toBeLessThan(300_000)
  })

  test('compiles and takes steps on the CPU, within memory for a few copies of it', async () => {
    const { init, train } = programs('exact')
    const session = await startRunner()
    try {
      const [initial, step] = await Promise.all([session.compile(init), session.compile(train)])
      const memoryBytes = 2 * 2 * 2 ** 18 * 4 * 2
      // A query's scores of all places are more than the memory at this width; both together, in f32, with what sorting them takes, are the limit.
      expect(step.statistics.memory!.temporaries).toBeLessThan(4 * (memoryBytes + 4 * 2 * 2 ** 18 * 4))
      let state: any = await initial.run(seedKey(1))
      const batch = batchOf(unflatten(train.inputStructure, train.inputs))
      const losses: number[] = []
      for (let i = 0; i < 2; i++) {
        const result = (await step.run(state, batch)) as any
        losses.push(result.metrics.loss.item())
        state = result.state
      }
      expect(losses.every(Number.isFinite)).toBe(true)
      expect(numbers(state.model.memory.length)).toEqual([4])
    } finally {
      await session.close()
    }
  }, 300_000)
})

function batchOf(inputs: any): any {
  const { leaves, structure } = flatten(inputs.at(-1), isTensorType, 'the batch')
  return unflatten(structure, randomArrays(leaves, 5).map((array) => (array.dtype === 'bool' ? HostArray.of('bool', array.shape, new Array(array.size).fill(true)) : array)))
}
