import { expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { logistic } from '../../src/ops/elementwise-unary.ts'
import { runOp } from '../support/run-ops.ts'

/** Elements from pairs of real and imaginary parts. */
const c128 = (...parts: number[]) => new HostArray(tensorType('c128', [parts.length / 2]), new Float64Array(parts))

test('logistic of complex numbers whose exponential overflows goes to 0 and 1', () => {
  expect(runOp(logistic, c128(-1000, 2, 1000, 2)).toNested()).toEqual([[0, 0], [1, expect.closeTo(0)]])
})

test('logistic(z) + logistic(-z) = 1 on both sides of 0', () => {
  const [at, mirrored] = [runOp(logistic, c128(0.5, 1.25, -3, 0.75)), runOp(logistic, c128(-0.5, -1.25, 3, -0.75))]
  for (let i = 0; i < 2; i++) {
    expect(Number(at.data[2 * i]) + Number(mirrored.data[2 * i])).toBeCloseTo(1, 14)
    expect(Number(at.data[2 * i + 1]) + Number(mirrored.data[2 * i + 1])).toBeCloseTo(0, 14)
  }
})
