import { dtypes } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type Quantization, type TensorType, elementCount, sixDigits, typeText } from '../ir/types.ts'
import { sameElementType } from './result-type.ts'

/** Constraints on the element types of quantized operands and results. Source: specification, the constraints named. */

type Fail = InferContext<unknown>['fail']

const perAxis = ({ quantization }: TensorType): boolean => quantization?.axis !== undefined

const sameParameters = (a: Quantization, b: Quantization): boolean =>
  a.scales.length === b.scales.length &&
  a.scales.every((scale, i) => scale === b.scales[i]) &&
  a.zeroPoints.every((zero, i) => zero === b.zeroPoints[i])

export interface MoveRules {
  /** The id of the rule that element types are the same. */
  readonly element: string
  /** The id of the rule on the quantized axes. */
  readonly axis: string
}

/** An op that moves elements keeps how they are quantized, but for the axis that has the scales. */
export function checkMoved(operand: TensorType, result: TensorType, rule: string, fail: Fail): void {
  const [from, to] = [operand.quantization, result.quantization]
  if (!from && !to) return
  const types = `${typeText(operand)} vs ${typeText(result)}`
  if (!from || !to || operand.dtype !== result.dtype || from.expressed !== to.expressed || perAxis(operand) !== perAxis(result))
    return fail(`expects operand and result to have compatible element type. Got: ${types}`, rule)
  if (!perAxis(operand) && !sameElementType(operand, result)) fail(`expect same quantization scale and zero_point but got ${types}`, rule)
  if (perAxis(operand) && !sameParameters(from, to)) fail(`expect same quantization scales and zero_points but got ${types}`, rule)
}

/** Reshaping leaves what stands before, on and after the quantized axis together. */
export function checkReshaped(operand: TensorType, result: TensorType, rules: MoveRules, fail: Fail): void {
  checkMoved(operand, result, rules.element, fail)
  const [from, to] = [operand.quantization?.axis, result.quantization?.axis]
  if (from === undefined || to === undefined) return
  const [a, b] = [operand.shape[from], result.shape[to]]
  if (a !== DYNAMIC && b !== DYNAMIC && a !== b)
    fail(`expect same quantization dimension size for operand and result ${typeText(operand)} and ${typeText(result)}`, rules.axis)
  const [before, after] = [elementCount(operand.shape.slice(0, from)), elementCount(result.shape.slice(0, to))]
  if (before >= 0 && after >= 0 && before !== after)
    fail(`product of dimensions before quantization dimension must match between operand and result for ${before} and ${after}`, rules.axis)
}

/** Broadcasting takes the quantized axis along, and stretches one scale to many that are equal. */
export function checkBroadcastQuantization(operand: TensorType, result: TensorType, dims: readonly number[], rules: MoveRules, fail: Fail): void {
  const [from, to] = [operand.quantization, result.quantization]
  if (from?.axis === undefined || to?.axis === undefined) return checkMoved(operand, result, rules.element, fail)
  if (operand.dtype !== result.dtype || from.expressed !== to.expressed)
    fail(`expects operand and result to have compatible element type. Got: ${typeText(operand)} and ${typeText(result)}`, rules.element)
  if (to.axis !== dims[from.axis])
    fail(`result quantization_dimension ${to.axis} not same as broadcast_dimensions[${from.axis}] = ${dims[from.axis]}`, rules.axis)
  if (operand.shape[from.axis] !== 1) return checkMoved(operand, result, rules.element, fail)
  to.scales.forEach((scale, i) => {
    if (scale !== from.scales[0])
      fail(`mismatch result scale ${i} (${sixDigits(scale)}) and operand scale 0 (${sixDigits(from.scales[0])})`, rules.axis)
    if (to.zeroPoints[i] !== from.zeroPoints[0])
      fail(`mismatch result zero_point ${i} (${to.zeroPoints[i]}) and operand zero_point 0 (${from.zeroPoints[0]})`, rules.axis)
  })
}

/** Ids of the rules of a contraction, in the order of the checks. */
export interface ContractionRules {
  readonly quantized: string
  readonly storage: string
  readonly expressed: string
  readonly granularity: string
  readonly mixed: string
}

/** `dot_general` and `convolution`: the right side is quantized, and the left side where the result is. */
export function checkContraction(lhs: TensorType, rhs: TensorType, result: TensorType | undefined, rules: ContractionRules, fail: Fail): void {
  const [l, r, out] = [lhs.quantization, rhs.quantization, result?.quantization]
  if (!r || (result && Boolean(l) !== Boolean(out)))
    return fail('rhs should be quantized for quantized operations and is_quantized(lhs)=is_quantized(result) should hold', rules.quantized)
  const types = `${typeText(lhs)}, ${typeText(rhs)}${result ? ` and ${typeText(result)}` : ''}`
  if (!l) {
    if (lhs.dtype !== r.expressed || (result && result.dtype !== r.expressed))
      fail(`mismatched rhs quantization expressed type and lhs and result element type: ${types}`, rules.mixed)
    return
  }
  if (lhs.dtype !== rhs.dtype) fail(`mismatched lhs and rhs quantization storage types: ${types}`, rules.storage)
  if (l.expressed !== r.expressed || (out && out.expressed !== r.expressed))
    fail(`mismatched lhs, rhs and result quantization expressed types: ${types}`, rules.expressed)
  if (r.axis === undefined && out?.axis !== undefined) fail(`mismatched rhs and result quantization granularity: ${types}`, rules.granularity)
}

/** The rules of `add`, the one element-wise op that takes a scale for each index of an axis. */
export function checkAdded(lhs: TensorType, rhs: TensorType, result: TensorType | undefined, fail: Fail): void {
  const types = [lhs, rhs, ...(result ? [result] : [])]
  const parts = types.map(({ quantization }) => quantization)
  if (parts.every((q) => !q)) return
  const text = types.map(typeText).join(', ')
  if (parts.some((q) => !q)) return fail(`expects all operands and the result to be quantized, or none: ${text}`, 'add_c2')
  const other = types.find(({ dtype }) => dtype !== lhs.dtype)
  // Storage that differs in nothing but its sign is no type that could be inferred at all.
  if (other && dtypes[other.dtype].bits === dtypes[lhs.dtype].bits)
    fail(`inferred type(s) '${typeText(lhs)}' are incompatible with return type(s) of operation '${typeText(other)}'`, 'add_c3')
  if (other) fail(`mismatched operands and result quantization storage types: ${text}`, 'add_c3')
  if (parts.some((q) => q!.expressed !== lhs.quantization!.expressed)) fail(`mismatched operands and result quantization expressed types: ${text}`, 'add_c4')
  if (!result) return
  if ((perAxis(lhs) || perAxis(rhs)) !== perAxis(result))
    fail(`result is not per_axis quantized but lhs or rhs are per_axis quantized, or the other way round: ${text}`, 'add_c5')
  for (const [name, type, rule] of [['lhs', lhs, 'add_c6'], ['rhs', rhs, 'add_c7']] as const)
    if (perAxis(type) && type.quantization!.axis !== result.quantization!.axis) fail(`quantization_dimension of ${name} and result are not same: ${text}`, rule)
}
