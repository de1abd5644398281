import { InputError } from '../ir/errors.ts'
import type { OpDefinition } from '../ir/op-definition.ts'
import { anyAttribute, optional } from '../ops/codecs.ts'

/**
 * The definition of an op that no catalogue knows, for programs that are only read, looked at and printed. Its attributes are
 * kept as they are written, those in `<{...}>` too, whose names are `properties`.
 */
export const foreignOp = (name: string, properties: readonly string[]): OpDefinition => ({
  name,
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: Object.fromEntries(properties.map((property) => [property, optional(anyAttribute)])),
  assembly: 'generic',
  traits: { foreign: true, effect: true, operandTypes: 'any' },
  infer: ({ results }) => results ?? [],
  evaluate: () => {
    throw new InputError(`'${name}' cannot be run: it is not in Engram's catalogue of ops`, 'UNKNOWN_OP')
  },
  vjp: { notDifferentiable: `it is not in Engram's catalogue of ops` },
})
