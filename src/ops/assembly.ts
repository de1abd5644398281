import type { Assembly, AssemblyParser, AssemblyPrinter, OperandReference } from '../ir/assembly.ts'
import { type Attribute, symbolText } from '../ir/attributes.ts'
import type { Operation, Region } from '../ir/module.ts'
import { type Type, sameType } from '../ir/types.ts'

/**
 * Pieces of which ops' own text forms are built. Each piece can print itself and read itself back, so a form that is a
 * list of pieces prints and parses inversely.
 */
export interface Piece {
  print(operation: Operation, printer: AssemblyPrinter): void
  parse(parser: AssemblyParser, state: ParseState): void
  /** Attributes that this piece prints, so that the dictionary leaves them out. */
  readonly covers?: readonly string[]
}
export interface ParseState {
  references: OperandReference[]
  operandTypes: Type[]
  results: Type[]
  attributes: Record<string, Attribute>
  regions: Region[]
}

/** An op's form from its pieces, in order. */
export function form(...pieces: readonly Piece[]): Assembly {
  const covered = pieces.flatMap((piece) => piece.covers ?? [])
  const dictionary: Piece = {
    print: (operation, printer) => printer.attributes(operation, covered),
    parse: (parser, state) => Object.assign(state.attributes, parser.attributes()),
  }
  const all = pieces.map((piece) => (piece === attributeDictionary ? dictionary : piece))
  return {
    print: (operation, printer) => {
      for (const piece of all) piece.print(operation, printer)
    },
    parse: (parser) => {
      const state: ParseState = { references: [], operandTypes: [], results: [], attributes: {}, regions: [] }
      for (const piece of all) piece.parse(parser, state)
      return {
        operands: parser.resolveAll(state.references, state.operandTypes),
        results: state.results,
        attributes: state.attributes,
        regions: state.regions,
      }
    },
  }
}

/** ` {...}` of the attributes that no other piece prints. */
export const attributeDictionary: Piece = { print: () => undefined, parse: () => undefined }

/** ` %a, %b` */
export const operandList: Piece = {
  print: (operation, printer) => {
    if (operation.operands.length === 0) return
    printer.text(' ')
    printer.values(operation.operands)
  },
  parse: (parser, state) => {
    state.references = parser.operands()
  },
}

/** ` : (a, b) -> c` */
export const functional: Piece = {
  print: (operation, printer) => {
    printer.text(' : ')
    printer.functionType(operation.operands.map((operand) => operand.type), operation.results.map((result) => result.type))
  },
  parse: (parser, state) => {
    parser.expect(':')
    const { inputs, outputs } = parser.functionType()
    state.operandTypes = inputs
    state.results = outputs
  },
}

/** ` : type` if all operands and the result have it, otherwise the functional form. */
export const sameOperandsAndResult: Piece = {
  print: (operation, printer) => {
    const type = operation.results[0].type
    if (!operation.operands.every((operand) => sameType(operand.type, type))) return functional.print(operation, printer)
    printer.text(' : ')
    printer.type(type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    if (parser.peek('(')) {
      const { inputs, outputs } = parser.functionType()
      if (inputs.length !== state.references.length) parser.fail(`${state.references.length} operands present, but expected ${inputs.length}`)
      if (outputs.length !== 1) parser.fail('expected single output')
      state.operandTypes = inputs
      state.results = outputs
    } else {
      const type = parser.type()
      state.operandTypes = state.references.map(() => type)
      state.results = [type]
    }
  },
}

/** ` : a, b`: the operands' types, which are also the results' (`passThrough`), or there are no results. */
export const operandTypes = (passThrough: boolean): Piece => ({
  print: (operation, printer) => {
    operation.operands.forEach((operand, i) => {
      printer.text(i ? ', ' : ' : ')
      printer.type(operand.type)
    })
  },
  parse: (parser, state) => {
    if (state.references.length === 0) return
    parser.expect(':')
    state.operandTypes = []
    do state.operandTypes.push(parser.type())
    while (parser.accept(','))
    if (passThrough) state.results = state.operandTypes
  },
})

/** ` : type` of the only result of an op without operands. */
export const resultType: Piece = {
  print: (operation, printer) => {
    printer.text(' : ')
    printer.type(operation.results[0].type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    state.results = [parser.type()]
  },
}

/** An integer that a JavaScript number holds exactly: axes, places and sizes are. */
export function parseSmallInteger(parser: AssemblyParser, message?: string): number {
  const value = Number(parser.integer(message))
  return Number.isSafeInteger(value) ? value : parser.fail('an axis, a place or a size cannot be as large as this')
}

/** `[1, 2]` as the text has it, without a name. */
export function parseIntegerList(parser: AssemblyParser): number[] {
  const list: number[] = []
  parser.expect('[')
  if (parser.accept(']')) return list
  do list.push(parseSmallInteger(parser, `expected integer value, or expected ']' to end the list`))
  while (parser.accept(','))
  parser.expect(']')
  return list
}
export const integerListAttribute = (list: readonly number[]): Attribute => ({ kind: 'denseArray', elementType: 'i64', elements: list.map(BigInt) })

/** `, dims = [0, 1]` (or without the comma if it comes first) for an array attribute. */
export const integerList = (attribute: string, label: string, comma = true): Piece => ({
  covers: [attribute],
  print: (operation, printer) =>
    printer.text(`${comma ? ',' : ''} ${label} = [${(operation.attributes[attribute] as readonly number[]).join(', ')}]`),
  parse: (parser, state) => {
    if (comma) parser.expect(',')
    parser.expect(label)
    parser.expect('=')
    state.attributes[attribute] = integerListAttribute(parseIntegerList(parser))
  },
})

/** `, dim = 0` for an integer attribute. */
export const integerField = (attribute: string, label: string, comma = true): Piece => ({
  covers: [attribute],
  print: (operation, printer) => printer.text(`${comma ? ',' : ''} ${label} = ${operation.attributes[attribute]}`),
  parse: (parser, state) => {
    if (comma) parser.expect(',')
    parser.expect(label)
    parser.expect('=')
    state.attributes[attribute] = { kind: 'integer', value: parser.integer(), type: 'i64' }
  },
})

/** `, label = WORD` (or ` WORD` without a label) for an enumeration. */
export const word = (attribute: string, enumName: string, options: { label?: string; comma?: boolean } = {}): Piece => ({
  covers: [attribute],
  print: (operation, printer) => {
    const value: string = operation.attributes[attribute]
    printer.text(`${options.comma ? ',' : ''} ${options.label ? `${options.label} = ` : ''}${value}`)
  },
  parse: (parser, state) => {
    if (options.comma) parser.expect(',')
    if (options.label) {
      parser.expect(options.label)
      parser.expect('=')
    }
    state.attributes[attribute] = { kind: 'dialect', text: `#stablehlo<${enumName} ${parser.identifier(`a ${enumName}`)}>` }
  },
})

/** ` @name(%a, %b)`: what is called, kept in `attribute` as a symbol or as a string. */
export const symbolCall = (attribute: string, kind: 'symbol' | 'string'): Piece => ({
  covers: [attribute],
  print: (operation, printer) => {
    printer.text(` @${symbolText(operation.attributes[attribute])}(`)
    printer.values(operation.operands)
    printer.text(')')
  },
  parse: (parser, state) => {
    const name = parser.symbol()
    state.attributes[attribute] = kind === 'symbol' ? { kind, name } : { kind, value: name }
    parser.expect('(')
    if (parser.accept(')')) return
    state.references = parser.operands()
    parser.expect(')')
  },
})

/** Fixed punctuation. */
export const literal = (text: string): Piece => ({
  print: (_, printer) => printer.text(text),
  parse: (parser) => parser.expect(text.trim()),
})

/** The forms that many ops have. */
export const sameTypeForm = form(operandList, attributeDictionary, sameOperandsAndResult)
export const functionalForm = form(operandList, attributeDictionary, functional)
