import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import { Tensor } from '../../../src/ir/module.ts'
import { type TensorType, sameType, tensorType } from '../../../src/ir/types.ts'
import { add, multiply, negate, subtract } from '../../../src/ops/arithmetic.ts'
import { and, not, or, xor } from '../../../src/ops/bitwise.ts'
import { composite, outlined } from '../../../src/ops/call.ts'
import { compare } from '../../../src/ops/compare.ts'
import { fill } from '../../../src/ops/constant.ts'
import { cond, switchCase } from '../../../src/ops/control-flow.ts'
import { maximum, minimum } from '../../../src/ops/elementwise-binary.ts'
import { abs } from '../../../src/ops/elementwise-unary.ts'
import { map } from '../../../src/ops/map.ts'
import { reverse } from '../../../src/ops/reverse.ts'
import { select } from '../../../src/ops/select.ts'
import { whileLoop } from '../../../src/ops/while-loop.ts'
import { type Generator, type ProgramBuilder, everyDType } from './builder.ts'

/**
 * Regions that run: while, if, case, calls of private functions, map. What happens inside cannot be compared op by op, so bodies are made of
 * ops whose results are exact, and nothing in them rounds twice.
 */

/** Ops on values of one type that give that type, each exactly rounded. */
function exactOps(dtype: DType): readonly ((a: Tensor, b: Tensor) => Tensor)[] {
  const choose = (a: Tensor, b: Tensor): Tensor => select(compare(a, b, 'EQ'), b, a)
  switch (dtypes[dtype].kind) {
    case 'bool':
      return [and, or, xor, (a) => not(a), choose]
    case 'complex':
      return [add, subtract, (a) => negate(a), choose]
    case 'float':
      return [add, subtract, maximum, minimum, (a) => negate(a), (a) => abs(a), choose]
    case 'signed':
      // No absolute values: XLA takes squares for positive, also where they overflow: xla-bugs/abs-of-square.
      return [add, subtract, multiply, maximum, minimum, (a) => negate(a), and, or, xor, choose]
    default:
      return [add, subtract, multiply, maximum, minimum, and, or, xor, choose]
  }
}

/** A few exact ops on the pool's values; gives a value of `type`. The pool must have one. */
function mix(program: ProgramBuilder, pool: readonly Tensor[], type: TensorType, steps = 1 + program.draws.below(3)): Tensor {
  const { draws } = program
  const known = pool.filter((value) => sameType(value.type, type))
  for (let i = 0; i < steps; i++) known.push(draws.pick(exactOps(type.dtype))(draws.pick(known.toReversed()), draws.pick(known)))
  const last = known[known.length - 1]
  return last.rank > 0 && draws.oneIn(4) ? reverse(last, [0]) : last
}

/** One or two values that a region will take or return. */
const state = (program: ProgramBuilder): Tensor[] => Array.from({ length: program.draws.between(1, 2) }, () => program.anyOf(everyDType))

function ifs(program: ProgramBuilder): void {
  const pred = program.like(tensorType('bool', []))
  const values = state(program)
  const others = values.map(({ type }) => program.like(type))
  const branch = () => values.map(({ type }) => mix(program, [...values, ...others], type))
  cond(pred, branch, branch)
}

function cases(program: ProgramBuilder): void {
  const index = program.like(tensorType('i32', []), 'small')
  const values = state(program)
  const branches = Array.from({ length: program.draws.between(1, 3) }, () => () => values.map(({ type }) => mix(program, values, type)))
  switchCase(index, branches)
}

/** A counted loop; some values of the state only come along, some come from outside. */
function whiles(program: ProgramBuilder): void {
  const { draws } = program
  const values = state(program)
  const others = values.map(({ type }) => program.like(type))
  const limit = draws.pick([2, 1, 3, 0])
  const counter = draws.pick(['i32', 'u8', 'i64'] as const)
  whileLoop(
    { i: fill(0, tensorType(counter, [])), values },
    ({ i }) => compare(i, fill(limit, tensorType(counter, [])), 'LT'),
    (now) => ({ i: add(now.i, 1), values: now.values.map((value) => (draws.oneIn(4) ? value : mix(program, [...others, ...now.values], value.type))) }),
  )
}

function calls(program: ProgramBuilder): void {
  const values = state(program)
  const callee = outlined('helper', (...args: Tensor[]) => args.map(({ type }) => mix(program, args, type)))
  const first = callee(...values)
  if (program.draws.oneIn(2)) callee(...first)
}

function composites(program: ProgramBuilder): void {
  const values = state(program)
  composite('engram.generated', values, (...args) => args.map(({ type }) => mix(program, args, type)))
}

function maps(program: ProgramBuilder): void {
  const first = program.anyOf(everyDType)
  const others = Array.from({ length: program.draws.below(2) }, () => program.like(first.type))
  map([first, ...others], (...elements) => mix(program, elements, tensorType(first.dtype, [])))
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.if', ifs],
  ['stablehlo.case', cases],
  ['stablehlo.while', whiles],
  ['func.call', calls],
  ['stablehlo.composite', composites],
  ['stablehlo.map', maps],
]
