import { OpError } from '../ir/errors.ts'
import { type Operation, type Region, Tensor } from '../ir/module.ts'
import { type Type, isTensorType, sameType, shortType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion, captureLocation } from '../trace/frame.ts'
import { flatten, flattenLike, unflatten } from '../trace/tree.ts'
import type { Assembly, OperandReference } from '../ir/assembly.ts'
import { dictionaryText } from '../ir/attributes.ts'
import { returnedTypes } from './control-flow.ts'
import { defineOp } from './define.ts'
import { compatibleTypes } from './elementwise-rules.ts'
import { emitReturn } from './return.ts'
import { evaluateSteps, run } from './steps.ts'
import { whileVjp } from './while-gradient.ts'

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** `(%arg = %init, ...) : types cond {...} do {...}`; both regions call their arguments by the same names. */
const whileAssembly: Assembly = {
  // One list of types serves the initial values, the arguments of both regions and the results.
  fits: ({ operands, regions, results }) =>
    operands.every(({ type }, i) => [...regions.map((region) => region.block.arguments[i]), results[i]].every((value) => value && sameType(value.type, type))),
  print: (operation, printer) => {
    const [condition, body] = operation.regions
    printer.text('(')
    operation.operands.forEach((operand, i) => {
      printer.blockArgument(condition.block.arguments[i])
      printer.blockArgument(body.block.arguments[i], condition.block.arguments[i])
      printer.text(i ? ', ' : '')
      printer.value(condition.block.arguments[i])
      printer.text(' = ')
      printer.value(operand)
    })
    printer.text(')')
    operation.operands.forEach((operand, i) => {
      printer.text(i ? ', ' : ' : ')
      printer.type(operand.type)
    })
    if (operation.discardable && Object.keys(operation.discardable).length) printer.text(` attributes ${dictionaryText(operation.discardable)}`)
    printer.newline()
    printer.text(' cond ')
    printer.region(condition, { bare: true })
    printer.text(' do ')
    printer.region(body, { bare: true })
  },
  parse: (parser) => {
    const names: OperandReference[] = []
    const inits: OperandReference[] = []
    parser.expect('(')
    if (!parser.accept(')')) {
      do {
        names.push(parser.operand())
        parser.expect('=')
        inits.push(parser.operand())
      } while (parser.accept(','))
      parser.expect(')')
    }
    const types: Type[] = []
    if (inits.length) {
      parser.expect(':')
      do types.push(parser.type())
      while (parser.accept(','))
    }
    const attributes = parser.accept('attributes') ? parser.attributes() : {}
    const bare = names.map((name, i) => ({ name, type: types[i] }))
    parser.expect('cond')
    const condition = parser.region(bare)
    parser.expect('do')
    const body = parser.region(bare)
    return { operands: parser.resolveAll(inits, types), results: types, attributes, regions: [condition, body] }
  },
}

const quoted = (types: readonly Type[]): string => types.map((type) => `'${typeText(type)}'`).join(', ')

/** Repeats its body while its condition holds. Source: specification, "while". */
export const whileOp = defineOp({
  name: 'stablehlo.while',
  operands: ['operand...'],
  results: ['results...'],
  regions: ['cond', 'body'],
  attributes: {},
  assembly: whileAssembly,
  traits: { operandTypes: 'any' },
  infer: ({ operands, regions: [condition, body], results, fail }) => {
    const demand = (what: string, types: readonly Type[], rule: string) => {
      if (!compatibleTypes(types, operands)) fail(`expect operands to be compatible with ${what} but got ${quoted(operands)} vs ${quoted(types)}`, rule)
    }
    const argumentTypes = (region: Region) => region.block.arguments.map(({ type }) => type)
    demand('condition block arguments', argumentTypes(condition), 'while_c1')
    demand('body block arguments', argumentTypes(body), 'while_c2')
    demand('body block return types', returnedTypes(body), 'while_c2')
    const tests = returnedTypes(condition)
    if (tests.length !== 1) fail(`expect condition body returns a single value but got ${tests.length}`, 'while_c1')
    const [test] = tests
    if (!isTensorType(test) || test.dtype !== 'bool' || test.shape.length !== 0)
      fail(`expect condition block return a zero-ranked tensor of i1 but got '${typeText(test)}'`, 'while_c1')
    if (results && !compatibleTypes(operands, results))
      fail(`inferred type(s) ${quoted(operands)} are incompatible with return type(s) of operation ${quoted(results)}`, 'while_c3')
    return results ?? operands
  },
  *steps({ operands, regions: [condition, body] }) {
    let state = operands
    for (;;) {
      const [test] = yield run(condition, state)
      if (!('data' in test) || !test.data[0]) return state
      state = yield run(body, state)
    }
  },
  evaluate: evaluateSteps,
  vjp: (context) => whileVjp(context, emitWhile),
})

/** Emits a loop over flat lists. */
function emitWhile(
  inits: readonly Tensor[],
  condition: (state: Tensor[]) => Tensor,
  body: (state: Tensor[]) => readonly Tensor[],
): Operation {
  const types = inits.map((init) => init.type)
  const region = (what: string, build: (state: Tensor[]) => readonly Tensor[]): Region =>
    buildRegion(`${what} of while`, types, (state) => emitReturn(build(state as Tensor[])))
  const regions = [region('condition', (state) => [condition(state)]), region('body', body)]
  return emit(whileOp, inits, {}, { regions })
}

/**
 * Repeats `body` on a tree of tensors while `condition` gives true: `whileLoop({ i, x }, ({ i }) => less(i, 10), step)`. The
 * state keeps its structure and types. Gradients exist for counted loops: a carried integer that starts at a constant, is
 * increased by a constant and compared `LT` or `LE` with a constant. Throws `OpError`, `TraceError`.
 */
export function whileLoop<S>(init: S, condition: (state: S) => Tensor, body: (state: S) => S): S {
  const { leaves, structure } = flatten(init, isTensor, 'the initial state of whileLoop')
  const location = captureLocation(whileLoop)
  const loop = emitWhile(
    leaves,
    (state) => condition(unflatten(structure, state) as S),
    (state) => {
      const next = flattenLike(structure, body(unflatten(structure, state) as S), isTensor, 'the state that the body of whileLoop returns')
      next.forEach((leaf, i) => {
        if (shortType(leaf.type) !== shortType(leaves[i].type))
          throw new OpError('while', `the body changes the type of a state leaf from ${shortType(leaves[i].type)} to ${shortType(leaf.type)}`, 'while_c2', location)
      })
      return next
    },
  )
  return unflatten(structure, loop.results) as S
}
