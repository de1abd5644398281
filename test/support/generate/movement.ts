import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { elementCount, tensorType } from '../../../src/ir/types.ts'
import { broadcastInDim } from '../../../src/ops/broadcast.ts'
import { concatenate } from '../../../src/ops/concatenate.ts'
import { bitcastConvert, bitcastConvertOp, convert, reducePrecision } from '../../../src/ops/convert.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../../../src/ops/dynamic-slice.ts'
import { iota } from '../../../src/ops/iota.ts'
import { optimizationBarrier } from '../../../src/ops/optimization-barrier.ts'
import { reshapeOp } from '../../../src/ops/reshape.ts'
import { reverse } from '../../../src/ops/reverse.ts'
import { pad, slice } from '../../../src/ops/slice-pad.ts'
import { transpose } from '../../../src/ops/transpose.ts'
import { emit } from '../../../src/trace/emit.ts'
import { type Generator, type ProgramBuilder, everyDType, ofKinds } from './builder.ts'
import { dtypesFor } from './exclusions.ts'

/** Ops that move elements or change their type, and what makes elements out of nothing. */

function broadcasts(program: ProgramBuilder): void {
  const { draws } = program
  const operand = program.anyOf(everyDType, { max: 3 })
  const rank = operand.rank + draws.below(5 - operand.rank)
  const places = draws.permutation(rank).slice(0, operand.rank)
  const shape = Array.from({ length: rank }, () => draws.pick([2, 1, 3, 0]))
  // An axis of size 1 is stretched or stays, any other stays.
  operand.shape.forEach((size, axis) => {
    if (size !== 1 || draws.oneIn(2)) shape[places[axis]] = size
  })
  broadcastInDim(operand, shape, places)
}

/** The axis sizes of `shape` in other groups, axes of 1 added and taken away. */
function regroup(program: ProgramBuilder, shape: readonly number[]): number[] {
  const { draws } = program
  const count = elementCount(shape)
  if (count === 0) return draws.pick([[0], [2, 0], [0, 1, 3], [...shape]])
  const result: number[] = []
  let rest = count
  while (rest > 1 && result.length < 3) {
    const divisors = Array.from({ length: rest }, (_, i) => i + 1).filter((n) => rest % n === 0)
    const size = draws.pick(divisors)
    result.push(size)
    rest /= size
  }
  if (rest > 1) result.push(rest)
  return result
}

function reshapes(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType)
  emit(reshapeOp, [operand], {}, { results: [tensorType(operand.dtype, regroup(program, operand.shape))] })
}

function transposes(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType)
  transpose(operand, program.draws.permutation(operand.rank))
}

function reverses(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType)
  reverse(operand, program.draws.subset(operand.rank))
}

function concatenates(program: ProgramBuilder): void {
  const { draws } = program
  const first = program.anyOf(dtypesFor('stablehlo.concatenate'), { min: 1 })
  const axis = draws.below(first.rank)
  const others = Array.from({ length: draws.below(3) }, () => program.like(tensorType(first.dtype, first.shape.with(axis, draws.pick([1, 2, 0, first.shape[axis]])))))
  concatenate([first, ...others], axis)
}

function slices(program: ProgramBuilder): void {
  const { draws } = program
  const operand = program.anyOf(everyDType)
  const starts = operand.shape.map((size) => draws.below(size + 1))
  const limits = operand.shape.map((size, axis) => size - draws.below(size - starts[axis] + 1))
  slice(operand, starts, limits, operand.shape.map(() => draws.pick([1, 2, 3])))
}

function pads(program: ProgramBuilder): void {
  const { draws } = program
  const operand = program.anyOf(dtypesFor('stablehlo.pad'))
  const interior = operand.shape.map(() => draws.pick([0, 1, 2]))
  const low = operand.shape.map(() => draws.pick([0, 1, 2, -1, -2]))
  const high = operand.shape.map((size, axis) => {
    const wanted = draws.pick([0, 1, 2, -1, -2])
    // The result's size must not be negative.
    return Math.max(wanted, -(size + Math.max(size - 1, 0) * interior[axis] + low[axis]))
  })
  operand.shape.forEach((size, axis) => {
    if (size + Math.max(size - 1, 0) * interior[axis] + low[axis] < 0 && high[axis] < 0) high[axis] = 0
    if (size + Math.max(size - 1, 0) * interior[axis] + low[axis] + high[axis] < 0) low[axis] = 0
  })
  pad(operand, program.like(tensorType(operand.dtype, [])), low, high, interior)
}

/** Index types as programs use them; the narrow ones cannot hold every index. */
const indexDTypes: readonly DType[] = ['i32', 'i64', 'u32', 'u8', 'i8', 'u64']

/** An index of rank 0 for each axis, some of them outside. */
function starts(program: ProgramBuilder, rank: number): Tensor[] {
  const type = tensorType(program.draws.pick(indexDTypes), [])
  return Array.from({ length: rank }, () => program.like(type, program.draws.oneIn(4) ? 'any' : 'small'))
}

function dynamicSlices(program: ProgramBuilder): void {
  const operand = program.sliceable()
  const sizes = operand.shape.map((size) => size - program.draws.below(size + 1))
  dynamicSlice(operand, starts(program, operand.rank), sizes)
}

function dynamicUpdates(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType)
  const update = program.like(tensorType(operand.dtype, operand.shape.map((size) => size - program.draws.below(size + 1))))
  dynamicUpdateSlice(operand, update, starts(program, operand.rank))
}

function iotas(program: ProgramBuilder): void {
  const shape = program.shape(1)
  // A complex constant that is converted to integers ends XLA: xla-bugs/convert-complex-constant.
  iota(tensorType(program.dtype(ofKinds('signed', 'unsigned', 'float')), shape), program.draws.below(shape.length))
}

function converts(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType)
  // XLA makes NaN of small negative numbers where it converts one 8-bit float to another: xla-bugs/convert-f8-to-fnuz.
  const isNarrow = (dtype: DType): boolean => dtypes[dtype].kind === 'float' && dtypes[dtype].bits <= 8
  convert(operand, program.dtype(everyDType.filter((dtype) => dtype !== operand.dtype && !(isNarrow(operand.dtype) && isNarrow(dtype)))))
}

function bitcasts(program: ProgramBuilder): void {
  const bits = (dtype: DType): number => dtypes[dtype].bits
  // Complex numbers and bool have no bits that the specification speaks of; XLA has no bitcast of types below a byte.
  const plain = ofKinds('signed', 'unsigned', 'float').filter((dtype) => bits(dtype) >= 8)
  // XLA makes one of two in a row and gives it the wrong shape: xla-bugs/bitcast-twice.
  const operand = program.tensor(
    ({ dtype, shape }, value) => plain.includes(dtype) && shape.length <= 3 && value.definition?.definition !== bitcastConvertOp,
    () => tensorType(program.dtype(plain), program.shape(0, 3)),
  )
  const last = operand.shape.at(-1)
  const targets = plain.filter((dtype) => bits(dtype) <= bits(operand.dtype) || last === bits(dtype) / bits(operand.dtype))
  bitcastConvert(operand, program.dtype(targets))
}

function precisions(program: ProgramBuilder): void {
  const operand = program.anyOf(ofKinds('float').filter((dtype) => dtypes[dtype].bits >= 16))
  reducePrecision(operand, program.draws.pick([5, 8, 4, 2, 11]), program.draws.pick([10, 7, 3, 0, 2, 23]))
}

function barriers(program: ProgramBuilder): void {
  optimizationBarrier(Array.from({ length: program.draws.between(1, 3) }, () => program.anyOf(everyDType)))
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.broadcast_in_dim', broadcasts],
  ['stablehlo.reshape', reshapes],
  ['stablehlo.transpose', transposes],
  ['stablehlo.reverse', reverses],
  ['stablehlo.concatenate', concatenates],
  ['stablehlo.slice', slices],
  ['stablehlo.pad', pads],
  ['stablehlo.dynamic_slice', dynamicSlices],
  ['stablehlo.dynamic_update_slice', dynamicUpdates],
  ['stablehlo.iota', iotas],
  ['stablehlo.convert', converts],
  ['stablehlo.bitcast_convert', bitcasts],
  ['stablehlo.reduce_precision', precisions],
  ['stablehlo.optimization_barrier', barriers],
]
