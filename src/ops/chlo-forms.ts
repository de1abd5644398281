import type { BinaryScalars, UnaryScalars } from '../host/elementwise.ts'
import type { Assembly } from '../ir/assembly.ts'
import type { NotDifferentiable, OpDefinition, VjpRule } from '../ir/op-definition.ts'
import { type Piece, attributeDictionary, form, operandList } from './assembly.ts'
import { defineOp } from './define.ts'
import { binaryOp, unaryOp } from './elementwise.ts'
import type { ElementKind } from './elementwise-rules.ts'

/**
 * What the ops of the `chlo` dialect have in common. They are composites that frameworks write in their programs; compilers lower them to
 * StableHLO. Source: openxla/stablehlo, `ChloOps.td`.
 */

/** ` : a, b -> c` */
export const arrowTypes: Piece = {
  print: (operation, printer) => {
    printer.text(' : ')
    operation.operands.forEach((operand, i) => {
      if (i) printer.text(', ')
      printer.type(operand.type)
    })
    printer.text(' -> ')
    printer.type(operation.results[0].type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    state.operandTypes = []
    do state.operandTypes.push(parser.type())
    while (parser.accept(','))
    parser.expect('->')
    state.results = [parser.type()]
  },
}

const arrowForm: Assembly = form(operandList, attributeDictionary, arrowTypes)

interface Parts<Scalars> {
  readonly kinds: readonly ElementKind[]
  readonly scalars: Scalars
  readonly vjp: VjpRule<{}> | NotDifferentiable
}

/** An element-wise `chlo` op of one operand. */
export const chloUnary = (name: string, parts: Parts<UnaryScalars>): OpDefinition<{}> =>
  defineOp({ ...unaryOp(name, parts), name: `chlo.${name}`, assembly: arrowForm })

/** An element-wise `chlo` op of two operands. */
export const chloBinary = (name: string, parts: Parts<BinaryScalars>): OpDefinition<{}> =>
  defineOp({ ...binaryOp(name, parts), name: `chlo.${name}`, assembly: arrowForm })
