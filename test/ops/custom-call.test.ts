import { describe, expect, it } from 'vitest'
import { parseModule } from '../../src/text/parse.ts'
import { verifyModule } from '../../src/verify/verify.ts'

/** What is wrong with a custom call of these attributes: (tensor<2x3xf32>, token) -> (tensor<2x3xf32>, token), or of other types. */
function fault(attributes: string, inputs = 'tensor<2x3xf32>, !stablehlo.token', outputs = '(tensor<2x3xf32>, !stablehlo.token)'): string {
  const types = inputs.split(/,\s+(?![^<]*>)/)
  const parameters = types.map((type, i) => `%${i}: ${type}`).join(', ')
  const text = `func.func private @g() { "func.return"() : () -> () }
func.func @f(${parameters}) {
  "stablehlo.custom_call"(${types.map((_, i) => `%${i}`).join(', ')}) {call_target_name = "foo", ${attributes}} : (${inputs}) -> ${outputs}
  return
}`
  return verifyModule(parseModule(text)).map(({ detail }) => detail).join('\n')
}
const alias = (output: string, operand: number, indices: string): string =>
  `output_operand_aliases = [#stablehlo.output_operand_alias<output_tuple_indices = [${output}], operand_index = ${operand}, operand_tuple_indices = [${indices}]>]`
const layouts = (operands: string, results: string): string => `operand_layouts = [${operands}], result_layouts = [${results}]`
const rows = 'dense<[1, 0]> : tensor<2xindex>'
const none = 'dense<> : tensor<0xindex>'

describe('custom_call', () => {
  it.each([
    ['api_version = 1 : i32, backend_config = "text"'],
    ['api_version = 4 : i32, backend_config = {a = 1 : i32}'],
    ['called_computations = [@g]'],
    [layouts(`${rows}, ${none}`, `${rows}, ${none}`)],
    [alias('0', 0, '')],
  ])('accepts %s', (attributes) => expect(fault(attributes)).toBe(''))

  it.each([
    ['api_version = 4 : i32, backend_config = "text"', 'backend_config for api_version API_VERSION_TYPED_FFI must be a dictionary attribute'],
    ['backend_config = {a = 1 : i32}', 'backend_config for api_version API_VERSION_ORIGINAL must be a string attribute'],
    ['api_version = 7 : i32', 'api_version must be one of 0 to 4, got 7'],
    ['called_computations = [@h]', `'h' does not reference a valid function: called_computations name functions of the module`],
    [`operand_layouts = [${rows}, ${none}]`, 'Layout attributes should be specified for either both operands and results or none.'],
    [layouts(rows, `${rows}, ${none}`), 'Number of operands must match the number of operand layouts, 2 != 1'],
    [layouts(`${rows}, ${none}`, rows), 'Number of results must match the number of result layouts, 2 != 1'],
    [layouts(`dense<[1, 1]> : tensor<2xindex>, ${none}`, `${rows}, ${none}`), `incorrect layout dense<[1, 1]> : tensor<2xindex> for type 'tensor<2x3xf32>', layout must be a permutation of [0, 2)`],
    [layouts(`${rows}, ${rows}`, `${rows}, ${none}`), `Only tensor types can have non-empty layout: operand #1 of type '!stablehlo.token' has layout dense<[1, 0]> : tensor<2xindex>`],
    [alias('1', 0, ''), `shapes mismatch in the output_operand_alias attribute: operand part has type 'tensor<2x3xf32>' and output part has type '!stablehlo.token'`],
    [alias('2', 0, ''), 'output_tuple_indices in the output_operand_alias attribute out of bounds'],
    [alias('0', 5, ''), 'expects operandIndex in the output_operand_alias attribute to be in range [0, 2); but got: 5.'],
    [alias('0', 0, '1'), 'operand_tuple_indices in the output_operand_alias attribute out of bounds'],
  ])('refuses %s', (attributes, message) => expect(fault(attributes)).toBe(message))

  it('lays out the parts of the one tuple that it gives, but no tuple that it takes', () => {
    expect(fault(layouts(rows, `${rows}, ${none}`), 'tensor<2x3xf32>', 'tuple<tensor<2x3xf32>, !stablehlo.token>')).toBe('')
    expect(fault(layouts(none, rows), 'tuple<tensor<2x3xf32>>', 'tensor<2x3xf32>')).toBe('Tuple types are not fully supported with layout constraints yet')
    expect(fault(alias('', 0, '0'), 'tuple<tensor<2x3xf32>>', 'tensor<2x3xf32>')).toBe('')
  })
})
