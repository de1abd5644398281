import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { HostArray } from '../ir/host-array.ts'
import { Tensor } from '../ir/module.ts'
import type { AttributeCodecs, EvaluateContext, HostValue, InferContext, NotDifferentiable, OpDefinition, VjpRule } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, type Type, compatibleShape, isTensorType, shortType, shortTypes, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import * as arithmetic from './arithmetic.ts'
import { attributeDictionary, form, functional, operandList } from './assembly.ts'
import * as bitwise from './bitwise.ts'
import { broadcastInDim } from './broadcast.ts'
import { nextAfterOp, polygammaOp, zetaOp } from './chlo-math.ts'
import * as codec from './codecs.ts'
import { compareOp, comparisonDirections, comparisonTypes } from './compare.ts'
import { complexOp } from './complex.ts'
import { defineOp } from './define.ts'
import * as binary from './elementwise-binary.ts'
import { emitReturn } from './return.ts'
import { selectOp } from './select.ts'

/**
 * Element-wise ops that first bring their operands to one shape: axes are aligned from the last, or as `broadcast_dimensions` says for the
 * operand of lower rank, and sizes of 1 are stretched. Source: openxla/stablehlo, `ChloOps.td`.
 */

type Fail = InferContext<unknown>['fail']
interface BroadcastAttributes {
  readonly broadcast_dimensions?: readonly number[] | undefined
}

const operandTypes = 'any' as const
const broadcastForm = form(operandList, attributeDictionary, functional)

/** For each operand, the axis of the result that each of its axes becomes. */
function alignment(ranks: readonly number[], dimensions: readonly number[] | undefined): readonly (readonly number[])[] {
  const rank = Math.max(...ranks)
  return ranks.map((own, i) => {
    // The first operand of the lower rank, or the second if ranks are equal, is the one that is told where its axes go.
    const told = dimensions && ranks.length === 2 && (own < rank || (ranks[0] === ranks[1] && i === 0))
    return Array.from({ length: own }, (_, axis) => (told ? dimensions[axis] : rank - own + axis))
  })
}

/** The common shape of operands; undefined if the rank of one is not known. */
function commonShape(types: readonly TensorType[], dimensions: readonly number[] | undefined, fail: Fail): { shape: number[]; bounds: number[] } | undefined {
  if (types.some((type) => type.unranked)) return undefined
  const ranks = types.map((type) => type.shape.length)
  const rank = Math.max(...ranks)
  const low = Math.min(...ranks)
  if (dimensions && dimensions.length !== low) fail(`broadcast_dimensions [${dimensions}] has ${dimensions.length} entries, the operand of lower rank has rank ${low}: ${shortTypes(types)}`)
  if (dimensions?.some((axis, i) => axis < 0 || axis >= rank || (i > 0 && axis <= dimensions[i - 1])))
    fail(`broadcast_dimensions [${dimensions}] must be increasing axes of rank ${rank}: ${shortTypes(types)}`)
  const axes = alignment(ranks, dimensions)
  const shape = new Array<number>(rank).fill(1)
  const bounds = new Array<number>(rank).fill(DYNAMIC)
  types.forEach((type, i) =>
    type.shape.forEach((size, own) => {
      const axis = axes[i][own]
      const before = shape[axis]
      if (size === 1) return
      if (before === 1) shape[axis] = size
      else if (before === DYNAMIC && size !== DYNAMIC) shape[axis] = size
      else if (before !== size && size !== DYNAMIC) fail(`operands cannot be broadcast to one shape: ${shortTypes(types)} differ at axis ${axis}`)
      if (type.bounds && type.bounds[own] !== DYNAMIC) bounds[axis] = type.bounds[own]
    }),
  )
  return { shape, bounds: bounds.map((bound, axis) => (shape[axis] === DYNAMIC ? bound : DYNAMIC)) }
}

const resultOf = (element: TensorType, common: { shape: number[]; bounds: number[] }): TensorType => {
  const { bounds: _, ...rest } = element
  return common.bounds.some((bound) => bound !== DYNAMIC) ? { ...rest, ...common } : { ...rest, shape: common.shape }
}

function tensors(operands: readonly Type[], fail: Fail): TensorType[] {
  return operands.map((type, i) => (isTensorType(type) ? type : fail(`operand ${i} must be a tensor, got ${shortType(type)}`)))
}

/** Whether elements may meet: the same type, or quantized ones that stand for the same with the same storage. */
function meet(a: TensorType, b: TensorType): boolean {
  if (a.quantization && b.quantization) return a.dtype === b.dtype && a.quantization.expressed === b.quantization.expressed
  if (a.quantization || b.quantization) return (a.quantization?.expressed ?? a.dtype) === (b.quantization?.expressed ?? b.dtype)
  return a.dtype === b.dtype
}

/** Checks the declared result against the common shape. */
function agreed(inferred: TensorType | undefined, element: TensorType, results: readonly Type[] | undefined, fail: Fail): readonly Type[] {
  const declared = results?.[0]
  if (!declared) return [inferred ?? { ...element, shape: [], unranked: true }]
  if (!isTensorType(declared) || !meet(declared, element)) fail(`requires compatible element types for all operands and results: '${typeText(element)}' and '${typeText(declared)}'`)
  else if (inferred && !declared.unranked && !compatibleShape(declared.shape, inferred.shape))
    fail(`inferred type(s) '${typeText(inferred)}' are incompatible with return type(s) of operation '${typeText(declared)}'`)
  return [declared]
}

/** The operands with the shape that they have together. */
function spread(arrays: readonly HostArray[], dimensions: readonly number[] | undefined): HostArray[] {
  const fail: Fail = (detail) => {
    throw new TypeError(detail)
  }
  const { shape } = commonShape(arrays.map(({ type }) => type), dimensions, fail)!
  const axes = alignment(arrays.map((array) => array.shape.length), dimensions)
  return arrays.map((array, i) => {
    const own = rowMajorStrides(array.shape)
    const strides = shape.map(() => 0)
    array.shape.forEach((size, axis) => {
      if (size !== 1) strides[axes[i][axis]] = own[axis]
    })
    const out = HostArray.zeros(array.dtype, shape)
    copyStrided(array, 0, strides, out, 0, rowMajorStrides(shape), shape)
    return out
  })
}

/** Runs the op that this one broadcasts for. */
function evaluateBase(base: OpDefinition, context: EvaluateContext<BroadcastAttributes>): readonly HostValue[] {
  const arrays = spread(context.arrays, context.attributes.broadcast_dimensions)
  const types = context.resultTypes.map((type) => tensorType((type as TensorType).dtype, arrays[0].shape))
  return base.evaluate({ ...context, arrays, operands: arrays, resultTypes: types } as EvaluateContext<any>)
}

/** The gradient of broadcasts and the op that is meant. */
const gradientOf = (base: OpDefinition): VjpRule<BroadcastAttributes> | NotDifferentiable =>
  typeof base.vjp !== 'function'
    ? base.vjp
    : ({ operation, operands, cotangents, attributes, needed, pullback }) => {
        const { shape } = operation.results[0] as Tensor
        const axes = alignment(operands.map(({ rank }) => rank), attributes.broadcast_dimensions)
        const whole = buildRegion(operation.name, operands.map(({ type }) => type), (inputs) => {
          const wide = (inputs as Tensor[]).map((input, i) => broadcastInDim(input, shape, axes[i]))
          emitReturn([emit(base, wide, attributes as any).results[0]])
        })
        return pullback(whole, operands, () => cotangents, { active: needed }).inputs
      }

/** A broadcasting op of two operands. */
function broadcasting<const A extends AttributeCodecs>(name: string, base: OpDefinition, more: A, element?: (type: TensorType) => TensorType['dtype']) {
  return defineOp({
    name: `chlo.broadcast_${name}`,
    operands: ['lhs', 'rhs'],
    results: ['result'],
    regions: [],
    attributes: { broadcast_dimensions: codec.optional(codec.i64Array), ...more },
    assembly: broadcastForm,
    traits: { commutative: base.traits?.commutative, operandTypes },
    infer: ({ operands, attributes, results, fail }: InferContext<any>) => {
      const types = tensors(operands, fail)
      const [lhs, rhs] = types
      if (!meet(lhs, rhs))
        fail(lhs.quantization ? `requires compatible element types for all operands and results: ${shortTypes(types)}` : `mismatched operand types: ${shortTypes(types)}`)
      const common = commonShape(types, attributes.broadcast_dimensions, fail)
      const { quantization: _, ...plain } = lhs
      const made: TensorType = element ? { ...plain, dtype: element(lhs) } : lhs
      return agreed(common && resultOf(made, common), made, results, fail)
    },
    evaluate: (context: EvaluateContext<any>) => evaluateBase(base, context),
    vjp: gradientOf(base) as VjpRule<any> | NotDifferentiable,
  })
}

const plain = (name: string, base: OpDefinition) => broadcasting(name, base, {})

/** Enumerations of the dialect are written with its own name. */
const chloEnumeration = <const T extends string>(name: string, values: readonly T[]) => ({
  ...codec.enumeration(name, values),
  print: (value: T) => `#chlo<${name} ${value}>`,
})

export const broadcastCompareOp = broadcasting(
  'compare',
  compareOp,
  {
    comparison_direction: chloEnumeration('comparison_direction', comparisonDirections),
    compare_type: codec.optional(chloEnumeration('comparison_type', comparisonTypes)),
  },
  () => 'bool',
)
export const broadcastComplexOp = broadcasting('complex', complexOp, {}, ({ dtype }) => (dtype === 'f64' ? 'c128' : 'c64'))

export const broadcastSelectOp = defineOp({
  name: 'chlo.broadcast_select',
  operands: ['pred', 'on_true', 'on_false'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: broadcastForm,
  traits: { operandTypes },
  infer: ({ operands, results, fail }) => {
    const types = tensors(operands, fail)
    const [pred, onTrue, onFalse] = types
    if (pred.dtype !== 'bool') fail(`pred must be bool, got ${shortType(pred)}`)
    if (!meet(onTrue, onFalse)) fail(`mismatched operand types: ${shortType(onTrue)} and ${shortType(onFalse)}`)
    const common = commonShape(types, undefined, fail)
    return agreed(common && resultOf(onTrue, common), onTrue, results, fail)
  },
  evaluate: (context) => evaluateBase(selectOp, context),
  vjp: gradientOf(selectOp),
})

/** All of them. */
export const broadcastOps: readonly OpDefinition[] = [
  plain('add', arithmetic.addOp),
  plain('subtract', arithmetic.subtractOp),
  plain('multiply', arithmetic.multiplyOp),
  plain('divide', arithmetic.divideOp),
  plain('maximum', binary.maximumOp),
  plain('minimum', binary.minimumOp),
  plain('power', binary.powerOp),
  plain('remainder', binary.remainderOp),
  plain('atan2', binary.atan2Op),
  plain('and', bitwise.andOp),
  plain('or', bitwise.orOp),
  plain('xor', bitwise.xorOp),
  plain('shift_left', bitwise.shiftLeftOp),
  plain('shift_right_arithmetic', bitwise.shiftRightArithmeticOp),
  plain('shift_right_logical', bitwise.shiftRightLogicalOp),
  plain('next_after', nextAfterOp),
  plain('polygamma', polygammaOp),
  plain('zeta', zetaOp),
  broadcastCompareOp,
  broadcastComplexOp,
  broadcastSelectOp,
]

/**
 * Emits `chlo.broadcast_...` of two operands by its name (`add`, `power`, ...), for programs that are to have the op. `axes` says which
 * axes of the result those of the operand of lower rank become. Throws `OpError`, `RangeError` for a name that is none.
 */
export function broadcasted(name: string, lhs: Tensor, rhs: Tensor, axes?: readonly number[]): Tensor {
  const definition = broadcastOps.find((op) => op.name === `chlo.broadcast_${name}` && op !== broadcastCompareOp && op !== (broadcastSelectOp as OpDefinition))
  if (!definition) throw new RangeError(`'${name}' is no broadcasting op of two operands`)
  return emit(definition, [lhs, rhs], { broadcast_dimensions: axes }).results[0] as Tensor
}
