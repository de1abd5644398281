import type { RunConfig } from './run-config.ts'
import type { StepFacts } from './step-meter.ts'

/**
 * Looks at the loss of every step and says when training has diverged: at once where loss or gradient is not finite, and where the loss stays
 * above what even a guess has. The bound is the first loss seen, or that of equal probabilities if that is larger, and a margin.
 */
export class DivergenceWatch {
  readonly #rule: RunConfig['divergence']
  readonly #guess: number
  #bound: number | undefined
  #above = 0

  constructor(rule: RunConfig['divergence'], vocabularySize: number) {
    this.#rule = rule
    this.#guess = Math.log(vocabularySize)
  }

  /** Why the step is one too many, or undefined. */
  look({ loss, gradientNorm }: StepFacts): string | undefined {
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) return `the loss is ${loss}, the norm of the gradient ${gradientNorm}`
    const { margin, steps } = this.#rule
    this.#bound ??= Math.max(loss, this.#guess) + margin
    this.#above = loss > this.#bound ? this.#above + 1 : 0
    if (steps === 0 || this.#above < steps) return undefined
    return `the loss is ${loss.toFixed(3)}, and in each of the last ${steps} steps it was above ${this.#bound.toFixed(3)}, more than a guess has`
  }
}
