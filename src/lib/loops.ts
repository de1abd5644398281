import { Tensor } from '../ir/module.ts'
import { type TensorType, sameType, shortType, tensorType } from '../ir/types.ts'
import { add, subtract } from '../ops/arithmetic.ts'
import { compare } from '../ops/compare.ts'
import { fill, zeros } from '../ops/constant.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../ops/dynamic-slice.ts'
import { reshape } from '../ops/reshape.ts'
import { emitReturn } from '../ops/return.ts'
import { whileLoop } from '../ops/while-loop.ts'
import { buildRegion } from '../trace/frame.ts'
import { type TreeStructure, flatten, flattenLike, leafPaths, unflatten } from '../trace/tree.ts'
import { failIn } from './library-error.ts'

/** Loops whose number of turns is known when the program is traced, so that they have gradients. Their body is traced, not repeated. */

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor
const counter = tensorType('i32', [])

export interface ScanOptions {
  /** Number of turns; needed if there is nothing to scan over, else the leading size of that. */
  readonly length?: number
  /** From the last row to the first; the outputs stay beside their inputs. */
  readonly reverse?: boolean
}

/**
 * Carries a state over the rows of a tree of tensors: `[carry, y] = step(carry, x)` for each row `x` of `xs` in turn, which gives the last
 * carry and all `y`, stacked along a new leading axis. `xs` may be null if `length` is given. The carry keeps its structure and types.
 * Gradients go to the initial carry, to `xs` and to tensors from outside. Throws `OpError`, `TraceError`.
 */
export function scan<Carry, X, Y>(step: (carry: Carry, x: X) => readonly [Carry, Y], init: Carry, xs: X, options: ScanOptions = {}): [Carry, Y] {
  const start = flatten(init, isTensor, 'the initial carry of scan')
  const rows = flatten(xs, isTensor, 'what scan runs over')
  const length = rowCount(rows.leaves, rows.structure, options.length)
  const rowAt = (index: Tensor): X => unflatten(rows.structure, rows.leaves.map((leaf) => readRow(leaf, index))) as X
  const once = (index: Tensor, carry: readonly Tensor[]) => {
    const result = step(unflatten(start.structure, carry) as Carry, rowAt(index))
    if (!Array.isArray(result) || result.length !== 2) failIn('scan', 'the step must return [carry, y]')
    const next = flattenLike(start.structure, result[0], isTensor, 'the carry that the step of scan returns')
    next.forEach((leaf, i) => {
      if (!sameType(leaf.type, start.leaves[i].type))
        failIn('scan', `the step changes the carry${pathOf(start.structure, i)} from ${shortType(start.leaves[i].type)} to ${shortType(leaf.type)}`)
    })
    return { next, outputs: flatten(result[1], isTensor, 'the output of the step of scan') }
  }
  const { types, structure } = outputTypes(start.leaves, (index, carry) => once(index, carry).outputs)
  const buffers = types.map((type) => zeros(tensorType(type.dtype, [length, ...type.shape])))
  const last = whileLoop(
    { i: fill(0, counter), carry: start.leaves, outputs: buffers },
    ({ i }) => compare(i, length, 'LT'),
    ({ i, carry, outputs }) => {
      const index = options.reverse ? subtract(length - 1, i) : i
      const { next, outputs: made } = once(index, carry)
      return { i: add(i, 1), carry: next, outputs: made.leaves.map((leaf, j) => writeRow(outputs[j], index, leaf)) }
    },
  )
  return [unflatten(start.structure, last.carry) as Carry, unflatten(structure, last.outputs) as Y]
}

function rowCount(leaves: readonly Tensor[], structure: TreeStructure, length: number | undefined): number {
  if (length !== undefined && (!Number.isInteger(length) || length < 1)) failIn('scan', `length ${length} must be an integer of 1 or more`)
  leaves.forEach((leaf, i) => {
    if (leaf.rank === 0) failIn('scan', `xs${pathOf(structure, i)} is ${shortType(leaf.type)}: it has no leading axis to run over`)
    const want = length ?? leaves[0].shape[0]
    if (leaf.shape[0] !== want)
      failIn('scan', `xs${pathOf(structure, i)} is ${shortType(leaf.type)}: its leading size must be ${want}, as ${length === undefined ? shortType(leaves[0].type) : 'length'} has it`)
  })
  const count = length ?? leaves[0]?.shape[0]
  if (count === undefined) return failIn('scan', 'there is nothing to run over: give length')
  if (count === 0) return failIn('scan', `xs is empty: ${shortType(leaves[0].type)} has no rows`)
  return count
}

const pathOf = (structure: TreeStructure, i: number): string => {
  const path = leafPaths(structure)[i]
  return path && !path.startsWith('[') ? `.${path}` : path
}

/** What a step gives, learned by tracing it into a region that is thrown away. */
function outputTypes(
  carry: readonly Tensor[],
  step: (index: Tensor, carry: readonly Tensor[]) => { leaves: Tensor[]; structure: TreeStructure },
): { types: TensorType[]; structure: TreeStructure } {
  let found: { types: TensorType[]; structure: TreeStructure } | undefined
  buildRegion('step of scan', [counter, ...carry.map((leaf) => leaf.type)], ([index, ...state]) => {
    const { leaves, structure } = step(index as Tensor, state as Tensor[])
    found = { types: leaves.map((leaf) => leaf.type), structure }
    emitReturn(leaves)
  })
  return found!
}

const startOf = (table: Tensor, index: Tensor): (Tensor | number)[] => [index, ...table.shape.slice(1).map(() => 0)]

/** A row of a table: (table [n, ...], index i32[]) -> [...]. Throws `OpError`. */
export const readRow = (table: Tensor, index: Tensor): Tensor =>
  reshape(dynamicSlice(table, startOf(table, index), [1, ...table.shape.slice(1)]), table.shape.slice(1))

/** A table with one row put in: (table [n, ...], index i32[], row [...]) -> [n, ...]. Throws `OpError`. */
export const writeRow = (table: Tensor, index: Tensor, row: Tensor): Tensor => dynamicUpdateSlice(table, reshape(row, [1, ...row.shape]), startOf(table, index))

/** `fn` on each row of a tree of tensors, one after the other, the results stacked along a new leading axis. Throws `OpError`, `TraceError`. */
export const map = <X, Y>(fn: (x: X) => Y, xs: X): Y => scan((carry: null, x: X) => [carry, fn(x)] as const, null, xs)[1]

/**
 * Repeats `state = body(i, state)` for `i` (`i32[]`) from `lower` up to but without `upper`. The state, a tree of tensors, keeps its structure and
 * types. Bounds that are plain numbers give the loop a gradient; they may be `i32[]` tensors. Throws `OpError`, `TraceError`.
 */
export function foriLoop<State>(lower: number | Tensor, upper: number | Tensor, body: (i: Tensor, state: State) => State, init: State): State {
  const bound = (value: number | Tensor, name: string): Tensor => {
    if (value instanceof Tensor) return sameType(value.type, counter) ? value : failIn('foriLoop', `${name} must be i32[], got ${shortType(value.type)}`)
    if (!Number.isInteger(value)) failIn('foriLoop', `${name} is ${value}, must be an integer`)
    return fill(value, counter)
  }
  const last = bound(upper, 'upper')
  return whileLoop(
    { i: bound(lower, 'lower'), state: init },
    ({ i }) => compare(i, upper instanceof Tensor ? last : upper, 'LT'),
    ({ i, state }) => ({ i: add(i, 1), state: body(i, state) }),
  ).state
}
