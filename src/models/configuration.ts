import { z } from 'zod'
import { EngramError } from '../ir/errors.ts'

/** A model's configuration breaks a rule; `path` is the key it is about. */
export class ConfigurationError extends EngramError {
  override readonly name = 'ConfigurationError'
  readonly path: string
  constructor(message: string, path: string) {
    super(message, { code: 'BAD_CONFIGURATION' })
    this.path = path
  }
}

/**
 * A configuration with its defaults filled in. Throws `ConfigurationError`, one line per broken rule: key, value, rule; for an unknown key the
 * nearest known one. `what` names it in the message: `the configuration of memorizing-transformer`.
 */
export function checkConfiguration<C>(schema: z.ZodType<C>, value: unknown, what: string): C {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const known = knownKeys(schema)
  const lines = result.error.issues.flatMap((issue) => describeIssue(issue, value, known))
  throw new ConfigurationError(`${what}:\n${lines.map((line) => `  ${line}`).join('\n')}`, result.error.issues[0].path.join('.'))
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown, known: readonly string[]): string[] {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const near = nearest(key, known)
      return `${path ? `${path}.` : ''}${key}: unknown key${near ? `, did you mean ${near}?` : `; known are ${known.join(', ')}`}`
    })
  if (issue.code === 'custom') return [`${path}: ${issue.message}`]
  const found = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value)
  if (found === undefined && issue.path.length > 0) return [`${path}: missing (${rule(issue.message)})`]
  return [`${path ? `${path}: ` : ''}${JSON.stringify(found)} is not allowed (${rule(issue.message)})`]
}

const rule = (message: string): string => message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '').replace(/, received .*$/, '')

/** The keys of an object schema, through whatever is wrapped around it. */
export function knownKeys(schema: z.ZodType): string[] {
  let inner: unknown = schema
  for (let depth = 0; depth < 8 && inner; depth++) {
    const definition = (inner as { def?: { shape?: object; innerType?: unknown; in?: unknown } }).def
    if (definition?.shape) return Object.keys(definition.shape)
    inner = definition?.innerType ?? definition?.in
  }
  return []
}

/** The known word nearest to `word`, if it is near enough to have been meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const distances = known.map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
  const best = distances.sort((a, b) => a.distance - b.distance)[0]
  return best && best.distance <= Math.max(2, Math.floor(word.length / 2)) ? best.candidate : undefined
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]
}
