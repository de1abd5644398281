import { EngramError } from '../ir/errors.ts'
import type { Module } from '../ir/module.ts'
import { interpret } from '../interpret/interpreter.ts'
import { sameModule } from '../text/compare.ts'
import { ParseError } from '../text/parse-error.ts'
import { parseModule } from '../text/parse.ts'
import { printModule } from '../text/print.ts'
import { VerifyError } from '../verify/verify-error.ts'
import { checkModule, verifyModule } from '../verify/verify.ts'
import type { ConformanceCase, ExpectedError } from './conformance-cases.ts'
import { withTimeLimit } from './time-limit.ts'

export interface CaseResult {
  readonly passed: boolean
  /** For programs that must be refused: whether they were, by an error of the parser or the verifier. */
  readonly refused?: boolean
  /** Why it failed. */
  readonly reason?: string
}

interface Diagnostic {
  readonly line: number | undefined
  readonly message: string
}

/** Runs one case, for at most so many milliseconds; whatever goes wrong in it is its result, never an exception. */
export async function runCase(each: ConformanceCase, limitMs = 60_000): Promise<CaseResult> {
  try {
    const text = await each.read()
    return withTimeLimit(limitMs, () => judge(each, text))
  } catch (error) {
    return { passed: false, reason: reasonOf(error), ...(each.mode === 'verify_reject' ? { refused: false } : {}) }
  }
}

function judge(each: ConformanceCase, text: string): CaseResult {
  if (each.mode === 'verify_reject') return refuse(each, text)
  const options = { file: each.id, allowForeignOps: each.allowForeignOps }
  const module = checkModule(parseModule(text, options))
  if (each.mode === 'exec' || each.mode === 'parallel') run(module, each)
  else if (each.mode !== 'verify_accept') roundTrip(module, options)
  return { passed: true }
}

function run(module: Module, { entries }: ConformanceCase): void {
  if (entries.length === 0) interpret(module, [])
  for (const entry of entries) interpret(module, [], { entry })
}

/** Printed in either form and read back, it is the same program. */
function roundTrip(module: Module, options: { file: string; allowForeignOps: boolean }): void {
  for (const generic of [false, true]) {
    const text = printModule(module, { generic })
    const again = parseModule(text, options)
    if (!sameModule(module, again) || printModule(again, { generic }) !== text)
      throw new EngramError(`${generic ? 'generic' : 'own'} form does not come back the same`, { code: 'ROUND_TRIP' })
  }
}

function refuse({ id, expected, allowForeignOps }: ConformanceCase, text: string): CaseResult {
  let diagnostics: readonly Diagnostic[]
  try {
    diagnostics = verifyModule(parseModule(text, { file: id, allowForeignOps })).flatMap((error) => error.diagnostics)
  } catch (error) {
    if (!(error instanceof ParseError || error instanceof VerifyError)) throw error
    diagnostics = error.diagnostics
  }
  const refused = diagnostics.length > 0
  const missing = expected.find((each) => !diagnostics.some((diagnostic) => matches(each, diagnostic)))
  if (refused && !missing) return { passed: true, refused }
  const got = diagnostics.map(({ line, message }) => `${line}: ${message}`).join('; ') || 'accepted'
  return { passed: false, refused, reason: missing ? `expected ${missing.line}: ${missing.text}; got ${got}` : got }
}

const matches = ({ line, text, regex }: ExpectedError, diagnostic: Diagnostic): boolean =>
  diagnostic.line === line && (regex ? pattern(text).test(diagnostic.message) : diagnostic.message.includes(text))

/** Text in which `{{...}}` are regular expressions. */
const pattern = (text: string): RegExp =>
  new RegExp(
    text
      .split(/\{\{(.*?)\}\}/)
      .map((part, i) => (i % 2 ? part : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join(''),
  )

function reasonOf(error: unknown): string {
  if (error instanceof EngramError) return error.message
  return `crash: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}
