/** Characters of a source line that are shown; constants make lines of megabytes. */
const shown = 160
const shownBefore = 100

/** A place in a text: its offset, the line it stands in, from 1, and where that line begins. */
export interface TextPlace {
  readonly offset: number
  readonly line: number
  readonly lineStart: number
}

/** The source line with a caret below the place, in two lines, each led by a newline. Long lines are shown in part. */
export function sourceExcerpt(text: string, { offset, line, lineStart }: TextPlace): string {
  const newline = text.indexOf('\n', offset)
  const lineEnd = newline < 0 ? text.length : newline
  const from = lineEnd - lineStart <= shown ? lineStart : Math.max(lineStart, offset - shownBefore)
  const to = Math.min(lineEnd, from + shown)
  const prefix = from > lineStart ? '...' : ''
  const part = prefix + text.slice(from, to).replace(/[\t\r\u0000-\u001f\u007f]/g, ' ') + (to < lineEnd ? '...' : '')
  const gutter = String(line)
  const caret = ' '.repeat(prefix.length + offset - from) + '^'
  return `\n  ${gutter} | ${part}\n  ${' '.repeat(gutter.length)} | ${caret}`
}

/** The place of a line and column, both from 1; undefined if the text has no such line. */
export function placeAt(text: string, line: number, column: number): TextPlace | undefined {
  let lineStart = 0
  for (let i = 1; i < line; i++) {
    const end = text.indexOf('\n', lineStart)
    if (end < 0) return undefined
    lineStart = end + 1
  }
  return { offset: Math.min(lineStart + column - 1, text.length), line, lineStart }
}
