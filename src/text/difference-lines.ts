import type { Module, Operation, Value } from '../ir/module.ts'
import { printOperation, valueNames } from './print.ts'

/** Lines of unchanged operations that are shown before and after a difference. */
const contextLines = 2

/** Long texts, of constants, in part. */
export const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 160)}... (${text.length} characters)` : text)

/** The first line of an operation's text. */
export function oneLine(operation: Operation, names?: ReadonlyMap<Value, string>): string {
  const text = printOperation(operation, names)
  const end = text.indexOf('\n')
  return shortened(end < 0 ? text : `${text.slice(0, end)} ...`)
}

/**
 * Names for the values of two modules that are compared. A value of the first that stands for one of the second has its name, so that an
 * op that was put in does not rename all that follow; one that is in the first alone is called `%old4`.
 */
export class ComparedNames {
  readonly second: ReadonlyMap<Value, string>
  readonly first: ReadonlyMap<Value, string>

  constructor(first: Module, second: Module, same: ReadonlyMap<Value, Value>) {
    this.second = valueNames(second)
    this.first = new Map([...valueNames(first)].map(([value, name]) => [value, this.#renamed(same.get(value)) ?? `%old${name.slice(1)}`]))
  }

  #renamed(value: Value | undefined): string | undefined {
    return value && this.second.get(value)
  }
}

/** Operations of two blocks that stand opposite each other. */
export type OperationPair = readonly [Operation | undefined, Operation | undefined]

/** One difference of two blocks: the pairs of both, which of them differs, and how far the context may go without meeting another difference. */
export interface DifferencePlace {
  readonly pairs: readonly OperationPair[]
  readonly at: number
  /** First pair that may be context before it; the last difference's context ends there. */
  readonly from: number
  /** Pair that may no more be context after it. */
  readonly to: number
}

/** The lines around a difference, each begun by a space, - or +. */
export function differenceLines({ pairs, at, from, to }: DifferencePlace, names: ComparedNames): string[] {
  const context = (begin: number, end: number): string[] =>
    pairs.slice(begin, end).map(([a, b]) => `  ${b ? oneLine(b, names.second) : oneLine(a!, names.first)}`)
  const [before, after] = pairs[at]
  return [
    ...context(Math.max(from, at - contextLines), at),
    ...(before ? [`- ${oneLine(before, names.first)}`] : []),
    ...(after ? [`+ ${oneLine(after, names.second)}`] : []),
    ...context(at + 1, Math.min(to, at + 1 + contextLines)),
  ]
}

/**
 * Says for each difference of a block how far its context goes: two that are close share the lines between them, the first takes those
 * after it and the second what is left.
 */
export function differencePlaces(pairs: readonly OperationPair[], differing: readonly number[]): DifferencePlace[] {
  return differing.map((at, i) => ({
    pairs,
    at,
    from: i === 0 ? 0 : Math.min(at, differing[i - 1] + 1 + contextLines),
    to: differing[i + 1] ?? pairs.length,
  }))
}
