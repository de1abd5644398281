import type { Assembly } from '../ir/assembly.ts'
import { integerAttribute, quote } from '../ir/attributes.ts'
import { CheckError, OpError } from '../ir/errors.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { EvaluateContext, InferContext } from '../ir/op-definition.ts'
import { type Type, sameType, shortType } from '../ir/types.ts'
import { type Agreement, findDisagreement } from '../host/agreement.ts'
import { type Piece, attributeDictionary, form, literal, operandList, operandTypes } from './assembly.ts'
import * as codec from './codecs.ts'
import { defineCustomCall } from './custom-call.ts'
import { defineOp, zeroGradient } from './define.ts'

/**
 * Checks inside programs: the `check` dialect in which StableHLO's own test programs say what they must compute, the custom
 * calls of the same meaning, and the probe that remembers values for them. A check that does not hold is a `CheckError`.
 */

const exact: Agreement = { kind: 'exact' }
const noGradient = zeroGradient('a check has no results')

function check(context: EvaluateContext<unknown>, name: string, actual: HostArray, expected: HostArray, rule: Agreement): [] {
  const found = findDisagreement(actual, expected, rule)
  if (!found) return []
  const allowed = rule.kind === 'exact' ? 'exactly' : rule.kind === 'absolute' ? `within ${rule.tolerance}` : `within ${rule.min} to ${rule.max} ULP`
  throw new CheckError(
    `${name}: ${shortType(actual.type)} is ${String(found.actual)} at [${found.index.join(', ')}], expected ${String(found.expected)} ${allowed}; ` +
      `${found.count} of ${actual.size} elements do not agree`,
    context.operation.location,
  )
}

/** A check takes values of one type and gives nothing. */
function inferNothing(types: readonly Type[], { fail }: InferContext<unknown>): [] {
  for (const type of types) if (!sameType(type, types[0])) fail(`needs values of one type, got ${types.map(shortType).join(' and ')}`)
  return []
}

/** ` %x, dense<...> : type` */
const againstConstant = form(
  operandList,
  literal(','),
  {
    covers: ['value'],
    print: (operation, printer) => printer.text(` ${operation.attributes.value.text()}`),
    parse: (parser, state) => {
      const value = parser.attribute()
      if (value.kind !== 'dense') return parser.fail('expected dense<...>')
      state.attributes.value = value
      state.operandTypes = [value.value.type]
    },
  },
  attributeDictionary,
)

/** ` : type` that all operands have. */
const oneType: Piece = {
  print: (operation, printer) => {
    printer.text(' : ')
    printer.type(operation.operands[0].type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    const type = parser.type()
    state.operandTypes = state.references.map(() => type)
  },
}

/** `, a = 1, b = 2` of integer attributes, each if it is there. */
const optionalIntegers = (...names: readonly string[]): Piece => ({
  covers: names,
  print: (operation, printer) => {
    for (const name of names) if (operation.attributes[name] !== undefined) printer.text(`, ${name} = ${operation.attributes[name]}`)
  },
  parse: (parser, state) => {
    while (parser.accept(',')) {
      const name = names.find((each) => parser.accept(each)) ?? parser.fail(`expected ${names.join(' or ')}`)
      parser.expect('=')
      state.attributes[name] = integerAttribute(parser.integer())
    }
  },
})

/** Every element equals the constant's. */
export const expectEqConstOp = defineOp({
  name: 'check.expect_eq_const',
  operands: ['lhs'],
  results: [],
  regions: [],
  attributes: { value: codec.dense },
  assembly: againstConstant,
  traits: { effect: true },
  infer: (context) => inferNothing([...context.operands, context.attributes.value.type], context),
  evaluate: (context) => check(context, 'check.expect_eq_const', context.arrays[0], context.attributes.value.toArray(), exact),
  vjp: noGradient,
})

/** Every element lies within a tolerance of the constant's. */
export const expectAlmostEqConstOp = defineOp({
  name: 'check.expect_almost_eq_const',
  operands: ['lhs'],
  results: [],
  regions: [],
  attributes: { value: codec.dense, tolerance: codec.optional(codec.float('f64')) },
  assembly: againstConstant,
  traits: { effect: true },
  infer: (context) => inferNothing([...context.operands, context.attributes.value.type], context),
  evaluate: (context) => {
    const { value, tolerance = 1e-4 } = context.attributes
    return check(context, 'check.expect_almost_eq_const', context.arrays[0], value.toArray(), { kind: 'absolute', tolerance })
  },
  vjp: noGradient,
})

/** Every element equals that of the other tensor. */
export const expectEqOp = defineOp({
  name: 'check.expect_eq',
  operands: ['lhs', 'rhs'],
  results: [],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, oneType),
  traits: { effect: true },
  infer: (context) => inferNothing(context.operands, context),
  evaluate: (context) => check(context, 'check.expect_eq', context.arrays[0], context.arrays[1], exact),
  vjp: noGradient,
})

/** Every element lies within a tolerance of the other tensor's. */
export const expectAlmostEqOp = defineOp({
  name: 'check.expect_almost_eq',
  operands: ['lhs', 'rhs'],
  results: [],
  regions: [],
  attributes: { tolerance: codec.optional(codec.float('f64')) },
  assembly: form(operandList, attributeDictionary, oneType),
  traits: { effect: true },
  infer: (context) => inferNothing(context.operands, context),
  evaluate: (context) => {
    const { tolerance = 1e-4 } = context.attributes
    return check(context, 'check.expect_almost_eq', context.arrays[0], context.arrays[1], { kind: 'absolute', tolerance })
  },
  vjp: noGradient,
})

/** Every element lies within some representable values of the expected one: by default within 3. */
export const expectCloseOp = defineOp({
  name: 'check.expect_close',
  operands: ['actual', 'expected'],
  results: [],
  regions: [],
  attributes: { max_ulp_difference: codec.optional(codec.i64), min_ulp_difference: codec.optional(codec.i64) },
  assembly: form(operandList, optionalIntegers('max_ulp_difference', 'min_ulp_difference'), attributeDictionary, operandTypes(false)),
  traits: { effect: true },
  infer: (context) => inferNothing(context.operands, context),
  evaluate: (context) => {
    const { max_ulp_difference: max = 3, min_ulp_difference: min = 0 } = context.attributes
    return check(context, 'check.expect_close', context.arrays[0], context.arrays[1], { kind: 'ulp', min, max })
  },
  vjp: noGradient,
})

/** Values that probes saw in this run, by the probe's id, in order. */
function probes(context: EvaluateContext<unknown>): Map<string, HostArray[]> {
  const known = context.shared.get('interpreter.probe') as Map<string, HostArray[]> | undefined
  if (known) return known
  const made = new Map<string, HostArray[]>()
  context.shared.set('interpreter.probe', made)
  return made
}

/** `, probe_id = "text"` */
const probeId: Piece = {
  covers: ['probe_id'],
  print: (operation, printer) => printer.text(`, probe_id = ${quote(operation.attributes.probe_id)}`),
  parse: (parser, state) => {
    parser.expect(',')
    parser.expect('probe_id')
    parser.expect('=')
    state.attributes.probe_id = { kind: 'string', value: parser.string() }
  },
}

const probeForm = form(operandList, probeId, attributeDictionary, oneType)

/** Gives its operand, and remembers it for `check.expect_serialized_eq`. */
export const probeOp = defineOp({
  name: 'interpreter.probe',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { probe_id: codec.string },
  assembly: {
    print: probeForm.print,
    parse: (parser) => {
      const parsed = probeForm.parse(parser)
      return { ...parsed, results: parsed.operands.map((operand) => operand.type) }
    },
  } satisfies Assembly,
  traits: { effect: true },
  infer: ({ operands }) => operands,
  evaluate: (context) => {
    const { probe_id: id } = context.attributes
    const seen = probes(context)
    seen.set(id, [...(seen.get(id) ?? []), context.arrays[0]])
    return context.arrays
  },
  vjp: ({ cotangents }) => cotangents,
})

/** The operand is what a probe saw the `iter`-th time, counted from 0. */
export const expectSerializedEqOp = defineOp({
  name: 'check.expect_serialized_eq',
  operands: ['expected'],
  results: [],
  regions: [],
  attributes: { probe_id: codec.string, iter: codec.optional(codec.i32) },
  assembly: form(operandList, probeId, optionalIntegers('iter'), attributeDictionary, oneType),
  traits: { effect: true },
  infer: (context) => inferNothing(context.operands, context),
  evaluate: (context) => {
    const { probe_id: id, iter = 0 } = context.attributes
    const seen = probes(context).get(id) ?? []
    const actual = seen[iter]
    if (!actual || !sameType(actual.type, context.arrays[0].type))
      throw new OpError(
        'check.expect_serialized_eq',
        actual ? `probe ${quote(id)} saw ${shortType(actual.type)}, expected ${shortType(context.arrays[0].type)}` : `probe ${quote(id)} saw ${seen.length} values, there is none with iter = ${iter}`,
        undefined,
        context.operation.location,
      )
    return check(context, 'check.expect_serialized_eq', actual, context.arrays[0], exact)
  },
  vjp: noGradient,
})

/** The same checks as custom calls, with the tolerances that their authors gave them. */
const customChecks: Readonly<Record<string, Agreement>> = {
  'check.expect_eq': exact,
  'check.expect_close': { kind: 'ulp', min: 0, max: 3 },
  'check.expect_almost_eq': { kind: 'absolute', tolerance: 1e-3 },
  'check.eq': { kind: 'absolute', tolerance: 1e-4 },
}
for (const [target, rule] of Object.entries(customChecks))
  defineCustomCall({
    target,
    evaluate: (context) => {
      const [actual, expected] = context.arrays
      if (context.arrays.length !== 2 || !sameType(actual.type, expected.type))
        throw new OpError(target, `needs two values of one type, got ${context.arrays.map((array) => shortType(array.type)).join(' and ')}`, undefined, context.operation.location)
      return check(context, target, actual, expected, rule)
    },
  })
