/**
 * `npm test`: everything that must hold before a change is handed on. Each step is named and timed, a failed step does not
 * stop the next, and the last line counts: `N passed, N failed`, a step being one and every vitest test being one.
 * Arguments are handed to vitest: `npm test -- test/ops` runs the tests of one folder, `npm test -- -t softmax` by name.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { browserHint, findChromium } from './browser.ts'

/** One thing to check: a title and how it is run. */
export interface Step {
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  /** A file that the step fills with vitest's JSON report; its tests are counted besides the step. */
  readonly report?: string
}

/** How a step ended. `passed` and `failed` count the tests of its report and the step itself. */
export interface Outcome {
  readonly title: string
  readonly ok: boolean
  readonly elapsedMs: number
  readonly passed: number
  readonly failed: number
}

/** The counts of a vitest JSON report; undefined when vitest ended before it could write one. */
export function readCounts(file: string): { passed: number; failed: number } | undefined {
  try {
    const report = JSON.parse(fs.readFileSync(file, 'utf8')) as { numPassedTests: number; numFailedTests: number }
    if (!Number.isInteger(report.numPassedTests) || !Number.isInteger(report.numFailedTests)) return undefined
    return { passed: report.numPassedTests, failed: report.numFailedTests }
  } catch {
    return undefined
  }
}

const seconds = (elapsedMs: number) => `${(elapsedMs / 1000).toFixed(1)} s`

/** Runs one step with its output going straight through. */
async function run(step: Step, cwd: string): Promise<Outcome> {
  process.stdout.write(`\n── ${step.title}\n`)
  const startedAt = performance.now()
  // With-setup sets it for this script; tests start the `engram` command in folders with settings of their own.
  const { TSX_TSCONFIG_PATH: _ours, ...env } = process.env
  const child = spawn(step.command, step.args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] })
  const stop = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null; error?: Error }>((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }))
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
  const elapsedMs = performance.now() - startedAt
  if (ended.error) process.stdout.write(`${step.command} could not be started: ${ended.error.message}\n`)
  const ok = ended.code === 0
  const how = ok ? 'ok' : `FAILED (${ended.signal ?? (ended.error ? 'not started' : `exit code ${ended.code}`)})`
  process.stdout.write(`   ${step.title}: ${how}, ${seconds(elapsedMs)}\n`)
  const counts = step.report === undefined ? undefined : readCounts(step.report)
  return { title: step.title, ok, elapsedMs, passed: (counts?.passed ?? 0) + (ok ? 1 : 0), failed: (counts?.failed ?? 0) + (ok ? 0 : 1) }
}

/** What `npm test` cannot check on this kind of machine, a line each. */
export function machineNotes(platform: string = process.platform, arch: string = process.arch, chromium: string | null = findChromium() ?? null): string[] {
  return [
    ...(platform === 'linux' && arch === 'x64' ? [] : [`note: tests that compile for TPUs did not run: there is no libtpu for ${platform}-${arch}`]),
    ...(chromium === null ? [`note: tests that open pages in a browser did not run: ${browserHint}`] : []),
  ]
}

/** Runs all steps, prints the summary with the notes and answers the exit code. */
export async function runSteps(steps: readonly Step[], cwd: string, notes: readonly string[] = []): Promise<number> {
  const outcomes: Outcome[] = []
  let interrupted = false
  const onInterrupt = () => { interrupted = true }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onInterrupt)
  for (const step of steps) {
    if (interrupted) break
    outcomes.push(await run(step, cwd))
  }
  const width = Math.max(...outcomes.map((outcome) => outcome.title.length))
  process.stdout.write('\n')
  for (const { title, ok, elapsedMs } of outcomes) {
    process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${title.padEnd(width)}  ${seconds(elapsedMs).padStart(8)}\n`)
  }
  for (const note of notes) process.stdout.write(`${note}\n`)
  if (interrupted) process.stdout.write('interrupted before all steps were done\n')
  const sum = (key: 'passed' | 'failed') => outcomes.reduce((total, outcome) => total + outcome[key], 0)
  process.stdout.write(`${sum('passed')} passed, ${sum('failed') + (interrupted ? 1 : 0)} failed\n`)
  return interrupted ? 130 : sum('failed') === 0 ? 0 : 1
}

/** The script behind a package's command, so that no shell and no PATH is needed. */
function packageScript(root: string, name: string, command = name): string {
  const manifestFile = path.join(root, 'node_modules', name, 'package.json')
  const { bin } = JSON.parse(fs.readFileSync(manifestFile, 'utf8')) as { bin: string | Record<string, string> }
  return path.join(path.dirname(manifestFile), typeof bin === 'string' ? bin : bin[command])
}

/** The steps of `npm test`; `filters` go to vitest. */
export function testSteps(root: string, filters: readonly string[], reportFile: string): Step[] {
  const node = process.execPath
  const tsx = pathToFileURL(createRequire(path.join(root, 'package.json')).resolve('tsx')).href
  return [
    { title: 'generated protobuf types are current', command: node, args: ['--import', tsx, 'scripts/generate-protobuf.ts', '--check'] },
    { title: 'types', command: node, args: [packageScript(root, 'typescript', 'tsc'), '--noEmit'] },
    { title: 'lint', command: node, args: [packageScript(root, 'oxlint'), '--deny-warnings'] },
    {
      title: filters.length === 0 ? 'import rules and tests' : `tests: ${filters.join(' ')}`,
      command: node,
      args: [packageScript(root, 'vitest'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`, ...filters],
      report: reportFile,
    },
  ]
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-test-'))
  try {
    process.exitCode = await runSteps(testSteps(root, process.argv.slice(2), path.join(folder, 'vitest.json')), root, machineNotes())
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
