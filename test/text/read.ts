import type { Attribute } from '../../src/ir/attributes.ts'
import type { Module, Operation } from '../../src/ir/module.ts'
import type { Type } from '../../src/ir/types.ts'
import { ParseError } from '../../src/text/parse-error.ts'
import { type ParseOptions, parseModule } from '../../src/text/parse.ts'

/** The message of the error that reading `text` gives. */
export function parseFailure(text: string, options: ParseOptions = {}): string {
  try {
    parseModule(text, { file: 'model.mlir', ...options })
  } catch (error) {
    if (error instanceof ParseError) return error.message
    throw error
  }
  throw new Error('expected a ParseError, but the text could be read')
}

/** A type, read as the argument of a function. */
export const readType = (text: string, aliases = ''): Type => parseModule(`${aliases}\nfunc.func private @f(${text})`).functions[0].argumentTypes[0]

/** An attribute, read as one of a module. */
export const readAttribute = (text: string, aliases = ''): Attribute => parseModule(`${aliases}\nmodule attributes {a = ${text}} {}`).attributes.a

export const typeFailure = (text: string): string => parseFailure(`func.func private @f(${text})`)
export const attributeFailure = (text: string): string => parseFailure(`module attributes {a = ${text}} {}`)

/** A function's body on arguments %a and %b, both tensor<4xf32>. */
export const inBody = (body: string): string => `func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>) {\n${body}\n}`
export const readBody = (body: string, options?: ParseOptions): Module => parseModule(inBody(body), options)
export const bodyFailure = (body: string, options?: ParseOptions): string => parseFailure(inBody(body), options)

/** The first operation of the first function. */
export const firstOperation = (module: Module): Operation => module.functions[0].block.operations[0]
