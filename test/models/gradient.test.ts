import { describe, expect, test } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { multiply } from '../../src/ops/arithmetic.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { randomKey } from '../../src/lib/random.ts'
import { type Target, withTarget } from '../../src/trace/target.ts'
import { flatten, unflatten } from '../../src/trace/tree.ts'
import { ModelRunner, randomNumbers, randomSteps, randomTree, treeLeaves, typesOf } from '../support/model-runner.ts'

const tiny = { vocabularySize: 7, segmentLength: 4, width: 6, layers: 2, heads: 2, feedForwardSize: 5, computeDtype: 'f64', positionBuckets: 4, positionDistance: 6 }
const memorizing = { ...tiny, model: 'memorizing-transformer', cacheLength: 3, memorySize: 7, neighbours: 3, memoryLayers: [1] }

/** A model in the middle of a document, with a loss that every logit goes into. */
function scene(configuration: Record<string, unknown>, { dropping = false, target }: { dropping?: boolean; target?: Target } = {}) {
  const runner = new ModelRunner(configuration, 2)
  const steps = randomSteps(2, [4, 4, 4], 7, 9, 100)
  const { state } = runner.runAll(steps.slice(0, 2)).at(-1)!
  const input = { tokens: HostArray.from('i32', steps[2].tokens), start: HostArray.from('bool', [false, true]) }
  const weights = randomTree(tensorType('f64', [2, 4, 7]), 77, 'f64', () => 1) as HostArray
  const loss = (parameters: unknown, before: unknown, given: any, factors: Tensor): Tensor => {
    const options = dropping ? { dropoutKey: randomKey(3) } : {}
    return withTarget(target, () => reduceSum(multiply(runner.configured.model.apply(runner.config, parameters, before, given, options).logits, factors)))
  }
  return { runner, state, input, weights, loss }
}

type Scene = ReturnType<typeof scene>
/** Lowers a function with the arguments of the loss. */
const lowered = ({ runner, state, input, weights }: Scene, fn: (...args: any[]) => unknown) =>
  lower(fn as (...args: unknown[]) => unknown, typesOf(runner.parameters), typesOf(state), typesOf(input), weights.type) as Program<any, any>
const run = ({ runner, state, input, weights }: Scene, program: Program<any, any>, parameters: unknown = runner.parameters, before: unknown = state): any =>
  interpretProgram(program, parameters, before, input, weights)

/** Checks the gradient along random directions, all parameters and every leaf alone. */
function checkGradient(it: Scene): void {
  const value = lowered(it, it.loss)
  const at = (parameters: unknown): number => run(it, value, parameters).item()
  const gradients = treeLeaves(run(it, lowered(it, grad(it.loss))))
  const { leaves, structure } = flatten(it.runner.parameters, (x): x is HostArray => x instanceof HostArray, 'parameters')
  const next = randomNumbers(5)
  leaves.forEach((_, moved) => {
    const direction = leaves.map((leaf, i) => new Float64Array(leaf.size).map(() => (i === moved ? next() : 0)))
    const step = 1e-5
    const moveBy = (amount: number) =>
      unflatten(structure, leaves.map((leaf, i) => new HostArray(leaf.type, Float64Array.from(leaf.data as Float64Array).map((x, j) => x + amount * direction[i][j]))))
    const expected = (at(moveBy(step)) - at(moveBy(-step))) / (2 * step)
    const found = (gradients[moved].data as Float64Array).reduce((sum, d, j) => sum + d * direction[moved][j], 0)
    expect(Math.abs(found - expected), `leaf ${moved}: ${found} and ${expected}`).toBeLessThan(1e-6 * (1 + Math.abs(expected)))
    expect(gradients[moved].type).toEqual(leaves[moved].type)
  })
}

describe('gradients agree with central differences', () => {
  test('transformer', () => checkGradient(scene({ ...tiny, model: 'transformer', norm: 'layer', normPlacement: 'post', tiedEmbedding: false })))
  test('transformer-xl', () => checkGradient(scene({ ...tiny, model: 'transformer-xl', cacheLength: 5 })))
  test('transformer-xl, relative positions', () => checkGradient(scene({ ...tiny, model: 'transformer-xl', cacheLength: 5, positions: 'relative' })))
  test('transformer-xl, relative positions, lowered for a TPU', () =>
    checkGradient(scene({ ...tiny, model: 'transformer-xl', cacheLength: 5, positions: 'relative', attention: 'normalized' }, { target: 'tpu' })))
  test('memorizing-transformer', () => checkGradient(scene(memorizing)))
  test('memorizing-transformer with dropout', () => checkGradient(scene({ ...memorizing, dropout: 0.3 }, { dropping: true })))
  test('memorizing-transformer, lowered for a TPU', () => checkGradient(scene(memorizing, { target: 'tpu' })))
})

describe('what gradients do not do', () => {
  test('none reaches caches or memory: its derivative by the incoming state is exactly zero', () => {
    const it = scene(memorizing)
    const { runner, state, loss } = it
    const gradients = treeLeaves(run(it, lowered(it, grad(loss, { wrt: 1 }))))
    expect(gradients.length).toBe(2 * 2 + 2)
    for (const gradient of gradients) expect(gradient.data.every((value) => value === 0)).toBe(true)
    // Though the state does count.
    const value = lowered(it, loss)
    const at = (before: unknown): number => run(it, value, runner.parameters, before).item()
    const negated = new HostArray(state.memory.layers[0].values.type, Float64Array.from(state.memory.layers[0].values.data as Float64Array, (x) => -x))
    const other = { ...state, memory: { ...state.memory, layers: [{ ...state.memory.layers[0], values: negated }] } }
    expect(Math.abs(at(other) - at(state))).toBeGreaterThan(1e-3)
  })

  test('the gates and scales of memory layers get one', () => {
    const it = scene(memorizing)
    const gradient = run(it, lowered(it, grad(it.loss)))
    for (const leaf of [gradient.layers[0].memoryGate, gradient.layers[0].attention.scale]) expect(Math.min(...Array.from(leaf.data as Float64Array, Math.abs))).toBeGreaterThan(1e-6)
  })

  test('rematerialised layers have the same gradients', () => {
    const gradients = [false, true].map((rematerialize) => {
      const it = scene({ ...memorizing, rematerialize })
      return treeLeaves(run(it, lowered(it, grad(it.loss))))
    })
    gradients[0].forEach((gradient, i) => gradient.data.forEach((value, j) => expect(Math.abs(Number(value) - Number(gradients[1][i].data[j]))).toBeLessThan(1e-10)))
  })
})
