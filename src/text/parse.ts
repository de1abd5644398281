import { InputError } from '../ir/errors.ts'
import type { Module } from '../ir/module.ts'
import type { OpDefinition } from '../ir/op-definition.ts'
import { catalogue as stablehlo } from '../ops/catalogue.ts'
import { ParseError } from './parse-error.ts'
import { ModuleParser } from './parse-module.ts'
import { isStackOverflow } from './parse-operations.ts'

/**
 * StableHLO text to the program in memory: MLIR's generic form and the ops' own forms, as the upstream printer, JAX and people write
 * them. The parser knows the grammar, names and types of values; what an op's attributes mean is said by its codecs, its own form by
 * its `assembly`, and whether the program is valid by `verify/`. Time is linear in the text.
 *
 * The layers, each a class over the one before: `lex`, `parse-base`, `parse-quantized`, `parse-types`, `parse-attributes` (with
 * `parse-dense`), `parse-locations`, `parse-structs`, `parse-values`, `parse-operations`, `parse-module`.
 */
export interface ParseOptions {
  /** What the text is called in messages and locations; `<text>` if nothing is said. */
  readonly file?: string
  /** Ops by their full name; all of StableHLO if nothing is said. */
  readonly catalogue?: ReadonlyMap<string, OpDefinition>
  /** Accept ops that the catalogue lacks, in generic form: they can be printed back, but not run or differentiated. */
  readonly allowForeignOps?: boolean
}

/** The module that a text holds. Throws `ParseError` with file, line, column and a caret; `InputError` if the text is too long. */
export function parseModule(text: string | Uint8Array, options: ParseOptions = {}): Module {
  const file = options.file ?? '<text>'
  const source = typeof text === 'string' ? text : decode(text, file)
  try {
    return new ModuleParser(source, file, options.catalogue ?? stablehlo, options.allowForeignOps ?? false).parse()
  } catch (error) {
    // The nesting limits stop this earlier, unless the caller has used up the stack already.
    if (isStackOverflow(error)) throw new ParseError({ text: source, file }, 0, 'the program is nested too deeply to be read', [], error)
    throw error
  }
}

/** More than this does not fit a JavaScript string. */
const longestText = 2 ** 29 - 25

function decode(bytes: Uint8Array, file: string): string {
  if (bytes.byteLength > longestText)
    throw new InputError(`${file}: the text has ${bytes.byteLength} bytes, at most ${longestText} can be read: keep large constants out of it, as arguments`, 'TEXT_TOO_LONG')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
