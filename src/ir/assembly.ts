import type { Attribute } from './attributes.ts'
import type { Operation, Region, Value } from './module.ts'
import type { OpDefinition } from './op-definition.ts'
import type { Type } from './types.ts'

/**
 * An op's own text form. `print` writes what follows the op's name; `parse` reads it back. Both halves stand in one object,
 * usually built from the pieces in `ops/assembly.ts`, so that they are inverse by construction.
 */
export interface Assembly {
  print(operation: Operation, printer: AssemblyPrinter): void
  /** False for an operation that this form cannot express: it is then printed in generic form. */
  fits?(operation: Operation): boolean
  /** Reads what `print` writes. The parser has consumed the op's name. */
  parse(parser: AssemblyParser): ParsedOperation
}

/** What `text/` offers to a printing op. */
export interface AssemblyPrinter {
  text(text: string): void
  /** Goes on in a new line, as far in as the op itself. */
  newline(): void
  value(value: Value): void
  values(values: readonly Value[]): void
  type(type: Type): void
  /** `(a, b) -> c`, with parentheses around several results. */
  functionType(inputs: readonly Type[], outputs: readonly Type[]): void
  /** ` {...}` of the op's attributes but those named; nothing if none are left. */
  attributes(operation: Operation, except: readonly string[]): void
  /** `{ ... }` on lines of its own; arguments are printed as a block header unless `bare`. */
  region(region: Region, options?: { bare?: boolean }): void
  /** A block's argument gets its name now, as an op that prints arguments itself needs; `like` gives it the name of another. */
  blockArgument(value: Value, like?: Value): void
}

/** An operand as written, before its type is known. */
export interface OperandReference {
  readonly name: string
  readonly offset: number
}

/** What `text/` offers to a parsing op. Every method fails with a caret diagnostic if the text is not so. */
export interface AssemblyParser {
  /** Consumes exactly this punctuation or keyword. */
  expect(text: string): void
  /** Consumes it if it is there. */
  accept(text: string): boolean
  peek(text: string): boolean
  identifier(expected: string): string
  /** An integer with its sign; `message` is the error if there is none. */
  integer(message?: string): bigint
  symbol(): string
  string(): string
  operand(): OperandReference
  operands(): OperandReference[]
  type(): Type
  /** `(a, b) -> c` */
  functionType(): { inputs: Type[]; outputs: Type[] }
  attribute(): Attribute
  /** `{...}` if it is there. */
  attributes(): Record<string, Attribute>
  /** The text in the brackets that open here, and they: for attributes that an op writes in the words of its dialect. */
  bracketed(): string
  /** A region in braces; `bare` names its arguments when the op prints them itself. */
  region(bare?: readonly { name: OperandReference; type: Type }[]): Region
  /** The value an operand names, checked against the type. */
  resolve(reference: OperandReference, type: Type): Value
  resolveAll(references: readonly OperandReference[], types: readonly Type[]): Value[]
  /** The definition of an op that a form names inside itself: `applies stablehlo.add`. */
  definition(name: string): OpDefinition | undefined
  /** How many results stand before `=`. */
  readonly resultCount: number
  fail(message: string): never
}

export interface ParsedOperation {
  readonly operands: readonly Value[]
  readonly results: readonly Type[]
  /** Raw attributes; those of the op are read by its codecs. */
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly regions?: readonly Region[]
}
