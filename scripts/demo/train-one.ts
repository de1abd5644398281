import { SingleBar } from 'cli-progress'
import type { TrainingData } from '../../src/train/corpus.ts'
import { evaluationLine, reportLine } from '../../src/cli/progress.ts'
import type { ConfiguredModel } from '../../src/models/registry.ts'
import type { Session } from '../../src/program/session.ts'
import type { Evaluation } from '../../src/train/evaluator.ts'
import type { StepReport } from '../../src/train/step-meter.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { runConfig } from './settings.ts'

export interface Outcome {
  readonly name: string
  readonly configured: ConfiguredModel
  readonly reports: readonly StepReport[]
  readonly evaluation: Evaluation
  readonly steps: number
  readonly parameters: number
  /** Of training, without compiling and evaluating. */
  readonly seconds: number
  readonly stepMs: number
  readonly compileSeconds: number
}

export interface TrainOne {
  readonly name: string
  readonly configured: ConfiguredModel
  readonly data: TrainingData
  readonly runner: Session
  readonly seed: number
  /** Steps to do; measured and chosen to take `seconds` if absent. */
  readonly steps: number | undefined
  readonly seconds: number
  readonly say: (line: string) => void
  /** Draw a progress bar in place of lines. */
  readonly live: boolean
}

/** Steps that are timed to choose how many fit. */
const probeSteps = 12

/** Trains one model and evaluates it on held-out documents. */
export async function trainAndEvaluate(task: TrainOne): Promise<Outcome> {
  const { name, configured, runner, say } = task
  const steps = task.steps ?? (await stepsThatFit(task))
  const trainer = await Trainer.create(runner, optionsOf(task, steps))
  const parameters = trainer.parameterCount
  say(`  ${parameters.toLocaleString('en')} parameters, compiled in ${trainer.statistics.compileSeconds.toFixed(1)} s, ${steps} steps`)
  const reports: StepReport[] = []
  const bar = task.live ? new SingleBar({ format: `  {bar} {value}/{total}  loss {loss}  bits/byte {bits}  {rate} tokens/s  {left} s left`, hideCursor: true }) : undefined
  bar?.start(steps, 0, { loss: '-', bits: '-', rate: '-', left: '-' })
  const begin = performance.now()
  let seconds = 0
  const result = await trainer.run({}, {
    report: (report) => {
      reports.push(report)
      bar?.update(report.step, { loss: report.loss.toFixed(3), bits: report.bitsPerByte.toFixed(3), rate: report.tokensPerSecond.toFixed(0), left: Math.round(report.secondsLeft) })
      if (!bar && (report.step % 25 === 0 || report.step === steps)) say(`  ${reportLine(report, steps)}`)
      if (report.step === steps) seconds = (performance.now() - begin) / 1000
    },
  })
  bar?.stop()
  const evaluation = result.evaluation!
  say(`  ${evaluationLine(evaluation)}`)
  const outcome = { name, configured, reports, evaluation, steps, parameters, seconds, stepMs: (1000 * seconds) / steps, compileSeconds: trainer.statistics.compileSeconds }
  await trainer.release()
  return outcome
}

const optionsOf = ({ configured, data, seed }: TrainOne, steps: number) => ({
  ...configured,
  run: runConfig(steps, seed),
  tokenizer: data.tokenizer,
  train: data.documents.train,
  heldOut: data.documents.validation,
})

/** Times a few steps, and the evaluation, and answers how many steps the time allows. */
async function stepsThatFit(task: TrainOne): Promise<number> {
  const trainer = await Trainer.create(task.runner, { ...optionsOf(task, probeSteps), heldOut: [] })
  const times: number[] = []
  await trainer.run({}, { report: ({ step }) => void times.push(performance.now(), step) })
  await trainer.release()
  const [first, firstStep] = times
  const stepMs = (times.at(-2)! - first) / (times.at(-1)! - firstStep)
  task.say(`  ${stepMs.toFixed(0)} ms a step`)
  return Math.max(20, Math.round((1000 * task.seconds) / stepMs / 10) * 10)
}
