import { InputError } from '../ir/errors.ts'
import type { Block } from '../ir/module.ts'
import type { MatchResult } from './match-stablehlo.ts'
import { type Mismatch, type OpPattern, type OpPatternStep, type PlacedOperation, checkPattern, isNot, mismatches, patternText, placedOperations } from './op-patterns.ts'
import { OperationText, type SubjectOptions, originText, subjectOf } from './subject.ts'

export interface ContainOptions extends SubjectOptions {
  /** The matches follow each other without another op between them, in one block. */
  readonly consecutive?: boolean
  /** Ops that are passed over, as if the program did not have them: `['constant', 'reshape']`. */
  readonly ignore?: readonly OpPattern[]
}

/** A pattern that needs an op, and what must not stand between the match before and its own. */
interface Step {
  readonly pattern: OpPattern
  /** From 1, as the user counts. */
  readonly number: number
  readonly forbidden: readonly OpPattern[]
}

/** Looks for ops that match the patterns in their order; other ops may stand between them. */
export function containOps(received: unknown, patterns: readonly OpPatternStep[] | OpPatternStep, options: ContainOptions = {}): MatchResult {
  const { module } = subjectOf(received, 'toContainOps', { types: options.types, allowForeignOps: true })
  const given: readonly OpPatternStep[] = Array.isArray(patterns) ? patterns : [patterns as OpPatternStep]
  given.forEach((step, i) => checkPattern(step, `toContainOps, pattern ${i + 1}`))
  options.ignore?.forEach((pattern) => checkPattern(pattern, 'toContainOps, ignore'))
  const { steps, after } = stepsOf(given)
  const operations = placedOperations(module).filter((placed) => !options.ignore?.some((pattern) => matches(placed, pattern)))
  const search = new Search(operations, steps, after, options.consecutive ?? false)
  const found = search.run()
  const text = new OperationText(module)
  return {
    pass: found !== undefined,
    message: () => (found ? unwanted(steps, found.map((at) => operations[at]), text) : new Failure(search, operations, steps, given.length, text).message()),
  }
}

const matches = (placed: PlacedOperation, pattern: OpPattern): boolean => mismatches(placed, pattern).length === 0

/** `after` are the ops that must not stand after the last match. */
function stepsOf(given: readonly OpPatternStep[]): { steps: Step[]; after: readonly OpPattern[] } {
  const steps: Step[] = []
  let forbidden: OpPattern[] = []
  given.forEach((step, i) => {
    if (isNot(step)) forbidden.push(step.not)
    else {
      steps.push({ pattern: step, number: i + 1, forbidden })
      forbidden = []
    }
  })
  if (steps.length === 0) throw new InputError('toContainOps needs a pattern besides those that begin with not: for an op that must not be there, use expect(...).not.toContainOps([...])')
  return { steps, after: forbidden }
}

/**
 * Finds matches step by step. For each step the positions where it can end are kept, with the position of the step before: of all that could
 * stand before a match, the nearest leaves the least room for what is forbidden, so it alone has to be tried.
 */
class Search {
  /** Per step, by position: the position of the step before, -1 for none. */
  readonly reached: Map<number, number>[] = []
  /** A match that is spoilt by an op between: position, and that of the op. */
  spoilt: { readonly at: number; readonly by: number; readonly pattern: OpPattern } | undefined
  readonly #operations: readonly PlacedOperation[]
  readonly #steps: readonly Step[]
  readonly #after: readonly OpPattern[]
  readonly #consecutive: boolean

  constructor(operations: readonly PlacedOperation[], steps: readonly Step[], after: readonly OpPattern[], consecutive: boolean) {
    this.#operations = operations
    this.#steps = steps
    this.#after = after
    this.#consecutive = consecutive
  }

  /** Positions of the matches, or undefined. */
  run(): number[] | undefined {
    for (const step of this.#steps) {
      const before = this.reached.at(-1)
      const found = this.#ends(step, before)
      this.reached.push(found)
      if (found.size === 0) return undefined
      // A spoilt match counts only if the step has no other.
      this.spoilt = undefined
    }
    const last = [...this.reached.at(-1)!.keys()].at(-1)!
    const by = this.#firstOf(this.#after, last + 1, this.#operations.length)
    if (by) {
      this.spoilt = { at: last, ...by }
      return undefined
    }
    return this.path(last)
  }

  /** The matches that lead to a match of the last step that was reached. */
  path(end: number, steps = this.reached.length): number[] {
    const path: number[] = []
    for (let step = steps - 1, at = end; step >= 0; step--) {
      path.unshift(at)
      at = this.reached[step].get(at)!
    }
    return path
  }

  #ends(step: Step, before: ReadonlyMap<number, number> | undefined): Map<number, number> {
    if (before && this.#consecutive) return this.#neighbours(step, before)
    const { pattern, forbidden } = step
    const ends = new Map<number, number>()
    let nearest = before ? undefined : -1
    for (let at = 0; at < this.#operations.length; at++) {
      if (nearest !== undefined && matches(this.#operations[at], pattern)) {
        const by = this.#firstOf(forbidden, nearest + 1, at)
        if (by) this.spoilt ??= { at, ...by }
        else ends.set(at, nearest)
      }
      if (before?.has(at)) nearest = at
    }
    return ends
  }

  /** Matches that are the next operation of the same block. */
  #neighbours({ pattern }: Step, before: ReadonlyMap<number, number>): Map<number, number> {
    const ends: [number, number][] = []
    const last = new Map<Block, number>()
    this.#operations.forEach(({ operation: { block } }, at) => {
      const previous = last.get(block)
      if (previous !== undefined && before.has(previous) && matches(this.#operations[at], pattern)) ends.push([at, previous])
      last.set(block, at)
    })
    return new Map(ends)
  }

  #firstOf(forbidden: readonly OpPattern[], from: number, to: number): { by: number; pattern: OpPattern } | undefined {
    if (forbidden.length === 0) return undefined
    for (let by = from; by < to; by++) {
      const pattern = forbidden.find((each) => matches(this.#operations[by], each))
      if (pattern !== undefined) return { by, pattern }
    }
    return undefined
  }
}

function unwanted(steps: readonly Step[], found: readonly PlacedOperation[], text: OperationText): string {
  return `the program should not contain these ops in this order, it does:\n${found.map(({ operation }, i) => `  ${patternText(steps[i].pattern)}\n    ${text.line(operation)}${origin(operation)}`).join('\n')}`
}

const origin = (operation: PlacedOperation['operation']): string => {
  const from = originText(operation)
  return from ? `   (${from})` : ''
}

/** Ops after the last match that a failure shows. */
const shownAfter = 5

/** Says which pattern was the first without a match, and what came nearest. */
class Failure {
  readonly #search: Search
  readonly #operations: readonly PlacedOperation[]
  readonly #steps: readonly Step[]
  readonly #given: number
  readonly #text: OperationText

  constructor(search: Search, operations: readonly PlacedOperation[], steps: readonly Step[], given: number, text: OperationText) {
    this.#search = search
    this.#operations = operations
    this.#steps = steps
    this.#given = given
    this.#text = text
  }

  message(): string {
    const { reached, spoilt } = this.#search
    const complete = reached.at(-1)!.size > 0
    const failed = complete ? undefined : this.#steps[reached.length - 1]
    const done = complete ? reached.length : reached.length - 1
    // The earliest match leaves the most to look at.
    const last = done > 0 ? (complete ? spoilt!.at : [...reached[done - 1].keys()][0]) : undefined
    const path = last === undefined ? [] : this.#search.path(last, done)
    return [
      failed ? `pattern ${failed.number} of ${this.#given} has no match: ${patternText(failed.pattern)}` : `an op stands after the last match that must not: ${patternText(spoilt!.pattern)}`,
      ...path.map((at, i) => `  pattern ${this.#steps[i].number} matched ${this.#line(at)}`),
      ...(spoilt ? this.#spoiltLines(spoilt, failed) : []),
      ...(failed ? this.#afterLines(last) : []),
      ...(failed && !spoilt ? this.#nearestLines(failed, last ?? -1) : []),
    ].join('\n')
  }

  #line(at: number): string {
    const { operation, function: func } = this.#operations[at]
    return `${this.#text.line(operation)}${func === 'main' ? '' : `   (in @${func})`}${origin(operation)}`
  }

  #spoiltLines({ at, by, pattern }: NonNullable<Search['spoilt']>, failed: Step | undefined): string[] {
    return failed
      ? ['it would match', `  ${this.#line(at)}`, `but before it stands what must not, ${patternText(pattern)}:`, `  ${this.#line(by)}`]
      : [`  ${this.#line(by)}`]
  }

  #afterLines(last: number | undefined): string[] {
    const from = (last ?? -1) + 1
    const next = this.#operations.slice(from, from + shownAfter).map((_, i) => `  ${this.#line(from + i)}`)
    const more = this.#operations.length - from - next.length
    if (next.length === 0) return ['no op comes after the last match']
    return [last === undefined ? 'the program begins with' : 'after the last match come', ...next, ...(more > 0 ? [`  ... and ${more} more`] : [])]
  }

  /** The op that misses the pattern by the fewest things, by preference after the last match. */
  #nearestLines({ pattern }: Step, last: number): string[] {
    let best: { at: number; reasons: Mismatch[]; rank: number } | undefined
    this.#operations.forEach((placed, at) => {
      const reasons = mismatches(placed, pattern)
      // Another op altogether is farther off than one that differs in all else.
      const rank = reasons.length + (reasons.some(({ key }) => key === 'op') ? 100 : 0) + (at > last ? 0 : 0.5)
      if (!best || rank < best.rank) best = { at, reasons, rank }
    })
    if (!best || best.rank >= 100) return ['no op of the program has this name']
    const before = best.at <= last
    if (best.reasons.length === 0 && best.at > last) return ['it matches', `  ${this.#line(best.at)}`, 'but not right after the last match, as consecutive asks']
    if (best.reasons.length === 0) return ['it matches, but not after the last match', `  ${this.#line(best.at)}`]
    return [`the nearest op${before ? ', before the last match,' : ''} is`, `  ${this.#line(best.at)}`, ...best.reasons.map(({ text }) => `  but ${text}`)]
  }
}
