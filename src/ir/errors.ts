import type { Location } from './location.ts'

/**
 * The errors that a user can cause. Every one is an `EngramError` with a stable `code`, so that a program can tell them
 * apart and the command line can print them without a stack.
 */
export class EngramError extends Error {
  override readonly name: string = 'EngramError'
  /** Stable and machine-readable, e.g. `SHAPE_MISMATCH`. */
  readonly code: string
  constructor(message: string, options: { code: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = options.code
  }
}

/** An op's constraint does not hold. `rule` is the specification's id (`dot_general_c10`) where it has one. */
export class OpError extends EngramError {
  override readonly name = 'OpError'
  readonly op: string
  readonly rule: string | undefined
  readonly detail: string
  location: Location | undefined
  constructor(op: string, detail: string, rule?: string, location?: Location) {
    super(opMessage(op, detail, rule, location), { code: 'OP_CONSTRAINT' })
    this.op = op
    this.detail = detail
    this.rule = rule
    this.location = location
  }
  /** Adds the place, once it is known. */
  at(location: Location | undefined): this {
    if (!this.location && location) {
      this.location = location
      this.message = opMessage(this.op, this.detail, this.rule, location)
    }
    return this
  }
}

function opMessage(op: string, detail: string, rule?: string, location?: Location): string {
  const place = location?.describe()
  return `${op}: ${detail}${rule ? ` [${rule}]` : ''}${place ? `\n  at ${place}` : ''}`
}

/** The tensor DSL was used in a way that cannot be traced (outside a trace, a leaked tensor, a bad tree). */
export class TraceError extends EngramError {
  override readonly name = 'TraceError'
  constructor(message: string, code = 'TRACE') {
    super(message, { code })
  }
}

/** A gradient was asked for that is not defined. */
export class DifferentiationError extends EngramError {
  override readonly name = 'DifferentiationError'
  constructor(message: string, location?: Location) {
    const place = location?.describe()
    super(message + (place ? `\n  at ${place}` : ''), { code: 'NOT_DIFFERENTIABLE' })
  }
}

/** A check inside a program does not hold. */
export class CheckError extends EngramError {
  override readonly name = 'CheckError'
  constructor(message: string, location?: Location) {
    const place = location?.describe()
    super(message + (place ? `\n  at ${place}` : ''), { code: 'CHECK_FAILED' })
  }
}

/** A value from outside (file, flag, configuration, array) is not what it has to be. */
export class InputError extends EngramError {
  override readonly name = 'InputError'
  constructor(message: string, code = 'INVALID_INPUT', cause?: unknown) {
    super(message, { code, cause })
  }
}
