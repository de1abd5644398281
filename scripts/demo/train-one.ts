import { SingleBar } from 'cli-progress'
import type { TrainingData } from '../../src/train/corpus.ts'
import { evaluationLine, reportLine } from '../../src/cli/progress.ts'
import type { ConfiguredModel } from '../../src/models/registry.ts'
import type { Session } from '../../src/program/session.ts'
import type { Evaluation } from '../../src/train/evaluator.ts'
import type { StepReport } from '../../src/train/step-meter.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { runConfig } from './settings.ts'

type HeldOut = Evaluation & { readonly step: number }

export interface Outcome {
  readonly name: string
  readonly configured: ConfiguredModel
  readonly reports: readonly StepReport[]
  /** Evaluations along the way, the last of them at the end. */
  readonly heldOut: readonly HeldOut[]
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
  readonly say: (line: string) => void
  /** Draw a progress bar in place of lines. */
  readonly live: boolean
}

/** Steps that are timed to choose how many fit. */
const probeSteps = 40

/** Trains one model for so many steps and evaluates it on held-out documents. */
export async function trainAndEvaluate(task: TrainOne, steps: number): Promise<Outcome> {
  const { name, configured, runner, say } = task
  const trainer = await Trainer.create(runner, optionsOf(task, steps))
  const parameters = trainer.parameterCount
  say(`  ${parameters.toLocaleString('en')} parameters, compiled in ${trainer.statistics.compileSeconds.toFixed(1)} s, ${steps} steps`)
  const reports: StepReport[] = []
  const heldOut: HeldOut[] = []
  const bar = task.live ? new SingleBar({ format: `  {bar} {value}/{total}  loss {loss}  bits/byte {bits}  {rate} tokens/s  {left} s left`, hideCursor: true }) : undefined
  bar?.start(steps, 0, { loss: '-', bits: '-', rate: '-', left: '-' })
  const result = await trainer.run({}, {
    report: (report) => {
      reports.push(report)
      bar?.update(report.step, { loss: report.loss.toFixed(3), bits: report.bitsPerByte.toFixed(3), rate: report.tokensPerSecond.toFixed(0), left: Math.round(report.secondsLeft) })
      if (!bar && (reports.length % 4 === 0 || report.step === steps)) say(`  ${reportLine(report, steps)}`)
    },
    evaluated: (each) => {
      heldOut.push(each)
      if (!bar) say(`  ${evaluationLine(each)}`)
    },
  })
  bar?.stop()
  const evaluation = result.evaluation!
  if (bar) say(`  ${evaluationLine(evaluation)}`)
  const { seconds } = result.totals
  const outcome = { name, configured, reports, heldOut, evaluation, steps, parameters, seconds, stepMs: (1000 * seconds) / steps, compileSeconds: trainer.statistics.compileSeconds }
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

/** Times a few steps: seconds a step. */
export async function timeSteps(task: TrainOne): Promise<number> {
  const trainer = await Trainer.create(task.runner, { ...optionsOf(task, probeSteps), heldOut: [] })
  const reports: StepReport[] = []
  await trainer.run({}, { report: (report) => void reports.push(report) })
  await trainer.release()
  // The first quarter is left out: there memory and caches of the machine warm up.
  const [from, to] = [reports.find(({ step }) => step >= probeSteps / 4)!, reports.at(-1)!]
  return (to.totals.seconds - from.totals.seconds) / (to.step - from.step)
}
