import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { dotOp } from '../../../src/ops/dot-general.ts'
import { emit } from '../../../src/trace/emit.ts'
import type { OpSample } from './sample.ts'

/** Ops that older programs have and that no builder emits. */
export const samples: readonly OpSample[] = [
  {
    name: 'stablehlo.dot',
    op: 'stablehlo.dot',
    build: (lhs, rhs) => emit(dotOp, [lhs, rhs], {}).results[0] as Tensor,
    inputs: [tensorType('f64', [2, 3]), tensorType('f64', [3])],
    differentiable: true,
  },
]
