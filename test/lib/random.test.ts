import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { floatToBits, f64Bits } from '../../src/ir/float-bits.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { grad } from '../../src/autodiff/grad.ts'
import { bernoulli, dropout, foldIn, normal, randomBits, randomKey, splitKey, uniform } from '../../src/lib/random.ts'
import { threefry2x32 } from '../../src/lib/threefry.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { constant } from '../../src/ops/constant.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { findPython } from '../../src/runner/python.ts'
import { traceError } from '../support/run-ops.ts'
import { distance } from './random-array.ts'

const draw = (fn: (key: Tensor) => Tensor): HostArray => evaluate(() => fn(randomKey(42)))
const bitsOf = (array: HostArray): string[] =>
  Array.from({ length: array.size }, (_, i) => {
    const value = array.data[i]
    if (array.dtype === 'f64') return String(f64Bits(Number(value)))
    return String(array.dtype.startsWith('u') ? value : floatToBits(array.dtype, Number(value)) >>> 0)
  })
const numbers = (array: HostArray): number[] => Array.from(array.data, Number)

describe('threefry 2x32', () => {
  it.each([
    // The three known answers of the reference implementation (Random123, kat_vectors).
    { key: [0, 0], counter: [0, 0], words: [0x6b200159, 0x99ba4efe] },
    { key: [0xffffffff, 0xffffffff], counter: [0xffffffff, 0xffffffff], words: [0x1cb996fc, 0xbb002be7] },
    { key: [0x13198a2e, 0x03707344], counter: [0x243f6a88, 0x85a308d3], words: [0xc4923a9c, 0x483df7a0] },
  ])('gives the known answer for counter $counter', ({ key, counter, words }) => {
    const word = (value: number) => constant(value, 'u32')
    expect(evaluate(() => [...threefry2x32(constant(key, 'u32'), word(counter[0]), word(counter[1]))]).map((w) => w.item())).toEqual(words)
  })

  it('is one function of the module for draws of one shape', () => {
    const text = lower((key: Tensor) => splitKey(key).map((k) => randomBits(k, [4, 4])), tensorType('u32', [2])).text
    expect(text.match(/func.func private @threefry2x32/g)).toHaveLength(2)
    expect(text.match(/call @threefry2x32/g)).toHaveLength(3)
  })
})

describe('draws are those of jax.random', () => {
  let jax: Record<string, readonly (string | number)[]>
  beforeAll(() => {
    const script = fileURLToPath(new URL('jax-random.py', import.meta.url))
    jax = JSON.parse(execFileSync(findPython().command, [script], { encoding: 'utf8', env: { ...process.env, JAX_PLATFORMS: 'cpu' } }))
  })

  it('keys', () => {
    expect(bitsOf(evaluate(() => randomKey(2n ** 40n + 7n)))).toEqual(jax.large_seed)
    expect(evaluate(() => splitKey(randomKey(42), 3)).flatMap(bitsOf)).toEqual(jax.split)
    expect(bitsOf(draw((key) => foldIn(key, 7)))).toEqual(jax.fold_in)
    expect(bitsOf(draw((key) => foldIn(key, constant(7, 'i64'))))).toEqual(jax.fold_in)
  })
  it.each(['u8', 'u16', 'u32', 'u64'] as const)('bits %s', (dtype) => {
    expect(bitsOf(draw((key) => randomBits(key, [2, 3, 5], dtype)))).toEqual(jax[dtype])
  })
  it.each(['f64', 'f32', 'f16', 'bf16'] as const)('uniform %s', (dtype) => {
    expect(bitsOf(draw((key) => uniform(key, tensorType(dtype, [2, 9]))))).toEqual(jax[`uniform_${dtype}`])
  })
  it('uniform in a range', () => {
    expect(bitsOf(draw((key) => uniform(key, tensorType('f32', [40]), { min: -3, max: 5 })))).toEqual(jax.range_f32)
  })
  it('normal, up to rounding', () => {
    expect(distance(draw((key) => normal(key, tensorType('f32', [500]))), jax.normal_f32 as number[])).toBeLessThan(2e-6)
    expect(distance(draw((key) => normal(key, tensorType('f64', [500]))), jax.normal_f64 as number[])).toBeLessThan(1e-12)
    expect(distance(draw((key) => normal(key, tensorType('bf16', [50]))), jax.normal_bf16 as number[])).toBeLessThan(2 ** -6)
  })
})

describe('distributions', () => {
  it('have their mean, spread and range', () => {
    const evenly = numbers(draw((key) => uniform(key, tensorType('f32', [4000]), { min: 2, max: 4 })))
    expect(Math.min(...evenly)).toBeGreaterThanOrEqual(2)
    expect(Math.max(...evenly)).toBeLessThan(4)
    const z = numbers(draw((key) => normal(key, tensorType('f32', [4000]))))
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length
    expect(Math.abs(mean(evenly) - 3)).toBeLessThan(0.05)
    expect(Math.abs(mean(z))).toBeLessThan(0.06)
    expect(Math.abs(mean(z.map((v) => v * v)) - 1)).toBeLessThan(0.1)
    expect(Math.abs(mean(numbers(draw((key) => bernoulli(key, 0.3, [4000])))) - 0.3)).toBeLessThan(0.03)
    expect(numbers(draw((key) => bernoulli(key, 0, [100]))).some(Boolean)).toBe(false)
    expect(numbers(draw((key) => bernoulli(key, 1, [100]))).every(Boolean)).toBe(true)
  })

  it('dropout keeps the expectation, and passes gradients where it keeps', () => {
    const x = HostArray.of('f32', [1000], new Array<number>(1000).fill(3))
    const [kept, slope] = evaluate((t: Tensor) => {
      const drop = (u: Tensor) => dropout(randomKey(1), u, 0.25)
      return [drop(t), grad((u: Tensor) => reduceSum(drop(u)))(t)]
    }, x)
    expect(new Set(numbers(kept))).toEqual(new Set([0, 4]))
    expect(numbers(kept).filter((v) => v === 0).length / 1000).toBeCloseTo(0.25, 1)
    expect(numbers(slope)).toEqual(numbers(kept).map((v) => (v ? Math.fround(4 / 3) : 0)))
    expect(lower((t: Tensor) => add(dropout(randomKey(1), t, 0), 1), tensorType('f32', [3])).text).not.toContain('threefry')
  })

  it('differ between keys that were split or folded', () => {
    const keys = evaluate(() => [...splitKey(randomKey(0), 4), foldIn(randomKey(0), 4), foldIn(randomKey(0), -1), randomKey(0), randomKey(1)])
    expect(new Set(keys.map((key) => numbers(key).join())).size).toBe(8)
  })

  it('refuse what cannot be', () => {
    const key = tensorType('u32', [2])
    const type = tensorType('f32', [2])
    expect([
      traceError((k) => randomBits(k, [3]), tensorType('i32', [2])),
      traceError((k) => randomBits(k, [2 ** 20, 2 ** 12]), key),
      traceError((k) => uniform(k, tensorType('i32', [3])), key),
      traceError((k) => uniform(k, type, { min: 1, max: 1 }), key),
      traceError((k) => normal(k, tensorType('u8', [3])), key),
      traceError((k) => bernoulli(k, 1.5, [3]), key),
      traceError((k) => dropout(k, constant([1, 2]), 1), key),
      traceError((k) => splitKey(k, 0), key),
      traceError((k) => foldIn(k, constant([1, 2], 'i32')), key),
      traceError((k) => foldIn(k, 0.5), key),
      traceError(() => randomKey(-1)),
      traceError(() => randomKey(1e300)),
    ]).toMatchInlineSnapshot(`
      [
        "random: a key is u32[2], got i32[2]: make one with randomKey(seed)",
        "random: [1048576,4096] has 4294967296 elements; at most 2^32 - 1 can be drawn at once",
        "uniform: draws f64, f32, bf16 or f16, not i32[3]",
        "uniform: min 1 must be less than max 1",
        "normal: draws float types, not u8[3]",
        "bernoulli: probability 1.5 must be in [0, 1]",
        "dropout: rate 1 must be in [0, 1)",
        "splitKey: count 0 must be an integer of 1 or more",
        "foldIn: data must be an integer of rank 0, got i32[2]",
        "foldIn: data 0.5 is not an integer",
        "randomKey: seed -1 is not in the range of 0 to 2^64 - 1",
        "randomKey: seed 1e+300 is not an integer that a number holds exactly",
      ]
    `)
  })
})
