import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { foriLoop, map, scan } from '../../src/lib/loops.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { constant } from '../../src/ops/constant.ts'
import { convert } from '../../src/ops/convert.ts'
import { matmul } from '../../src/ops/dot-general.ts'
import { tanh } from '../../src/ops/elementwise-unary.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { expandDims, squeeze } from '../../src/ops/reshape.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { distance, randomArray } from './random-array.ts'

const running = (xs: Tensor, options?: { reverse?: boolean }) =>
  scan((total: Tensor, x: Tensor) => [add(total, x), multiply(add(total, x), 2)], constant(0, xs.dtype), xs, options)

describe('scan', () => {
  it('carries a state and stacks what each turn gives', () => {
    const [total, doubled] = evaluate((xs: Tensor) => running(xs), HostArray.from('f32', [1, 2, 3, 4]))
    expect([total.item(), doubled.toNested()]).toEqual([10, [2, 6, 12, 20]])
  })

  it('runs from the end, the outputs beside their inputs', () => {
    const [total, doubled] = evaluate((xs: Tensor) => running(xs, { reverse: true }), HostArray.from('f32', [1, 2, 3, 4]))
    expect([total.item(), doubled.toNested()]).toEqual([10, [20, 18, 14, 8]])
  })

  it('takes and gives trees, and runs over nothing if a length is given', () => {
    const [carry, outputs] = evaluate(
      (a: Tensor, b: Tensor) =>
        scan(
          (state: { a: Tensor; rest: Tensor[] }, x: { b: Tensor } | null) => [{ a: add(state.a, x!.b), rest: [state.a] }, { old: state.a, pair: [x!.b, state.rest[0]] }],
          { a, rest: [a] },
          { b } as { b: Tensor } | null,
        ),
      HostArray.from('f32', [1, 1]),
      HostArray.from('f32', [[1, 2], [3, 4], [5, 6]]),
    )
    expect(carry.a.toNested()).toEqual([10, 13])
    expect(outputs.old.toNested()).toEqual([[1, 1], [2, 3], [5, 7]])
    const [last, powers] = evaluate((x: Tensor) => scan((v: Tensor) => [multiply(v, 2), v] as const, x, null, { length: 4 }), HostArray.from('i32', 1))
    expect([last.item(), powers.toNested()]).toEqual([16, [1, 2, 4, 8]])
  })

  it('has gradients to the carry, the rows and tensors from outside', () => {
    const network = (w: Tensor, h: Tensor, xs: Tensor) => {
      const step = (state: Tensor, x: Tensor) => {
        const next = tanh(squeeze(add(matmul(expandDims(state, 0), w), expandDims(x, 0)), 0))
        return [next, multiply(next, state)] as const
      }
      return scan(step, h, xs)
    }
    const inputs = [randomArray([3, 3], { low: -0.5, high: 0.5 }), randomArray([3], { seed: 2 }), randomArray([5, 3], { seed: 3 })]
    checkGradient({ build: (w, h, xs) => network(w, h, xs), inputs })
    checkGradient({ build: (xs) => running(xs, { reverse: true }), inputs: [randomArray([4])] })
  })

  it('traces its step, however many rows there are', () => {
    const size = (rows: number) => lower((xs: Tensor) => running(xs), tensorType('f32', [rows])).text.split('\n').length
    expect(size(1000)).toBe(size(3))
  })

  it('says what is wrong', () => {
    const type = tensorType('f32', [3, 2])
    expect([
      traceError((x) => scan((c: Tensor, row: Tensor) => [convert(c, 'f64'), row], constant(0), x), type),
      traceError((x) => scan((c: { h: Tensor }, row: Tensor) => [{ h: reduceSum(row) }, c.h] as const, { h: constant([0, 0]) }, x), type),
      traceError((x) => scan((c: Tensor) => [c, c] as const, x, null), type),
      traceError((x) => scan((c: Tensor) => [c, c] as const, x, { a: x, b: constant([1, 2]) }), type),
      traceError((x) => scan((c: Tensor) => [c, c] as const, x, constant(1)), type),
      traceError((x) => scan((c: Tensor) => [c, c] as const, x, null, { length: 0 }), type),
      traceError((x) => scan(((c: Tensor) => c) as never, x, x), type),
    ]).toMatchInlineSnapshot(`
      [
        "scan: the step changes the carry from f32[] to f64[]",
        "scan: the step changes the carry.h from f32[2] to f32[]",
        "scan: there is nothing to run over: give length",
        "scan: xs.b is f32[2]: its leading size must be 3, as f32[3,2] has it",
        "scan: xs is f32[]: it has no leading axis to run over",
        "scan: length 0 must be an integer of 1 or more",
        "scan: the step must return [carry, y]",
      ]
    `)
  })
})

describe('map and foriLoop', () => {
  it('map gives one result per row, with gradients', () => {
    const x = randomArray([4, 3])
    const squares = (t: Tensor) => map((row: Tensor) => reduceSum(multiply(row, row)), t)
    const expected = (x.toNested() as number[][]).map((row) => row.reduce((sum, v) => sum + v * v, 0))
    expect(distance(evaluate(squares, x), expected)).toBeLessThan(1e-15)
    checkGradient({ build: squares, inputs: [x] })
  })

  it('foriLoop counts from its lower bound up to its upper', () => {
    const triangle = (lower: number | Tensor, upper: number | Tensor) => foriLoop(lower, upper, (i, sum: Tensor) => add(sum, i), constant(0, 'i32'))
    expect(evaluate(() => triangle(2, 5)).item()).toBe(9)
    expect(evaluate(() => triangle(5, 2)).item()).toBe(0)
    expect(evaluate((n: Tensor) => triangle(0, n), HostArray.from('i32', 5)).item()).toBe(10)
  })

  it('foriLoop has a gradient between plain bounds', () => {
    checkGradient({ build: (x) => foriLoop(1, 4, (i, v: Tensor) => multiply(v, add(x, convert(i, 'f64'))), x), inputs: [randomArray([3])] })
  })

  it('refuses bounds that are no i32 scalars', () => {
    const type = tensorType('f32', [])
    expect([traceError((x) => foriLoop(0, x, (_, s: Tensor) => s, x), type), traceError((x) => foriLoop(0.5, 2, (_, s: Tensor) => s, x), type)]).toMatchInlineSnapshot(`
      [
        "foriLoop: upper must be i32[], got f32[]",
        "foriLoop: lower is 0.5, must be an integer",
      ]
    `)
  })
})
