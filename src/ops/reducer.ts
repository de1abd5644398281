import type { ReductionKind } from '../host/reduce.ts'
import { dtypes } from '../ir/dtypes.ts'
import type { Region } from '../ir/module.ts'
import type { OpDefinition } from '../ir/op-definition.ts'
import { type TensorType, type Type, DYNAMIC, compatibleShape, elementText, isTensorType, sameType, typeText } from '../ir/types.ts'
import { addOp, multiplyOp } from './arithmetic.ts'
import { andOp, orOp, xorOp } from './bitwise.ts'
import { maximumOp, minimumOp } from './elementwise-binary.ts'

/**
 * The regions that combine two values into one, as `reduce`, `reduce_window`, `scatter`, `select_and_scatter`, `all_reduce` and
 * `reduce_scatter` have them: their common constraints, and which of them are one plain op.
 */

/** The ops that a region of one op can be recognised by: the commutative element-wise ops of two operands. */
export const reductionOps: ReadonlyMap<OpDefinition, ReductionKind> = new Map<OpDefinition, ReductionKind>([
  [addOp, 'add'],
  [multiplyOp, 'multiply'],
  [maximumOp, 'maximum'],
  [minimumOp, 'minimum'],
  [andOp, 'and'],
  [orOp, 'or'],
  [xorOp, 'xor'],
])

/** Stored integers of quantized numbers compare as the numbers do, but do not add up as they do. */
export const mixesZeroPoints = (type: Type, kind: ReductionKind): boolean =>
  isTensorType(type) && type.quantization !== undefined && kind !== 'maximum' && kind !== 'minimum'

/**
 * For each result of a reducer region, the plain op of which it is `op(argument i, argument n + i)`; undefined if the region does
 * anything else.
 */
export function reductionKinds(region: Region): ReductionKind[] | undefined {
  const { block } = region
  const terminator = block.terminator
  const count = block.arguments.length / 2
  if (!terminator || terminator.operands.length !== count || block.operations.length !== count + 1) return undefined
  const kinds: ReductionKind[] = []
  for (let i = 0; i < count; i++) {
    const operation = terminator.operands[i].definition
    const kind = operation && operation.block === block ? reductionOps.get(operation.definition) : undefined
    if (!operation || !kind || mixesZeroPoints(operation.results[0].type, kind)) return undefined
    const [lhs, rhs] = operation.operands
    const [a, b] = [block.arguments[i], block.arguments[count + i]]
    if (!((lhs === a && rhs === b) || (lhs === b && rhs === a)) || !sameType(a.type, b.type)) return undefined
    kinds.push(kind)
  }
  return kinds
}

/** Whether a value of one element type may be widened to another: the same kind, and no fewer bits; floats of any width. */
export function isPromotable(from: TensorType, to: TensorType): boolean {
  if (from.quantization || to.quantization) {
    if (!from.quantization || !to.quantization || from.quantization.expressed !== to.quantization.expressed) return false
    return dtypes[from.dtype].bits <= dtypes[to.dtype].bits
  }
  const [a, b] = [dtypes[from.dtype], dtypes[to.dtype]]
  return a.kind === b.kind && (a.kind === 'float' || a.bits <= b.bits)
}

/** The same kind of element and compatible sizes; floats of any width count as equal if `anyFloat`. */
function agree(a: TensorType, b: Type, anyFloat: boolean): boolean {
  if (!isTensorType(b) || !compatibleShape(a.shape, b.shape)) return false
  if (a.quantization || b.quantization) return sameType({ ...a, shape: [] }, { ...b, shape: [] })
  return a.dtype === b.dtype || (anyFloat && dtypes[a.dtype].kind === 'float' && dtypes[b.dtype].kind === 'float')
}

export interface ReducerRules {
  /** Inputs that are reduced, and the initial values. */
  readonly inputs: readonly TensorType[]
  readonly inits: readonly TensorType[]
  /** Sizes that the region's arguments may have; they almost always have rank 0. */
  readonly allowed: readonly number[]
  /** What the region is called in messages: `body`. */
  readonly region: string
  /** The constraint's id: `reduce_c6`. */
  readonly rule: string
  fail(detail: string, rule?: string): never
}

/** Checks a reducer region and gives the types of what it accumulates. Source: specification, "reduce", constraint 6. */
export function checkReducer(region: Region, { inputs, inits, allowed, region: name, rule, fail }: ReducerRules): TensorType[] {
  const block = region.blocks.length === 1 ? region.block : fail(`${name} needs one block, has ${region.blocks.length}`, rule)
  const count = inputs.length
  const parameters = block.arguments.map((argument) => argument.type)
  if (parameters.length !== 2 * count) fail(`Reduction-region must take ${2 * count} parameters, but takes ${parameters.length} parameter(s)`, rule)
  const returned = (block.terminator?.operands ?? []).map((operand) => operand.type)
  if (returned.length === 0) fail('The reduction-region expected to return some value(s)', rule)
  if (returned.length !== count) fail(`Reduction-region here must produce ${count} tensors, but produces ${returned.length} instead`, rule)
  const accumulated = returned.map((type) =>
    isTensorType(type) ? type : fail(`Reduction-region here must produce tensor-typed result(s), but produces '${typeText(type)}' instead`, rule))
  accumulated.forEach((result, i) => {
    for (const [at, anyFloat] of [[i, false], [count + i, true]] as const)
      if (!agree(result, parameters[at], anyFloat))
        fail(
          `The type of reduction-region's parameter at index ${at} is different than the corresponding result type: ` +
            `'${typeText(parameters[at])}' vs '${typeText(result)}'`,
          rule,
        )
    const types = `'${typeText(result)}' vs '${typeText(inits[i])}'`
    if (!compatibleShape(inits[i].shape, result.shape))
      fail(`The shape of reduction-region's result type at index ${i} differs from the op's corresponding init-value type: ${types}`, rule)
    if (!isPromotable(inits[i], result))
      fail(
        `The element-type of reduction-region's result type at index ${i} is expected to be promotable from the op's corresponding ` +
          `init-value element-type: ${types}`,
        rule,
      )
    const argument = parameters[count + i] as TensorType
    if (!isPromotable(inputs[i], argument))
      fail(
        `The element-type of reduction-region's argument at index ${count + i} is expected to be promotable from ` +
          `'${elementText(inputs[i])}', but got '${elementText(argument)}'`,
        rule,
      )
    checkArgumentShape(argument.shape, allowed, { at: count + i, input: i, rule, fail })
  })
  return accumulated
}

interface ArgumentPlace {
  readonly at: number
  readonly input: number
  readonly rule: string
  fail(detail: string, rule?: string): never
}

/** The sizes of a region's argument must be among those allowed, in order. */
function checkArgumentShape(shape: readonly number[], allowed: readonly number[], { at, input, rule, fail }: ArgumentPlace): void {
  if (shape.length > allowed.length)
    fail(`The rank of reduction-region's argument at index ${at} is expected to be <= ${allowed.length}, got ${shape.length}`, rule)
  let next = 0
  for (const size of allowed) if (next < shape.length && (size === shape[next] || size === DYNAMIC || shape[next] === DYNAMIC)) next++
  if (next < shape.length)
    fail(`The shape of reduction-region's argument at index ${at} is not compatible with that of reduce-op's input-parameter at index ${input}`, rule)
}
