import { type DType, dtypes, integerRange } from '../../../src/ir/dtypes.ts'
import { largestFinite, roundFloat } from '../../../src/ir/float-bits.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { and, or, xor } from '../../../src/ops/bitwise.ts'
import { compare } from '../../../src/ops/compare.ts'
import { fill } from '../../../src/ops/constant.ts'
import { maximum, minimum } from '../../../src/ops/elementwise-binary.ts'
import { reduce } from '../../../src/ops/reduce.ts'
import { reduceWindow, selectAndScatter } from '../../../src/ops/reduce-window.ts'
import { select } from '../../../src/ops/select.ts'
import { sort } from '../../../src/ops/sort.ts'
import { type Generator, type ProgramBuilder, everyDType } from './builder.ts'
import { dtypesFor, numbersFor } from './exclusions.ts'

/** Ops whose region combines or orders scalars. */

type Body = (a: Tensor, b: Tensor) => Tensor

/** Monoids of an element type: the specification lets an implementation combine in any order, which only these stand. */
export function monoids(dtype: DType): readonly Body[] {
  switch (dtypes[dtype].kind) {
    case 'bool':
      return [and, or, xor]
    case 'complex':
      return [add, multiply]
    case 'float':
      return [add, maximum, minimum, multiply]
    default:
      return [add, maximum, minimum, and, or, xor, multiply]
  }
}

/** The smallest or the largest value of a type. */
function extreme(dtype: DType, smallest: boolean): number | bigint | boolean {
  const { kind } = dtypes[dtype]
  if (kind === 'bool') return !smallest
  if (kind === 'float') {
    const hasInfinity = roundFloat(dtype, Infinity) === Infinity
    return (smallest ? -1 : 1) * (hasInfinity ? Infinity : largestFinite(dtype))
  }
  const { min, max } = integerRange(dtype)
  return smallest ? min : max
}

/**
 * The neutral element of a body. It is the only initial value with one right result: the specification lets an implementation put the initial
 * value in as often as it likes, also not at all. XLA leaves it out where it reduces no axis or pads a window.
 */
function neutral(body: Body, dtype: DType): Tensor {
  const type = tensorType(dtype, [])
  const unsigned = dtypes[dtype].kind === 'unsigned'
  if (body === and) return fill(dtypes[dtype].kind === 'bool' ? true : unsigned ? integerRange(dtype).max : -1, type)
  if (body === or || body === xor || body === add) return fill(dtypes[dtype].kind === 'bool' ? false : 0, type)
  return fill(body === multiply ? 1 : extreme(dtype, body === maximum), type)
}

function reduces(program: ProgramBuilder): void {
  const { draws } = program
  const operand = program.anyOf(everyDType)
  const axes = draws.subset(operand.rank)
  const first = draws.pick(monoids(operand.dtype))
  if (!draws.oneIn(4)) return void reduce(operand, neutral(first, operand.dtype), axes, first)
  // XLA refuses narrow integers beside others.
  const partner = program.like(tensorType(dtypes[operand.dtype].bits < 8 ? operand.dtype : 'i32', operand.shape))
  const other = draws.pick(monoids(partner.dtype))
  reduce([operand, partner], [neutral(first, operand.dtype), neutral(other, partner.dtype)], axes, ([a, b], [c, d]) => [first(a, c), other(b, d)])
}

const ordered = numbersFor(['signed', 'unsigned', 'float'])

/** The largest element and where it is, ties to the smaller index: the body that frameworks write for argmax. */
function argMax(program: ProgramBuilder): void {
  const operand = program.anyOf(ordered.filter((dtype) => dtypes[dtype].bits >= 8), { min: 1 })
  const index = program.like(tensorType('i32', operand.shape), 'small')
  const inits = [fill(extreme(operand.dtype, true), tensorType(operand.dtype, [])), fill(2 ** 31 - 1, tensorType('i32', []))]
  reduce([operand, index], inits, [program.draws.below(operand.rank)], ([a, i], [b, j]) => {
    const first = compare(a, b, 'GT')
    const tie = compare(a, b, 'EQ')
    const smaller = select(compare(i, j, 'LT'), i, j)
    return [select(first, a, b), select(first, i, select(tie, smaller, j))]
  })
}

interface Window {
  readonly sizes: number[]
  readonly options: { strides: number[]; padding: [number, number][]; baseDilations: number[]; windowDilations: number[] }
}

function drawWindow(program: ProgramBuilder, shape: readonly number[], dilated: boolean): Window {
  const { draws } = program
  return {
    sizes: shape.map(() => draws.pick([1, 2, 3])),
    options: {
      strides: shape.map(() => draws.pick([1, 2, 3])),
      padding: shape.map(() => [draws.pick([0, 1, 2]), draws.pick([0, 1, 2])]),
      baseDilations: shape.map(() => (dilated ? draws.pick([1, 2]) : 1)),
      windowDilations: shape.map(() => (dilated ? draws.pick([1, 2]) : 1)),
    },
  }
}

function reduceWindows(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType, { min: 1 })
  const { sizes, options } = drawWindow(program, operand.shape, program.draws.oneIn(3))
  const body = program.draws.pick(monoids(operand.dtype))
  reduceWindow(operand, neutral(body, operand.dtype), sizes, body, options)
}

function selectAndScatters(program: ProgramBuilder): void {
  const operand = program.anyOf(ordered, { min: 1 })
  const { sizes, options } = drawWindow(program, operand.shape, false)
  const { strides, padding } = options
  const places = operand.shape.map((size, axis) => {
    const padded = size + padding[axis][0] + padding[axis][1]
    return padded < sizes[axis] ? 0 : Math.floor((padded - sizes[axis]) / strides[axis]) + 1
  })
  const source = program.like(tensorType(operand.dtype, places))
  selectAndScatter(operand, source, neutral(add, operand.dtype), sizes, { strides, padding })
}

const sortable = dtypesFor('stablehlo.sort')

/** Sorts one to three arrays by the first, or by the first and then the second. */
function sorts(program: ProgramBuilder): void {
  const { draws } = program
  const key = program.anyOf(sortable.filter((dtype) => dtypes[dtype].kind !== 'complex'), { min: 1 })
  const others = Array.from({ length: draws.below(3) }, () => program.like(tensorType(program.dtype(sortable), key.shape)))
  const direction = draws.pick(['LT', 'GT'] as const)
  const order = dtypes[key.dtype].kind === 'float' && draws.oneIn(2) ? 'TOTALORDER' : undefined
  // Without stability any order of equal keys is right.
  const stable = others.length > 0 || !draws.oneIn(3)
  sort([key, ...others], draws.below(key.rank), (a, b) => compare(a[0], b[0], direction, order), { stable })
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.reduce', reduces],
  ['stablehlo.reduce (argmax)', argMax],
  ['stablehlo.reduce_window', reduceWindows],
  ['stablehlo.select_and_scatter', selectAndScatters],
  ['stablehlo.sort', sorts],
]
