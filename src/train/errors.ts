import { EngramError } from '../ir/errors.ts'

/** The stable codes of `TrainError`. */
export type TrainErrorCode =
  | 'RUN_CONFIGURATION'
  | 'DIVERGED'
  | 'CHECKPOINT_MISSING'
  | 'CHECKPOINT_CORRUPT'
  | 'CHECKPOINT_VERSION'
  | 'CHECKPOINT_MISMATCH'
  | 'CHECKPOINT_NOT_FINITE'
  | 'RUN_EXISTS'
  | 'RUN_MISSING'
  | 'GENERATION_PROMPT'

/** Something is wrong with a training run or a checkpoint. `hint` says what can be done. */
export class TrainError extends EngramError {
  override readonly name: string = 'TrainError'
  declare readonly code: TrainErrorCode
  readonly hint: string | undefined
  constructor(message: string, code: TrainErrorCode, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { code, cause: options.cause })
    this.hint = options.hint
  }
}

/** A step's loss or gradient was not a number. `step` counts from 1. */
export class DivergedError extends TrainError {
  override readonly name = 'DivergedError'
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  constructor(facts: { step: number; loss: number; gradientNorm: number; savedInputs?: string | undefined }) {
    const { step, loss, gradientNorm, savedInputs } = facts
    const saved = savedInputs === undefined ? '' : `; the step's inputs are in ${savedInputs}`
    super(`training diverged in step ${step}: the loss is ${loss}, the norm of the gradient ${gradientNorm}${saved}`, 'DIVERGED', {
      hint: 'lower the learning rate, warm up longer or clip gradients (clipGlobalNorm), and start again or from an earlier checkpoint',
    })
    this.step = step
    this.loss = loss
    this.gradientNorm = gradientNorm
  }
}
