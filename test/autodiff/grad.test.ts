import { describe, expect, it } from 'vitest'
import { checkpoint, customVjp, stopGradient } from '../../src/autodiff/custom.ts'
import { grad, valueAndGrad, valueAndGradWithAux, vjp } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add, divide, multiply } from '../../src/ops/arithmetic.ts'
import { less } from '../../src/ops/compare.ts'
import { fill } from '../../src/ops/constant.ts'
import { convert } from '../../src/ops/convert.ts'
import { cond } from '../../src/ops/control-flow.ts'
import { customCall } from '../../src/ops/custom-call.ts'
import { exponential, floor, log, sine } from '../../src/ops/elementwise-unary.ts'
import { reduceSum } from '../../src/ops/reduce.ts'
import { whileLoop } from '../../src/ops/while-loop.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'

const x = HostArray.from('f64', [0.3, -0.8])
const y = HostArray.from('f64', [1.5, 0.4])
const scalar = tensorType('f64', [])
const wave = (t: Tensor): Tensor => sine(multiply(exponential(t), t))
const total = (t: Tensor): Tensor => reduceSum(t)

describe('grad', () => {
  it('keeps an argument apart from the same tensor captured', () => {
    const gradient = evaluate((t: Tensor) => grad((u: Tensor) => total(multiply(u, t)))(t), x)
    expect(gradient.toNested()).toEqual(x.toNested())
  })
  it('keeps two arguments apart that are the same tensor', () => {
    const gradients = evaluate((t: Tensor) => grad((a: Tensor, b: Tensor) => total(multiply(a, multiply(b, b))), { wrt: [0, 1] })(t, t), y)
    expect(gradients[0].toNested()).toEqual([1.5 ** 2, 0.4 * 0.4])
    expect(gradients[1].toNested()).toEqual([2 * 1.5 ** 2, 2 * (0.4 * 0.4)])
  })
  it('has the structure of the argument, null for integers, zero where nothing depends on it', () => {
    const gradient = evaluate(grad((t: { w: Tensor[]; unused: Tensor; ids: Tensor }) => total(multiply(t.w[0], t.w[1]))), { w: [x, y], unused: x, ids: HostArray.from('i32', [1]) })
    expect(gradient.w.map((leaf) => leaf.toNested())).toEqual([y.toNested(), x.toNested()])
    expect(gradient.unused.toNested()).toEqual([0, 0])
    expect(gradient.ids).toBeNull()
  })
  it('gives value, aux and gradient', () => {
    const [[value, aux], gradient] = evaluate(valueAndGradWithAux((t: Tensor) => [total(multiply(t, t)), { doubled: multiply(t, 2) }] as const), x)
    expect(value.item()).toBeCloseTo(0.73)
    expect(aux.doubled.toNested()).toEqual([0.6, -1.6])
    expect(gradient.toNested()).toEqual([0.6, -1.6])
  })
  it('can be differentiated again', () => {
    const second = evaluate(grad((t: Tensor) => total(grad((u: Tensor) => total(multiply(multiply(u, u), u)))(t))), y)
    expect(second.data[0]).toBeCloseTo(9, 12)
    checkGradient({ build: (t) => grad((u: Tensor) => total(wave(u)))(t), inputs: [x] })
    checkGradient({ build: (t) => grad((u: Tensor) => total(grad((v: Tensor) => total(wave(v)))(u)))(t), inputs: [x], tolerance: 1e-6 })
  })
  it('of a vector is refused, with its type and the user\'s line', () => {
    expect(() => lower((t: Tensor) => grad((u: Tensor) => u)(t), tensorType('f32', [2]))).toThrow(
      /^the value to differentiate must be a float scalar, the function gave f32\[2\]\n {2}at .*grad\.test\.ts:\d+:\d+/,
    )
    expect(traceError((t) => valueAndGrad((u: Tensor) => convert(total(u), 'i32'))(t), tensorType('f32', [2]))).toContain('gave i32[]')
  })
  it('names an op that has no gradient, with the user\'s line', () => {
    const loss = (t: Tensor) => total(customCall('unknown.op', [t], [t.type])[0])
    expect(() => lower(grad(loss), tensorType('f32', [2]))).toThrow(/custom_call @unknown\.op has no gradient: wrap it with customVjp\n {2}at loss \(.*grad\.test\.ts:\d+:\d+\)/)
  })
  it('of wrt out of range is refused', () => {
    expect(traceError((t) => grad(total as (...args: Tensor[]) => Tensor, { wrt: 3 })(t), tensorType('f32', [2]))).toContain('wrt 3')
  })
})

describe('vjp', () => {
  it('pulls a cotangent of any tree back', () => {
    const [dx, dy] = evaluate((a: Tensor, b: Tensor) => vjp((u: Tensor, v: Tensor) => ({ product: multiply(u, v), sum: [add(u, v)] }), a, b).pullback({ product: b, sum: [a] }), x, y)
    expect(dx.toNested()).toEqual([1.5 * 1.5 + 0.3, 0.4 * 0.4 + -0.8])
    expect(dy.data[0]).toBeCloseTo(1.5 * 0.3 + 0.3)
  })
})

describe('stopGradient and constant pieces', () => {
  it('nothing flows through', () => {
    expect(evaluate(grad((t: Tensor) => total(multiply(stopGradient(t), t))), x).toNested()).toEqual(x.toNested())
    expect(evaluate(grad((t: Tensor) => total(multiply(floor(t), t))), y).toNested()).toEqual([1, 0])
  })
  it('stops inside a checkpoint and inside a branch too', () => {
    const inCheckpoint = checkpoint((t: Tensor) => multiply(stopGradient(t), t))
    expect(evaluate(grad((t: Tensor) => total(inCheckpoint(t))), x).toNested()).toEqual(x.toNested())
    const inBranch = (t: Tensor) => cond(less(total(t), 0), () => total(multiply(stopGradient(t), t)), () => total(t))
    expect(evaluate(grad(inBranch), x).toNested()).toEqual(x.toNested())
  })
})

describe('checkpoint', () => {
  const remembered = (t: Tensor) => total(wave(wave(t)))
  const forgetful = (() => {
    const step = checkpoint(wave)
    return (t: Tensor) => total(step(step(t)))
  })()
  it('has the same value and gradient, also of second order', () => {
    const values = (fn: (t: Tensor) => Tensor) => evaluate((t: Tensor) => [fn(t), grad(fn)(t), grad((u: Tensor) => total(grad(fn)(u)))(t)], x).map((leaf) => Array.from(leaf.data as Float64Array))
    values(forgetful).forEach((value, i) => value.forEach((v, j) => expect(v).toBeCloseTo(values(remembered)[i][j], 12)))
  })
  it('computes the forward pass again behind a barrier', () => {
    const { text } = lower(grad(forgetful), tensorType('f64', [2]))
    expect(text.match(/optimization_barrier/g)).toHaveLength(2)
    expect(text.match(/stablehlo\.exponential/g)!.length).toBeGreaterThan(2)
  })
  it('takes what it captures into account', () => {
    checkGradient({ build: (a, b) => checkpoint((t: Tensor) => multiply(wave(t), b))(multiply(a, b)), inputs: [x, y] })
  })
})

describe('customVjp', () => {
  const tenfold = customVjp(
    (t: Tensor) => [exponential(t), { t }] as const,
    ({ t }, d) => [multiply(multiply(d, t), 10)],
  )
  it('uses its own rule, also in checkpoints, loops and calls of itself', () => {
    expect(evaluate(grad((t: Tensor) => total(tenfold(t))), y).toNested()).toEqual([15, 4])
    const plain = evaluate(grad((t: Tensor) => total(tenfold(tenfold(t)))), y).toNested()
    expect(evaluate(grad((t: Tensor) => total(checkpoint((u: Tensor) => tenfold(tenfold(u)))(t))), y).toNested()).toEqual(plain)
    const looped = (t: Tensor) => whileLoop({ i: fill(0, tensorType('i32', [])), t }, ({ i }) => less(i, 2), (s) => ({ i: add(s.i, 1), t: tenfold(s.t) })).t
    expect(evaluate(grad((t: Tensor) => total(looped(t))), y).toNested()).toEqual(plain)
  })
  it('of the identity is found', () => {
    const reversed = customVjp((t: Tensor) => [t, null] as const, (_, d) => [multiply(d, -1)])
    expect(evaluate(grad((t: Tensor) => total(reversed(t))), x).toNested()).toEqual([-1, -1])
  })
  it('with a gradient of the wrong type is refused', () => {
    const wrong = customVjp((t: Tensor) => [t, null] as const, (_, d) => [total(d)])
    expect(traceError((t) => grad((u: Tensor) => total(wrong(u)))(t), tensorType('f32', [2]))).toBe('backward of a custom gradient gave f32[] for an argument of type f32[2]')
  })
})

describe('loops', () => {
  it('of unknown length have no gradient, and the error says what to do', () => {
    const halve = (t: Tensor) => whileLoop({ t }, ({ t: u }) => less(fill(1, scalar), u), ({ t: u }) => ({ t: divide(u, 2) })).t
    expect(traceError((t) => grad(halve)(t), scalar)).toContain('use scan or foriLoop with constant bounds')
  })
  it('are differentiated with what they capture, twice if need be', () => {
    const loop = (t: Tensor, w: Tensor) => whileLoop({ i: fill(0, tensorType('i32', [])), t }, ({ i }) => less(i, 3), (s) => ({ i: add(s.i, 1), t: sine(multiply(s.t, w)) })).t
    checkGradient({ build: loop, inputs: [x, y] })
    checkGradient({ build: (t, w) => grad((u: Tensor, v: Tensor) => total(log(add(multiply(loop(u, v), loop(u, v)), 1))))(t, w), inputs: [x, y] })
  })
})
