import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { compare } from '../../../src/ops/compare.ts'
import { fill } from '../../../src/ops/constant.ts'
import { maximum } from '../../../src/ops/elementwise-binary.ts'
import { dotGeneral, dotOp, matmul } from '../../../src/ops/dot-general.ts'
import { exponential, log } from '../../../src/ops/elementwise-unary.ts'
import { rng, rngBitGenerator } from '../../../src/ops/random-bits.ts'
import { reduce, reduceAnd, reduceMax, reduceMin, reduceOr, reduceProd, reduceSum } from '../../../src/ops/reduce.ts'
import { reduceWindow, reduceWindowMax, reduceWindowMin, reduceWindowSum, selectAndScatter } from '../../../src/ops/reduce-window.ts'
import { select } from '../../../src/ops/select.ts'
import { argSort, sort, sortAscending, sortDescending } from '../../../src/ops/sort.ts'
import { getTupleElement, tuple } from '../../../src/ops/tuple.ts'
import { emit } from '../../../src/trace/emit.ts'
import { type OpSample, type Random, arbitrary } from './sample.ts'

const f64 = (...shape: number[]) => tensorType('f64', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)
const bool = (...shape: number[]) => tensorType('bool', shape)

/** Values that differ by a tenth at least, so that small changes keep their order. */
export function spaced(random: Random, ...shape: number[]): HostArray {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Array.from({ length: count }, (_, i) => i * 0.2 - count * 0.1 + 0.05 * random())
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[values[i], values[j]] = [values[j], values[i]]
  }
  return HostArray.of('f64', shape, values)
}
const withZeros = (array: HostArray, ...positions: number[]): HostArray => {
  for (const position of positions) array.data[position] = 0
  return array
}

const logAddExp = (a: Tensor, b: Tensor): Tensor => log(add(exponential(a), exponential(b)))

export const samples: readonly OpSample[] = [
  { name: 'stablehlo.reduce (sum)', op: 'stablehlo.reduce', build: (x) => reduceSum(x, [0, 2]), inputs: [f64(2, 3, 2)], differentiable: true },
  { name: 'stablehlo.reduce (sum, keepDims)', op: 'stablehlo.reduce', build: (x) => reduceSum(x, -2, { keepDims: true }), inputs: [f64(2, 3, 2)], differentiable: true },
  { name: 'stablehlo.reduce (sum with init)', op: 'stablehlo.reduce', build: (x, init) => reduce(x, init, [1], add), inputs: [f64(2, 3), f64()], differentiable: true },
  { name: 'stablehlo.reduce (max)', op: 'stablehlo.reduce', build: (x) => reduceMax(x, 1), inputs: [f64(3, 4)], values: (random) => [spaced(random, 3, 4)], differentiable: true },
  { name: 'stablehlo.reduce (min)', op: 'stablehlo.reduce', build: (x) => reduceMin(x), inputs: [f64(3, 4)], values: (random) => [spaced(random, 3, 4)], differentiable: true },
  { name: 'stablehlo.reduce (product)', op: 'stablehlo.reduce', build: (x) => reduceProd(x, [0, 2]), inputs: [f64(2, 2, 3)], differentiable: true },
  {
    name: 'stablehlo.reduce (product with zeros)',
    op: 'stablehlo.reduce',
    build: (x, init) => reduce(x, init, [1], multiply),
    inputs: [f64(3, 4), f64()],
    values: (random) => [withZeros(arbitrary(f64(3, 4), random), 1, 4, 6), HostArray.from('f64', 1.5)],
    differentiable: true,
  },
  {
    name: 'stablehlo.reduce (two results)',
    op: 'stablehlo.reduce',
    build: (x, i) =>
      reduce([x, i], [fill(-Infinity, f64()), fill(0, i32())], [1], ([a, i], [b, j]) => {
        const first = compare(a, b, 'GE')
        return [select(first, a, b), select(first, i, j)]
      }),
    inputs: [f64(3, 4), i32(3, 4)],
    differentiable: false,
  },
  { name: 'stablehlo.reduce (two sums)', op: 'stablehlo.reduce', build: (x, y) => reduce([x, y], [fill(0, f64()), fill(1, f64())], [0], ([a, b], [c, d]) => [add(a, c), multiply(b, d)]), inputs: [f64(3, 2), f64(3, 2)], differentiable: true, fixedType: true },
  {
    name: 'stablehlo.reduce (log of a sum of exponentials)',
    op: 'stablehlo.reduce',
    build: (x, init) => reduce(x, init, [2, 0], logAddExp),
    inputs: [f64(2, 3, 2), f64()],
    differentiable: true,
  },
  {
    name: 'stablehlo.reduce (quotients side by side)',
    op: 'stablehlo.reduce',
    build: (x, y, scale) =>
      reduce([x, y], [fill(0, { ...x.type, shape: [] }), fill(1, { ...y.type, shape: [] })], [0], ([a, b], [c, d]) => [
        add(multiply(a, d), multiply(multiply(c, b), scale)),
        multiply(b, d),
      ]),
    inputs: [f64(3, 2), f64(3, 2), f64()],
    differentiable: true,
    notOnXla: 'the body is not associative in its rounding, and XLA may combine in any order',
  },
  { name: 'stablehlo.reduce (and)', op: 'stablehlo.reduce', build: (x) => reduceAnd(x, 0), inputs: [bool(2, 3)], differentiable: false },
  { name: 'stablehlo.reduce (or)', op: 'stablehlo.reduce', build: (x) => reduceOr(x), inputs: [i32(2, 3)], differentiable: false },
  { name: 'stablehlo.dot_general', op: 'stablehlo.dot_general', build: (x, y) => dotGeneral(x, y, { batching: [[1], [0]], contracting: [[0, 3], [2, 1]] }), inputs: [f64(2, 3, 2, 4), f64(3, 4, 2, 2)], differentiable: true },
  { name: 'stablehlo.dot_general (matmul)', op: 'stablehlo.dot_general', build: (x, y) => matmul(x, y, { precision: 'HIGHEST' }), inputs: [f64(2, 3, 4), f64(2, 4, 2)], differentiable: true },
  { name: 'stablehlo.dot_general (outer product)', op: 'stablehlo.dot_general', build: (x, y) => dotGeneral(x, y, { contracting: [[], []] }), inputs: [f64(2), f64(3)], differentiable: true },
  { name: 'stablehlo.sort', op: 'stablehlo.sort', build: (x) => sortAscending(x, 0), inputs: [f64(4, 3)], values: (random) => [spaced(random, 4, 3)], differentiable: true },
  { name: 'stablehlo.sort (descending)', op: 'stablehlo.sort', build: (x) => sortDescending(x), inputs: [f64(2, 5)], values: (random) => [spaced(random, 2, 5)], differentiable: true },
  { name: 'stablehlo.sort (indices)', op: 'stablehlo.sort', build: (x) => argSort(x), inputs: [f64(2, 5)], differentiable: false },
  {
    name: 'stablehlo.sort (several, by an expression)',
    op: 'stablehlo.sort',
    build: (x, y) => sort([x, y], 1, ([a, b], [c, d]) => compare(add(a, b), add(c, d), 'LT')),
    inputs: [f64(2, 5), f64(2, 5)],
    values: (random) => [spaced(random, 2, 5), HostArray.zeros('f64', [2, 5])],
    differentiable: true,
  },
  {
    name: 'stablehlo.reduce_window (sum)',
    op: 'stablehlo.reduce_window',
    build: (x) => reduceWindowSum(x, [2, 3], { strides: [1, 2], padding: [[1, 0], [2, -1]], baseDilations: [2, 1], windowDilations: [1, 2] }),
    inputs: [f64(4, 9)],
    differentiable: true,
  },
  { name: 'stablehlo.reduce_window (sum with init)', op: 'stablehlo.reduce_window', build: (x, init) => reduceWindow(x, init, [2, 2], add), inputs: [f64(3, 4), f64()], differentiable: true },
  {
    name: 'stablehlo.reduce_window (sum with init in the padding)',
    op: 'stablehlo.reduce_window',
    build: (x, init) => reduceWindow(x, init, [2, 2], add, { padding: 'same' }),
    inputs: [f64(3, 4), f64()],
    differentiable: true,
    notOnXla: 'XLA leaves the padding out; the specification reduces it too, as initial values',
  },
  {
    name: 'stablehlo.reduce_window (max)',
    op: 'stablehlo.reduce_window',
    build: (x) => reduceWindowMax(x, [2, 3], { strides: [2, 1], padding: [[0, 1], [1, 1]] }),
    inputs: [f64(5, 4)],
    values: (random) => [spaced(random, 5, 4)],
    differentiable: true,
  },
  { name: 'stablehlo.reduce_window (min)', op: 'stablehlo.reduce_window', build: (x) => reduceWindowMin(x, [3]), inputs: [f64(7)], values: (random) => [spaced(random, 7)], differentiable: true },
  {
    name: 'stablehlo.reduce_window (product)',
    op: 'stablehlo.reduce_window',
    build: (x, init) => reduceWindow(x, init, [3, 2], multiply),
    inputs: [f64(4, 3), f64()],
    differentiable: true,
  },
  {
    name: 'stablehlo.reduce_window (max, dilated, with init)',
    op: 'stablehlo.reduce_window',
    build: (x, init) => reduceWindow(x, init, [2, 2], maximum, { windowDilations: [1, 2] }),
    inputs: [f64(3, 4), f64()],
    values: (random) => [spaced(random, 3, 4), HostArray.from('f64', 0.01)],
    differentiable: true,
  },
  {
    name: 'stablehlo.reduce_window (log of a sum of exponentials)',
    op: 'stablehlo.reduce_window',
    build: (x, init) => reduceWindow(x, init, [2, 3], logAddExp, { strides: [1, 2], padding: [[1, 0], [2, -1]], baseDilations: [2, 1], windowDilations: [1, 2] }),
    inputs: [f64(3, 7), f64()],
    differentiable: true,
    notOnXla: 'XLA leaves the padding out; the specification reduces it too, as initial values',
  },
  {
    name: 'stablehlo.select_and_scatter',
    op: 'stablehlo.select_and_scatter',
    build: (x, source, init) => selectAndScatter(x, source, init, [2, 2], { strides: [2, 1] }),
    inputs: [f64(4, 3), f64(2, 2), f64()],
    values: (random) => [spaced(random, 4, 3), arbitrary(f64(2, 2), random), arbitrary(f64(), random)],
    differentiable: true,
  },
  { name: 'stablehlo.rng_bit_generator', op: 'stablehlo.rng_bit_generator', build: (state) => Object.values(rngBitGenerator(state, [3, 5])), inputs: [tensorType('u64', [2])], differentiable: false },
  { name: 'stablehlo.rng', op: 'stablehlo.rng', build: (a, b) => rng(a, b, [2, 3], 'NORMAL'), inputs: [f64(), f64()], differentiable: false, notOnXla: 'the generator is hidden, each implementation has its own' },
  { name: 'stablehlo.tuple', op: 'stablehlo.tuple', build: (a, b) => getTupleElement(tuple([a, b]), 1) as Tensor, inputs: [f64(2), f64(3)], differentiable: false },
  { name: 'stablehlo.get_tuple_element', op: 'stablehlo.get_tuple_element', build: (a) => getTupleElement(tuple([a]), 0) as Tensor, inputs: [f64(2)], differentiable: false },
  { name: 'stablehlo.dot (vectors)', op: 'stablehlo.dot', build: (x, y) => emit(dotOp, [x, y], { precision_config: ['HIGH', 'HIGHEST'] }).results[0] as Tensor, inputs: [f64(3), f64(3)], differentiable: true },
]
