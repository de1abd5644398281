import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { type AdafactorOptions, adafactorSchema } from '../../src/train/optimizers/adafactor.ts'
import { adamSchema } from '../../src/train/optimizers/adam.ts'
import { type Optimizer, clipByGlobalNorm } from '../../src/train/optimizers/optimizer.ts'
import { makeOptimizer } from '../../src/train/optimizers/registry.ts'
import { learningRateAt, scheduleSchema } from '../../src/train/schedule.ts'

/** Values that look random and are the same everywhere. */
const wave = (count: number, phase: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + phase) * (1 + (i % 3)))
const rate = { kind: 'constant', learningRate: 0.1 } as const

/** `steps` updates of one parameter by the optimiser under test, with another gradient each time. */
function updates(optimizer: Optimizer, shape: readonly number[], steps: number): number[][] {
  const size = shape.reduce((a, b) => a * b, 1)
  const results: number[][] = []
  let parameters: unknown = { w: HostArray.of('f32', shape, wave(size, 0)) }
  let state: unknown = evaluate((tree: never) => optimizer.init(tree) as never, parameters as never)
  for (let step = 0; step < steps; step++) {
    const gradients = { w: HostArray.of('f32', shape, wave(size, step + 1)) }
    const after = evaluate(
      (g: never, s: never, p: never, t: Tensor) => optimizer.update(g, s, p, t) as never,
      gradients as never, state as never, parameters as never, HostArray.from('i32', step) as never,
    ) as { parameters: { w: HostArray }; state: unknown }
    parameters = after.parameters
    state = after.state
    results.push(Array.from(after.parameters.w.data, Number))
  }
  return results
}

const checkClose = (found: readonly number[], expected: readonly number[]): void => {
  expect(found.length).toBe(expected.length)
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 5))
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const rms = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => value * value)))

describe('Adam', () => {
  it.each([0, 0.3])('follows algorithm 1 of Kingma and Ba, with decoupled weight decay %f', (weightDecay) => {
    const size = 6
    let w = wave(size, 0)
    let m = w.map(() => 0)
    let v = w.map(() => 0)
    const expected = [1, 2, 3].map((t) => {
      const g = wave(size, t)
      m = m.map((old, i) => 0.9 * old + 0.1 * g[i])
      v = v.map((old, i) => 0.999 * old + 0.001 * g[i] ** 2)
      w = w.map((old, i) => old - 0.1 * (m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8) + weightDecay * old))
      return w
    })
    updates(makeOptimizer(adamSchema.parse({ kind: 'adam', schedule: rate, weightDecay })), [2, 3], 3).forEach((found, i) => checkClose(found, expected[i]))
  })
})

/** Adafactor by plain loops; a matrix is factored into rows `[a]` and columns `[b]`. */
function adafactorByHand([a, b]: readonly [number, number], factored: boolean, momentum: number | undefined, steps: number): number[][] {
  let w = wave(a * b, 0)
  let square = w.map(() => 0)
  let rows = Array.from({ length: a }, () => 0)
  let columns = Array.from({ length: b }, () => 0)
  let moved = w.map(() => 0)
  return Array.from({ length: steps }, (_, step) => {
    const g = wave(a * b, step + 1)
    const decay = 1 - (step + 1) ** -0.8
    const blend = (old: number, fresh: number) => decay * old + (1 - decay) * fresh
    const g2 = g.map((value) => value * value + 1e-30)
    square = square.map((old, i) => blend(old, g2[i]))
    rows = rows.map((old, i) => blend(old, mean(g2.slice(i * b, (i + 1) * b))))
    columns = columns.map((old, j) => blend(old, mean(Array.from({ length: a }, (_value, i) => g2[i * b + j]))))
    const estimate = (i: number) => (factored ? (rows[Math.floor(i / b)] * columns[i % b]) / mean(rows) : square[i])
    const update = g.map((value, i) => value / Math.sqrt(estimate(i)))
    const clip = Math.max(1, rms(update) / 1)
    const scale = 0.1 * Math.max(rms(w), 1e-3)
    const change = update.map((value) => (value / clip) * scale)
    moved = moved.map((old, i) => (momentum === undefined ? change[i] : momentum * old + (1 - momentum) * change[i]))
    w = w.map((old, i) => old - moved[i])
    return w
  })
}

describe('Adafactor', () => {
  const options = (changes: Partial<AdafactorOptions>) => adafactorSchema.parse({ kind: 'adafactor', schedule: rate, ...changes })

  it.each([
    ['a factored matrix, wider than high', [3, 4], 3, undefined],
    ['a factored matrix, higher than wide', [4, 3], 3, undefined],
    ['a factored square matrix', [3, 3], 3, undefined],
    ['a matrix too small to be factored', [3, 4], 4, undefined],
    ['momentum', [3, 4], 3, 0.9],
  ] as const)('follows algorithms 4 and 5 of Shazeer and Stern: %s', (_what, shape, factorFrom, momentum) => {
    const expected = adafactorByHand(shape, Math.min(...shape) >= factorFrom, momentum, 3)
    updates(makeOptimizer(options({ factorFrom, momentum })), shape, 3).forEach((found, i) => checkClose(found, expected[i]))
  })

  it('keeps row and column means alone of a large matrix, and all squares of a small one', () => {
    const stateOf = (shape: readonly number[]) =>
      evaluate((tree: never) => makeOptimizer(options({})).init(tree) as never, { w: HostArray.zeros('f32', shape) } as never) as unknown as Record<string, Record<string, HostArray>>
    const shapes = (shape: readonly number[]) => Object.fromEntries(Object.entries(stateOf(shape).w).map(([name, array]) => [name, array.shape]))
    expect(shapes([128, 256])).toEqual({ row: [128], column: [256] })
    expect(shapes([127, 256])).toEqual({ square: [127, 256] })
    expect(shapes([2, 128, 130])).toEqual({ row: [2, 128], column: [2, 130] })
    expect(shapes([200])).toEqual({ square: [200] })
  })
})

describe('clipping by the global norm', () => {
  const clip = (limit: number) => {
    const { gradients, norm } = evaluate((a: Tensor, b: Tensor) => clipByGlobalNorm({ a, b }, limit), HostArray.from('f32', [3, 0]), HostArray.from('f32', [[4]]))
    return [Array.from(gradients.a.data, Number), Array.from(gradients.b.data, Number), norm.item()]
  }
  it('scales all gradients alike, and only down', () => {
    expect(clip(10)).toEqual([[3, 0], [4], 5])
    const [a, b, norm] = clip(1) as [number[], number[], number]
    expect(norm).toBe(5)
    checkClose([...a, ...b], [0.6, 0, 0.8])
  })
})

describe('schedules', () => {
  const at = (schedule: unknown, steps: readonly number[]) =>
    steps.map((step) => evaluate((t: Tensor) => learningRateAt(scheduleSchema.parse(schedule), t), HostArray.from('i32', step)).item())

  it.each([
    ['constant', { kind: 'constant', learningRate: 2 }, [0, 5], [2, 2]],
    ['constant after a warm-up', { kind: 'constant', learningRate: 2, warmupSteps: 4 }, [0, 1, 3, 9], [0.5, 1, 2, 2]],
    ['inverse square root', { kind: 'inverse-sqrt', learningRate: 2, warmupSteps: 4 }, [0, 3, 15], [0.5, 2, 1]],
    ['cosine', { kind: 'cosine', learningRate: 2, warmupSteps: 2, totalSteps: 10, finalFraction: 0.5 }, [0, 1, 5, 9, 30], [1, 2, 1.5, 1, 1]],
  ])('%s', (_name, schedule, steps, expected) => {
    checkClose(at(schedule, steps), expected)
  })
})
