import { basename } from 'node:path'
import { formatNumber } from '../report/text.ts'
import { type Report, type Series } from '../report/report.ts'
import { writeReport } from '../report/write.ts'
import { type BestCheckpoint, bestCheckpoint } from '../train/checkpoint-folder.ts'
import type { RunConfig } from '../train/run-config.ts'
import { type MetricsLine, type RunFolder, readMetrics } from '../train/run-folder.ts'
import type { NamedModel } from './model-reference.ts'

/** Writes `report.html` of a run from its metrics and answers the file's path. */
export async function writeRunReport(
  folder: RunFolder,
  named: NamedModel,
  run: RunConfig,
  corpus: string,
  versions: Readonly<Record<string, string>>,
): Promise<string> {
  return writeReport(folder.report, runReport({ lines: await readMetrics(folder), best: await bestCheckpoint(folder.checkpoints), named, run, corpus, versions }))
}

interface ReportedRun {
  readonly lines: readonly MetricsLine[]
  readonly best: BestCheckpoint | undefined
  readonly named: NamedModel
  readonly run: RunConfig
  readonly corpus: string
  readonly versions: Readonly<Record<string, string>>
}

function runReport({ lines, best, named, run, corpus, versions }: ReportedRun): Report {
  const reports = lines.filter(({ event }) => event === 'report')
  const evaluations = lines.filter(({ event }) => event === 'evaluation')
  const last = evaluations.at(-1)
  const curve = (name: string, from: readonly MetricsLine[], key: string): Series[] =>
    from.length === 0 ? [] : [{ name, x: from.map(({ step }) => step), y: from.map((line) => number(line[key])) }]
  const auxiliary = reports.filter((line) => line.auxiliary !== undefined)
  const gates = reports.filter((line) => Array.isArray((line.diagnostics as Record<string, unknown> | undefined)?.memoryGate))
  return {
    title: `${named.reference} on ${corpus}`,
    subtitle: `${
      last ? `${formatNumber(number(last.bitsPerByte))} bits per byte on held-out documents after ${last.step} steps.` : `${reports.at(-1)?.step ?? 0} steps, not evaluated yet.`
    }${startSentence(run)}`,
    sections: [
      {
        title: 'Result',
        cards: last
          ? [
              { label: 'bits per byte, held out', value: number(last.bitsPerByte), note: `${run.evaluation.split} documents, ${formatNumber(number(last.tokens))} tokens` },
              { label: 'perplexity', value: number(last.perplexity), note: 'per token' },
              ...(best
                ? [{ label: 'best checkpoint', value: best.bitsPerByte, note: `${basename(best.path)}: bits per byte, held out; perplexity ${formatNumber(best.perplexity)}` }]
                : []),
              { label: 'accuracy', value: `${(100 * number(last.accuracy)).toFixed(1)} %`, note: 'most likely token is right' },
            ]
          : undefined,
        chart: {
          title: 'Bits per byte',
          xLabel: 'step',
          yLabel: 'bits per byte',
          smoothing: 0.6,
          series: [...curve('training', reports, 'bitsPerByte'), ...curve('held out', evaluations, 'bitsPerByte')],
        },
      },
      {
        title: 'Perplexity',
        chart: {
          title: 'Perplexity per token',
          xLabel: 'step',
          yLabel: 'perplexity',
          yScale: 'log',
          smoothing: 0.6,
          series: [...curve('training', reports, 'perplexity'), ...curve('held out', evaluations, 'perplexity')],
        },
      },
      { title: 'Gradient', chart: { title: 'Norm of the gradient', xLabel: 'step', yLabel: 'norm', yScale: 'log', series: curve('gradient', reports, 'gradientNorm') } },
      ...(auxiliary.length > 0 ? [auxiliarySection(curve('auxiliary', auxiliary, 'auxiliary'))] : []),
      ...(gates.length > 0 ? [gateSection(gates)] : []),
      { title: 'Configuration', code: { caption: 'of the model and the run', text: JSON.stringify({ model: named.config, run }, null, 2) } },
    ],
    generated: {
      date: new Date().toISOString(),
      versions,
      command: `engram train ${named.reference}${run.from ? ` --from ${run.from.checkpoint}${run.from.optimizer === 'kept' ? ' --keep-optimizer' : ''}` : ''}`,
      seeds: [run.seed, run.dataSeed],
    },
  }
}

const startSentence = ({ from }: RunConfig): string =>
  from ? ` Began with the parameters of ${from.checkpoint}; the optimiser ${from.optimizer === 'kept' ? 'went on from there' : 'began anew'}.` : ''

/** What the model is trained by beside its predictions. */
const auxiliarySection = (series: Series[]) => ({
  title: 'Auxiliary loss',
  text: 'What a part of the model is trained by that the predictions do not reach; the loss above has no part of it.',
  chart: { title: 'Auxiliary loss', xLabel: 'step', yLabel: 'loss', yScale: 'log' as const, smoothing: 0.6, series },
})

/** How far each head of the memory layers has opened its gate. */
function gateSection(lines: readonly MetricsLine[]) {
  const gatesOf = (line: MetricsLine): number[] => (line.diagnostics as { memoryGate: number[] }).memoryGate
  const heads = gatesOf(lines[0]).length
  return {
    title: 'Memory',
    text: 'The gate of each head: the share of its result that comes from the memory.',
    chart: {
      title: 'Gates',
      xLabel: 'step',
      yLabel: 'share of the memory',
      series: Array.from({ length: heads }, (_, head) => ({ name: `head ${head + 1}`, x: lines.map(({ step }) => step), y: lines.map((line) => number(gatesOf(line)[head])) })),
    },
  }
}

/** JSON has null where a number was not finite. */
const number = (value: unknown): number => (typeof value === 'number' ? value : NaN)
