import { writeFileAtomic } from '../data/atomic-file.ts'
import type { Module } from '../ir/module.ts'
import { type ModuleDifference, differencesText, diffModules } from '../text/compare.ts'
import { ParseError } from '../text/parse-error.ts'
import { parseModule } from '../text/parse.ts'
import { printModule } from '../text/print.ts'
import { type TestPlace, goldenPath, readGolden } from './golden-file.ts'
import { type SubjectOptions, shortPath, subjectOf } from './subject.ts'

export interface MatchOptions extends SubjectOptions {
  /** How many differences a failure shows; 20 if nothing is said. */
  readonly limit?: number
}

/** What vitest says of the run: which golden files may be written. */
export interface GoldenTest extends TestPlace {
  readonly isNot: boolean
  /** As vitest's own snapshots: `all` with `-u`, `none` on CI. */
  readonly snapshotState?: { readonly snapshotUpdateState: 'all' | 'new' | 'none' }
}

export interface MatchResult {
  readonly pass: boolean
  readonly message: () => string
}

/** Compares a program with its golden file by structure, and writes the file where vitest would write a snapshot. */
export async function matchStableHLO(test: GoldenTest, received: unknown, given: string | undefined, options: MatchOptions): Promise<MatchResult> {
  const { module } = subjectOf(received, 'toMatchStableHLO', { types: options.types, allowForeignOps: true })
  const file = goldenPath(test, given)
  const shown = shortPath(file)
  const update = test.snapshotState?.snapshotUpdateState ?? 'none'
  const text = readGolden(file)
  if (test.isNot) return text === undefined ? missing(shown, true) : compared(readModule(text, shown), module, shown, options)
  if (text === undefined) {
    if (update === 'none') return missing(shown, false)
    await write(file, module)
    return written(shown)
  }
  if (update !== 'all') return compared(readModule(text, shown), module, shown, options)
  const golden = attempt(() => readModule(text, shown))
  if (golden && diffModules(golden, module, { limit: 1 }).length === 0) return written(shown)
  await write(file, module)
  return written(shown)
}

const write = (file: string, module: Module): Promise<void> => writeFileAtomic(file, (writer) => writer.write(new TextEncoder().encode(printModule(module, { locations: 'scopes' }))))

const readModule = (text: string, file: string): Module => parseModule(text, { file, allowForeignOps: true })

/** The result, or undefined if it is text that cannot be read. */
function attempt<T>(body: () => T): T | undefined {
  try {
    return body()
  } catch (error) {
    if (error instanceof ParseError) return undefined
    throw error
  }
}

const written = (file: string): MatchResult => ({ pass: true, message: () => `the golden file ${file} was written` })

const missing = (file: string, isNot: boolean): MatchResult => ({
  // A missing file fails with `.not` too: there is nothing that could differ.
  pass: isNot,
  message: () =>
    isNot
      ? `there is no golden file ${file} that the program could differ from`
      : `there is no golden file ${file}, and this run may not write it (on CI, or with --update=none).\nRun the test on your machine, look at the file it writes, and commit it.`,
})

function compared(golden: Module, module: Module, file: string, { limit = 20 }: MatchOptions): MatchResult {
  const found = diffModules(golden, module, { limit: limit + 1 })
  return {
    pass: found.length === 0,
    message: () => (found.length === 0 ? `the program is the one in ${file}, it should be another` : differenceMessage(found, file, limit)),
  }
}

function differenceMessage(found: readonly ModuleDifference[], file: string, limit: number): string {
  const more = found.length > limit
  const count = more ? `more than ${limit} differences, the first of them` : found.length === 1 ? 'one difference' : `${found.length} differences`
  const text = differencesText(found.slice(0, limit), { folder: process.cwd() })
  return `the program is not the one in ${file}: ${count}\n(- as in the file, + as it is now; if this is right, update the file with vitest -u)\n\n${text.trimEnd()}`
}
