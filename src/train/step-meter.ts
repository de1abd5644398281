import { lossUnits } from '../data/loss-units.ts'
import type { Totals } from './checkpoint-manifest.ts'

/** What one step gave. */
export interface StepFacts {
  /** From 1. */
  readonly step: number
  readonly loss: number
  /** Summed cross-entropy, in nats, and the summed weight. */
  readonly nats: number
  readonly weight: number
  readonly correct: number
  readonly gradientNorm: number
  /** What a model is trained by beside its predictions; absent where there is nothing. */
  readonly auxiliary?: number
  readonly tokens: number
  readonly bytes: number
  /** Of the model: small lists of numbers. */
  readonly diagnostics?: Readonly<Record<string, readonly number[]>>
}

/** Metrics of the steps since the last report. */
export interface StepReport {
  /** The last of the steps. */
  readonly step: number
  readonly steps: number
  /** Mean nats a token. */
  readonly loss: number
  readonly bitsPerByte: number
  readonly perplexity: number
  readonly accuracy: number
  /** Of the last step. */
  readonly gradientNorm: number
  /** Mean of the loss that a model is trained by beside its predictions, where it has one; `loss` has no part of it. */
  readonly auxiliary?: number
  readonly tokensPerSecond: number
  readonly secondsLeft: number
  readonly totals: Totals
  readonly diagnostics: Readonly<Record<string, readonly number[]>>
}

/** Adds up the facts of steps and makes reports of them. Time that passes between `pause` and `resume` does not count. */
export class StepMeter {
  readonly #lastStep: number
  #totals: Totals
  #open = { steps: 0, nats: 0, weight: 0, correct: 0, auxiliary: 0, tokens: 0, bytes: 0, seconds: 0 }
  #since: number | undefined
  #recent: number[] = []

  constructor(totals: Totals, lastStep: number) {
    this.#totals = totals
    this.#lastStep = lastStep
  }

  get totals(): Totals {
    return this.#totals
  }

  resume(now = performance.now()): void {
    this.#since = now
  }

  pause(now = performance.now()): void {
    this.#takeTime(now)
    this.#since = undefined
  }

  #takeTime(now: number): number {
    const seconds = this.#since === undefined ? 0 : (now - this.#since) / 1000
    this.#since = now
    this.#open.seconds += seconds
    this.#totals = { ...this.#totals, seconds: this.#totals.seconds + seconds }
    return seconds
  }

  add(facts: StepFacts, now = performance.now()): void {
    this.#recent.push(this.#takeTime(now))
    if (this.#recent.length > 50) this.#recent.shift()
    const open = this.#open
    open.steps++
    open.nats += facts.nats
    open.weight += facts.weight
    open.correct += facts.correct
    open.auxiliary += facts.auxiliary ?? 0
    open.tokens += facts.tokens
    open.bytes += facts.bytes
    const { tokens, bytes, seconds } = this.#totals
    this.#totals = { tokens: tokens + facts.tokens, bytes: bytes + facts.bytes, seconds }
  }

  /** What came since the last report, and begins anew. */
  report(facts: StepFacts): StepReport {
    const { steps, nats, weight, correct, auxiliary, tokens, bytes, seconds } = this.#open
    this.#open = { steps: 0, nats: 0, weight: 0, correct: 0, auxiliary: 0, tokens: 0, bytes: 0, seconds: 0 }
    const { bitsPerByte, perplexity } = lossUnits({ nats, tokens: weight, bytes })
    const perStep = this.#recent.reduce((sum, each) => sum + each, 0) / this.#recent.length
    return {
      step: facts.step,
      steps,
      loss: nats / weight,
      bitsPerByte,
      perplexity,
      accuracy: correct / weight,
      gradientNorm: facts.gradientNorm,
      ...(facts.auxiliary === undefined ? {} : { auxiliary: auxiliary / steps }),
      tokensPerSecond: tokens / seconds,
      secondsLeft: Math.max(0, (this.#lastStep - facts.step) * perStep),
      totals: this.#totals,
      diagnostics: facts.diagnostics ?? {},
    }
  }
}
