import { describe, expect, it } from 'vitest'
import { parseModule } from '../../src/text/parse.ts'
import { ParseError } from '../../src/text/parse-error.ts'
import { verifyModule } from '../../src/verify/verify.ts'

/** The first message about a function with these arguments and this body; undefined if it is valid. */
function verdict(args: string, body: string): string | undefined {
  try {
    return verifyModule(parseModule(`func.func @f(${args}) {\n${body}\nreturn\n}\n`))[0]?.diagnostics[0].message
  } catch (error) {
    if (error instanceof ParseError) return error.diagnostics[0].message
    throw error
  }
}

const i32 = (count: number): string => `tensor<${count}xi32>`
const pad = (low: string): string => `%0 = "stablehlo.dynamic_pad"(%a, %v, %l, %h, %h) : (tensor<2xf32>, tensor<f32>, ${low}, ${i32(1)}, ${i32(1)}) -> tensor<?xf32>`
const permute = (pairs: string): string => `%0 = "stablehlo.collective_permute"(%a) <{source_target_pairs = dense<[[0, 1]]> : ${pairs}}> : (tensor<2xf32>) -> tensor<2xf32>`
const branch = (type: string): string => `%0 = "stablehlo.if"(%p) ({ stablehlo.return %a : ${type} }, { stablehlo.return %a : ${type} }) : (tensor<i1>) -> ${type}`
const accuracy = (fields: string): string => `%0 = "stablehlo.tanh"(%a) <{result_accuracy = #stablehlo.result_accuracy<${fields}>}> : (tensor<2xf32>) -> tensor<2xf32>`
const scan = (sizes: string, results: string): string =>
  `%r:2 = "chlo.scan"(%a, %b) <{dimension = 0 : i64, operandSegmentSizes = array<i32: ${sizes}>, resultSegmentSizes = array<i32: ${results}>}> ({\n` +
  '^bb0(%x: tensor<3xf32>, %y: tensor<3xf32>):\n%1 = stablehlo.add %x, %y : tensor<3xf32>\nstablehlo.return %1, %1 : tensor<3xf32>, tensor<3xf32>\n' +
  '}) : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>)'

describe('the types that values may have', () => {
  it.each([
    ['elements of index', '%a: tensor<2xindex>', '%0 = stablehlo.add %a, %a : tensor<2xindex>', "operand #0 must be ranked tensor of number, boolean or quantized values, but got 'tensor<2xindex>'"],
    ['a result of index', '%a: tensor<2xi64>', '%0 = stablehlo.convert %a : (tensor<2xi64>) -> tensor<2xindex>', "result #0 must be ranked tensor of number, boolean or quantized values, but got 'tensor<2xindex>'"],
    ['a result without a rank', '%a: tensor<2xf32>', '%0 = "stablehlo.abs"(%a) : (tensor<2xf32>) -> tensor<*xf32>', "result #0 must be ranked tensor of"],
    ['a constant of unknown size', '', '%0 = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<?xf32>', "result #0 must be statically shaped tensor of"],
    ['random bits of unknown size', '%a: tensor<2xui64>', '%0:2 = "stablehlo.rng_bit_generator"(%a) <{rng_algorithm = #stablehlo<rng_algorithm DEFAULT>}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<?xui32>)', 'result #1 must be statically shaped tensor of'],
    ['an infeed of unknown size', '%t: !stablehlo.token', '%0:2 = "stablehlo.infeed"(%t) : (!stablehlo.token) -> (tensor<?xf32>, !stablehlo.token)', 'result #0 must be variadic of statically shaped tensor of'],
    ['a broadcast to an unknown size', '%a: tensor<1xf32>', '%0 = stablehlo.broadcast_in_dim %a, dims = [0] : (tensor<1xf32>) -> tensor<?xf32>', 'result #0 must be statically shaped or single bounded dimension tensor of'],
    ['a barrier before a tuple', '%a: tuple<tensor<f32>>', '%0 = "stablehlo.optimization_barrier"(%a) : (tuple<tensor<f32>>) -> tuple<tensor<f32>>', "operand #0 must be variadic of ranked tensor of number, boolean or quantized values or token, but got 'tuple<tensor<f32>>'"],
    ['a branch that gives a buffer', '%p: tensor<i1>, %a: memref<2xf32>', branch('memref<2xf32>'), "result #0 must be variadic of ranked tensor of number, boolean or quantized values or token, but got 'memref<2xf32>'"],
    ['padding of two kinds', `%a: tensor<2xf32>, %v: tensor<f32>, %l: tensor<1xi64>, %h: ${i32(1)}`, pad('tensor<1xi64>'), 'all of {edge_padding_low, edge_padding_high, interior_padding} have same type'],
    ['pairs that are not i64', '%a: tensor<2xf32>', permute('tensor<1x2xui32>'), 'source_target_pairs'],
    ['axes that are not i64', '%a: tensor<f32>', '%0 = "stablehlo.broadcast_in_dim"(%a) <{broadcast_dimensions = array<i16>}> : (tensor<f32>) -> tensor<2xf32>', 'broadcast_dimensions'],
    ['an accuracy of no known mode', '%a: tensor<2xf32>', accuracy('mode = #stablehlo.result_accuracy_mode<BEST>'), 'to be one of: DEFAULT, HIGHEST, TOLERANCE, got BEST'],
    ['a negative tolerance', '%a: tensor<2xf32>', accuracy('atol = -1.0, mode = #stablehlo.result_accuracy_mode<TOLERANCE>'), 'Negative tolerance'],
    ['a constant of another shape', '%a: tensor<i64>', '%0 = "chlo.constant_like"(%a) <{value = 1.0 : f32}> : (tensor<i64>) -> tensor<2xf32>', 'requires the same shape for all operands and results'],
    ['a size set in another shape', '%a: tensor<4x5xf32>, %n: tensor<i32>', '%0 = "stablehlo.set_dimension_size"(%a, %n) <{dimension = 0 : i64}> : (tensor<4x5xf32>, tensor<i32>) -> tensor<1xf32>', 'are incompatible with return type(s)'],
    ['a scan of fewer results than it says', '%a: tensor<2x3xf32>, %b: tensor<3xf32>', scan('1, 1', '1, 0'), "result count (2) does not match with the total size (1) specified in attribute 'resultSegmentSizes'"],
    ['a scan of a negative number of inputs', '%a: tensor<2x3xf32>, %b: tensor<3xf32>', scan('-1, 3', '1, 1'), "'operandSegmentSizes' attribute cannot have negative elements"],
  ])('%s is refused', (_, args, body, message) => {
    expect(verdict(args, body)).toContain(message)
  })

  it.each([
    ['a shape of index', `%a: tensor<2xf32>, %s: tensor<1xindex>`, '%0 = "stablehlo.dynamic_reshape"(%a, %s) : (tensor<2xf32>, tensor<1xindex>) -> tensor<?xf32>'],
    ['padding of one kind', `%a: tensor<2xf32>, %v: tensor<f32>, %l: ${i32(1)}, %h: ${i32(1)}`, pad(i32(1))],
    ['pairs of i64', '%a: tensor<2xf32>', permute('tensor<1x2xi64>')],
    ['a branch that gives a tensor', '%p: tensor<i1>, %a: tensor<2xf32>', branch('tensor<2xf32>')],
    ['a tolerance', '%a: tensor<2xf32>', accuracy('atol = 1.0, mode = #stablehlo.result_accuracy_mode<TOLERANCE>')],
    ['a scan', '%a: tensor<2x3xf32>, %b: tensor<3xf32>', scan('1, 1', '1, 1')],
  ])('%s is accepted', (_, args, body) => {
    expect(verdict(args, body)).toBeUndefined()
  })
})

describe('custom calls that make and give back buffers', () => {
  const call = (target: string, operands: string, results: string, more = ''): string => {
    const names = operands === '' ? '' : operands.split(', ').map((_, i) => `%a${i}`).join(', ')
    const args = operands.split(', ').filter(Boolean).map((type, i) => `%a${i}: ${type}`).join(', ')
    return verdict(args, `"stablehlo.custom_call"(${names}) {call_target_name = "${target}", api_version = 4 : i32${more}} : (${operands}) -> (${results})`) ?? 'valid'
  }
  const alias = (output: string, operand: number): string =>
    `#stablehlo.output_operand_alias<output_tuple_indices = [${output}], operand_index = ${operand}, operand_tuple_indices = []>`
  const [tensor, buffer] = ['tensor<2xf32>', 'memref<2xf32>']
  it.each([
    [call('CreateBuffer', '', buffer), 'valid'],
    [call('CreateBuffer', tensor, buffer), "CreateBuffer custom_call shouldn't have any inputs"],
    [call('CreateBuffer', '', tensor), 'CreateBuffer custom_call should have a memref result'],
    [call('CreateBuffer', '', `${buffer}, ${buffer}`), 'CreateBuffer custom_call should have one result'],
    [call('Pin', tensor, buffer), 'valid'],
    [call('Pin', buffer, buffer), 'Pin custom_call should have a tensor input'],
    [call('Pin', tensor, tensor), 'Pin custom_call should have a memref output'],
    [call('Pin', tensor, 'memref<3xf32>'), 'Pin custom_call should have compatible input and output types'],
    [call('Unpin', 'memref<?xf32>', tensor), 'valid'],
    [call('Unpin', tensor, tensor), 'Unpin custom_call should have a memref input'],
    [call('Unpin', buffer, buffer), 'Unpin custom_call should have a tensor output'],
    [call('Unpin', buffer, 'tensor<2xi32>'), 'Unpin custom_call should have compatible input and output types'],
    [call('Unpin', `${buffer}, ${buffer}`, tensor), 'Unpin custom_call should have one input'],
    [call('foo', buffer, ''), 'valid'],
    [call('foo', buffer, buffer), 'buffer output [] is not used in output_operand_alias'],
    [call('foo', buffer, buffer, `, output_operand_aliases = [${alias('', 0)}]`), 'valid'],
    [call('foo', buffer, `${buffer}, ${buffer}`, `, output_operand_aliases = [${alias('0', 0)}, ${alias('1', 0)}]`), 'buffer operand 0[] is used in output_operand_alias more than once'],
  ])('%s', (got, expected) => {
    expect(got).toContain(expected)
  })
})
