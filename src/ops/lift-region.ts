import { dtypes } from '../ir/dtypes.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { Operation, Region, type Value, capturedValues, resolveAlias } from '../ir/module.ts'
import type { EvaluateContext, OpDefinition } from '../ir/op-definition.ts'
import { type TensorType, isTensorType, tensorType } from '../ir/types.ts'
import * as arithmetic from './arithmetic.ts'
import * as bitwise from './bitwise.ts'
import { compareOp } from './compare.ts'
import { constantOp } from './constant.ts'
import { convertOp, reducePrecisionOp } from './convert.ts'
import * as binary from './elementwise-binary.ts'
import * as unary from './elementwise-unary.ts'
import { returnOp } from './return.ts'
import { clampOp, selectOp } from './select.ts'

/**
 * Bodies of `reduce`, comparators of `sort` and the like work on single elements, but are made of element-wise ops almost always. Such
 * a region can run once on many elements side by side, which takes the interpreter's cost off each element.
 */

const isDefinition = (value: unknown): value is OpDefinition => typeof value === 'object' && value !== null && 'infer' in value

/** Ops that mean the same on a list of elements as on each element. */
const elementwise = new Set<OpDefinition>(
  [arithmetic, bitwise, binary, unary].flatMap((file) => Object.values(file).filter(isDefinition)).concat(compareOp, selectOp, clampOp, convertOp, reducePrecisionOp),
)

const known = new WeakMap<Region, boolean>()

/** Whether a region is made of element-wise ops and constants on values of rank 0. */
export function isLiftable(region: Region): boolean {
  const before = known.get(region)
  if (before !== undefined) return before
  const scalar = ({ type }: Value) => isTensorType(type) && type.shape.length === 0 && !type.quantization
  const { block } = region
  const liftable =
    region.blocks.length === 1 &&
    block.arguments.every(scalar) &&
    block.operations.every(({ definition, operands, results }) =>
      (definition === returnOp || definition === constantOp || elementwise.has(definition)) && operands.every(scalar) && results.every(scalar),
    )
  known.set(region, liftable)
  return liftable
}

/** Fewer elements than this are not worth the preparation. */
const fewestLanes = 4

/**
 * A function that runs `region` on lists of `lanes` elements, one list for each argument, and gives the lists it returns; undefined if
 * the region is not made for that or the lists are short.
 */
export function liftRegion({ run }: Pick<EvaluateContext<unknown>, 'run'>, region: Region, lanes: number): ((inputs: readonly HostArray[]) => readonly HostArray[]) | undefined {
  if (lanes < fewestLanes || !isLiftable(region)) return undefined
  const { block } = region
  const captured = capturedValues(region)
  const constants = block.operations.filter(({ definition }) => definition === constantOp)
  const list = ({ type }: Value): TensorType => tensorType((type as TensorType).dtype, [lanes])
  // What is the same for all elements comes in as further arguments, repeated.
  const shared = [...captured, ...constants.map(({ results }) => results[0])]
  const lifted = Region.ofBlock([...block.arguments, ...shared].map(list))
  const map = new Map<Value, Value>()
  ;[...block.arguments, ...shared].forEach((value, i) => map.set(value, lifted.block.arguments[i]))
  for (const operation of block.operations) {
    if (operation.definition === constantOp) continue
    const operands = operation.operands.map((operand) => map.get(operand) ?? map.get(resolveAlias(operand))!)
    const copy = new Operation(lifted.block, operation.definition, operands, operation.attributes, operation.results.map(list), [], operation.location)
    operation.results.forEach((result, i) => map.set(result, copy.results[i]))
    lifted.block.operations.push(copy)
  }
  const values = [...outsideValues(run, captured), ...constants.map(({ attributes }) => attributes.value.toArray() as HostArray)]
  const repeated = values.map((value) => repeatScalar(value, lanes))
  return (inputs) => run(lifted, [...inputs, ...repeated]) as readonly HostArray[]
}

/** The values that captured names have now: what a region that does nothing but return them gives. */
function outsideValues(run: EvaluateContext<unknown>['run'], captured: readonly Value[]): readonly HostArray[] {
  if (captured.length === 0) return []
  const region = Region.ofBlock([])
  region.block.operations.push(new Operation(region.block, returnOp, captured, {}, [], []))
  return run(region, []) as readonly HostArray[]
}

/** A value of rank 0 as a list of `lanes` equal elements. */
export function repeatScalar(value: HostArray, lanes: number): HostArray {
  const out = allocate(value.dtype, lanes)
  const width = dtypes[value.dtype].kind === 'complex' ? 2 : 1
  for (let i = 0; i < out.length; i++) out[i] = value.data[i % width]
  return new HostArray(tensorType(value.dtype, [lanes]), out)
}
