import { describe, expect, it } from 'vitest'
import { philox, threeFry } from '../../src/host/random-bits.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { constant } from '../../src/ops/constant.ts'
import { rng, rngBitGenerator } from '../../src/ops/random-bits.ts'
import { lower } from '../../src/program/lower.ts'
import { runOps, traceError } from '../support/run-ops.ts'

const u64 = (...shape: number[]) => tensorType('u64', shape)
const state = HostArray.of('u64', [2], [0x9abcdef012345678n, 0x1fffffffen])

// What XLA on CPU (jaxlib 0.10.2) gives for this state: the second word of the next state, and the bits.
const fromXla = [
  ['THREE_FRY', 'u32', [3, 5], 0x200000007n, [2997787639, 957459624, 3436948442, 320426557, 1630462717, 2956629989, 2069852373, 3097561869, 2741776217, 3679636994, 1640801812, 1882682956, 2680450051, 4016405014, 604110618]],
  ['THREE_FRY', 'u32', [2, 3], 0x200000001n, [2997787639, 3436948442, 1630462717, 957459624, 320426557, 2825784901]],
  ['THREE_FRY', 'u64', [4], 0x200000002n, [4112257775318244343n, 1376221586521828314n, 12136653736956060413n, 8889948252539623397n]],
  ['THREE_FRY', 'u8', [5], 0x200000001n, [247, 168, 218, 61, 253]],
  ['PHILOX', 'u32', [2, 3], 0x200000000n, [445152974, 1187164306, 3585275736, 865944224, 4168600749, 2275759098]],
  ['PHILOX', 'u64', [4], 0x200000000n, [5098831869693689550n, 3719202125825374040n, 9774310903653059757n, 8949169124689231436n]],
  ['PHILOX', 'u8', [5], 0x200000000n, [206, 146, 88, 160, 173]],
] as const

describe('rng_bit_generator', () => {
  it('knows the published answers', () => {
    const pair = new Uint32Array(2)
    threeFry(0, 0)(pair)
    expect([...pair]).toEqual([0x6b200159, 0x99ba4efe])
    pair.set([0x243f6a88, 0x85a308d3])
    threeFry(0x13198a2e, 0x03707344)(pair)
    expect([...pair]).toEqual([0xc4923a9c, 0x483df7a0])
    const quad = new Uint32Array(4)
    philox(0, 0)(quad)
    expect([...quad]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8])
  })

  it.each(fromXla)('%s in %s%j has the bits of XLA', (algorithm, dtype, shape, next, wanted) => {
    const [output, bits] = runOps((s) => Object.values(rngBitGenerator(s, shape, dtype, algorithm)), state)
    expect([...output.data]).toEqual([0x9abcdef012345678n, next])
    expect([...bits.data]).toEqual([...wanted])
  })

  it('carries from the low half of a long Philox counter to the high half', () => {
    const long = HostArray.of('u64', [3], [0x9abcdef012345678n, 2n ** 64n - 1n, 5n])
    const [output, bits] = runOps((s) => Object.values(rngBitGenerator(s, [6], 'u32', 'PHILOX')), long)
    expect([...output.data].slice(1)).toEqual([1n, 6n])
    expect([...bits.data]).toEqual([3380948312, 555756459, 1346999563, 4194127110, 3519887054, 4180050015])
  })

  it('goes on where it stopped, and gives scalars and nothing', () => {
    const [whole, first, second, scalar, none] = runOps((s) => {
      const all = rngBitGenerator(s, [8], 'u64')
      const half = rngBitGenerator(s, [4], 'u64')
      return [all.bits, half.bits, rngBitGenerator(half.state, [4], 'u64').bits, rngBitGenerator(s, []).bits, rngBitGenerator(s, [0, 3]).bits]
    }, state)
    expect([...first.data, ...second.data]).toEqual([...whole.data])
    expect([scalar.toNested(), none.toNested()]).toEqual([2997787639, []])
  })

  it('prints as upstream does', () => {
    const program = lower((s: Tensor, a: Tensor, b: Tensor) => [rngBitGenerator(s, [2, 3], 'u32', 'PHILOX').bits, rng(a, b, [4], 'UNIFORM')], u64(2), tensorType('f32', []), tensorType('f32', []))
    expect(program.text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<2xui64>, %arg1: tensor<f32>, %arg2: tensor<f32>) -> (tensor<2x3xui32>, tensor<4xf32>) {
          %0:2 = stablehlo.rng_bit_generator %arg0, algorithm = PHILOX : (tensor<2xui64>) -> (tensor<2xui64>, tensor<2x3xui32>)
          %1 = stablehlo.constant dense<[4]> : tensor<1xi64>
          %2 = stablehlo.rng %arg1, %arg2, %1, distribution = UNIFORM : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
          return %0#1, %2 : tensor<2x3xui32>, tensor<4xf32>
        }
      }
      "
    `)
  })

  it('says what is wrong', () => {
    expect(traceError((s) => rngBitGenerator(s, [2]).bits, u64(3))).toMatchInlineSnapshot(`"rng_bit_generator: initial_state u64[3] has 3 elements, THREE_FRY takes 2 [rng_bit_generator_c2]"`)
    expect(traceError((s) => rngBitGenerator(s, [2], 'bool').bits, u64(2))).toMatchInlineSnapshot(`"rng_bit_generator: output must have integers or floats, got bool[2] [rng_bit_generator_o2]"`)
    expect(traceError((s) => rngBitGenerator(s, [2]).bits, u64(2, 1))).toMatchInlineSnapshot(`"rng_bit_generator: initial_state must be a list of integers, got u64[2,1] [rng_bit_generator_i2]"`)
  })
})

describe('rng', () => {
  it('draws from the asked distribution, other numbers each time, the same in every run', () => {
    const draw = () =>
      runOps(() => [
        rng(constant(-1), constant(3), [4000], 'UNIFORM'),
        rng(constant(-1), constant(3), [4000], 'UNIFORM'),
        rng(constant(5), constant(2), [4000], 'NORMAL'),
        rng(constant(-2, 'i32'), constant(3, 'i32'), [4000], 'UNIFORM'),
        rng(constant(10n, 'i64'), constant(12n, 'i64'), [50], 'UNIFORM'),
      ]).map((y) => Array.from(y.data as ArrayLike<number | bigint>, Number))
    const [uniform, other, normal, integers, wide] = draw()
    expect(draw()).toEqual([uniform, other, normal, integers, wide])
    expect(uniform).not.toEqual(other)
    const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length
    const deviation = (x: number[]) => Math.sqrt(mean(x.map((v) => (v - mean(x)) ** 2)))
    expect(Math.abs(mean(uniform) - 1)).toBeLessThan(0.1)
    expect([Math.min(...uniform) >= -1, Math.max(...uniform) < 3]).toEqual([true, true])
    expect(Math.abs(mean(normal) - 5)).toBeLessThan(0.15)
    expect(Math.abs(deviation(normal) - 2)).toBeLessThan(0.1)
    expect([...new Set(integers)].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2])
    expect([...new Set(wide)].sort()).toEqual([10, 11])
  })

  it('says what is wrong', () => {
    expect(traceError((a, b) => rng(a, b, [2], 'UNIFORM'), tensorType('f32', []), tensorType('f64', []))).toMatchInlineSnapshot(`"rng: a f32[], b f64[] and the result f32[2] differ in element type [rng_c1]"`)
    expect(traceError((a) => rng(a, a, [2], 'NORMAL'), tensorType('i32', []))).toMatchInlineSnapshot(`"rng: NORMAL needs floats, got i32[] [rng_c2]"`)
    expect(traceError((a) => rng(a, a, [2], 'UNIFORM'), tensorType('f32', [1]))).toMatchInlineSnapshot(`"rng: operand #0 must be 0D tensor of boolean, integer or floating-point values, but got 'tensor<1xf32>' [rng_i1]"`)
  })
})
