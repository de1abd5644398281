import { Command } from 'commander'
import type { ConformanceCase, ConformanceMode } from './conformance-cases.ts'
import type { CaseResult } from './conformance-run.ts'
import type { KnownOutcome } from './known-failures.ts'
import { jsonOption, positiveInteger } from './options.ts'
import { ProgressLine } from './progress-line.ts'
import { exitCodes } from './report-error.ts'

interface Tally {
  total: number
  passed: number
  /** For programs that must be refused: how many were, and how many of them with the expected messages at the expected lines. */
  refused?: number
  messages?: number
}

interface Report {
  readonly modes: Readonly<Partial<Record<ConformanceMode, Tally>>>
  /** The share of cases that passed, for each primary op, averaged over the ops. */
  readonly byOp: number
  readonly ops: Readonly<Record<string, Tally>>
  readonly failed: readonly string[]
  /** Against the list of known failures, if one was given. */
  readonly known?: KnownOutcome
  readonly reasons: Readonly<Record<string, string>>
  readonly seconds: number
}

export const command = (): Command =>
  new Command('conformance')
    .summary('run a folder of test programs')
    .description(
      'Runs every program of a folder: as its manifest.json says, or, without one, as the programs do that have checks or expected-error comments inside.\n' +
        'Exit code 1 if a case fails; with a list of known failures, if a case fails that is not in it, or one passes that is.',
    )
    .argument('<folder>', 'a folder of StableHLO programs (.mlir)')
    .option('--only <text>', 'only the cases whose id contains this text')
    .option('--known <file>', 'cases that are known to fail: {"failures": [{"id": "a.mlir", "reason": "why"}]}')
    .option('--timeout <seconds>', 'a case that takes longer fails', positiveInteger, 60)
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram conformance stablehlo-tests --known known-failures.json\n  engram conformance stablehlo-tests --only scatter --json')
    .action(async (folder: string, options: { json?: boolean; only?: string; known?: string; timeout: number }) => {
      const { loadCases } = await import('./conformance-cases.ts')
      const { runCase } = await import('./conformance-run.ts')
      const { InputError } = await import('../ir/errors.ts')
      const { compareWithKnown, readKnownFailures } = await import('./known-failures.ts')
      const { only } = options
      const known = options.known === undefined ? undefined : await readKnownFailures(options.known)
      const cases = (await loadCases(folder)).filter(({ id }) => only === undefined || id.includes(only))
      if (cases.length === 0) throw new InputError(`${folder}: no case has an id that contains ${only}`)
      const run = await runAll(cases, (each) => runCase(each, 1000 * options.timeout))
      const outcome = known && compareWithKnown(known, cases.map(({ id }) => id), run.failed, only === undefined)
      const report: Report = outcome ? { ...run, known: outcome } : run
      process.stdout.write(options.json ? `${JSON.stringify({ ...report.modes, ...report, modes: undefined })}\n` : reportText(report))
      const wrong = outcome ? Object.values(outcome).flat() : report.failed
      if (wrong.length) process.exitCode = exitCodes.failed
    })

async function runAll(cases: readonly ConformanceCase[], runCase: (each: ConformanceCase) => Promise<CaseResult>): Promise<Report> {
  const modes: Partial<Record<ConformanceMode, Tally>> = {}
  const ops: Record<string, Tally> = {}
  const reasons: Record<string, string> = {}
  const progress = new ProgressLine()
  let done = 0
  for (const each of cases) {
    const result = await runCase(each)
    const tally = (modes[each.mode] ??= { total: 0, passed: 0 })
    const op = (ops[each.primaryOp] ??= { total: 0, passed: 0 })
    for (const count of [tally, op]) {
      count.total++
      if (result.passed) count.passed++
    }
    if (result.refused !== undefined) {
      tally.refused = (tally.refused ?? 0) + (result.refused ? 1 : 0)
      tally.messages = tally.passed
    }
    if (!result.passed) reasons[each.id] = result.reason ?? ''
    progress.show(`${++done}/${cases.length} cases, ${Object.keys(reasons).length} failed  ${each.id}`)
  }
  const shares = Object.values(ops).map(({ passed, total }) => passed / total)
  const byOp = shares.reduce((sum, share) => sum + share, 0) / shares.length
  return { modes, byOp, ops, failed: Object.keys(reasons), reasons, seconds: progress.end() }
}

function reportText({ modes, byOp, failed, known, reasons, seconds }: Report): string {
  const rows = Object.entries(modes).map(([mode, { passed, total, refused, messages }]) => {
    const how = refused === undefined ? '' : `  (${refused} refused, ${messages} with the expected message and line)`
    return `${mode.padEnd(14)}${String(passed).padStart(6)} of ${total}${how}\n`
  })
  const list = (title: string, ids: readonly string[], line: (id: string) => string = (id) => id): string =>
    ids.length ? `${title}:\n${ids.map((id) => `  ${line(id)}\n`).join('')}\n` : ''
  const failures = list(known ? 'failed, not known to' : 'failed', known?.unexpectedFailures ?? failed, (id) => `${id}: ${reasons[id].split('\n')[0]}`)
  const lists = `${failures}${known ? list('passed, known to fail', known.unexpectedPasses) + list('known to fail, not there', known.missing) : ''}`
  return `${lists}${rows.join('')}${'average by op'.padEnd(14)}${(100 * byOp).toFixed(1).padStart(6)} %\n${''.padEnd(14)}${String(seconds).padStart(6)} s\n`
}
