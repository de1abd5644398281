import { DenseElements } from '../../../src/ir/dense.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { OpDefinition } from '../../../src/ir/op-definition.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { broadcastCompareOp, broadcastComplexOp, broadcastOps, broadcastSelectOp, broadcasted } from '../../../src/ops/chlo-broadcast.ts'
import { constant } from '../../../src/ops/constant.ts'
import { chloConstantOp, constantLike } from '../../../src/ops/chlo-constant.ts'
import * as chlo from '../../../src/ops/chlo-math.ts'
import { raggedDot } from '../../../src/ops/chlo-ragged-dot.ts'
import { chloScan } from '../../../src/ops/chlo-scan.ts'
import { chloTopK } from '../../../src/ops/chlo-top-k.ts'
import { complex, imag, real } from '../../../src/ops/complex.ts'
import { unaryBuilder } from '../../../src/ops/elementwise.ts'
import { emit } from '../../../src/trace/emit.ts'
import { type OpSample, type Random, arbitrary } from './sample.ts'
import { spaced } from './reductions.ts'

/** The `chlo` dialect. */

const f64 = (...shape: number[]) => tensorType('f64', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)
const bool = (...shape: number[]) => tensorType('bool', shape)

/** Values between two limits. */
const between = (low: number, high: number, ...shape: number[]) => (random: Random): HostArray =>
  HostArray.of('f64', shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => low + (high - low) * random()))

const unary = (name: string, build: (x: Tensor) => Tensor, low: number, high: number, options: Partial<OpSample> = {}): OpSample => ({
  name: `chlo.${name}`,
  op: `chlo.${name}`,
  build,
  inputs: [f64(2, 5)],
  values: (random) => [between(low, high, 2, 5)(random)],
  differentiable: true,
  ...options,
})
const complexUnary = (name: string, build: (x: Tensor) => Tensor): OpSample => ({
  name: `chlo.${name} (complex)`,
  op: `chlo.${name}`,
  build: (re, im) => {
    const z = build(complex(re, im))
    return [real(z), imag(z)]
  },
  inputs: [f64(6), f64(6)],
  differentiable: true,
})

const noRaggedDot = 'XLA on the CPU does not have it'

const broadcastSample = (op: OpDefinition): OpSample => {
  const name = op.name.replace('chlo.broadcast_', '')
  const logical = ['and', 'or', 'xor'].includes(name) || name.startsWith('shift')
  const type = logical ? i32 : f64
  const positive = ['power', 'divide', 'remainder', 'polygamma', 'zeta', 'atan2'].includes(name)
  const smooth = ['add', 'subtract', 'multiply', 'divide', 'power', 'atan2'].includes(name)
  return {
    name: op.name,
    op: op.name,
    build: (x, y) => broadcasted(name, x, y),
    inputs: [type(2, 3), type(3)],
    values: (random) =>
      logical
        ? [HostArray.from('i32', [[1, 5, 3], [2, 0, 7]]), HostArray.from('i32', [3, 1, 2])]
        : name === 'polygamma' ? [HostArray.from('f64', [[0, 1, 2], [3, 1, 2]]), between(0.5, 3, 3)(random)]
        : name === 'zeta' ? [between(1.5, 4, 2, 3)(random), between(0.5, 3, 3)(random)]
        : positive ? [between(0.5, 3, 2, 3)(random), between(0.5, 2, 3)(random)]
        : [arbitrary(f64(2, 3), random), arbitrary(f64(3), random)],
    differentiable: smooth,
  }
}
const special: readonly OpDefinition[] = [broadcastCompareOp, broadcastComplexOp, broadcastSelectOp]

export const samples: readonly OpSample[] = [
  unary('acos', chlo.acos, -0.9, 0.9),
  unary('acosh', chlo.acosh, 1.1, 4),
  unary('asin', chlo.asin, -0.9, 0.9),
  unary('asinh', chlo.asinh, -3, 3),
  unary('atan', chlo.atan, -3, 3),
  unary('atanh', chlo.atanh, -0.9, 0.9),
  unary('sinh', chlo.sinh, -3, 3),
  unary('cosh', chlo.cosh, -3, 3),
  unary('tan', chlo.chloTan, -1.2, 1.2),
  unary('square', unaryBuilder(chlo.squareOp), -2, 2),
  unary('conj', chlo.conj, -2, 2),
  unary('erf', chlo.chloErf, -2.5, 2.5),
  unary('erfc', chlo.erfc, -2, 4),
  unary('erf_inv', chlo.chloErfInv, -0.9, 0.9),
  unary('lgamma', chlo.lgamma, 0.3, 6),
  unary('digamma', chlo.digamma, 0.5, 6),
  unary('bessel_i1e', chlo.besselI1e, -4, 4, { differentiable: false }),
  unary('is_inf', chlo.isInf, 0, 1, { values: () => [HostArray.of('f64', [2, 5], [1, Infinity, -Infinity, NaN, 0, 1, 2, 3, 4, 5])], differentiable: false }),
  unary('is_pos_inf', chlo.isPosInf, 0, 1, { values: () => [HostArray.of('f64', [2, 5], [1, Infinity, -Infinity, NaN, 0, 1, 2, 3, 4, 5])], differentiable: false }),
  unary('is_neg_inf', chlo.isNegInf, 0, 1, { values: () => [HostArray.of('f64', [2, 5], [1, Infinity, -Infinity, NaN, 0, 1, 2, 3, 4, 5])], differentiable: false }),
  complexUnary('acos', chlo.acos),
  complexUnary('acosh', chlo.acosh),
  complexUnary('asin', chlo.asin),
  complexUnary('asinh', chlo.asinh),
  complexUnary('atan', chlo.atan),
  complexUnary('atanh', chlo.atanh),
  complexUnary('sinh', chlo.sinh),
  complexUnary('cosh', chlo.cosh),
  complexUnary('square', unaryBuilder(chlo.squareOp)),
  complexUnary('conj', chlo.conj),
  {
    name: 'chlo.polygamma',
    op: 'chlo.polygamma',
    build: (x) => chlo.polygamma(constant([0, 1, 2, 3], x.dtype), x),
    inputs: [f64(4)],
    values: (random) => [between(0.5, 4, 4)(random)],
    differentiable: true,
  },
  {
    name: 'chlo.zeta',
    op: 'chlo.zeta',
    build: (q) => chlo.zeta(constant([1.5, 2, 3.25, 7], q.dtype), q),
    inputs: [f64(4)],
    values: (random) => [between(0.5, 4, 4)(random)],
    differentiable: true,
  },
  { name: 'chlo.next_after', op: 'chlo.next_after', build: (x, y) => chlo.nextAfter(x, y), inputs: [f64(4), f64(4)], differentiable: false },
  { name: 'chlo.mulhi', op: 'chlo.mulhi', build: (x, y) => chlo.mulhi(x, y), inputs: [i32(4), i32(4)], values: () => [HostArray.from('i32', [2 ** 30, -5, 7, -(2 ** 31)]), HostArray.from('i32', [12, 3, 1, -(2 ** 31)])], differentiable: false },
  { name: 'chlo.constant', op: 'chlo.constant', build: () => emit(chloConstantOp, [], { value: DenseElements.of(HostArray.from('f64', [1, 2.5])) }).results[0] as Tensor, inputs: [], differentiable: false },
  { name: 'chlo.constant_like', op: 'chlo.constant_like', build: (x) => [constantLike(2.5, x), constantLike(3, x, 'i32'), constantLike(true, x, 'bool')], inputs: [f64(2)], differentiable: false },
  {
    name: 'chlo.top_k',
    op: 'chlo.top_k',
    build: (x) => Object.values(chloTopK(x, 3)),
    inputs: [f64(2, 6)],
    values: (random) => [spaced(random, 2, 6)],
    differentiable: true,
  },
  {
    name: 'chlo.ragged_dot',
    op: 'chlo.ragged_dot',
    build: (x, y, sizes) => raggedDot(x, y, sizes, { contracting: [[1], [1]], ragged: 0, group: 0 }),
    inputs: [f64(6, 2), f64(3, 2, 2), i32(3)],
    values: (random) => [arbitrary(f64(6, 2), random), arbitrary(f64(3, 2, 2), random), HostArray.from('i32', [2, 0, 3])],
    differentiable: true,
    notOnXla: noRaggedDot,
  },
  {
    name: 'chlo.ragged_dot (other axes)',
    op: 'chlo.ragged_dot',
    build: (x, y, sizes) => raggedDot(x, y, sizes, { contracting: [[0], [2]], ragged: 1, group: 1 }),
    inputs: [f64(2, 6), f64(4, 3, 2), i32(3)],
    values: (random) => [arbitrary(f64(2, 6), random), arbitrary(f64(4, 3, 2), random), HostArray.from('i32', [1, 3, 2])],
    differentiable: true,
    notOnXla: noRaggedDot,
  },
  {
    name: 'chlo.ragged_dot (sums in groups)',
    op: 'chlo.ragged_dot',
    build: (x, y, sizes) => raggedDot(x, y, sizes, { contracting: [[1], [0]], ragged: 1 }),
    inputs: [f64(2, 5), f64(5, 3), i32(2)],
    values: (random) => [arbitrary(f64(2, 5), random), arbitrary(f64(5, 3), random), HostArray.from('i32', [2, 3])],
    differentiable: false,
    notOnXla: noRaggedDot,
  },
  {
    name: 'chlo.scan',
    op: 'chlo.scan',
    build: (x, c) => chloScan([x], [c], 1, ([slice], [carry]) => {
      const next = add(multiply(carry, 0.5), slice)
      return [next, next]
    }, { reverse: true }),
    inputs: [f64(2, 4), f64(2)],
    differentiable: false,
  },
  ...broadcastOps.filter((op) => !special.includes(op)).map(broadcastSample),
  {
    name: 'chlo.broadcast_add (axes)',
    op: 'chlo.broadcast_add',
    build: (x, y) => broadcasted('add', x, y, [1]),
    inputs: [f64(2), f64(3, 2, 4)],
    differentiable: true,
    notOnXla: 'XLA lowers it only where axes are aligned from the last',
  },
  { name: 'chlo.broadcast_compare', op: 'chlo.broadcast_compare', build: (x, y) => emit(broadcastCompareOp, [x, y], { comparison_direction: 'LT' }).results[0] as Tensor, inputs: [f64(2, 3), f64(1, 3)], differentiable: false },
  { name: 'chlo.broadcast_complex', op: 'chlo.broadcast_complex', build: (x, y) => emit(broadcastComplexOp, [x, y], {}).results[0] as Tensor, inputs: [f64(2, 3), f64(3)], differentiable: false },
  { name: 'chlo.broadcast_select', op: 'chlo.broadcast_select', build: (p, x, y) => emit(broadcastSelectOp, [p, x, y], {}).results[0] as Tensor, inputs: [bool(2, 1), f64(3), f64()], differentiable: true },
]
