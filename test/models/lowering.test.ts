import 'engram/vitest'
import { describe, expect, test } from 'vitest'
import { randomArrays } from '../../src/data/random-arrays.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { type TensorType, isTensorType } from '../../src/ir/types.ts'
import { modelNames, preset } from '../../src/models/registry.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { entryProgram, initProgram, seedKey } from '../../src/train/programs.ts'
import { checkRunConfig } from '../../src/train/run-config.ts'
import { flatten, unflatten } from '../../src/trace/tree.ts'

/** What the programs of the tiny models contain, and that the interpreter and XLA agree on them. */

const run = checkRunConfig({ batchSize: 2 })
const tiny = (model: string, changes = {}) => preset(model, 'tiny', { segmentLength: 8, width: 16, headSize: 8, feedForwardSize: 32, ...changes })
/** XLA takes seconds for each layer of a train step; e2e tests compare two. */
const oneLayer = (model: string, changes = {}) => tiny(model, { layers: 1, ...changes, ...(model === 'memorizing-transformer' ? { memoryLayers: [1] } : {}) })

/** A state as `init` draws it, and a batch of small tokens. */
function inputsOf(entry: 'train' | 'evaluate', configured: ReturnType<typeof preset>): unknown[] {
  const program = entryProgram(entry, configured, run)
  const state = interpretProgram(initProgram(configured, run), seedKey(3)) as any
  const given = entry === 'train' ? [state] : [state.parameters, state.model]
  const spec = (unflatten(program.inputStructure, program.inputs) as unknown[]).at(-1)
  const { leaves, structure } = flatten(spec, (value): value is TensorType => typeof value === 'object' && value !== null && isTensorType(value as TensorType), 'the batch')
  return [...given, unflatten(structure, randomArrays(leaves, 5).map((array) => (array.dtype === 'f32' ? HostArray.of('f32', array.shape, new Array(array.size).fill(1)) : array)))]
}

test('relative positions give the same on the interpreter and on XLA, there and back', async () => {
  const configured = oneLayer('transformer-xl', { positions: 'relative' })
  await expect(entryProgram('train', configured, run)).toAgree({ inputs: inputsOf('train', configured) })
})

describe.each(modelNames)('%s', (model) => {
  test.each(['train', 'evaluate'] as const)('%s gives the same on the interpreter and on XLA', async (entry) => {
    await expect(entryProgram(entry, oneLayer(model), run)).toAgree({ inputs: inputsOf(entry, oneLayer(model)) })
  })

  test('attends, adds, and feeds forward, layer after layer', () => {
    const layer = (n: number) => [
      { op: 'dot_general', scope: `layer${n}/attention` },
      { op: 'exponential', scope: `layer${n}/attention` },
      { op: 'dot_general', scope: `layer${n}/attention` },
      { op: 'add', results: 'f32[2,8,16]' },
      { op: 'dot_general', scope: `layer${n}/feedForward`, results: 'f32[*,*,32]' },
    ]
    expect(entryProgram('evaluate', tiny(model), run)).toContainOps([...layer(1), ...layer(2), { op: 'dot_general', scope: 'logits' }])
  })

  test('evaluates without a gradient or an optimiser', () => {
    const program = entryProgram('evaluate', tiny(model), run)
    expect(program).not.toContainOps([{ scope: 'optimizer' }])
    expect(entryProgram('train', tiny(model), run)).toContainOps([{ op: 'dot_general', scope: 'logits' }, { scope: 'optimizer' }])
  })
})
