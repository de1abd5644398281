import { EngramError } from '../ir/errors.ts'
import { sourceExcerpt } from '../ir/source-excerpt.ts'

/** A text and what it is called in messages. */
export interface SourceText {
  readonly text: string
  readonly file: string
}

/** A second place that belongs to an error: where a value was defined before, where an attribute began. */
export interface RelatedPlace {
  readonly offset: number
  readonly message: string
}

/** One message with its place. Lines and columns count from 1. */
export interface ParseDiagnostic {
  readonly line: number
  readonly column: number
  readonly message: string
}

/**
 * A text cannot be read. The message has the place, the source line and a caret; `diagnostics` has the same in parts, the error
 * itself first. Positions are worked out here, once there is an error, and not while parsing.
 */
export class ParseError extends EngramError {
  override readonly name = 'ParseError'
  readonly file: string
  readonly line: number
  readonly column: number
  /** The message alone. */
  readonly detail: string
  readonly diagnostics: readonly ParseDiagnostic[]

  constructor(source: SourceText, offset: number, detail: string, related: readonly RelatedPlace[] = [], cause?: unknown) {
    const places = [{ offset, message: detail }, ...related].map(({ offset: at, message }) => ({ ...placeOf(source.text, at), message }))
    super(places.map((place) => render(source, place)).join('\n'), { code: 'PARSE', cause })
    this.file = source.file
    this.line = places[0].line
    this.column = places[0].column
    this.detail = detail
    this.diagnostics = places.map(({ line, column, message }) => ({ line, column, message }))
  }
}

interface Place {
  readonly lineStart: number
  readonly offset: number
  readonly line: number
  readonly column: number
}

function placeOf(text: string, offset: number): Place {
  const at = Math.max(0, Math.min(offset, text.length))
  let line = 1
  let lineStart = 0
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', lineStart)) {
    line++
    lineStart = end + 1
  }
  return { lineStart, offset: at, line, column: at - lineStart + 1 }
}

const render = (source: SourceText, place: Place & { message: string }): string =>
  `${source.file}:${place.line}:${place.column}: ${place.message}${sourceExcerpt(source.text, place)}`
