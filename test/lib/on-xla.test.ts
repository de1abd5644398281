import '../../src/lib/tensor-methods.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { approxTopK } from '../../src/knn/approx-top-k.ts'
import { topK } from '../../src/knn/top-k.ts'
import { argMax } from '../../src/lib/arg-extreme.ts'
import { gelu } from '../../src/lib/activations.ts'
import { cumprod, cumsum } from '../../src/lib/cumulative.ts'
import { einsum } from '../../src/lib/einsum.ts'
import { erf, erfInv } from '../../src/lib/erf.ts'
import { scan } from '../../src/lib/loops.ts'
import { normal, randomBits, randomKey, uniform } from '../../src/lib/random.ts'
import { logSumExp, softmax } from '../../src/lib/softmax.ts'
import { vjp } from '../../src/autodiff/grad.ts'
import { add, multiply } from '../../src/ops/arithmetic.ts'
import { tanh } from '../../src/ops/elementwise-unary.ts'
import { interpretProgram } from '../../src/program/evaluate.ts'
import { lower } from '../../src/program/lower.ts'
import { startRunner } from '../../src/program/start.ts'
import type { Session } from '../../src/program/session.ts'
import { worstError } from '../support/arrays-agree.ts'
import { randomArray } from './random-array.ts'

/** Derived functions compiled by XLA give what the interpreter gives; the ops alone are compared in the tests of the catalogue. */
let runner: Session
beforeAll(async () => {
  runner = await startRunner({ platform: 'cpu' })
})
afterAll(() => runner?.close())

const x = randomArray([6, 300], { dtype: 'f32' })
const small = randomArray([6, 300], { dtype: 'f32', low: -0.99, high: 0.99, seed: 4 })

async function compare(fn: (x: Tensor) => readonly Tensor[], input: HostArray): Promise<number> {
  const program = lower((t: Tensor) => [...fn(t)], input.type)
  const executable = await runner.compile(program)
  const [compiled, interpreted] = [await executable.run(input), interpretProgram(program, input)]
  await executable.release()
  return Math.max(...interpreted.map((expected, i) => worstError(compiled[i], expected)))
}

describe('compiled by XLA', () => {
  it.each([
    ['softmax', (t: Tensor) => [softmax(t), logSumExp(t, 0)], x, 1e-6],
    ['gelu and erf', (t: Tensor) => [gelu(t), gelu(t, { form: 'erf' }), erf(t)], x, 2e-6],
    ['erfInv', (t: Tensor) => [erfInv(t)], small, 2e-5],
    ['cumulative functions', (t: Tensor) => [cumsum(t), cumprod(t, 0), cumsum(t, 0, { reverse: true })], x, 1e-5],
    ['argMax', (t: Tensor) => [argMax(t), argMax(t, 0)], x, 0],
    ['einsum', (t: Tensor) => [einsum('ij,kj->ki', t, t), einsum('ij,ij,ij->j', t, t, t)], x, 1e-5],
    ['scan and its gradient', (t: Tensor) => {
      const run = (rows: Tensor) => scan((h: Tensor, row: Tensor) => [tanh(add(multiply(h, 0.5), row)), h], multiply(rows.slice(0), 0), rows)[1]
      const { output, pullback } = vjp(run, t)
      return [output, ...pullback(output)]
    }, x, 1e-5],
    ['topK and its gradient', (t: Tensor) => {
      const { output, pullback } = vjp((scores: Tensor) => topK(scores, 5).values, t)
      return [output, topK(t, 5).indices, topK(t, 2, 0).indices, ...pullback(output)]
    }, x, 1e-6],
    ['partial reduce', (t: Tensor) => Object.values(approxTopK(t, 5, { lowering: 'partial-reduce', recallTarget: 0.5 })), x, 0],
    ['random bits', (t: Tensor) => [randomBits(randomKey(3), [7, 9]), randomBits(randomKey(3), [5], 'u64'), uniform(randomKey(4), t.type)], x, 0],
    ['normal numbers', (t: Tensor) => [normal(randomKey(5), t.type)], x, 2e-5],
  ] as [string, (t: Tensor) => readonly Tensor[], HostArray, number][])('%s agrees with the interpreter', async (_, fn, input, tolerance) => {
    expect(await compare(fn, input)).toBeLessThanOrEqual(tolerance)
  })
})
