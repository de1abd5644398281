import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import type { Program } from '../../src/program/program.ts'
import { findPython } from '../../src/runner/python.ts'
import { type Target, withTarget } from '../../src/trace/target.ts'
import { ModelRunner, type Step, randomSteps, randomTree, treeLeaves, typesOf } from '../support/model-runner.ts'

/**
 * Logits and the gradient of every parameter, over several segments with document starts in between, against plain_models.py: the models in
 * plain JAX, in f64. The state goes from segment to segment inside one program, so that a gradient that leaked into caches or memory would show.
 */

const tiny = { vocabularySize: 11, segmentLength: 4, width: 6, layers: 2, heads: 2, feedForwardSize: 5, computeDtype: 'f64', positionBuckets: 4, positionDistance: 6 }
const xl = { ...tiny, model: 'transformer-xl', cacheLength: 5 }
const relative = { ...xl, positions: 'relative' }
const memorizing = { ...tiny, model: 'memorizing-transformer', cacheLength: 3, memorySize: 7, neighbours: 3, memoryLayers: [2] }
const post = { normPlacement: 'post', norm: 'layer', activation: 'relu', tiedEmbedding: false }
// Ties of equal tokens in the first layer differ by retrieval where a dense one is chosen, and the reference fetches rows.
const every = { layers: 3, memoryLayers: [1, 2, 3], retrieval: 'packed-gather' }

const approximate = { ...memorizing, search: 'approximate', recallTarget: 0.5, memorySize: 256, neighbours: 6, retrieval: 'packed-gather' }
const long = [64, 64, 64, 64, 64]

const cases: Record<string, { configuration: Record<string, unknown>; segments?: number[] }> = {
  'transformer, pre norm': { configuration: { ...tiny, model: 'transformer' } },
  'transformer, post norm, layer norm, relu, a head of its own': { configuration: { ...tiny, model: 'transformer', ...post } },
  'transformer, normalised attention': { configuration: { ...tiny, model: 'transformer', attention: 'normalized', headSize: 5 } },
  'transformer-xl, T5 bias': { configuration: xl },
  'transformer-xl, T5 bias, cache longer than two segments, post norm': { configuration: { ...xl, ...post, cacheLength: 9 } },
  'transformer-xl, relative positions': { configuration: relative },
  'transformer-xl, relative positions, post norm, vectors of each layer': { configuration: { ...relative, ...post, tiedQueryBiases: false } },
  'transformer-xl, relative positions, normalised attention': { configuration: { ...relative, attention: 'normalized', cacheLength: 3, headSize: 5 } },
  'transformer-xl, relative positions, no cache': { configuration: { ...relative, cacheLength: 0 } },
  'transformer-xl, relative positions, rematerialised': { configuration: { ...relative, rematerialize: true } },
  'transformer-xl, relative positions, segments of changing length': { configuration: relative, segments: [4, 1, 1, 1, 3, 7, 1] },
  'memorizing-transformer': { configuration: memorizing },
  'memorizing-transformer, relative positions': { configuration: { ...memorizing, positions: 'relative' } },
  'memorizing-transformer, every layer remembers, post norm': { configuration: { ...memorizing, ...every, ...post, activation: 'gelu' } },
  'memorizing-transformer, segment longer than the ring': { configuration: { ...memorizing, memorySize: 3, neighbours: 2, cacheLength: 0 } },
  'memorizing-transformer, approximate search': { configuration: approximate, segments: long },
  'memorizing-transformer, approximate search in two layers': { configuration: { ...approximate, memoryLayers: [1, 2], memorySize: 300 }, segments: long },
  'memorizing-transformer, segments of changing length': { configuration: { ...memorizing, layers: 3, memoryLayers: [2, 3] }, segments: [4, 1, 1, 5, 9, 2] },
}

interface Case {
  readonly runner: ModelRunner
  readonly steps: readonly Step[]
  readonly weights: readonly HostArray[]
}

function caseOf({ configuration, segments = [4, 4, 4, 4, 4] }: (typeof cases)[string], target: Target | undefined): Case {
  const runner = new ModelRunner(configuration, 2, 1, target)
  const { vocabularySize } = runner.config
  const types = segments.map((length) => tensorType('f64', [2, length, vocabularySize]))
  return { runner, steps: randomSteps(2, segments, vocabularySize, 5, 4), weights: randomTree(types, 77, 'f64', () => 1) }
}

/** All steps in one program: logits of each, and the gradient of their weighted sum. */
function ours({ runner, steps, weights }: Case): { logits: HostArray[]; gradient: any } {
  const { model } = runner.configured
  const inputs = steps.map(({ tokens, start }) => ({ tokens: HostArray.from('i32', tokens), start: HostArray.from('bool', start) }))
  const logitsOf = (parameters: unknown, state: unknown, given: any[]): Tensor[] => {
    let before = state
    return given.map((input) => {
      const { logits, state: after } = model.apply(runner.config, parameters, before, input)
      before = after
      return logits
    })
  }
  const loss = (parameters: unknown, state: unknown, given: any[], factors: Tensor[]): Tensor =>
    logitsOf(parameters, state, given).map((logits, i) => reduceSum(multiply(logits, factors[i]))).reduce((sum, each) => add(sum, each))
  const both = (...args: [unknown, unknown, any[], Tensor[]]): unknown =>
    withTarget(runner.target, () => ({ logits: logitsOf(args[0], args[1], args[2]), gradient: grad(loss)(...args) }))
  const state = runner.initialState()
  const program = lower(both as (...args: unknown[]) => unknown, typesOf(runner.parameters), typesOf(state), typesOf(inputs), typesOf(weights)) as Program<any, any>
  return interpretProgram(program, runner.parameters, state, inputs, weights) as any
}

interface Answer {
  readonly logits: readonly number[][]
  readonly gradient: any
}

let answers: Record<string, Answer> | undefined

const targets = [undefined, 'tpu'] as const
const isApproximate = ({ configuration }: (typeof cases)[string]): boolean => configuration.search === 'approximate'
/** What an approximate search finds is up to the target; everything else has one answer for all. */
const answerOf = (name: string, target: Target | undefined): string => (isApproximate(cases[name]) ? `${name}, ${target}` : name)

function question(name: string, target: Target | undefined): [string, unknown] {
  const { runner, steps, weights } = caseOf(cases[name], target)
  const config = { cacheLength: 0, positions: 't5', ...runner.config }
  const found = isApproximate(cases[name]) ? { found: agesFound(runner, steps) } : {}
  return [answerOf(name, target), { config, parameters: asNumbers(runner.parameters), steps, weights: weights.map(asNumbers), ...found }]
}

/** Of each memory layer and step, how old the places are that were retrieved. */
function agesFound(runner: ModelRunner, steps: readonly Step[]): unknown {
  const retrieved = runner.runAll(steps).map((output) => (output as any).retrieved)
  return runner.config.memoryLayers.map((_: number, layer: number) => retrieved.map((step) => asNumbers(step[layer].ages)))
}

function askJax(): Record<string, Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'engram-plain-models-'))
  try {
    const given = targets.flatMap((target) => Object.keys(cases).map((name) => question(name, target)))
    writeFileSync(join(folder, 'cases.json'), JSON.stringify(Object.fromEntries(given)))
    const script = fileURLToPath(new URL('./plain_models.py', import.meta.url))
    return JSON.parse(execFileSync(findPython().command, [script, join(folder, 'cases.json')], { encoding: 'utf8', env: { ...process.env, JAX_PLATFORMS: 'cpu' }, maxBuffer: 2 ** 28 }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function asNumbers(tree: unknown): any {
  if (tree instanceof HostArray) return { shape: tree.shape, data: Array.from(tree.data as Float64Array) }
  if (Array.isArray(tree)) return tree.map(asNumbers)
  return Object.fromEntries(Object.entries(tree as object).map(([key, value]) => [key, asNumbers(value)]))
}

describe.each(targets)('lowered for %s', (target) => {
  beforeAll(() => {
    answers ??= askJax()
  }, 600_000)

  test.each(Object.entries(cases))('%s', (name, each) => {
    const it = caseOf(each, target)
    const { logits, gradient } = ours(it)
    const answer = answers![answerOf(name, target)]
    logits.forEach((found, step) => expectNear(found, answer.logits[step], `logits of step ${step}`))
    const wanted = leavesByPath(answer.gradient, (value): value is number[] => Array.isArray(value) && typeof value[0] === 'number')
    const found = leavesByPath(gradient, (value): value is HostArray => value instanceof HostArray)
    expect(Object.keys(found).toSorted()).toEqual(Object.keys(wanted).toSorted())
    expect(Object.keys(found)).toHaveLength(treeLeaves(it.runner.parameters).length)
    for (const [path, value] of Object.entries(found)) expectNear(value, wanted[path], `gradient of ${path}`)
  })
})

test('an approximate search misses some of the nearest, or it would be checked no more than the exact one', () => {
  const { configuration, segments } = cases['memorizing-transformer, approximate search']
  const { runner, steps } = caseOf({ configuration, segments }, 'tpu')
  const exact = new ModelRunner({ ...configuration, search: 'exact' }, 2, 1, 'tpu')
  expect(agesFound(runner, steps)).not.toEqual(agesFound(exact, steps))
})

function expectNear(found: HostArray, wanted: readonly number[], what: string): void {
  expect(found.size, what).toBe(wanted.length)
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  // A gradient of nothing but zeros would agree with anything that is broken in the same way.
  expect(largest, what).toBeGreaterThan(1e-6)
  const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(found.data[i]))), 0)
  expect(worst, `${what}, of at most ${largest}`).toBeLessThan(1e-9 * Math.max(1, largest))
}

function leavesByPath<T>(tree: unknown, isLeaf: (value: unknown) => value is T, path = ''): Record<string, T> {
  if (isLeaf(tree)) return { [path]: tree }
  return Object.assign({}, ...Object.entries(tree as object).map(([key, value]) => leavesByPath(value, isLeaf, path ? `${path}.${key}` : key)))
}
