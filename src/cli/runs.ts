import { Command } from 'commander'
import type { Report } from '../report/report.ts'
import type { ConfigurationDifference, RunHistory, RunSummary } from '../train/run-summary.ts'
import { jsonOption } from './options.ts'

export const command = (): Command =>
  new Command('runs')
    .summary('list training runs, and compare them')
    .description('Reads the run folders that engram train wrote.')
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(compareCommand())

const listCommand = (): Command =>
  new Command('list')
    .summary('the runs of a folder')
    .description('Lists the runs of a folder: model, corpus, the checkpoint it began from, steps, tokens, bits per byte in training and on held-out documents, perplexity there, and the best checkpoint.')
    .argument('[folder]', 'where runs are', 'runs')
    .addOption(jsonOption())
    .action(async (folder: string, options: { json?: boolean }) => {
      const { readRuns } = await import('../train/run-summary.ts')
      const { runs, damaged } = await readRuns(folder)
      for (const { path, message } of damaged) process.stderr.write(`engram: warning: ${path} cannot be read: ${message}\n`)
      if (options.json) process.stdout.write(`${JSON.stringify({ folder, runs: runs.map(summary) })}\n`)
      else process.stdout.write(runs.length === 0 ? `no runs in ${folder}\n` : listText(runs))
    })

const compareCommand = (): Command =>
  new Command('compare')
    .summary('several runs side by side')
    .description('Shows where the configurations of runs differ and how their losses on held-out documents compare; with -o also as a page with curves.')
    .argument('<runs...>', 'two or more run folders')
    .option('-o, --output <file>', 'write an HTML page with the curves')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  engram runs compare runs/xl runs/memory\n  engram runs compare runs/seed-* -o seeds.html')
    .action(async (paths: string[], options: { output?: string; json?: boolean }) => {
      const { InputError } = await import('../ir/errors.ts')
      if (paths.length < 2) throw new InputError('one run cannot be compared: name two or more', 'INPUT_RUNS')
      const { configurationDifferences, readRun } = await import('../train/run-summary.ts')
      const runs = await Promise.all(paths.map(readRun))
      const differences = configurationDifferences(runs)
      if (options.output !== undefined) {
        const { writeReport } = await import('../report/write.ts')
        await writeReport(options.output, comparisonReport(runs, differences, paths))
      }
      if (options.json) process.stdout.write(`${JSON.stringify({ runs: runs.map(summary), differences, ...(options.output ? { output: options.output } : {}) })}\n`)
      else process.stdout.write(comparisonText(runs, differences) + (options.output ? `page: ${options.output}\n` : ''))
    })

const summary = ({ config: _config, reports: _reports, evaluations: _evaluations, ...rest }: RunHistory): RunSummary => rest

const number = (value: number | undefined, digits = 4): string => (value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits))

function listText(runs: readonly RunSummary[]): string {
  const rows = runs.map((run) => [
    run.name,
    run.reference,
    run.corpus,
    startText(run),
    `${run.step}/${run.steps}`,
    run.tokens.toLocaleString('en'),
    number(run.trainingBitsPerByte, 3),
    number(run.heldOut?.bitsPerByte),
    number(run.heldOut?.perplexity, 2),
    run.best === undefined ? '-' : `${number(run.best.bitsPerByte)} (step ${run.best.step})`,
    run.bestCheckpoint ?? '-',
  ])
  return columns([['run', 'model', 'corpus', 'began from', 'steps', 'tokens', 'training', 'held out', 'perplexity', 'best held out', 'best checkpoint'], ...rows])
}

/** `old step-00000400` for a checkpoint of the run `old`, its path for one that lies elsewhere. */
const startText = ({ from }: RunSummary): string => {
  if (!from) return '-'
  const parts = /([^/\\]+)[/\\]checkpoints[/\\]([^/\\]+)$/.exec(from.checkpoint)
  return `${parts ? `${parts[1]} ${parts[2]}` : from.checkpoint}${from.optimizer === 'kept' ? ' with its optimiser' : ''}`
}

function comparisonText(runs: readonly RunHistory[], differences: readonly ConfigurationDifference[]): string {
  const rows = differences.map(({ key, values }) => [key, ...values.map((value) => (value === undefined ? '-' : JSON.stringify(value)))])
  const results: [string, (run: RunHistory) => string][] = [
    ['began from', startText],
    ['steps', (run) => String(run.step)],
    ['tokens', (run) => run.tokens.toLocaleString('en')],
    ['bits per byte, training', (run) => number(run.trainingBitsPerByte, 3)],
    ['perplexity, training', (run) => number(run.trainingPerplexity, 2)],
    ['bits per byte, held out', (run) => number(run.heldOut?.bitsPerByte)],
    ['perplexity, held out', (run) => number(run.heldOut?.perplexity, 2)],
    ['against the first', (run) => relative(run, runs[0])],
    ['best, held out', (run) => number(run.best?.bitsPerByte)],
    ['best checkpoint', (run) => run.bestCheckpoint ?? '-'],
  ]
  const header = ['', ...runs.map(({ name }) => name)]
  const same = differences.length === 0 ? 'the configurations are the same\n' : columns([header, ...rows])
  return `${same}\n${columns([header, ...results.map(([label, of]) => [label, ...runs.map(of)])])}`
}

/** How much less or more a run's held-out loss is than the first one's. */
function relative(run: RunHistory, first: RunHistory): string {
  if (run === first || run.heldOut === undefined || first.heldOut === undefined) return '-'
  const change = 100 * (run.heldOut.bitsPerByte / first.heldOut.bitsPerByte - 1)
  return Number.isNaN(change) ? '-' : `${change >= 0 ? '+' : ''}${change.toFixed(2)} %`
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()}\n`).join('')
}

function comparisonReport(runs: readonly RunHistory[], differences: readonly ConfigurationDifference[], paths: readonly string[]): Report {
  const curves = (lines: (run: RunHistory) => RunHistory['reports']) =>
    runs.flatMap((run) => {
      const points = lines(run).filter((line, i, all) => i === 0 || line.step > all[i - 1].step)
      return points.length === 0 ? [] : [{ name: run.name, x: points.map(({ step }) => step), y: points.map((line) => Number(line.bitsPerByte ?? NaN)) }]
    })
  const chart = (title: string, series: ReturnType<typeof curves>, smoothing?: number) => ({ title, xLabel: 'step', yLabel: 'bits per byte', series, smoothing })
  return {
    title: `Runs: ${runs.map(({ name }) => name).join(', ')}`,
    sections: [
      {
        title: 'Held-out documents',
        chart: chart('Bits per byte, held out', curves((run) => run.evaluations)),
        table: {
          columns: ['run', 'model', 'corpus', 'began from', 'steps', 'tokens', 'bits per byte, held out', 'perplexity, held out', 'best, bits per byte', 'best checkpoint'],
          rows: runs.map((run) => [run.name, run.reference, run.corpus, startText(run), run.step, run.tokens, run.heldOut?.bitsPerByte ?? null, run.heldOut?.perplexity ?? null, run.best?.bitsPerByte ?? null, run.bestCheckpoint]),
        },
      },
      { title: 'Training', chart: chart('Bits per byte, training', curves((run) => run.reports), 0.6) },
      {
        title: 'Differences of the configurations',
        table: { columns: ['key', ...runs.map(({ name }) => name)], rows: differences.map(({ key, values }) => [key, ...values.map((value) => (value === undefined ? null : JSON.stringify(value)))]) },
      },
    ],
    generated: {
      date: new Date().toISOString(),
      versions: { node: process.versions.node },
      command: `engram runs compare ${paths.join(' ')}`,
      seeds: [...new Set(runs.map(({ config }) => config.run.seed))],
    },
  }
}
