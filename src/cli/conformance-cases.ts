import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError } from '../ir/errors.ts'
import { readProgramText } from './read-module.ts'

/**
 * What a folder of programs expects of whoever reads, checks and runs them: as its `manifest.json` says, or, without one, as the
 * programs themselves do: checks inside them, `expected-error` comments, `// -----` between programs.
 */
export const conformanceModes = ['exec', 'parallel', 'parse_only', 'filecheck', 'run_only', 'verify_reject', 'verify_accept'] as const
export type ConformanceMode = (typeof conformanceModes)[number]

/** An error that a program must be refused with. */
export interface ExpectedError {
  readonly line: number
  /** Part of the message; with `regex`, what stands in `{{...}}` is a regular expression. */
  readonly text: string
  readonly regex: boolean
}

export interface ConformanceCase {
  readonly id: string
  readonly mode: ConformanceMode
  /** The op that it is about. */
  readonly primaryOp: string
  /** The functions to run; the module's main function if empty. */
  readonly entries: readonly string[]
  readonly expected: readonly ExpectedError[]
  readonly allowForeignOps: boolean
  readonly read: () => Promise<string>
}

const manifestSchema = z.object({
  cases: z.array(
    z.object({
      id: z.string().min(1),
      mode: z.enum(conformanceModes),
      primary_op: z.string().default('unknown'),
      entry: z.string().nullish(),
      expected: z.array(z.object({ line: z.number(), text: z.string(), regex: z.boolean().default(false) })).default([]),
      allow_unregistered_dialect: z.boolean().default(false),
    }),
  ),
})

/** The cases of a folder. Throws `InputError` if it cannot be read, has no programs, or its manifest is not as it must be. */
export async function loadCases(folder: string): Promise<ConformanceCase[]> {
  const manifest = await readFile(join(folder, 'manifest.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new InputError(`${folder}: manifest.json cannot be read: ${error.message}`, 'FILE_MISSING')
  })
  const cases = manifest === undefined ? await findCases(folder) : manifestCases(folder, manifest)
  if (cases.length === 0) throw new InputError(`${folder}: there are no programs (.mlir) here`, 'FILE_MISSING')
  return cases
}

function manifestCases(folder: string, text: string): ConformanceCase[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError(`${folder}/manifest.json is not JSON: ${(error as Error).message}`)
  }
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) throw new InputError(`${folder}/manifest.json: ${z.prettifyError(parsed.error)}`)
  return parsed.data.cases.map(({ id, mode, primary_op, entry, expected, allow_unregistered_dialect }) => ({
    id,
    mode,
    primaryOp: primary_op,
    entries: entry ? [entry] : [],
    expected,
    allowForeignOps: allow_unregistered_dialect,
    read: () => readProgramText(join(folder, id)),
  }))
}

async function findCases(folder: string): Promise<ConformanceCase[]> {
  let names: string[]
  try {
    names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.mlir')).sort()
  } catch (error) {
    throw new InputError(`${folder}: cannot be read: ${(error as Error).message}`, 'FILE_MISSING')
  }
  const cases: ConformanceCase[] = []
  for (const name of names) {
    const whole = await readProgramText(join(folder, name))
    // MLIR's tests say it in the command that runs them.
    const allowForeignOps = whole.includes('-allow-unregistered-dialect')
    const pieces = splitPrograms(whole)
    pieces.forEach((text, i) => cases.push(caseOf(pieces.length === 1 ? name : `${name}#${i + 1}`, text, allowForeignOps)))
  }
  return cases
}

/** The programs of a text with `// -----` between them; each keeps the line numbers that it has in the whole. */
export function splitPrograms(text: string): string[] {
  let lines = 0
  return text
    .split(/^\/\/ -----.*$/m)
    .map((piece) => {
      const placed = '\n'.repeat(lines) + piece
      lines += piece.split('\n').length - 1
      return placed
    })
    .filter((piece) => piece.replace(/^\s*\/\/.*$/gm, '').trim() !== '')
}

/** What a program without a manifest expects. */
function caseOf(id: string, text: string, allowForeignOps: boolean): ConformanceCase {
  const code = text.replace(/^\s*\/\/.*$/gm, '')
  const expected = expectedErrors(text)
  const mode = expected.length ? 'verify_reject' : !/\bcheck\.\w/.test(code) ? 'parse_only' : code.includes('interpreter.run_parallel') ? 'parallel' : 'exec'
  return { id, mode, primaryOp: primaryOp(code), entries: entriesOf(code, mode), expected, allowForeignOps, read: async () => text }
}

/** `@main`, or else every function that takes nothing. */
function entriesOf(code: string, mode: ConformanceMode): string[] {
  if ((mode !== 'exec' && mode !== 'parallel') || /@main\b/.test(code)) return []
  return [...code.matchAll(/\bfunc(?:\.func)?(?:\s+(?:public|private))?\s+@([\w$.-]+)\s*\(\s*\)/g)].map((match) => match[1])
}

/** The first op that is not there for the sake of others. */
const primaryOp = (code: string): string =>
  [...code.matchAll(/\b(?:stablehlo|chlo)\.[a-z_0-9]+/g)].map(([name]) => name).find((name) => !/\.(?:constant|return|custom_call)$/.test(name)) ?? 'none'

/** `// expected-error@+1 {{text}}`, as MLIR's own tests have it. */
function expectedErrors(text: string): ExpectedError[] {
  return text.split('\n').flatMap((line, i) =>
    [...line.matchAll(/expected-error(-re)?\s*(?:@([+-]\d+|above|below))?\s*\{\{(.*?)\}\}(?=\s*(?:$|expected-|\/\/))/g)].map(([, regex, offset, expected]) => ({
      line: i + 1 + (offset === 'above' ? -1 : offset === 'below' ? 1 : Number(offset ?? 0)),
      text: expected,
      regex: regex !== undefined,
    })),
  )
}
