import { DenseElements } from '../../../src/ir/dense.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { arithConstantOp, constantOf } from '../../../src/ops/constant.ts'
import * as check from '../../../src/ops/check.ts'
import { emit } from '../../../src/trace/emit.ts'
import type { OpSample } from './sample.ts'

const value = DenseElements.of(HostArray.from('f64', [1.5, -2, 0.1]))
const notOnXla = 'it belongs to the tests of the StableHLO interpreter'
const none = { inputs: [], differentiable: false, notOnXla } as const

/** A program that passes its own check. */
const checked = (emitCheck: (x: Tensor) => unknown) => (): Tensor => {
  const x = constantOf(value)
  emitCheck(x)
  return x
}

/** Checks inside programs, and what else stands in test programs only. */
export const samples: readonly OpSample[] = [
  { name: 'check.expect_eq_const', op: 'check.expect_eq_const', build: checked((x) => emit(check.expectEqConstOp, [x], { value })), ...none },
  {
    name: 'check.expect_almost_eq_const',
    op: 'check.expect_almost_eq_const',
    build: checked((x) => emit(check.expectAlmostEqConstOp, [x], { value: DenseElements.of(HostArray.from('f64', [1.6, -2.1, 0])), tolerance: 0.2 })),
    ...none,
  },
  { name: 'check.expect_eq', op: 'check.expect_eq', build: checked((x) => emit(check.expectEqOp, [x, x], {})), ...none },
  { name: 'check.expect_almost_eq', op: 'check.expect_almost_eq', build: checked((x) => emit(check.expectAlmostEqOp, [x, x], {})), ...none },
  { name: 'check.expect_close', op: 'check.expect_close', build: checked((x) => emit(check.expectCloseOp, [x, x], { max_ulp_difference: 1, min_ulp_difference: 0 })), ...none },
  {
    name: 'check.expect_serialized_eq',
    op: 'check.expect_serialized_eq',
    build: checked((x) => emit(check.expectSerializedEqOp, [emit(check.probeOp, [x], { probe_id: 'a' }).results[0]], { probe_id: 'a', iter: 0 })),
    ...none,
  },
  { name: 'interpreter.probe', op: 'interpreter.probe', build: (x) => emit(check.probeOp, [x], { probe_id: 'a' }).results[0] as Tensor, inputs: [tensorType('f64', [2])], differentiable: true, notOnXla },
  { name: 'arith.constant', op: 'arith.constant', build: () => emit(arithConstantOp, [], { value }).results[0] as Tensor, inputs: [], differentiable: false, notOnXla: 'it is not StableHLO' },
]
