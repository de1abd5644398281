/**
 * `npx tsx scripts/fuzz/mutations.ts [FOLDER] [--cases 100000] [--seed 1]`: changes the programs of a folder at random, reads them, and reports
 * whatever does not end in a program or in a typed error, soon and in little memory. A child process does the work, so that one that
 * dies can be told which case killed it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ProgressLine } from '../../src/cli/progress-line.ts'
import { positiveInteger, wholeNumber } from '../../src/cli/options.ts'
import { exitCodes, reportError } from '../../src/cli/report-error.ts'
import { EngramError } from '../../src/ir/errors.ts'
import { judgeCase, mutatedText, readCorpus } from './mutation-run.ts'

interface Options {
  readonly cases: number
  readonly from: number
  readonly seed: number
  readonly timeLimit: number
  readonly memory: number
  readonly output: string
  readonly json?: boolean
}

/** What the child is told, and what it tells. */
interface Task extends Pick<Options, 'seed' | 'timeLimit'> {
  readonly folder: string
  readonly from: number
  readonly until: number
  readonly place: string
}
type News = { readonly fault: string; readonly index: number } | { readonly done: number; readonly counts: Counts } | { readonly error: string } | { readonly end: true }
interface Counts {
  refused: number
  invalid: number
  valid: number
  slowestMs: number
}

const self = fileURLToPath(import.meta.url)

/** In the child: cases in order, each number written down before the case begins. */
function work({ folder, seed, timeLimit, from, until, place }: Task, tell: (news: News) => void): void {
  const corpus = readCorpus(folder, seed)
  const file = openSync(place, 'w')
  let counts: Counts = { refused: 0, invalid: 0, valid: 0, slowestMs: 0 }
  for (let index = from; index < until; index++) {
    writeSync(file, String(index).padEnd(16), 0)
    const { outcome, fault, ms } = judgeCase(corpus, index, timeLimit)
    counts[outcome]++
    counts.slowestMs = Math.max(counts.slowestMs, ms)
    if (fault !== undefined) tell({ fault, index })
    if ((index - from) % 500 === 499 || index === until - 1) {
      tell({ done: index + 1, counts })
      counts = { ...counts, refused: 0, invalid: 0, valid: 0 }
    }
  }
}

interface Fault {
  readonly index: number
  readonly origin: string
  readonly fault: string
  readonly file: string
}

/** Runs all cases, with a new child after each that dies; gives what is to be reported. */
async function run(folder: string, options: Options) {
  const { cases, from, seed, timeLimit, memory } = options
  const corpus = readCorpus(folder, seed)
  const scratch = mkdtempSync(path.join(tmpdir(), 'engram-fuzz-'))
  const place = path.join(scratch, 'case')
  const progress = new ProgressLine()
  const counts: Counts = { refused: 0, invalid: 0, valid: 0, slowestMs: 0 }
  const faults: Fault[] = []
  const found = (index: number, fault: string): void => {
    const { text, origin } = mutatedText(corpus, index)
    mkdirSync(options.output, { recursive: true })
    const file = path.join(options.output, `seed-${seed}-case-${index}.mlir`)
    writeFileSync(file, text)
    faults.push({ index, origin, fault, file })
  }
  try {
    for (let next = from; next < from + cases; ) {
      const child = fork(self, ['--child'], { execArgv: [...process.execArgv, `--max-old-space-size=${memory}`], serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
      const error = await watch(child, { folder, seed, timeLimit, from: next, until: from + cases, place }, (news) => {
        if ('fault' in news) return found(news.index, news.fault)
        if ('error' in news) throw new Error(news.error)
        if ('end' in news) return
        next = news.done
        for (const outcome of ['refused', 'invalid', 'valid'] as const) counts[outcome] += news.counts[outcome]
        counts.slowestMs = Math.max(counts.slowestMs, news.counts.slowestMs)
        progress.show(`${next - from}/${cases} cases, ${faults.length} at fault, ${counts.valid} still valid`)
      })
      if (error === undefined) break
      if (!existsSync(place)) throw new EngramError(`the process that reads could not begin: ${error}`, { code: 'FUZZ_PROCESS' })
      next = Number(readFileSync(place, 'utf8'))
      rmSync(place)
      found(next++, error)
    }
  } finally {
    rmSync(scratch, { recursive: true })
  }
  return { folder, programs: corpus.texts.length, seed, from, cases, ...counts, slowestMs: Math.round(counts.slowestMs), seconds: progress.end(), faults }
}

/** Gives a child its task and hands on its news until it ends; gives why it died, if it did. */
function watch(child: ChildProcess, task: Task, news: (news: News) => void): Promise<string | undefined> {
  let last = ''
  child.stderr!.on('data', (data: Buffer) => (last = (last + data.toString()).slice(-2000)))
  return new Promise((resolve, reject) => {
    child.on('message', (message: News) => {
      try {
        news(message)
      } catch (error) {
        child.kill()
        reject(error as Error)
      }
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `the process died (${signal ?? `exit code ${code}`}): ${last.trim()}`))
    child.send(task)
  })
}

async function main(folder: string, options: Options): Promise<number> {
  const report = await run(folder, options)
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else {
    for (const { index, origin, fault, file } of report.faults) process.stdout.write(`case ${index}, from ${origin}: ${fault}\n  ${file}\n`)
    process.stdout.write(
      `${report.cases} changed programs of ${report.programs}: ${report.refused} refused when read, ${report.invalid} by the verifier, ${report.valid} valid; ` +
        `${report.faults.length} at fault; the slowest took ${report.slowestMs} ms, all ${report.seconds} s\n`,
    )
  }
  return report.faults.length ? exitCodes.failed : exitCodes.done
}

if (process.argv[2] === '--child') {
  process.once('message', (task: Task) => {
    let last: News | undefined
    try {
      work(task, (news) => void process.send!(news))
    } catch (error) {
      last = { error: (error as Error).message }
    }
    // Messages go out in order: after this one there is none left.
    process.send!(last ?? { end: true }, () => process.disconnect())
  })
} else {
  const command = new Command('mutations')
    .description('Changes programs at random and checks that reading them ends in a program or in a typed error. Exit code 1 if it does not.')
    .argument('[folder]', 'a folder of StableHLO programs (.mlir)', fileURLToPath(new URL('../../test/golden', import.meta.url)))
    .option('--cases <count>', 'how many', positiveInteger, 100_000)
    .option('--from <index>', 'the first case: to run one again, with --cases 1', wholeNumber, 0)
    .option('--seed <number>', 'other cases', wholeNumber, 1)
    .option('--time-limit <ms>', 'a case that takes longer is at fault', positiveInteger, 10_000)
    .option('--memory <megabytes>', 'heap of the process that reads the programs', positiveInteger, 1024)
    .option('--output <folder>', 'where programs at fault are written', 'fuzz-faults')
    .option('--json', 'print one JSON object')
    .action(async (folder: string, options: Options) => {
      process.exitCode = await main(folder, options).catch(reportError)
    })
  await command.parseAsync()
}
