import { shortened } from '../text/difference-lines.ts'
import { InputError } from '../ir/errors.ts'

/** A text that has to be there, a regular expression, or one that must not stand between the matches before and after. */
export type TextStep = string | RegExp | { readonly not: string | RegExp }

/** Lines after the last match that a failure shows. */
const shownLines = 4

/** Finds the patterns in their order, each as early as it can be; says what is wrong, or undefined. */
export function matchText(text: string, steps: readonly TextStep[]): string | undefined {
  let from = 0
  let forbidden: (string | RegExp)[] = []
  const matched: string[] = []
  for (const [i, step] of steps.entries()) {
    if (typeof step === 'object' && 'not' in step) {
      forbidden.push(step.not)
      continue
    }
    if (typeof step !== 'string' && !(step instanceof RegExp)) throw new InputError(`hlo, pattern ${i + 1}: expected a text, a regular expression or { not }, got ${String(step)}`)
    const found = find(text, step, from)
    if (!found) return [`pattern ${i + 1} of ${steps.length} is not there: ${String(step)}`, ...matched, ...nextLines(text, from)].join('\n')
    const spoilt = spoiltBy(text, forbidden, from, found.start)
    if (spoilt) return [`before pattern ${i + 1}, ${String(step)}, stands what must not: ${String(spoilt.pattern)}`, ...matched, `  ${lineAt(text, spoilt.at)}`].join('\n')
    matched.push(`  pattern ${i + 1} matched ${lineAt(text, found.start)}`)
    from = found.end
    forbidden = []
  }
  const spoilt = spoiltBy(text, forbidden, from, text.length)
  return spoilt && [`what must not be there is: ${String(spoilt.pattern)}`, ...matched, `  ${lineAt(text, spoilt.at)}`].join('\n')
}

function find(text: string, pattern: string | RegExp, from: number): { start: number; end: number } | undefined {
  if (typeof pattern === 'string') {
    const start = text.indexOf(pattern, from)
    return start < 0 ? undefined : { start, end: start + pattern.length }
  }
  const expression = new RegExp(pattern.source, [...new Set([...pattern.flags.replace('y', ''), 'g'])].join(''))
  expression.lastIndex = from
  const match = expression.exec(text)
  return match ? { start: match.index, end: match.index + match[0].length } : undefined
}

function spoiltBy(text: string, forbidden: readonly (string | RegExp)[], from: number, to: number): { pattern: string | RegExp; at: number } | undefined {
  for (const pattern of forbidden) {
    const found = find(text, pattern, from)
    if (found && found.start < to) return { pattern, at: found.start }
  }
  return undefined
}

function lineAt(text: string, at: number): string {
  const end = text.indexOf('\n', at)
  return shortened(text.slice(text.lastIndexOf('\n', at - 1) + 1, end < 0 ? text.length : end).trim())
}

function nextLines(text: string, from: number): string[] {
  const start = from === 0 ? 0 : text.indexOf('\n', from) + 1
  const lines = start === 0 && from > 0 ? [] : text.slice(start).split('\n', shownLines).filter((line) => line.trim() !== '')
  return lines.length === 0 ? ['  nothing comes after that'] : [from === 0 ? 'the text begins with' : 'after that come', ...lines.map((line) => `  ${shortened(line.trim())}`)]
}
