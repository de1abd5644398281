import { type Attribute, attributeText } from '../ir/attributes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { type Type, isTensorType, typeText } from '../ir/types.ts'
import { checkBuffers } from './buffer-rules.ts'
import { compatibleType } from './elementwise-rules.ts'

/** What must hold of a custom call's attributes. Source: StableHLO, the verifier of `custom_call`. */
export interface CustomCallAttributes {
  readonly call_target_name: string
  readonly backend_config?: Attribute | undefined
  readonly api_version?: number | undefined
  readonly called_computations?: readonly string[] | undefined
  readonly operand_layouts?: Attribute | undefined
  readonly result_layouts?: Attribute | undefined
  readonly output_operand_aliases?: Attribute | undefined
}
type Fail = InferContext<unknown>['fail']

/** By number; the first is what is meant if nothing is said. */
const apiVersions: Readonly<Record<number, string>> = {
  1: 'API_VERSION_ORIGINAL',
  0: 'API_VERSION_UNSPECIFIED',
  2: 'API_VERSION_STATUS_RETURNING',
  3: 'API_VERSION_STATUS_RETURNING_UNIFIED',
  4: 'API_VERSION_TYPED_FFI',
}
const typedFfi = 4

/** Checks everything but the target, which only the runtime knows. */
export function checkCustomCall(attributes: CustomCallAttributes, context: Pick<InferContext<unknown>, 'operands' | 'results' | 'lookup' | 'module' | 'fail'>): void {
  const { operands, results = [], lookup, module, fail } = context
  checkConfig(attributes, fail)
  for (const symbol of attributes.called_computations ?? [])
    if (module && !lookup(symbol)) fail(`'${symbol}' does not reference a valid function: called_computations name functions of the module`)
  const { operand_layouts: operandLayouts, result_layouts: resultLayouts } = attributes
  if ((operandLayouts === undefined) !== (resultLayouts === undefined)) fail('Layout attributes should be specified for either both operands and results or none.')
  // The results of a call may be one tuple.
  const [only] = results
  const flat = results.length === 1 && only.kind === 'tuple' ? only.elements : results
  if (operandLayouts) checkLayouts('operand', operands, operandLayouts, fail)
  if (resultLayouts) checkLayouts('result', flat, resultLayouts, fail)
  const aliases = attributes.output_operand_aliases ? checkAliases(attributes.output_operand_aliases, operands, results, fail) : []
  checkBuffers(attributes.call_target_name, operands, results, aliases, fail)
}

function checkConfig({ backend_config: config, api_version: version = 1 }: CustomCallAttributes, fail: Fail): void {
  const name = apiVersions[version] ?? fail(`api_version must be one of 0 to ${typedFfi}, got ${version}`)
  if (!config) return
  const wanted = version === typedFfi ? 'dictionary' : 'string'
  if (config.kind !== wanted) fail(`backend_config for api_version ${name} must be a ${wanted} attribute`)
}

function checkLayouts(what: 'operand' | 'result', types: readonly Type[], layouts: Attribute, fail: Fail): void {
  if (layouts.kind !== 'array') return fail(`${what}_layouts must be an array of layouts`)
  const { elements } = layouts
  if (elements.length !== types.length) fail(`Number of ${what}s must match the number of ${what} layouts, ${types.length} != ${elements.length}`)
  types.forEach((type, i) => {
    const layout = elements[i]
    if (layout.kind !== 'dense') return fail(`${what}_layouts must be dense, got ${attributeText(layout)}`)
    const axes = Array.from(layout.value.toArray().data as ArrayLike<number | bigint>, Number)
    if (type.kind === 'tuple') fail('Tuple types are not fully supported with layout constraints yet')
    if (!isTensorType(type)) {
      if (axes.length) fail(`Only tensor types can have non-empty layout: ${what} #${i} of type '${typeText(type)}' has layout ${attributeText(layout)}`)
      return
    }
    if (type.unranked) return
    const rank = type.shape.length
    if ([...axes].sort((a, b) => a - b).join() !== type.shape.map((_, axis) => axis).join())
      fail(`incorrect layout ${attributeText(layout)} for type '${typeText(type)}', layout must be a permutation of [0, ${rank})`)
  })
}

const aliasPattern = /^#stablehlo\.output_operand_alias<\s*output_tuple_indices\s*=\s*\[([^\]]*)\]\s*,\s*operand_index\s*=\s*(-?\d+)\s*,\s*operand_tuple_indices\s*=\s*\[([^\]]*)\]\s*>$/

/** Gives the parts that stand for each other, as messages name them: `1[0, 2]`. */
function checkAliases(aliases: Attribute, operands: readonly Type[], results: readonly Type[], fail: Fail): { operand: string; output: string }[] {
  if (aliases.kind !== 'array') return fail('output_operand_aliases must be an array')
  const attribute = 'in the output_operand_alias attribute'
  const output: Type = results.length === 1 ? results[0] : { kind: 'tuple', elements: results }
  const part = (type: Type, indices: string, name: string): Type => {
    let found = type
    for (const text of indices.split(',').filter((each) => each.trim() !== '')) {
      const index = Number(text)
      if (found.kind !== 'tuple' || !(index >= 0 && index < found.elements.length)) return fail(`${name} ${attribute} out of bounds`)
      found = found.elements[index]
    }
    return found
  }
  return aliases.elements.map((alias) => {
    const [, outputIndices, operand, operandIndices] = (alias.kind === 'dialect' && aliasPattern.exec(alias.text)) || fail(`${attributeText(alias)} is no output_operand_alias`)
    const index = Number(operand)
    if (index < 0 || index >= operands.length) fail(`expects operandIndex ${attribute} to be in range [0, ${operands.length}); but got: ${index}.`)
    const from = part(operands[index], operandIndices, 'operand_tuple_indices')
    const to = part(output, outputIndices, 'output_tuple_indices')
    if (!compatibleType(from, to))
      fail(`shapes mismatch ${attribute}: operand part has type '${typeText(from)}' and output part has type '${typeText(to)}'`)
    const path = (indices: string) => `[${indices.split(',').map((each) => each.trim()).filter(Boolean).join(', ')}]`
    return { operand: `${index}${path(operandIndices)}`, output: path(outputIndices) }
  })
}
