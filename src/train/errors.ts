import { EngramError } from '../ir/errors.ts'

/** The stable codes of `TrainError`. */
export type TrainErrorCode =
  | 'RUN_CONFIGURATION'
  | 'DIVERGED'
  | 'FAILURE_MISSING'
  | 'CHECKPOINT_MISSING'
  | 'CHECKPOINT_CORRUPT'
  | 'CHECKPOINT_VERSION'
  | 'CHECKPOINT_MISMATCH'
  | 'CHECKPOINT_NOT_FINITE'
  | 'CHECKPOINT_TOKENIZER'
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

/** Training diverged: a step's loss or gradient was not finite, or the loss stayed too high. `step` counts from 1. */
export class DivergedError extends TrainError {
  override readonly name = 'DivergedError'
  readonly step: number
  readonly loss: number
  readonly gradientNorm: number
  /** What was wrong, without the step. */
  readonly why: string
  /** The folder with the step's inputs. */
  readonly inputs: string | undefined
  constructor(facts: {
    readonly step: number
    readonly loss: number
    readonly gradientNorm: number
    readonly why: string
    readonly saved?: { readonly path: string; readonly whole: boolean; readonly notFiniteBefore: readonly string[] } | undefined
  }) {
    const { step, loss, gradientNorm, why, saved } = facts
    super(`training diverged in step ${step}: ${why}${saved ? savedText(saved) : ''}`, 'DIVERGED', {
      hint:
        (saved?.whole ? `run the step again (engram replay ${saved.path}); ` : '') +
        'lower the learning rate, warm up longer or clip gradients (clipGlobalNorm), and start again or from an earlier checkpoint',
    })
    this.step = step
    this.loss = loss
    this.gradientNorm = gradientNorm
    this.why = why
    this.inputs = saved?.path
  }
}

function savedText({ path, whole, notFiniteBefore }: { path: string; whole: boolean; notFiniteBefore: readonly string[] }): string {
  const [first, ...others] = notFiniteBefore
  const bad = first === undefined ? '' : `; ${first}${others.length > 0 ? ` and ${others.length} more tensors` : ''} of the state before it held NaN or infinity already`
  return `${bad}; ${whole ? "the step's inputs are" : "the step's batch is"} in ${path}`
}
