import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { z } from 'zod'

/** Where a Python was found. */
export type PythonSource = 'option' | 'ENGRAM_PYTHON' | '.venv' | 'PATH'

/** Something that keeps the runner from starting. `fix` is what to do, a command where there is one. */
export interface PythonProblem {
  readonly code: 'PYTHON_NOT_FOUND' | 'PYTHON_VERSION' | 'PYTHON_PACKAGES' | 'LIBTPU_MISSING'
  readonly message: string
  readonly fix: string
}

/** What `probePython` found out. */
export interface PythonProbe {
  /** Whether the runner can start with it. */
  readonly ok: boolean
  readonly command: string
  readonly source: PythonSource
  /** Absolute path of the interpreter, if it ran. */
  readonly executable: string | undefined
  readonly version: string | undefined
  /** By package: the pinned version and the installed one, undefined where it is missing. */
  readonly packages: Readonly<Record<string, { readonly expected: string; readonly found: string | undefined }>>
  /** Version of libtpu, which only compiling for TPUs needs; undefined where it is missing. */
  readonly libtpu: string | undefined
  readonly problems: readonly PythonProblem[]
}

const oldestMinor = 11
const setUp = 'run `npm run setup`'

/** The folder of Engram's package.json. */
export const packageRoot: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
})()

/** The folder that Python has to be able to import from. */
export const runnerFolder: string = join(packageRoot, 'scripts/runner')

/**
 * Versions of the Python packages that the runner was made for, from `scripts/runner/requirements.txt`, or from another of its files:
 * `requirements-tpu.txt` has what only compiling for TPUs needs.
 */
export function pinnedPackages(file: 'requirements.txt' | 'requirements-tpu.txt' = 'requirements.txt'): Record<string, string> {
  const pins: Record<string, string> = {}
  for (const line of readFileSync(join(runnerFolder, file), 'utf8').split('\n')) {
    const match = /^([A-Za-z0-9_.-]+)==([^\s;#]+)/.exec(line)
    if (match) pins[match[1]] = match[2]
  }
  return pins
}

/** The Python to use: the option, `ENGRAM_PYTHON`, the virtual environment of the set-up, or `python3`, the first that is there. */
export function findPython(option?: string): { command: string; source: PythonSource } {
  if (option !== undefined) return { command: option, source: 'option' }
  const fromEnvironment = process.env.ENGRAM_PYTHON
  if (fromEnvironment) return { command: fromEnvironment, source: 'ENGRAM_PYTHON' }
  const inside = process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python'
  // Next to Engram's package.json, or, where Engram is a dependency, next to the user's.
  for (const folder of new Set([packageRoot, process.cwd()])) {
    const command = join(folder, '.venv', inside)
    if (existsSync(command)) return { command, source: '.venv' }
  }
  return { command: 'python3', source: 'PATH' }
}

/** Environment of the runner's process: it imports its own package first and nothing from the working directory. */
export function pythonEnvironment(): Record<string, string> {
  const path = process.env.PYTHONPATH
  return { PYTHONPATH: path ? `${runnerFolder}${delimiter}${path}` : runnerFolder, PYTHONSAFEPATH: '1', PYTHONUNBUFFERED: '1' }
}

const answerSchema = z.object({
  executable: z.string(),
  version: z.tuple([z.number(), z.number(), z.number()]),
  packages: z.record(z.string(), z.string().nullable()),
})

/** Runs on any Python 3. */
const question = `
import json, sys
found = {}
for name in sys.argv[1:]:
    try:
        from importlib.metadata import version
        found[name] = version(name)
    except Exception:
        found[name] = None
print(json.dumps({"executable": sys.executable, "version": sys.version_info[:3], "packages": found}))
`

/** Looks at the Python that `startRunner` would use, in a fraction of a second and without importing JAX. Never throws. */
export async function probePython(option?: string): Promise<PythonProbe> {
  const { command, source } = findPython(option)
  const pins = pinnedPackages()
  const nothing = Object.fromEntries(Object.entries(pins).map(([name, expected]) => [name, { expected, found: undefined }]))
  const answer = await askPython(command, [...Object.keys(pins), 'libtpu'])
  if (typeof answer === 'string') {
    const message = source === 'PATH' ? `no Python was found (${answer})` : `${command} (from ${source}) is not a Python that runs: ${answer}`
    const fix = source === 'ENGRAM_PYTHON' ? 'set ENGRAM_PYTHON to a Python 3.11 or newer, or unset it and ' : source === 'option' ? 'pass another Python, or ' : ''
    const problem: PythonProblem = { code: 'PYTHON_NOT_FOUND', message, fix: `${fix}${setUp} (it needs Python 3.11 or newer on the PATH)` }
    return { ok: false, command, source, executable: undefined, version: undefined, packages: nothing, libtpu: undefined, problems: [problem] }
  }
  const [major, minor] = answer.version
  const version = answer.version.join('.')
  const packages = Object.fromEntries(Object.entries(pins).map(([name, expected]) => [name, { expected, found: answer.packages[name] ?? undefined }]))
  const problems: PythonProblem[] = []
  if (major !== 3 || minor < oldestMinor) {
    const message = `Python ${version} (${answer.executable}) is too old, 3.${oldestMinor} or newer is needed`
    problems.push({ code: 'PYTHON_VERSION', message, fix: `install Python 3.${oldestMinor} or newer, then ${setUp}` })
  } else {
    problems.push(...packageProblems(packages, `${answer.executable}, Python ${version}`, source))
  }
  return { ok: problems.length === 0, command, source, executable: answer.executable, version, packages, libtpu: answer.packages.libtpu ?? undefined, problems }
}

/** Problems for packages that are missing or of another version than the pinned one; `where` names the Python. */
export function packageProblems(
  packages: PythonProbe['packages'],
  where: string,
  source: PythonSource | 'command',
): PythonProblem[] {
  const entries = Object.entries(packages)
  const missing = entries.filter(([, { found }]) => found === undefined).map(([name]) => name)
  const others = entries.filter(([, { found, expected }]) => found !== undefined && found !== expected)
  const fix =
    source === '.venv' || source === 'PATH' ? setUp
    : source === 'command' ? 'run `npm run setup` on the machine of the runner'
    : `${source === 'option' ? 'leave the option `python` out' : 'unset ENGRAM_PYTHON'} and ${setUp}, or install scripts/runner/requirements.txt there`
  const problems: PythonProblem[] = []
  if (missing.length > 0) problems.push({ code: 'PYTHON_PACKAGES', message: `${where}: not installed: ${missing.join(', ')}`, fix })
  if (others.length > 0) {
    const list = others.map(([name, { found, expected }]) => `${name} is ${found}, pinned is ${expected}`).join('; ')
    problems.push({ code: 'PYTHON_PACKAGES', message: `${where}: ${list}`, fix })
  }
  return problems
}

/** Whether there is a libtpu for this kind of machine. */
export const libtpuExistsHere = (): boolean => process.platform === 'linux' && process.arch === 'x64'

/** The command that installs libtpu. */
export const libtpuCommand = 'npm run setup -- --tpu'

/** What is wrong with the installed libtpu, of version `found`: nothing, missing, or another version than the pinned one. */
export function libtpuProblems(found: string | undefined, source: PythonSource | 'command'): PythonProblem[] {
  const expected = pinnedPackages('requirements-tpu.txt').libtpu
  if (found === expected) return []
  const message =
    found === undefined
      ? 'compiling for TPUs needs the Python package libtpu, which is not installed'
      : `compiling for TPUs needs libtpu ${expected}, installed is ${found}`
  const fix =
    source === 'command' ? `run \`${libtpuCommand}\` on the machine of the runner`
    : !libtpuExistsHere() ? `use a Linux machine with x86-64 processors: there is no libtpu for ${process.platform}-${process.arch}`
    : source === '.venv' || source === 'PATH' ? `run \`${libtpuCommand}\``
    : `run \`${libtpuCommand}\` and ${source === 'option' ? 'leave the option `python` out' : 'unset ENGRAM_PYTHON'}, or install scripts/runner/requirements-tpu.txt there`
  return [{ code: 'LIBTPU_MISSING', message, fix }]
}

/** The answer, or why there is none. */
async function askPython(command: string, names: string[]): Promise<z.infer<typeof answerSchema> | string> {
  const result = await execa(command, ['-c', question, ...names], { reject: false, timeout: 20_000, stdin: 'ignore' })
  if (result.code === 'ENOENT') return `there is no ${command}`
  if (result.failed) return result.stderr.trim().split('\n').at(-1) || result.shortMessage || 'it failed'
  try {
    return answerSchema.parse(JSON.parse(result.stdout))
  } catch {
    return `it printed ${JSON.stringify(result.stdout.slice(0, 80))}`
  }
}
