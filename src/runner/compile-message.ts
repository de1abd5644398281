import type { ProgramSource } from '../ir/backend.ts'
import { CompileError } from './errors.ts'

/** Text longer than this is cut around the place that the message points at. */
const shownColumns = 140

/**
 * The error with XLA's places in the text (`-:7:12`) named after the program and the first of them shown with a caret, since the
 * user has no file to open.
 */
export function placeInText(error: CompileError, source: Pick<ProgramSource, 'name' | 'text'>): CompileError {
  const file = `${source.name}.mlir`
  // Said after every parse error, whatever its cause.
  const detail = error.detail.replace(/\n?<unknown>:0: error: Failed to parse using StableHLO[^\n]*\n*/g, '').trim()
  const named = detail.replace(/(^|[\s("])-:(\d+):(\d+)/g, `$1${file}:$2:$3`)
  const place = /(?:^|[\s("])-:(\d+):(\d+)/.exec(detail)
  const excerpt = place === null ? '' : caret(source.text, Number(place[1]), Number(place[2]))
  return new CompileError(source.name, error.status, named + excerpt, error.callSite)
}

/** `line` and `column` count from 1. */
function caret(text: string, line: number, column: number): string {
  const whole = text.split('\n', line)[line - 1]
  if (whole === undefined) return ''
  const start = Math.max(0, column - 1 - shownColumns / 2)
  const shown = whole.slice(start, start + shownColumns)
  const margin = `  ${line} | `
  return `\n${margin}${shown}\n${' '.repeat(margin.length - 2)}| ${' '.repeat(column - 1 - start)}^`
}
