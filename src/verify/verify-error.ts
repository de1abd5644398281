import { EngramError } from '../ir/errors.ts'
import type { Location } from '../ir/location.ts'
import { placeAt, sourceExcerpt } from '../ir/source-excerpt.ts'

/** The text that a module was read from and what it is called in messages. */
export interface VerifiedText {
  readonly text: string
  readonly file: string
}

export interface VerifyFinding {
  /** What is wrong. */
  readonly detail: string
  /** With its dialect: `stablehlo.add`; absent if it is no op that is wrong. */
  readonly op?: string
  /** The specification's id of the constraint. */
  readonly rule?: string
  readonly location?: Location
  /** The result types of the op could not be inferred, because of this. */
  readonly inferring?: boolean
  readonly cause?: unknown
}

/** One message with its place. Lines and columns count from 1. */
export interface VerifyDiagnostic {
  readonly line: number | undefined
  readonly column: number | undefined
  readonly message: string
}

/**
 * A program breaks a rule of StableHLO or of MLIR. The message has the place, the op, the fact and the rule's id; with the text, the
 * source line and a caret too.
 */
export class VerifyError extends EngramError {
  override readonly name = 'VerifyError'
  readonly op: string | undefined
  readonly rule: string | undefined
  /** The fact alone. */
  readonly detail: string
  readonly location: Location | undefined
  readonly file: string | undefined
  readonly line: number | undefined
  readonly column: number | undefined
  /** The error itself first, then what follows from it. */
  readonly diagnostics: readonly VerifyDiagnostic[]

  constructor({ detail, op, rule, location, inferring, cause }: VerifyFinding, source?: VerifiedText) {
    const site = location?.callSite
    const subject = op === undefined ? '' : `'${op}' op `
    const fact = subject + detail
    const place = site && source && site.file === source.file ? placeAt(source.text, site.line, site.column) : undefined
    const excerpt = place && source ? sourceExcerpt(source.text, place) : ''
    const scope = location?.scope ? `\n  in ${location.scope}` : ''
    super(`${site ? `${site.file}:${site.line}:${site.column}: ` : ''}${fact}${rule === undefined ? '' : ` [${rule}]`}${excerpt}${scope}`, { code: 'VERIFY', cause })
    this.op = op
    this.rule = rule
    this.detail = detail
    this.location = location
    this.file = site?.file
    this.line = site?.line
    this.column = site?.column
    const { line, column } = this
    const follows = inferring ? [{ line, column, message: `${subject}failed to infer returned types` }] : []
    this.diagnostics = [{ line, column, message: fact }, ...follows]
  }
}
