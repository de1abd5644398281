import fs from 'node:fs'
import path from 'node:path'
import { InputError } from '../ir/errors.ts'

/** The test that calls a matcher, as vitest tells it. */
export interface TestPlace {
  readonly testPath?: string
  readonly currentTestName?: string
  readonly task?: { readonly id: string; readonly result?: { readonly retryCount?: number; readonly repeatCount?: number } }
}

/** How often a test has asked for a file of its own, and which test has which file. */
const calls = new Map<string, number>()
const owners = new Map<string, string>()

/**
 * The golden file of a call: the given path, relative to the test's folder, or one that follows from the names of the test file and the test:
 * `__stablehlo__/attention/forward.mlir`, and `forward-2.mlir` for the second call in it. Throws `InputError` if two tests would share one.
 */
export function goldenPath(test: TestPlace, given: string | undefined): string {
  const { testPath, currentTestName } = test
  if (testPath === undefined) throw new InputError('toMatchStableHLO works inside a test only: there is no test file to put the golden file beside')
  const folder = path.dirname(testPath)
  if (given !== undefined) return path.resolve(folder, given)
  if (currentTestName === undefined) throw new InputError('toMatchStableHLO outside of a test needs the name of a golden file')
  const base = fileName(path.basename(testPath).replace(/(\.(test|spec))?\.[cm]?[jt]sx?$/, ''))
  const name = fileName(currentTestName)
  const golden = path.join(folder, '__stablehlo__', base, `${name}${suffix(test)}.mlir`)
  const owner = owners.get(golden)
  if (owner !== undefined && owner !== currentTestName)
    throw new InputError(`the tests '${owner}' and '${currentTestName}' would share the golden file ${path.basename(golden)}: rename one, or give a file: toMatchStableHLO('NAME.mlir')`)
  owners.set(golden, currentTestName)
  return golden
}

/** A test that runs again counts from the start. */
function suffix({ testPath, currentTestName, task }: TestPlace): string {
  const run = `${task?.result?.retryCount ?? 0}.${task?.result?.repeatCount ?? 0}`
  const key = JSON.stringify([testPath, task?.id ?? currentTestName, run])
  const count = (calls.get(key) ?? 0) + 1
  calls.set(key, count)
  return count === 1 ? '' : `-${count}`
}

/** Letters, digits, points and dashes, at most 100 of them. */
const fileName = (text: string): string => text.replace(/[^\p{L}\p{N}._-]+/gu, '-').replace(/^[-.]+|-+$/g, '').slice(0, 100) || 'program'

/** The content of a golden file; undefined if there is none. Throws `InputError` if it cannot be read. */
export function readGolden(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new InputError(`cannot read the golden file ${file}: ${(error as Error).message}`, 'FILE_UNREADABLE', error)
  }
}
