import { readFile } from 'node:fs/promises'
import { InputError } from '../ir/errors.ts'
import type { Module } from '../ir/module.ts'
import { type ParseOptions, parseModule } from '../text/parse.ts'

/** A StableHLO file as it is. Throws `InputError` if it cannot be read. */
export async function readProgramText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new InputError(`${file}: cannot be read: ${(error as Error).message}`, 'FILE_MISSING')
  }
}

/** The module of a StableHLO file, not verified. Throws `InputError`, `ParseError`. */
export async function readModule(file: string, options: Omit<ParseOptions, 'file'> = {}): Promise<{ module: Module; text: string }> {
  const text = await readProgramText(file)
  return { module: parseModule(text, { ...options, file }), text }
}

/** The same, verified. Throws `VerifyError` too, with the line. */
export async function readVerifiedModule(file: string): Promise<{ module: Module; text: string }> {
  const { checkModule } = await import('../verify/verify.ts')
  const { module, text } = await readModule(file)
  return { module: checkModule(module, { source: { text, file } }), text }
}
