import type { Evaluation } from '../train/evaluator.ts'
import type { StepReport } from '../train/step-meter.ts'

/** `3 min 20 s` */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** A number with so many digits after the point; a dash where there is none. */
const fixed = (value: number, digits: number): string => (Number.isNaN(value) ? '-' : value.toFixed(digits))

/** One line about the steps since the last one. */
export const reportLine = (report: StepReport, steps: number): string =>
  [
    `step ${String(report.step).padStart(String(steps).length)}/${steps}`,
    `loss ${fixed(report.loss, 4)}`,
    `bits/byte ${fixed(report.bitsPerByte, 3)}`,
    `perplexity ${fixed(report.perplexity, 2)}`,
    `accuracy ${fixed(100 * report.accuracy, 1)} %`,
    ...(report.auxiliary === undefined ? [] : [`auxiliary ${fixed(report.auxiliary, 4)}`]),
    `${fixed(report.tokensPerSecond, 0)} tokens/s`,
    `${duration(report.secondsLeft)} left`,
  ].join('  ')

/** One line about an evaluation. */
export const evaluationLine = (evaluation: Evaluation & { readonly step?: number }): string =>
  `held out${evaluation.step === undefined ? '' : ` after step ${evaluation.step}`}: bits/byte ${fixed(evaluation.bitsPerByte, 4)}  loss ${fixed(evaluation.natsPerToken, 4)}  ` +
  `perplexity ${fixed(evaluation.perplexity, 2)}  accuracy ${fixed(100 * evaluation.accuracy, 1)} %  (${evaluation.tokens.toLocaleString('en')} tokens in ${duration(evaluation.seconds)})`
