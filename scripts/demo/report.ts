import type { TrainingData } from '../../src/train/corpus.ts'
import type { Report } from '../../src/report/report.ts'
import { batchSize, evaluationTokens, runConfig } from './settings.ts'
import type { Outcome } from './train-one.ts'

export interface DemoResult {
  /** Transformer-XL, Memorizing Transformer. */
  readonly outcomes: readonly [Outcome, Outcome]
  readonly data: TrainingData
  readonly seed: number
  readonly versions: Readonly<Record<string, string>>
}

/** The demo's report: who was better on held-out packages, and how they got there. */
export function demoReport({ outcomes, data, seed, versions }: DemoResult): Report {
  const [xl, withMemory] = outcomes
  const gain = 100 * (1 - withMemory.evaluation.bitsPerByte / xl.evaluation.bitsPerByte)
  const words = Math.abs(gain) < 0.5 ? 'are equal within half a percent' : gain > 0 ? `differ by ${gain.toFixed(1)} % in favour of the memory` : `differ by ${(-gain).toFixed(1)} % in favour of the cache alone`
  const gates = withMemory.reports.filter(({ diagnostics }) => diagnostics.memoryGate?.length)
  return {
    title: 'Memory against cache on source code',
    subtitle: `After ${xl.steps} steps each, a Transformer-XL and a Memorizing Transformer ${words} on held-out packages (seed ${seed}).`,
    sections: [
      {
        title: 'Held-out bits per byte',
        cards: outcomes.map(({ name, evaluation, seconds }) => ({
          label: name,
          value: evaluation.bitsPerByte.toFixed(4),
          note: `bits per byte, ${seconds.toFixed(0)} s of training`,
          tone: evaluation.bitsPerByte === Math.min(xl.evaluation.bitsPerByte, withMemory.evaluation.bitsPerByte) ? ('good' as const) : ('plain' as const),
        })),
        text:
          'Both models are alike but for the memory, read the same documents in the same order, and take the same number of steps. ' +
          'One run with one seed is an illustration, not evidence: differences of a percent or two change with the seed. A model this small, trained for minutes, ' +
          'does not gain from memory by itself. That memory can carry what a cache cannot is shown by the recall task of the tests, where the answers lie out of reach of the cache.',
        table: {
          columns: ['', ...outcomes.map(({ name }) => name)],
          rows: [
            ['bits per byte', ...outcomes.map(({ evaluation }) => evaluation.bitsPerByte)],
            ['perplexity per byte', ...outcomes.map(({ evaluation }) => evaluation.perplexity)],
            ['accuracy', ...outcomes.map(({ evaluation }) => `${(100 * evaluation.accuracy).toFixed(1)} %`)],
            ['held-out bytes', ...outcomes.map(({ evaluation }) => evaluation.bytes)],
            ['steps', ...outcomes.map(({ steps }) => steps)],
            ['parameters', ...outcomes.map(({ parameters }) => parameters)],
            ['milliseconds a step', ...outcomes.map(({ stepMs }) => Number(stepMs.toFixed(1)))],
            ['training, s', ...outcomes.map(({ seconds }) => Number(seconds.toFixed(1)))],
            ['compiling, s', ...outcomes.map(({ compileSeconds }) => Number(compileSeconds.toFixed(1)))],
          ],
        },
      },
      {
        title: 'Held-out packages along the way',
        chart: {
          title: 'Held-out bits per byte',
          xLabel: 'step',
          yLabel: 'bits per byte',
          series: outcomes.map(({ name, heldOut }) => ({ name, seed, x: heldOut.map(({ step }) => step), y: heldOut.map(({ bitsPerByte }) => bitsPerByte) })),
        },
      },
      {
        title: 'Training',
        text:
          'The training curve lies below the held-out one also for text that was never seen: while a document is being read, every step adapts the parameters to it. ' +
          'The held-out figures are measured with the parameters standing still.',
        chart: {
          title: 'Bits per byte of the training text',
          xLabel: 'step',
          yLabel: 'bits per byte',
          smoothing: 0.8,
          series: outcomes.map(({ name, reports }) => ({ name, seed, x: reports.map(({ step }) => step), y: reports.map(({ bitsPerByte }) => bitsPerByte) })),
        },
      },
      ...(gates.length
        ? [
            {
              title: 'Gates of the memory',
              text: 'The share of each head\'s result that comes from the memory.',
              chart: {
                title: 'Gate per head',
                xLabel: 'step',
                yLabel: 'share of the memory',
                series: gates[0].diagnostics.memoryGate.map((_, head) => ({ name: `head ${head + 1}`, x: gates.map(({ step }) => step), y: gates.map(({ diagnostics }) => diagnostics.memoryGate[head]) })),
              },
            },
          ]
        : []),
      {
        title: 'Data and settings',
        text: `The corpus is the source code of the packages that the set-up installed, whole packages as documents: ${data.sizes.train.documents} to train, ${data.sizes.validation.documents} held out. ${batchSize} documents are read side by side; ${evaluationTokens.toLocaleString('en')} held-out bytes are evaluated.`,
        code: { caption: 'models and run', text: JSON.stringify({ transformerXl: xl.configured.config, memorizing: withMemory.configured.config, run: runConfig(xl.steps, seed) }, null, 2) },
      },
    ],
    generated: { date: new Date().toISOString(), versions, command: `npm run demo -- --seed ${seed}`, seeds: [seed] },
  }
}
