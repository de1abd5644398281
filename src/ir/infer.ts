import { dtypes, integerRange } from './dtypes.ts'
import type { InferContext, OpDefinition, OpTraits } from './op-definition.ts'
import { DYNAMIC, type TensorType, type Type, typeText } from './types.ts'

/** The result types of an op: what every op demands of its operands first, then the op's own rule. */
export function inferTypes(definition: OpDefinition, context: InferContext<any>): readonly Type[] {
  if (definition.traits?.operandTypes !== 'any') checkOperands(definition, context)
  return definition.infer(context)
}

/** Operands must be ranked, of numbers, and quantized as the op allows it. Types of other kinds are the op's own matter. */
function checkOperands({ operands: names, results: resultNames, traits }: OpDefinition, { operands, results, fail }: InferContext<unknown>): void {
  for (let i = 0; i < operands.length; i++) {
    const type = operands[i]
    if (type.kind !== 'tensor') continue
    checkElements(type, names, i, 'operand', traits, fail)
    if (!(type.quantization || type.unranked)) continue
    const rule = refusal(type, traits?.operandTypes === 'perAxis')
    if (rule === undefined) continue
    const variadic = names[Math.min(i, names.length - 1)]?.endsWith('...') ? 'variadic of ' : ''
    const kinds = traits?.operandTypes === 'perAxis' ? 'per-tensor or per-axis quantized' : 'per-tensor quantized'
    fail(`operand #${i} must be ${variadic}ranked tensor of number, boolean or ${kinds} values, but got '${typeText(type)}'`, rule || undefined)
  }
  results?.forEach((type, i) => {
    if (type.kind !== 'tensor') return
    checkElements(type, resultNames, i, 'result', traits, fail)
    const rule = type.quantization && quantizationFault(type)
    if (rule) fail(`result must be ranked tensor of quantized values, but got '${typeText(type)}'`, rule)
  })
}

/** Elements are numbers of StableHLO, not of MLIR's `index`, but where a shape is given; sizes are known where the op needs them. */
function checkElements(type: TensorType, names: readonly string[], i: number, what: 'operand' | 'result', traits: OpTraits | undefined, fail: InferContext<unknown>['fail']): void {
  if (type.dtype !== 'index' && !type.unranked && !traits?.knownSizes) return
  const full = names[Math.min(i, names.length - 1)] ?? ''
  const name = full.replace(/\.\.\.$|\?$/, '')
  const variadic = full.endsWith('...') ? 'variadic of ' : ''
  if (what === 'result' ? type.unranked || type.dtype === 'index' : type.dtype === 'index' && !traits?.indexOperands?.includes(name))
    fail(`${what} #${i} must be ${variadic}ranked tensor of number, boolean or quantized values, but got '${typeText(type)}'`)
  if (traits?.knownSizes?.includes(name) && type.shape.includes(DYNAMIC))
    fail(`${what} #${i} must be ${variadic}statically shaped tensor of number, boolean or quantized values, but got '${typeText(type)}'`)
}

/** Why an operand of this type is refused: the rule, or '' where it has no number; undefined if it is not. */
const refusal = (type: TensorType, perAxis: boolean): string | undefined =>
  type.unranked || (!perAxis && (type.quantization?.axis !== undefined || type.quantization?.blocks)) ? '' : quantizationFault(type)

/**
 * The rule that a quantized tensor type breaks, if any: its zero points must be storable, its axis must be one of the tensor's, with
 * a scale for each index. Source: specification, "Quantized types".
 */
export function quantizationFault({ dtype, shape, quantization }: TensorType): string | undefined {
  if (!quantization) return undefined
  const { axis, scales, zeroPoints, storageMin, storageMax } = quantization
  const range = integerRange(dtype)
  const [low, high] = [storageMin ?? range.min, storageMax ?? range.max]
  if (low < range.min || low >= high) return 'quantized_element_type_c2'
  if (high > range.max) return 'quantized_element_type_c2'
  if (zeroPoints.some((zero) => zero < low || zero > high)) return 'quantized_element_type_c8'
  if (axis === undefined) return undefined
  if (axis < 0) return 'quantized_element_type_c11'
  if (axis >= shape.length) return 'quantized_element_type_c12'
  if (shape[axis] >= 0 && shape[axis] !== scales.length) return 'quantized_element_type_c13'
  return undefined
}

/** Whether a scale is a positive number that the expressed type can hold. Source: specification, "Quantized types", C5 and C6. */
export function isScale(scale: number, expressed: TensorType['dtype']): boolean {
  const info = dtypes[expressed]
  if (info.kind !== 'float' || !(scale > 0) || scale === Infinity) return false
  const { bias, mantissaBits, exponentBits } = info.float
  const largest = (2 - 2 ** -mantissaBits) * 2 ** (2 ** exponentBits - 2 - bias)
  const smallest = 2 ** (1 - bias - mantissaBits)
  return scale >= smallest && scale <= largest
}
