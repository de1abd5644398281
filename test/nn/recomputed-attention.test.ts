import { describe, expect, test } from 'vitest'
import { vjp } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { attend } from '../../src/nn/attention.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { type Target, withTarget } from '../../src/trace/target.ts'
import { tensorType } from '../../src/ir/types.ts'
import { randomArray, worstDifference } from './random-inputs.ts'
import { checkGradient } from '../support/gradient-check.ts'

/** Two slots, two heads, three queries, five keys; the second query of the second slot may attend to nothing. */
const [b, h, s, l, d] = [2, 2, 3, 5, 4]
const mask = HostArray.from('bool', [0, 1].map((slot) => [0, 1, 2].map((q) => [0, 1, 2, 3, 4].map((k) => k <= q + 2 && !(slot === 1 && (q === 1 || k === 0))))))
const inputs = () => [
  randomArray('f64', [b, h, s, d], 1),
  randomArray('f64', [b, h, l, d], 2),
  randomArray('f64', [b, h, l, d], 3),
  mask,
  randomArray('f64', [h, s, l], 4),
] as const

const on = (target: Target | undefined) => (q: Tensor, k: Tensor, v: Tensor, m: Tensor, bias: Tensor): Tensor => withTarget(target, () => attend(q, k, v, m, bias))

describe('attention that computes its scores anew', () => {
  test('is the attention that keeps them', () => {
    const [anew, kept] = [evaluate(on('tpu'), ...inputs()), evaluate(on(undefined), ...inputs())]
    expect(worstDifference(anew, kept)).toBeLessThan(1e-14)
  })

  test('gives zeros where a query may attend to nothing, and no NaN to anyone', () => {
    const nested = evaluate(on('tpu'), ...inputs()).toNested() as number[][][][]
    for (const head of nested[1]) expect(head[1]).toEqual([0, 0, 0, 0])
    expect(nested.flat(3).every(Number.isFinite)).toBe(true)
  })

  test('its gradients agree with central differences', () => {
    checkGradient({ build: on('tpu'), inputs: inputs(), wrt: [0, 1, 2, 4] })
  })

  test('is not upset by scores that no exponential could hold', () => {
    const [q, k, v, m, bias] = inputs()
    const large = HostArray.of('f64', q.shape, Array.from(q.data as Float64Array, (x) => 4000 * x))
    const [anew, kept] = [evaluate(on('tpu'), large, k, v, m, bias), evaluate(on(undefined), large, k, v, m, bias)]
    expect(worstDifference(anew, kept)).toBeLessThan(1e-9)
  })

  test('keeps nothing of the size of the scores for the gradient', () => {
    const types = [tensorType('bf16', [b, h, s, d]), tensorType('bf16', [b, h, l, d]), tensorType('bf16', [b, h, l, d]), mask.type, tensorType('f32', [h, s, l])] as const
    const both = (q: Tensor, k: Tensor, v: Tensor, m: Tensor, bias: Tensor, dOut: Tensor): unknown => {
      const { output, pullback } = vjp((asked: Tensor, keys: Tensor, values: Tensor, table: Tensor) => attend(asked, keys, values, m, table), q, k, v, bias)
      return [output, pullback(dOut)]
    }
    const program = lowerWith({ name: 'attention', target: 'tpu' }, both, ...types, types[0])
    // Scores are multiplied out for their largest, for their sums and for the gradient, and the fourth is the gradient of the weights.
    const products = program.text.split('\n').filter((line) => line.includes('stablehlo.dot_general') && line.includes(`-> tensor<${b}x${h}x${s}x${l}xf32>`))
    expect(products).toHaveLength(4)
  })
})
