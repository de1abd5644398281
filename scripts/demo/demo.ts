import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { duration } from '../../src/cli/progress.ts'
import { reportError } from '../../src/cli/report-error.ts'
import { packageVersion } from '../../src/cli/version.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { InputError } from '../../src/ir/errors.ts'
import { startRunner } from '../../src/program/start.ts'
import { writeReport } from '../../src/report/write.ts'
import { type TrainingData, loadTrainingData } from '../../src/train/corpus.ts'
import { demoReport } from './report.ts'
import { batchSize, evaluationTokens, memorizing, runConfig, transformerXl } from './settings.ts'
import { type Outcome, trainAndEvaluate } from './train-one.ts'

const help = `npm run demo -- [options]

Trains a small Transformer-XL and a small Memorizing Transformer on the source code that the set-up installed, with the same budget, evaluates
both on held-out packages, prints the comparison and writes a report.

  --seconds N    training time of both models together (default 170)
  --seed N       draws parameters and orders documents (default 1)
  --output FILE  the report (default demo-report.html)
  --json         end with one JSON line on stdout; everything else goes to stderr
  --help         this text`

function options() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '170' }, seed: { type: 'string', default: '1' }, output: { type: 'string', default: 'demo-report.html' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
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
  const data = loadTrainingData(runConfig(1, seed).data, byteTokenizer(), projectRoot)
  say(`  ${describe(data)}`)
  const runner = await startRunner()
  const outcomes: Outcome[] = []
  try {
    let steps: number | undefined
    // The model with memory goes first: it is the slower one, so its step time decides how many steps both take.
    for (const [name, configured] of [['Memorizing Transformer', memorizing()], ['Transformer-XL', transformerXl()]] as const) {
      say(`\n${name}: ${configured.config.memorySize ? `memory of ${configured.config.memorySize} tokens in layer ${configured.config.memoryLayers}, ` : ''}cache of ${configured.config.cacheLength}`)
      const outcome = await trainAndEvaluate({ name, configured, data, runner, seed, steps, seconds: seconds / 2, say, live: !json && process.stdout.isTTY === true })
      steps = outcome.steps
      outcomes.push(outcome)
    }
    const [withMemory, xl] = outcomes
    const report = await writeReport(output, demoReport({ outcomes: [xl, withMemory], data, seed, versions: { engram: packageVersion, node: process.versions.node, ...runner.backend.versions } }))
    say(`\n${comparison(xl, withMemory)}\n\nReport: ${report}\n${duration((performance.now() - begin) / 1000)} in all.`)
    if (json) process.stdout.write(`${JSON.stringify({ transformerXl: figures(xl), memorizing: figures(withMemory), seed, steps, report })}\n`)
  } finally {
    await runner.close()
  }
}

const describe = ({ sizes }: TrainingData): string =>
  `${sizes.train.documents} packages (${(sizes.train.bytes / 1e6).toFixed(1)} MB) to train, ${sizes.validation.documents} held out (${(sizes.validation.bytes / 1e6).toFixed(1)} MB)`

const figures = ({ evaluation, seconds, steps, parameters, stepMs }: Outcome) => ({ bitsPerByte: evaluation.bitsPerByte, accuracy: evaluation.accuracy, seconds, steps, parameters, stepMs })

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
