import { expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { normalize } from '../../src/nn/norm.ts'
import { runOp } from '../support/run-ops.ts'

const x = HostArray.from('f64', [[1, 2, 3, 6], [0, 0, 0, 0]])
const scale = HostArray.from('f64', [1, 2, 1, 0.5])
const bias = HostArray.from('f64', [0, 1, 0, -1])

test('rms norm divides by the root of the mean square', () => {
  const root = Math.sqrt((1 + 4 + 9 + 36) / 4 + 1e-6)
  const out = runOp((a, s) => normalize({ scale: s }, a), x, scale)
  ;[1 / root, 4 / root, 3 / root, 3 / root, 0, 0, 0, 0].forEach((value, i) => expect(out.data[i]).toBeCloseTo(value, 12))
})

test('layer norm has mean and variance taken away', () => {
  const root = Math.sqrt((4 + 1 + 0 + 9) / 4 + 1e-6)
  const out = runOp((a, s, b) => normalize({ scale: s, bias: b }, a), x, scale, bias)
  ;[-2 / root, -2 / root + 1, 0, 1.5 / root - 1, 0, 1, 0, -1].forEach((value, i) => expect(out.data[i]).toBeCloseTo(value, 12))
})

test('bf16 is normalised in f32 and rounded once', () => {
  const narrow = HostArray.from('bf16', [[300, 1, 2, 3]])
  const out = runOp((a, s) => normalize({ scale: s }, a), narrow, HostArray.from('f32', [1, 1, 1, 1]))
  expect(out.dtype).toBe('bf16')
  expect([...out.data]).toEqual([...HostArray.from('bf16', [300, 1, 2, 3].map((value) => value / Math.sqrt(90014 / 4 + 1e-6))).data])
})
