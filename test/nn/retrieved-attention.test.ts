import { describe, expect, test } from 'vitest'
import { vjp } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { type RetrievedAttentionOptions, retrievedAttention } from '../../src/nn/retrieved-attention.ts'
import { type Retrieval, chooseRetrieval, retrievals } from '../../src/nn/retrieval-plan.ts'
import { ones } from '../../src/ops/constant.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { tensorType } from '../../src/ir/types.ts'
import { withTarget } from '../../src/trace/target.ts'
import { build } from '../support/arrays.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { randomArray, worstDifference } from './random-inputs.ts'

type Options = Omit<RetrievedAttentionOptions, 'filled'>
const exact = { neighbours: 3, search: 'exact', recallTarget: 0.95 } as const
const attention = (options: Options) => (queries: Tensor, keys: Tensor, values: Tensor, filled: Tensor) => retrievedAttention(queries, { keys, values }, { ...options, filled })

/** Three slots: the first has everything, the second two places, the third nothing. */
const [b, h, s, n, d] = [3, 2, 4, 12, 4]
const filled = HostArray.from('bool', [0, 1, 2].map((slot) => Array.from({ length: n }, (_, place) => slot === 0 || (slot === 1 && (place === 3 || place === 7)))))
const scene = (dtype: 'f32' | 'f64' | 'bf16') => [randomArray(dtype, [b, h, s, d], 1), randomArray(dtype, [b, h, n, d], 2), randomArray(dtype, [b, h, n, d], 3), filled] as const

/** The definition in plain loops: the three best filled places of each query, softmax over their scores. */
function expected([queries, keys, values]: readonly HostArray[], neighbours: number): { out: number[]; places: number[]; weights: number[] } {
  const row = (x: HostArray, at: number): number[] => Array.from(x.data.slice(at * d, (at + 1) * d) as ArrayLike<number>, Number)
  const [out, places, weights]: number[][] = [[], [], []]
  for (let query = 0; query < b * h * s; query++) {
    const ring = Math.floor(query / s)
    const slot = Math.floor(ring / h)
    const q = row(queries, query)
    const scored = Array.from({ length: n }, (_, place) => ({ place, score: row(keys, ring * n + place).reduce((sum, k, i) => sum + k * q[i], 0) }))
      .filter(({ place }) => filled.data[slot * n + place])
      .sort((x, y) => y.score - x.score)
      .slice(0, neighbours)
    const total = scored.reduce((sum, { score }) => sum + Math.exp(score), 0)
    const shares = scored.map(({ score }) => Math.exp(score) / total)
    for (let i = 0; i < neighbours; i++) {
      places.push(scored[i]?.place ?? -1)
      weights.push(shares[i] ?? 0)
    }
    for (let i = 0; i < d; i++) out.push(scored.reduce((sum, { place }, j) => sum + shares[j] * row(values, ring * n + place)[i], 0))
  }
  return { out, places, weights }
}

describe.each(retrievals)('retrieved attention by %s', (retrieval) => {
  test('is the softmax over the nearest, the memory full, almost empty, or empty', () => {
    const inputs = scene('f64')
    const wanted = expected(inputs, 3)
    const { out, places, weights } = evaluate(attention({ ...exact, retrieval }), ...inputs)
    expect([...places.data]).toEqual(wanted.places)
    expect(worstDifference(out, wanted.out)).toBeLessThan(1e-12)
    expect(worstDifference(weights, wanted.weights)).toBeLessThan(1e-12)
    expect([...out.data].slice(2 * h * s * d)).toEqual(new Array(h * s * d).fill(0))
  })

  test('as many neighbours as places is attention to all of the memory', () => {
    const inputs = scene('f64')
    const { out } = evaluate(attention({ ...exact, neighbours: n, retrieval }), ...inputs)
    expect(worstDifference(out, expected(inputs, n).out)).toBeLessThan(1e-12)
  })

  test('the gradient reaches the queries', () => {
    checkGradient({ build: (...args) => attention({ ...exact, retrieval })(...(args as [Tensor, Tensor, Tensor, Tensor])).out, inputs: scene('f64'), wrt: [0] })
  })

  test('and nothing else', () => {
    const gradients = evaluate((q: Tensor, k: Tensor, v: Tensor, f: Tensor) => {
      const { pullback } = vjp((keys: Tensor, values: Tensor) => attention({ ...exact, retrieval })(q, keys, values, f).out, k, v)
      return pullback(ones(tensorType('f64', [b, h, s, d])))
    }, ...scene('f64'))
    for (const gradient of gradients) expect(new Set<unknown>(gradient.data)).toEqual(new Set([0]))
  })

  test('in bf16 it is what it is in f32, to the rounding of bf16', () => {
    const narrow = scene('bf16')
    const wide = narrow.map((input) => (input.dtype === 'bf16' ? HostArray.of('f32', input.shape, Array.from(input.data, Number)) : input)) as unknown as ReturnType<typeof scene>
    const [inNarrow, inWide] = [narrow, wide].map((inputs) => evaluate(attention({ ...exact, retrieval }), ...inputs))
    expect(inNarrow.out.dtype).toBe('bf16')
    expect(inNarrow.places.data).toEqual(inWide.places.data)
    expect(worstDifference(inNarrow.out, Array.from(inWide.out.data, Number))).toBeLessThan(0.02)
  })

  test('a memory of another type than the queries', () => {
    const [queries, keys, values] = scene('bf16')
    const asked = HostArray.of('f32', queries.shape, Array.from(queries.data, Number))
    const { out } = evaluate(attention({ ...exact, retrieval }), asked, keys, values, filled)
    expect(out.dtype).toBe('f32')
    expect(worstDifference(out, expected([asked, keys, values], 3).out)).toBeLessThan(0.02)
  })

  test('keys that are all the same count alike', () => {
    const [queries, , values] = scene('f64')
    const keys = build('f64', [b, h, n, d], ([, , , i]) => i + 0.1)
    const { out } = evaluate(attention({ ...exact, neighbours: n, retrieval }), queries, keys, values, filled)
    expect(worstDifference(out, expected([queries, keys, values], n).out)).toBeLessThan(1e-12)
  })

  test('after the approximate search of a TPU program it is the same where that has found all', () => {
    // Few enough places that nothing shares a bin.
    const inputs = scene('f64')
    const run = attention({ ...exact, search: 'approximate', retrieval })
    const { out } = evaluate((...args: [Tensor, Tensor, Tensor, Tensor]) => withTarget('tpu', () => run(...args)), ...inputs)
    expect(worstDifference(out, expected(inputs, 3).out)).toBeLessThan(1e-6)
  })
})

describe('a way of the approximate search by name', () => {
  const [size, k] = [1024, 64]
  const inputs = [randomArray('f32', [1, 1, 8, d], 5), randomArray('f32', [1, 1, size, d], 6), randomArray('f32', [1, 1, size, d], 7), HostArray.from('bool', [new Array(size).fill(true)])] as const
  const found = (searchLowering: Options['searchLowering']) =>
    Array.from(evaluate(attention({ neighbours: k, search: 'approximate', recallTarget: 0.5, searchLowering, retrieval: 'gather' }), ...inputs).places.data as Int32Array)

  /** How many of the 8 times k places are in the other's row of the same query. */
  const shared = (places: readonly number[], best: readonly number[]): number =>
    places.filter((place, i) => best.slice(k * Math.floor(i / k), k * Math.floor(i / k) + k).includes(place)).length

  test('is taken without a target, where nothing would be lost otherwise', () => {
    const best = found('exact')
    expect(found('auto')).toEqual(best)
    for (const lowering of ['partial-reduce', 'packed', 'packed-2'] as const) {
      expect(shared(found(lowering), best)).toBeLessThan(8 * k)
      expect(shared(found(lowering), best)).toBeGreaterThan(0.5 * 8 * k)
    }
  })

  test('the custom call is refused where no compiler takes it', () => {
    expect(() => found('custom-call')).toThrow(/searchLowering "custom-call" compiles for TPUs alone, and no target is named: partial-reduce, packed and packed-2 run everywhere/)
    expect(() => withTarget('cpu', () => found('custom-call'))).toThrow(/the target is cpu/)
    expect(shared(withTarget('interpreter', () => found('custom-call')), found('exact'))).toBeGreaterThan(0.5 * 8 * k)
  })
})

describe('masked-dense', () => {
  test('also takes places that tie with the worst neighbour', () => {
    const queries = build('f64', [1, 1, 1, 2], ([, , , i]) => (i === 0 ? 1 : 0))
    const keys = build('f64', [1, 1, 4, 2], ([, , place, i]) => (i === 0 ? [2, 1, 1, 0][place] : 0))
    const values = build('f64', [1, 1, 4, 2], ([, , place]) => place)
    const all = HostArray.from('bool', [[true, true, true, true]])
    const { out } = evaluate(attention({ ...exact, neighbours: 2, retrieval: 'masked-dense' }), queries, keys, values, all)
    const tie = Math.exp(-1)
    expect(out.data[0]).toBeCloseTo((tie * 1 + tie * 2) / (1 + 2 * tie), 12)
  })

  test('takes places that the search has missed, but none that score less than what it has found', () => {
    const size = 1024
    const inputs = [randomArray('f32', [1, 1, 8, d], 5), randomArray('f32', [1, 1, size, d], 6), build('f32', [1, 1, size, d], ([, , place, i]) => (i === 0 ? place : 1)), HostArray.from('bool', [new Array(size).fill(true)])] as const
    const options = { neighbours: 8, search: 'approximate', recallTarget: 0.5 } as const
    const by = (retrieval: Retrieval) => evaluate((...args: [Tensor, Tensor, Tensor, Tensor]) => withTarget('tpu', () => attention({ ...options, retrieval })(...args)), ...inputs)
    const [dense, rows] = [by('masked-dense'), by('gather')]
    expect(dense.places.data).toEqual(rows.places.data)
    for (let query = 0; query < 8; query++) {
      const scoreAt = (place: number): number => Array.from({ length: d }, (_, i) => Number(inputs[0].data[query * d + i]) * Number(inputs[1].data[place * d + i])).reduce((x, y) => x + y, 0)
      const found = Array.from(rows.places.data.slice(query * 8, query * 8 + 8) as Int32Array)
      const least = Math.min(...found.map(scoreAt))
      const taking = Array.from({ length: size }, (_, place) => place).filter((place) => scoreAt(place) >= least - Math.abs(least) * 2 ** -19)
      const total = taking.reduce((sum, place) => sum + Math.exp(scoreAt(place)), 0)
      const mean = taking.reduce((sum, place) => sum + (Math.exp(scoreAt(place)) / total) * place, 0)
      expect(Math.abs(Number(dense.out.data[query * d]) - mean) / mean).toBeLessThan(1e-4)
    }
  })

  test('fetches no single rows and has no scatter, there and back', () => {
    const memory = tensorType('bf16', [2, 2, 4096, 8])
    const queries = tensorType('bf16', [2, 2, 16, 8])
    const options = { neighbours: 8, search: 'approximate', recallTarget: 0.95 } as const
    const program = lowerWith({ target: 'tpu' }, (q: Tensor, keys: Tensor, values: Tensor, f: Tensor, dOut: Tensor) => {
      const { output, pullback } = vjp((asked: Tensor) => retrievedAttention(asked, { keys, values }, { ...options, filled: f }).out, q)
      return [output, pullback(dOut)]
    }, queries, memory, memory, tensorType('bool', [2, 4096]), queries)
    expect(program.text).not.toContain('stablehlo.scatter')
    // The search moves the memory's blocks of 128 rows; nothing is fetched for a query.
    const slices = [...program.text.matchAll(/"stablehlo\.gather".*slice_sizes = array<i64: ([\d, ]+)>/g)].map((match) => match[1].split(', '))
    expect(slices.filter((sizes) => sizes.at(-2) !== '128')).toEqual([])
  })
})

describe('the choice', () => {
  const size = { memorySize: 8192, neighbours: 32, computeDtype: 'bf16', memoryDtype: 'bf16' } as const
  test.each([
    ['a small memory on a TPU', { target: 'tpu' }, 'masked-dense'],
    ['a large memory on a TPU', { target: 'tpu', memorySize: 65536 }, 'packed-gather'],
    ['a memory of another type', { target: 'tpu', memoryDtype: 'f32' }, 'packed-gather'],
    ['a CPU', { target: 'cpu' }, 'gather'],
    ['no target', {}, 'gather'],
    ['a wish', { target: 'cpu', retrieval: 'masked-dense' }, 'masked-dense'],
  ] as const)('%s', (_, changes, wanted) => {
    const { retrieval, reason } = chooseRetrieval({ ...size, ...changes })
    expect(retrieval).toBe(wanted)
    expect(reason).toMatchSnapshot()
  })
})
