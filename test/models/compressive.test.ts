import { describe, expect, test } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import type { Target } from '../../src/trace/target.ts'
import { flatten, leafPaths, unflatten } from '../../src/trace/tree.ts'
import { ModelRunner, randomNumbers, randomSteps, randomTree, treeLeaves, typesOf } from '../support/model-runner.ts'
import { type CompressiveReading, readCompressive } from './reference-compressive.ts'

/** The Compressive Transformer against the same thing written plainly: logits, losses and gradients, with documents that begin in between. */

const tiny = {
  model: 'compressive-transformer', vocabularySize: 11, segmentLength: 4, width: 6, layers: 2, heads: 2, feedForwardSize: 5, computeDtype: 'f64',
  positionBuckets: 4, positionDistance: 6, cacheLength: 4, compressedLength: 3, compressionRate: 2,
}
const kinds = ['max-pooling', 'mean-pooling', 'convolution', 'dilated-convolution', 'most-used'] as const
const losses = ['none', 'auto-encoding', 'attention-reconstruction'] as const
const same = new Array<number>(9).fill(4)

const everyKindAndLoss = kinds.flatMap((compression) => losses.map((auxiliaryLoss) => ({ compression, auxiliaryLoss })))
const sizes: Record<string, { configuration: Record<string, unknown>; segments?: number[] }> = {
  'a rate that divides neither segment nor cache': { configuration: { cacheLength: 5, compressionRate: 3 } },
  'a rate greater than the segment': { configuration: { compressionRate: 7, cacheLength: 3 } },
  'a rate of one': { configuration: { compressionRate: 1, compressedLength: 5 } },
  'a cache shorter than the segment': { configuration: { cacheLength: 1, compressionRate: 3 } },
  'a cache longer than two segments': { configuration: { cacheLength: 9, compressionRate: 2 } },
  'more places than a document fills': { configuration: { compressedLength: 30 } },
  'segments of changing length': { configuration: { compressionRate: 3 }, segments: [4, 1, 1, 3, 4, 1, 2, 9, 1, 4, 1, 1] },
  'post norm, layer norm, relu, normalised attention': { configuration: { normPlacement: 'post', norm: 'layer', activation: 'relu', attention: 'normalized' } },
  'relative positions': { configuration: { positions: 'relative' } },
  'rematerialised layers': { configuration: { rematerialize: true } },
}

function checkAgainstReference(configuration: Record<string, unknown>, segments: readonly number[] = same, target?: Target): void {
  const runner = new ModelRunner(configuration, 3, 1, target)
  const steps = randomSteps(3, segments, 11, 5, 6)
  const outputs = runner.runAll(steps) as { logits: HostArray; auxiliary?: { loss: HostArray } }[]
  let memories: CompressiveReading['memories'] | undefined
  let compressed = 0
  let lost = 0
  outputs.forEach(({ logits, auxiliary }, i) => {
    const expected = readCompressive(runner.config, runner.parameters, memories, steps[i])
    memories = expected.memories
    compressed = Math.max(compressed, ...memories.flat().map((layer) => layer.compressed.length))
    lost += expected.auxiliary
    const wanted = expected.logits.flat(2)
    expect(logits.size).toBe(wanted.length)
    expect(wanted.reduce((worst, value, j) => Math.max(worst, Math.abs(value - Number(logits.data[j]))), 0), `step ${i}`).toBeLessThan(1e-9)
    expect(auxiliary === undefined).toBe(runner.config.auxiliaryLoss === 'none')
    if (auxiliary) expect(Math.abs(Number(auxiliary.loss.item()) - expected.auxiliary), `loss of step ${i}`).toBeLessThan(1e-9)
  })
  expect(compressed).toBeGreaterThan(0)
  if (runner.config.auxiliaryLoss !== 'none' && runner.config.compressionRate > 1) expect(lost).toBeGreaterThan(0.01)
}

describe('agrees with plain loops', () => {
  test.each(everyKindAndLoss)('$compression, $auxiliaryLoss', (choice) => checkAgainstReference({ ...tiny, ...choice }))
  test.each(kinds)('%s, lowered for a TPU', (compression) => checkAgainstReference({ ...tiny, compression, auxiliaryLoss: 'attention-reconstruction' }, same, 'tpu'))
  describe.each(kinds)('%s', (compression) => {
    for (const [name, { configuration, segments }] of Object.entries(sizes))
      test(name, () => checkAgainstReference({ ...tiny, compression, auxiliaryLoss: 'attention-reconstruction', ...configuration }, segments))
  })
})

/** A model in the middle of documents, the objective of training, and the reference at the same place. */
function scene(configuration: Record<string, unknown>) {
  const runner = new ModelRunner(configuration, 2)
  const steps = randomSteps(2, [4, 4, 4, 4, 4, 4], 11, 9, 100)
  const last = { ...steps[5], start: [false, false] }
  const { state } = runner.runAll(steps.slice(0, 5)).at(-1)!
  const memories = steps.slice(0, 5).reduce<CompressiveReading['memories'] | undefined>((before, step) => readCompressive(runner.config, runner.parameters, before, step).memories, undefined)
  const factors = randomTree(tensorType('f64', [2, 4, 11]), 77, 'f64', () => 1) as HostArray
  const input = { tokens: HostArray.from('i32', last.tokens), start: HostArray.from('bool', last.start) }
  const parts = (parameters: unknown, before: unknown, given: any, weights: Tensor): { main: Tensor; auxiliary: Tensor | undefined } => {
    const { logits, auxiliary } = runner.configured.model.apply(runner.config, parameters, before, given)
    return { main: reduceSum(multiply(logits, weights)), auxiliary: auxiliary?.loss }
  }
  /** The objective's two parts, by the reference. */
  const reference = (parameters: unknown): { main: number; auxiliary: number } => {
    const { logits, auxiliary } = readCompressive(runner.config, parameters, memories, last)
    return { main: logits.flat(2).reduce((sum, value, i) => sum + value * Number(factors.data[i]), 0), auxiliary }
  }
  const run = (fn: (...args: any[]) => unknown): any =>
    interpretProgram(lower(fn, typesOf(runner.parameters), typesOf(state), typesOf(input), factors.type) as Program<any, any>, runner.parameters, state, input, factors)
  return { runner, parts, reference, run, state, last }
}

const isCompression = (path: string): boolean => path.includes('.compression.')

describe('gradients', () => {
  test.each(everyKindAndLoss)('agree with differences of the plain loops: $compression, $auxiliaryLoss', (choice) => {
    const { runner, parts, reference, run } = scene({ ...tiny, ...choice, cacheLength: 3, compressionRate: 3 })
    const objective = (...args: Parameters<typeof parts>): Tensor => {
      const { main, auxiliary } = parts(...args)
      return auxiliary ? add(main, auxiliary) : main
    }
    const gradients = treeLeaves(run(grad(objective as never) as never))
    const { leaves, structure } = flatten(runner.parameters, (x): x is HostArray => x instanceof HostArray, 'parameters')
    const next = randomNumbers(5)
    leafPaths(structure).forEach((path, moved) => {
      const direction = Float64Array.from({ length: leaves[moved].size }, next)
      const moveBy = (amount: number): unknown =>
        unflatten(structure, leaves.map((leaf, i) => (i === moved ? new HostArray(leaf.type, Float64Array.from(leaf.data as Float64Array, (x, j) => x + amount * direction[j])) : leaf)))
      // Each parameter has a gradient from one part alone: the compression from the auxiliary loss, all others from the logits.
      const part = isCompression(path) ? 'auxiliary' : 'main'
      const step = 1e-5
      const expected = (reference(moveBy(step))[part] - reference(moveBy(-step))[part]) / (2 * step)
      const found = (gradients[moved].data as Float64Array).reduce((sum, d, j) => sum + d * direction[j], 0)
      expect(Math.abs(found - expected), `${path}: ${found} and ${expected}`).toBeLessThan(1e-6 * (1 + Math.abs(expected)))
    })
  })

  test.each(everyKindAndLoss)('of the auxiliary loss are exactly zero outside of the compression, of the logits inside: $compression, $auxiliaryLoss', (choice) => {
    const { runner, parts, run } = scene({ ...tiny, ...choice })
    const paths = leafPaths(flatten(runner.parameters, (x): x is HostArray => x instanceof HostArray, 'parameters').structure)
    const largest = (gradients: unknown): number[] => treeLeaves(gradients).map(({ data }) => Math.max(...Array.from(data as Float64Array, Math.abs)))
    const ofMain = largest(run(grad(((...args: Parameters<typeof parts>) => parts(...args).main) as never) as never))
    paths.forEach((path, i) => {
      if (isCompression(path)) expect(ofMain[i], path).toBe(0)
      else expect(ofMain[i], path).toBeGreaterThan(0)
    })
    if (choice.auxiliaryLoss === 'none') return
    const ofAuxiliary = largest(run(grad(((...args: Parameters<typeof parts>) => parts(...args).auxiliary) as never) as never))
    paths.forEach((path, i) => {
      if (isCompression(path)) expect(ofAuxiliary[i], path).toBeGreaterThan(0)
      else expect(ofAuxiliary[i], path).toBe(0)
    })
  })

  test.each(kinds)('none reaches the memories, though they count: %s', (compression) => {
    const { runner, parts, run, state, last } = scene({ ...tiny, compression, auxiliaryLoss: 'auto-encoding' })
    const objective = (...args: Parameters<typeof parts>): Tensor => add(parts(...args).main, parts(...args).auxiliary!)
    for (const gradient of treeLeaves(run(grad(objective as never, { wrt: 1 } as never) as never))) expect(gradient.data.every((value) => value === 0)).toBe(true)
    const logits = (before: unknown): number[] => Array.from(runner.run(before, last).logits.data, Number)
    for (const key of ['recent', 'compressed'] as const) {
      const layers = state.compressed.layers.map((layer: any) => ({ ...layer, [key]: new HostArray(layer[key].type, (layer[key].data as Float64Array).map((x) => -x)) }))
      expect(Math.abs(logits({ ...state, compressed: { ...state.compressed, layers } })[0] - logits(state)[0]), key).toBeGreaterThan(1e-4)
    }
  })
})
