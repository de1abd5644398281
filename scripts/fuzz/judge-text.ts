import { EngramError } from '../../src/ir/errors.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { verifyModule } from '../../src/verify/verify.ts'

/** What became of a text: it was refused by the parser or the verifier, or it was valid; `fault` says what should not have happened. */
export interface Judgement {
  readonly outcome: 'refused' | 'invalid' | 'valid'
  readonly fault?: string
}

/** Reads a text, verifies it, prints it and, if it is valid, reads that again. Only the program's own faults may be found, by errors of Engram's classes. */
export function judgeText(text: string): Judgement {
  const options = { file: 'fuzz.mlir', allowForeignOps: true }
  let outcome: Judgement['outcome'] = 'refused'
  try {
    const module = parseModule(text, options)
    const errors = verifyModule(module)
    outcome = errors.length ? 'invalid' : 'valid'
    const slip = errors.map(faultOf).find((fault) => fault !== undefined)
    if (slip !== undefined) return { outcome, fault: slip }
    const printed = printModule(module)
    // What is against the rules may have no form that can be read: a return that is not the last, an axis that is not there.
    if (outcome === 'invalid') return { outcome }
    let again: string
    try {
      again = printModule(parseModule(printed, options))
    } catch (error) {
      return { outcome, fault: `what was printed cannot be read: ${messageOf(error)}` }
    }
    return again === printed ? { outcome } : { outcome, fault: 'printed, read and printed again it is another text' }
  } catch (error) {
    const fault = faultOf(error)
    return fault === undefined ? { outcome } : { outcome, fault }
  }
}

/** Undefined for an error that says what is wrong with the program; otherwise what it is. */
function faultOf(error: unknown): string | undefined {
  if (!(error instanceof EngramError)) return `not a typed error: ${messageOf(error)}`
  // A cause of another class is a slip in an op's own code, not a judgement of the program.
  return error.cause === undefined || error.cause instanceof EngramError ? undefined : `an error inside of a rule: ${messageOf(error.cause)}`
}

const messageOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
