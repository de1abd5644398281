import { removeDeadOperations } from '../ir/dead-operations.ts'
import { isInteger } from '../ir/dtypes.ts'
import { DifferentiationError } from '../ir/errors.ts'
import { type Operation, Region, Tensor, type Value, resolveAlias, walkOperations } from '../ir/module.ts'
import type { Cotangent, VjpContext } from '../ir/op-definition.ts'
import { type TensorType, tensorType } from '../ir/types.ts'
import { add, addOp, multiply, subtract } from './arithmetic.ts'
import { broadcastTo } from './broadcast.ts'
import { compare, compareOp } from './compare.ts'
import { constantOp, fill, zeros } from './constant.ts'
import { convert } from './convert.ts'
import { dynamicSlice, dynamicUpdateSlice, dynamicUpdateSliceOp } from './dynamic-slice.ts'
import { reshape } from './reshape.ts'

/**
 * The gradient of a counted loop. The forward loop is replaced by one that also writes down, per iteration, those carried
 * values that the backward pass reads; the backward loop runs from the last iteration to the first, computes each body again
 * from what was written down, and walks back through it. So memory is one copy of the carried values that matter per
 * iteration, and time one more body.
 */

type EmitWhile = (inits: readonly Tensor[], condition: (state: Tensor[]) => Tensor, body: (state: Tensor[]) => readonly Tensor[]) => Operation

interface CountedLoop {
  /** Position of the counter among the carried values. */
  readonly counter: number
  readonly start: number
  readonly step: number
  readonly trips: number
}

const i32 = tensorType('i32', [])

export function whileVjp(context: VjpContext<unknown>, emitWhile: EmitWhile): readonly Cotangent[] {
  const { operation, operands, cotangents, needed, activeCaptures, dependence, pullback, accumulate, placeholder } = context
  const [, body] = operation.regions
  const loop = countedLoop(operation)
  if (!loop)
    throw new DifferentiationError(
      'stablehlo.while has a gradient only if its number of iterations is known: use scan or foriLoop with constant bounds, ' +
        'or a counter that starts at a constant, grows by a constant and is compared LT or LE with a constant',
      operation.location,
    )
  if (loop.trips === 0) return cotangents
  let active: readonly boolean[] = needed
  for (;;) {
    const next = dependence(body, active).map((depends, i) => depends || active[i])
    if (next.every((value, i) => value === active[i])) break
    active = next
  }
  const activePositions = active.flatMap((is, i) => (is ? [i] : []))
  const captured = activeCaptures([body])
  const { trips, start, step, counter } = loop

  // What the body is run on in iteration `i`: written-down values stand in as placeholders until it is known which are read.
  const returned = body.block.operations.at(-1)!.operands
  const invariant = (i: number): boolean => resolveAlias(returned[i]) === body.block.arguments[i]
  const history = operands.map((operand, i) =>
    i === counter || invariant(i) ? undefined : placeholder(tensorType(operand.dtype, [trips, ...operand.shape])),
  )
  const stateAt = (i: Tensor): Tensor[] =>
    operands.map((operand, j) => {
      if (j === counter) return add(multiply(convert(i, operand.dtype), step), start)
      const written = history[j]
      return written ? readRow(written.value, i) : operand
    })

  const initial = [
    fill(0, i32),
    ...activePositions.map((i) => cotangents[i] ?? zeros(operands[i].type)),
    ...captured.map((value) => zeros(value.type)),
  ]
  const backward = emitWhile(
    initial,
    ([i]) => compare(i, trips, 'LT'),
    ([i, ...sums]) => {
      const dstate = sums.slice(0, activePositions.length)
      const dcaptured = sums.slice(activePositions.length)
      const gradients = pullback(
        body,
        stateAt(subtract(trips - 1, i)),
        () => active.map((is, j) => (is ? dstate[activePositions.indexOf(j)] : null)),
        { active, captured },
      )
      return [
        add(i, 1),
        ...activePositions.map((j) => gradients.inputs[j] ?? zeros(operands[j].type)),
        ...dcaptured.map((sum, j) => addInto(sum, gradients.captured[j])),
      ]
    },
  )
  backward.regions.forEach((region) => removeDeadOperations(region.block))
  const read = usedValues(backward.regions)
  const written = history.flatMap((entry, i) => (entry && read.has(entry.value) ? [i] : []))
  if (written.length) context.replace(() => {
    const results = emitForward(context, emitWhile, loop, written)
    written.forEach((i, j) => history[i]!.define(results[operands.length + j]))
    return results
  })
  const results = backward.results.slice(1) as Tensor[]
  captured.forEach((value, i) => accumulate(value, results[activePositions.length + i]))
  return operands.map((_, i) => (active[i] ? results[activePositions.indexOf(i)] : null))
}

/** The loop again, with a history `[trips, ...]` of each of the `written` carried values behind its results. */
function emitForward({ operation, operands, inline }: VjpContext<unknown>, emitWhile: EmitWhile, loop: CountedLoop, written: readonly number[]): Tensor[] {
  const [condition, body] = operation.regions
  const count = operands.length
  const ownIndex = loop.start !== 0 || loop.step !== 1
  const histories = written.map((i) => zeros(tensorType(operands[i].dtype, [loop.trips, ...operands[i].shape])))
  const forward = emitWhile(
    [...operands, ...histories, ...(ownIndex ? [fill(0, i32)] : [])],
    (state) => inline(condition, state.slice(0, count))[0],
    (state) => {
      const index = ownIndex ? state.at(-1)! : state[loop.counter]
      const next = inline(body, state.slice(0, count))
      const rows = written.map((i, j) => writeRow(state[count + j], index, state[i]))
      return [...next, ...rows, ...(ownIndex ? [add(index, 1)] : [])]
    },
  )
  return forward.results as Tensor[]
}

const rowStart = (table: Tensor, row: Tensor): Tensor[] => [row, ...table.shape.slice(1).map(() => fill(0, row.type))]

function readRow(table: Tensor, row: Tensor): Tensor {
  const shape = table.shape.slice(1)
  return reshape(dynamicSlice(table, rowStart(table, row), [1, ...shape]), shape)
}

const writeRow = (table: Tensor, row: Tensor, value: Tensor): Tensor =>
  dynamicUpdateSlice(table, reshape(value, [1, ...value.shape]), rowStart(table, row))

/**
 * `sum + term`. The gradient of reading a slice is a tensor of zeros with one slice written; adding only that slice keeps a
 * loop over the rows of a table linear in its size.
 */
function addInto(sum: Tensor, term: Cotangent): Tensor {
  if (!term) return sum
  const made = term.definition
  if (made?.definition === dynamicUpdateSliceOp) {
    const [base, update, ...indices] = made.operands as Tensor[]
    if (constantScalar(base) === 0)
      return dynamicUpdateSlice(sum, add(dynamicSlice(sum, indices, update.shape), update), indices)
  }
  if (made?.definition === addOp && made.operands.some(isSlice))
    return addInto(addInto(sum, made.operands[0] as Tensor), made.operands[1] as Tensor)
  return add(sum, broadcastTo(term, sum.shape))
}

const isSlice = (value: Value): boolean => value.definition?.definition === dynamicUpdateSliceOp

function usedValues(regions: readonly Region[]): Set<Value> {
  const used = new Set<Value>()
  for (const region of regions)
    walkOperations(region.block, (operation) => operation.operands.forEach((operand) => {
      for (let value: Value | undefined = operand; value; value = value.alias?.value) used.add(value)
    }))
  return used
}

/** The number that fills a constant, or undefined. */
function constantScalar(value: Value): number | undefined {
  const { definition } = resolveAlias(value)
  const scalar = definition?.definition === constantOp ? definition.attributes.value.scalar : undefined
  return scalar === undefined ? undefined : Number(scalar)
}

/** Reads a loop's bounds off its condition and body. */
function countedLoop(operation: Operation): CountedLoop | undefined {
  const [condition, body] = operation.regions
  const test = resolveAlias(condition.block.operations.at(-1)!.operands[0]).definition
  if (test?.definition !== compareOp) return undefined
  const direction: string = test.attributes.comparison_direction
  if (direction !== 'LT' && direction !== 'LE') return undefined
  const returned = body.block.operations.at(-1)!.operands.map(resolveAlias)
  /** A number known before the loop runs, also where the loop carries it unchanged. */
  const known = (value: Value, block: Region): number | undefined => {
    const resolved = resolveAlias(value)
    const position = block.block.arguments.indexOf(resolved)
    if (position < 0) return constantScalar(resolved)
    return returned[position] === body.block.arguments[position] ? constantScalar(operation.operands[position]) : undefined
  }
  const counter = condition.block.arguments.indexOf(resolveAlias(test.operands[0]))
  if (counter < 0 || !isInteger((operation.operands[counter].type as TensorType).dtype)) return undefined
  const limit = known(test.operands[1], condition)
  const start = constantScalar(operation.operands[counter])
  const increment = returned[counter].definition
  if (limit === undefined || start === undefined || increment?.definition !== addOp) return undefined
  const [a, b] = increment.operands.map(resolveAlias)
  const argument = body.block.arguments[counter]
  const step = a === argument ? known(b, body) : b === argument ? known(a, body) : undefined
  if (step === undefined || step <= 0) return undefined
  const span = limit - start + (direction === 'LE' ? 1 : 0)
  return { counter, start, step, trips: Math.max(0, Math.ceil(span / step)) }
}
