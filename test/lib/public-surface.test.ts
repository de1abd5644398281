import { describe, expect, it } from 'vitest'
import * as engram from 'engram'
import {
  HostArray, OpError, type Tensor, add, einsum, evaluate, f32, grad, i32, interpretProgram, lower, mean, oneHot, reduceSum, logSoftmax, takeRows,
  startInterpreter, sum, valueAndGrad,
} from 'engram'
import { checkGradient } from '../support/gradient-check.ts'
import { randomArray } from './random-array.ts'

describe('a model of one\'s own', () => {
  const step = ({ weights, tokens }: { weights: { embedding: Tensor; out: Tensor }; tokens: Tensor }): Tensor => {
    const x = takeRows(weights.embedding, tokens)
    const logits = einsum('bsd,dv->bsv', x, weights.out)
    return mean(logSoftmax(logits).mul(oneHot(tokens, 11)).sum(-1)).neg()
  }
  const weights = { embedding: randomArray([11, 4], { dtype: 'f32' }), out: randomArray([4, 11], { dtype: 'f32', seed: 2 }) }
  const tokens = HostArray.from('i32', [[1, 2, 3], [4, 5, 10]])

  it('is lowered, differentiated and run with nested arguments and results, all typed', async () => {
    const program = lower(valueAndGrad(step), { weights: { embedding: f32(11, 4), out: f32(4, 11) }, tokens: i32(2, 3) })
    expect(program.text).toContain('stablehlo.dot_general')
    const session = startInterpreter()
    const executable = await session.compile(program)
    const [loss, gradients] = await executable.run({ weights, tokens })
    expect(loss.item()).toBeGreaterThan(0)
    expect(gradients.weights.embedding.shape).toEqual([11, 4])
    expect(gradients.tokens).toBeNull()
    expect(interpretProgram(program, { weights, tokens })[0].item()).toBe(loss.item())
    await session.close()
  })

  it('goes downhill along its gradient', () => {
    const [before, after] = evaluate((w: { embedding: Tensor; out: Tensor }, t: Tensor) => {
      const loss = (out: Tensor) => step({ weights: { ...w, out }, tokens: t })
      return [loss(w.out), loss(w.out.sub(grad(loss)(w.out).mul(0.1)))]
    }, weights, tokens)
    expect(after.item()).toBeLessThan(before.item())
  })

  it('is told at its own line where it is wrong', () => {
    const model = (x: Tensor) => einsum('ij,kj->ik', x, x.slice(null, [0, 2]))
    const failure = (() => {
      try {
        lower(model, f32(3, 4))
      } catch (error) {
        return error as OpError
      }
    })()
    expect(failure).toBeInstanceOf(OpError)
    expect(failure?.location?.callSite).toMatchObject({ function: 'model', file: expect.stringContaining('public-surface.test.ts') })
    expect(failure?.detail).toContain("label 'j' is 4 in operand 0 f32[3,4] axis 1, 2 in operand 1 f32[3,2] axis 1")
  })
})

describe('tensor methods', () => {
  const x = HostArray.from('f32', [[1, -2, 3], [4, 5, -6]])
  const y = HostArray.from('f32', [[2, 2, 2], [0.5, 5, 1]])
  const of = (fn: (a: Tensor, b: Tensor) => Tensor) => evaluate(fn, x, y).toNested()

  it.each([
    ['add', (a: Tensor, b: Tensor) => a.add(b), [[3, 0, 5], [4.5, 10, -5]]],
    ['sub', (a: Tensor) => a.sub(1), [[0, -3, 2], [3, 4, -7]]],
    ['mul', (a: Tensor, b: Tensor) => a.mul(b), [[2, -4, 6], [2, 25, -6]]],
    ['div', (a: Tensor, b: Tensor) => a.div(b), [[0.5, -1, 1.5], [8, 1, -6]]],
    ['pow', (a: Tensor) => a.pow(2), [[1, 4, 9], [16, 25, 36]]],
    ['rem', (a: Tensor) => a.rem(3), [[1, -2, 0], [1, 2, -0]]],
    ['maximum', (a: Tensor) => a.maximum(0), [[1, 0, 3], [4, 5, 0]]],
    ['minimum', (a: Tensor, b: Tensor) => a.minimum(b), [[1, -2, 2], [0.5, 5, -6]]],
    ['eq', (a: Tensor, b: Tensor) => a.eq(b), [[false, false, false], [false, true, false]]],
    ['ne', (a: Tensor, b: Tensor) => a.ne(b).not(), [[false, false, false], [false, true, false]]],
    ['lt', (a: Tensor) => a.lt(3), [[true, true, false], [false, false, true]]],
    ['le', (a: Tensor) => a.le(3), [[true, true, true], [false, false, true]]],
    ['gt', (a: Tensor) => a.gt(3), [[false, false, false], [true, true, false]]],
    ['ge', (a: Tensor) => a.ge(3), [[false, false, true], [true, true, false]]],
    ['and', (a: Tensor) => a.gt(0).and(a.lt(4)), [[true, false, true], [false, false, false]]],
    ['or', (a: Tensor) => a.gt(4).or(a.lt(0)), [[false, true, false], [false, true, true]]],
    ['xor', (a: Tensor) => a.gt(0).xor(true), [[false, true, false], [false, false, true]]],
    ['neg', (a: Tensor) => a.neg(), [[-1, 2, -3], [-4, -5, 6]]],
    ['abs and sign', (a: Tensor) => a.abs().mul(a.sign()), [[1, -2, 3], [4, 5, -6]]],
    ['exp and log', (a: Tensor) => a.mul(0).exp().log(), [[0, 0, 0], [0, 0, 0]]],
    ['sqrt, rsqrt and square', (a: Tensor) => a.square().sqrt().mul(a.mul(0).add(4).rsqrt()), [[0.5, 1, 1.5], [2, 2.5, 3]]],
    ['tanh and sigmoid', (a: Tensor) => a.mul(0).tanh().sigmoid(), [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]],
    ['clamp', (a: Tensor) => a.clamp(-1, 4), [[1, -1, 3], [4, 4, -1]]],
    ['select', (a: Tensor) => a.gt(0).select(a, 0), [[1, 0, 3], [4, 5, 0]]],
    ['matmul and transpose', (a: Tensor, b: Tensor) => a.matmul(b.transpose()), [[4, -6.5], [6, 21]]],
    ['transpose by axes', (a: Tensor) => a.transpose(1, 0).transpose([1, 0]), [[1, -2, 3], [4, 5, -6]]],
    ['reshape', (a: Tensor) => a.reshape(-1, 2).reshape([6]), [1, -2, 3, 4, 5, -6]],
    ['expandDims and squeeze', (a: Tensor) => a.expandDims(0).squeeze(), [[1, -2, 3], [4, 5, -6]]],
    ['broadcastTo', (a: Tensor) => a.slice([0, 1], [0, 1]).broadcastTo(2, 2).broadcastTo([2, 2]), [[1, 1], [1, 1]]],
    ['slice', (a: Tensor) => a.slice(-1, [0, null, 2]), [4, -6]],
    ['convert', (a: Tensor) => a.convert('i32'), [[1, -2, 3], [4, 5, -6]]],
    ['sum', (a: Tensor) => a.sum(0), [5, 3, -3]],
    ['prod', (a: Tensor) => a.prod(1), [-6, -120]],
    ['mean', (a: Tensor) => a.mean(1, { keepDims: true }), [[expect.closeTo(2 / 3, 6)], [1]]],
    ['max', (a: Tensor) => a.max(), 5],
    ['min', (a: Tensor) => a.min([0]), [1, -2, -6]],
    ['argMax', (a: Tensor) => a.argMax(), [2, 1]],
    ['argMin', (a: Tensor) => a.argMin(0), [0, 0, 1]],
    ['softmax', (a: Tensor) => a.mul(0).slice(null, [0, 2]).softmax(), [[0.5, 0.5], [0.5, 0.5]]],
  ] as [string, (a: Tensor, b: Tensor) => Tensor, unknown][])('%s', (_, fn, expected) => {
    expect(of(fn)).toEqual(expected)
  })

  it('are not seen as keys, and have the gradients of their functions', () => {
    expect(Object.keys(engram.Tensor.prototype)).toEqual([])
    checkGradient({ build: (a, b) => a.mul(b).add(a.exp()).matmul(b.transpose()).sum(0).tanh(), inputs: [x, y] })
  })

  it('stretch nothing but rank 0 and axes of size 1', () => {
    expect(of((a, b) => add(a, b.slice([0, 1])))).toEqual([[3, 0, 5], [6, 7, -4]])
    expect(() => lower((a: Tensor, b: Tensor) => a.add(b), f32(2, 3), f32(3))).toThrow(/operands differ in rank: f32\[2,3\] and f32\[3\]/)
    expect(() => lower((a: Tensor) => a.add(0.5), i32(2))).toThrow(/0.5 is not an integer/)
  })
})

it('the surface exports what the guide names', () => {
  for (const name of ['lower', 'valueAndGrad', 'einsum', 'softmax', 'f32', 'i32', 'startRunner', 'scan', 'approxTopK', 'parseModule', 'interpret', 'checkpoint'])
    expect(engram).toHaveProperty(name)
  expect(sum).toBe(reduceSum)
})
