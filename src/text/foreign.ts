import { InputError } from '../ir/errors.ts'
import type { OpDefinition } from '../ir/op-definition.ts'

/**
 * The definition of an op that no catalogue knows, for programs that are only read, looked at and printed. All its attributes
 * are kept as they are written.
 */
export const foreignOp = (name: string): OpDefinition => ({
  name,
  operands: ['operands...'],
  results: ['results...'],
  regions: [],
  attributes: {},
  assembly: 'generic',
  traits: { effect: true },
  infer: ({ results }) => results ?? [],
  evaluate: () => {
    throw new InputError(`'${name}' cannot be run: it is not in Engram's catalogue of ops`, 'UNKNOWN_OP')
  },
  vjp: { notDifferentiable: `it is not in Engram's catalogue of ops` },
})
