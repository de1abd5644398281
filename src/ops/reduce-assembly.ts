import type { Assembly, AssemblyParser, OperandReference } from '../ir/assembly.ts'
import { Operation, Region } from '../ir/module.ts'
import type { OpDefinition } from '../ir/op-definition.ts'
import { type Type, isTensorType, sameType, tensorType } from '../ir/types.ts'
import { integerListAttribute, parseIntegerList } from './assembly.ts'
import { reductionOps } from './reducer.ts'
import { returnOp } from './return.ts'

/**
 * The text form of `reduce`: inputs with their initial values, then either the one op that the body applies, or the body.
 *
 *     stablehlo.reduce(%a init: %b) applies stablehlo.add across dimensions = [1] : (...) -> ...
 *     stablehlo.reduce(%a init: %b) across dimensions = [1] : (...) -> ...
 *      reducer(%x: tensor<f32>, %y: tensor<f32>)  { ... }
 */
export const reduceAssembly: Assembly = {
  print: (operation, printer) => {
    const count = operation.operands.length / 2
    for (let i = 0; i < count; i++) {
      printer.text(i ? ', (' : '(')
      printer.value(operation.operands[i])
      printer.text(' init: ')
      printer.value(operation.operands[count + i])
      printer.text(')')
    }
    const inner = compactBody(operation)
    if (inner) printer.text(` applies ${inner.name}`)
    printer.text(` across dimensions = [${(operation.attributes.dimensions as readonly number[]).join(', ')}]`)
    printer.attributes(operation, ['dimensions'])
    printer.text(' : ')
    printer.functionType(operation.operands.map((operand) => operand.type), operation.results.map((result) => result.type))
    if (inner) return
    printer.newline()
    printer.text(' reducer')
    const { arguments: parameters } = operation.regions[0].block
    parameters.forEach((parameter) => printer.blockArgument(parameter))
    for (let i = 0; i < count; i++) {
      printer.text('(')
      printer.value(parameters[i])
      printer.text(': ')
      printer.type(parameters[i].type)
      printer.text(', ')
      printer.value(parameters[count + i])
      printer.text(': ')
      printer.type(parameters[count + i].type)
      printer.text(') ')
    }
    printer.text(' ')
    printer.region(operation.regions[0], { bare: true })
  },
  parse: (parser) => {
    const inputs: OperandReference[] = []
    const inits: OperandReference[] = []
    do {
      parser.expect('(')
      inputs.push(parser.operand())
      parser.expect('init')
      parser.expect(':')
      inits.push(parser.operand())
      parser.expect(')')
    } while (parser.accept(','))
    const inner = parser.accept('applies') ? innerOp(parser) : undefined
    parser.expect('across')
    parser.expect('dimensions')
    parser.expect('=')
    const dimensions = integerListAttribute(parseIntegerList(parser))
    const attributes = { ...parser.attributes(), dimensions }
    parser.expect(':')
    const types = parser.functionType()
    const operands = parser.resolveAll([...inputs, ...inits], types.inputs)
    const body = inner ? applyInner(parser, inner, types.inputs[0]) : reducerBody(parser)
    return { operands, results: types.outputs, attributes, regions: [body] }
  },
}

/** The op of a body that is one plain op of the first input's element type, applied to the two arguments in order. */
function compactBody(operation: Operation): OpDefinition | undefined {
  const { block } = operation.regions[0]
  const [inner, terminator] = block.operations
  const input = operation.operands[0].type
  if (block.operations.length !== 2 || !reductionOps.has(inner.definition) || inner.discardable) return undefined
  if (!isTensorType(input) || !sameType(inner.results[0].type, scalarOf(input)) || !sameType(inner.operands[0].type, inner.results[0].type)) return undefined
  if (block.arguments.length !== 2 || inner.operands.some((operand, i) => operand !== block.arguments[i])) return undefined
  if (terminator.definition !== returnOp || terminator.operands.length !== 1 || terminator.operands[0] !== inner.results[0]) return undefined
  return inner.definition
}

const scalarOf = (type: Type): Type =>
  isTensorType(type) ? { ...tensorType(type.dtype, []), ...(type.quantization && { quantization: type.quantization }) } : type

function innerOp(parser: AssemblyParser): OpDefinition {
  const name = parser.identifier('the op that is applied')
  for (const definition of reductionOps.keys()) if (definition.name === name) return definition
  return parser.fail('expected the inner-op to be a commutative binary-op from the stablehlo dialect, with zero region, producing single result')
}

function applyInner(parser: AssemblyParser, definition: OpDefinition, input: Type | undefined): Region {
  if (!input) return parser.fail('input types missing in reduce-op function type')
  const type = scalarOf(input)
  const region = Region.ofBlock([type, type])
  const { block } = region
  const operation = new Operation(block, definition, block.arguments, {}, [type], [])
  block.operations.push(operation, new Operation(block, returnOp, operation.results, {}, [], []))
  return region
}

function reducerBody(parser: AssemblyParser): Region {
  parser.expect('reducer')
  const firsts: { name: OperandReference; type: Type }[] = []
  const seconds: { name: OperandReference; type: Type }[] = []
  const parameter = (): { name: OperandReference; type: Type } => {
    const name = parser.operand()
    parser.expect(':')
    return { name, type: parser.type() }
  }
  while (parser.accept('(')) {
    firsts.push(parameter())
    parser.expect(',')
    seconds.push(parameter())
    parser.expect(')')
  }
  return parser.region([...firsts, ...seconds])
}
