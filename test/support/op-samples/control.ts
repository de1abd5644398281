import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { composite, outlined } from '../../../src/ops/call.ts'
import { less } from '../../../src/ops/compare.ts'
import { fill, zeros } from '../../../src/ops/constant.ts'
import { cond, switchCase } from '../../../src/ops/control-flow.ts'
import { customCall, defineCustomCall } from '../../../src/ops/custom-call.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../../../src/ops/dynamic-slice.ts'
import { exponential, sine } from '../../../src/ops/elementwise-unary.ts'
import { optimizationBarrier } from '../../../src/ops/optimization-barrier.ts'
import { reshape } from '../../../src/ops/reshape.ts'
import { whileLoop } from '../../../src/ops/while-loop.ts'
import type { OpSample } from './sample.ts'

const row = tensorType('f64', [3])
const table = tensorType('f64', [4, 3])
const i32 = tensorType('i32', [])

defineCustomCall({
  target: 'engram.test.twice',
  evaluate: ({ arrays: [x] }) => [HostArray.of(x.dtype, x.shape, Array.from(x.data as Float64Array, (value) => 2 * value))],
  vjp: ({ cotangents: [d] }) => [d && multiply(d, 2)],
})

/** Reads a row of a table in each iteration, keeps all states. */
const scanRows = (x: Tensor, rows: Tensor, start: number, step: number) =>
  whileLoop(
    { i: fill(start, i32), x, history: zeros(tensorType('f64', [4, 3])) },
    ({ i }) => less(i, start + 4 * step),
    (state) => {
      const index = step === 1 && start === 0 ? state.i : fill(1, i32)
      const y = sine(multiply(state.x, reshape(dynamicSlice(rows, [index, 0], [1, 3]), [3])))
      return { i: add(state.i, step), x: y, history: dynamicUpdateSlice(state.history, reshape(y, [1, 3]), [index, 0]) }
    },
  )

const layer = outlined('layer', (x: Tensor, y: Tensor) => sine(multiply(x, y)))

export const samples: readonly OpSample[] = [
  {
    name: 'stablehlo.if',
    op: 'stablehlo.if',
    build: (p, x, y) => cond(p, () => [multiply(x, y), x], () => [exponential(y), y]),
    inputs: [tensorType('bool', []), row, row],
    differentiable: true,
  },
  {
    name: 'stablehlo.case',
    op: 'stablehlo.case',
    build: (i, x, y) => switchCase(i, [() => sine(x), () => multiply(x, y), () => exponential(y)]),
    inputs: [i32, row, row],
    values: (random) => [HostArray.from('i32', Math.floor(random() * 3)), HostArray.from('f64', [0.5, 1, -0.3]), HostArray.from('f64', [0.1, -1, 0.7])],
    differentiable: true,
  },
  {
    name: 'stablehlo.while',
    op: 'stablehlo.while',
    build: (x, rows) => {
      const { x: last, history } = scanRows(x, rows, 0, 1)
      return [last, history]
    },
    inputs: [row, table],
    differentiable: true,
    fixedType: true,
  },
  {
    name: 'stablehlo.while (counter from 3 by 2)',
    op: 'stablehlo.while',
    build: (x, rows) => scanRows(x, rows, 3, 2).x,
    inputs: [row, table],
    differentiable: true,
    fixedType: true,
  },
  {
    name: 'stablehlo.while (never runs)',
    op: 'stablehlo.while',
    build: (x) => whileLoop({ i: fill(5, i32), x }, ({ i }) => less(i, 5), (state) => ({ i: add(state.i, 1), x: sine(state.x) })).x,
    inputs: [row],
    differentiable: true,
  },
  { name: 'func.call', op: 'func.call', build: (x, y) => layer(layer(x, y), y), inputs: [row, row], differentiable: true },
  {
    name: 'stablehlo.composite',
    op: 'stablehlo.composite',
    build: (x) => composite('engram.square_exp', [x], (y) => exponential(multiply(y, y))),
    inputs: [row],
    values: () => [HostArray.from('f64', [0.5, -0.7, 1])],
    differentiable: true,
  },
  {
    name: 'stablehlo.custom_call',
    op: 'stablehlo.custom_call',
    build: (x) => customCall('engram.test.twice', [x], [x.type]),
    inputs: [row],
    differentiable: true,
    notOnXla: 'the target is made up for this test',
  },
  {
    name: 'stablehlo.optimization_barrier',
    op: 'stablehlo.optimization_barrier',
    build: (x, y) => optimizationBarrier([x, y]),
    inputs: [row, row],
    differentiable: true,
  },
]
