import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { duration } from '../../src/cli/progress.ts'
import { reportError } from '../../src/cli/report-error.ts'
import { packageVersion } from '../../src/cli/version.ts'
import { InputError } from '../../src/ir/errors.ts'
import { startRunner } from '../../src/program/start.ts'
import { writeReport } from '../../src/report/write.ts'
import { type TrainingData, openTrainingData } from '../../src/train/corpus.ts'
import { demoReport } from './report.ts'
import { batchSize, evaluationTokens, memorizing, runConfig, transformerXl } from './settings.ts'
import { type Outcome, type TrainOne, timeSteps, trainAndEvaluate } from './train-one.ts'

const help = `npm run demo -- [options]

Trains a small Transformer-XL and a small Memorizing Transformer on the source code that the set-up installed, with the same budget, evaluates
both on held-out packages, prints the comparison and writes a report.

  --seconds N    training time of both models together (default 160)
  --seed N       draws parameters and orders documents (default 1)
  --output FILE  the report (default demo-report.html)
  --json         end with one JSON line on stdout; everything else goes to stderr
  --help         this text`

function options() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '160' }, seed: { type: 'string', default: '1' }, output: { type: 'string', default: 'demo-report.html' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  const whole = (name: 'seconds' | 'seed', least: number): number => {
    const value = Number(values[name])
    if (!Number.isSafeInteger(value) || value < least) throw new InputError(`--${name}: ${values[name]} is not a whole number of at least ${least}`)
    return value
  }
  return { seconds: whole('seconds', 10), seed: whole('seed', 0), output: path.resolve(values.output), json: values.json, help: values.help }
}

async function main(): Promise<void> {
  const { seconds, seed, output, json, help: wantsHelp } = options()
  if (wantsHelp) {
    process.stdout.write(`${help}\n`)
    return
  }
  const say = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`)
  const begin = performance.now()
  const projectRoot = fileURLToPath(new URL('../../', import.meta.url))
  say('Reading the sources of the installed packages ...')
  const data = await openTrainingData(runConfig(1, seed).data, projectRoot)
  say(`  ${describe(data)}`)
  const runner = await startRunner()
  const outcomes: Outcome[] = []
  try {
    say('Measuring how fast this machine is ...')
    const tasks: TrainOne[] = ([['Transformer-XL', transformerXl()], ['Memorizing Transformer', memorizing()]] as const).map(([name, configured]) => (
      { name, configured, data, runner, seed, say, live: !json && process.stdout.isTTY === true }))
    const stepSeconds: number[] = []
    for (const task of tasks) stepSeconds.push(await timeSteps(task))
    const steps = Math.max(20, Math.round(seconds / (stepSeconds[0] + stepSeconds[1]) / 10) * 10)
    say(`  a step takes ${tasks.map(({ name }, i) => `${(1000 * stepSeconds[i]).toFixed(0)} ms (${name})`).join(', ')}: ${steps} steps each`)
    for (const task of tasks) {
      const { config } = task.configured
      say(`\n${task.name}: ${config.memorySize ? `memory of ${config.memorySize} tokens in layer ${config.memoryLayers}, ` : ''}cache of ${config.cacheLength}`)
      outcomes.push(await trainAndEvaluate(task, steps))
    }
    const [xl, withMemory] = outcomes
    const report = await writeReport(output, demoReport({ outcomes: [xl, withMemory], data, seed, versions: { engram: packageVersion, node: process.versions.node, ...runner.backend.versions } }))
    say(`\n${comparison(xl, withMemory)}\n\nReport: ${report}\n${duration((performance.now() - begin) / 1000)} in all.`)
    if (json) process.stdout.write(`${JSON.stringify({ transformerXl: figures(xl, report), memorizing: figures(withMemory, report), seed, steps, report })}\n`)
  } finally {
    await runner.close()
  }
}

const describe = ({ sizes }: TrainingData): string =>
  `${sizes.train.documents} packages (${(sizes.train.bytes / 1e6).toFixed(1)} MB) to train, ${sizes.validation.documents} held out (${(sizes.validation.bytes / 1e6).toFixed(1)} MB)`

const figures = ({ evaluation, seconds, steps, parameters, stepMs }: Outcome, report: string) => ({ bitsPerByte: evaluation.bitsPerByte, accuracy: evaluation.accuracy, seconds, steps, parameters, stepMs, report })

function comparison(xl: Outcome, withMemory: Outcome): string {
  const row = (label: string, of: (outcome: Outcome) => string) => `${label.padEnd(28)}${of(xl).padStart(16)}${of(withMemory).padStart(24)}`
  const gain = 100 * (1 - withMemory.evaluation.bitsPerByte / xl.evaluation.bitsPerByte)
  const verdict = Math.abs(gain) < 0.5 ? 'No difference worth the name' : gain > 0 ? `The memory is worth ${gain.toFixed(1)} % fewer bits` : `The memory costs ${(-gain).toFixed(1)} % more bits`
  return [
    row('', ({ name }) => name),
    row('bits per byte, held out', ({ evaluation }) => evaluation.bitsPerByte.toFixed(4)),
    row('accuracy', ({ evaluation }) => `${(100 * evaluation.accuracy).toFixed(1)} %`),
    row('steps', ({ steps }) => String(steps)),
    row('parameters', ({ parameters }) => parameters.toLocaleString('en')),
    row('milliseconds a step', ({ stepMs }) => stepMs.toFixed(0)),
    row('training time', ({ seconds }) => duration(seconds)),
    '',
    `${verdict}, with one seed, ${batchSize} slots and ${evaluationTokens.toLocaleString('en')} held-out bytes. A small model does not gain from memory by itself in minutes;`,
    'that memory carries what a cache cannot is shown by the recall task (npm test -- recall).',
  ].join('\n')
}

try {
  await main()
} catch (error) {
  process.exitCode = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS') ? (process.stderr.write(`${error.message}\n\n${help}\n`), 2) : reportError(error)
}
