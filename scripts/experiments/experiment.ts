import type { Cell, CellResult } from './cell.ts'
import type { Plan } from './plan.ts'
import type { Plot } from './plot.ts'
import { type Spread, gainOver, spread } from './statistics.ts'

/** What is compared: arms, each a cell for every seed. */
export interface Arm {
  readonly name: string
  readonly cells: readonly Cell[]
}

export interface Experiment {
  readonly title: string
  /** What it asks, in a sentence or two. */
  readonly question: string
  arms(plan: Plan): readonly Arm[]
  /** Arm and evaluation that the others are compared with. */
  readonly base: string
  plot(rows: readonly Row[], plan: Plan): Plot
}

/** One arm by one of its evaluations. */
export interface Row {
  readonly arm: string
  readonly evaluation: string
  readonly parameters: number
  readonly steps: number
  readonly bitsPerByte: Spread
  readonly accuracy: Spread
  /** Share of the base's bits per byte that is saved, seed by seed; positive is better. */
  readonly gain: Spread
}

/** The key of a row: the arm, with the evaluation where it is not the common one. */
export const rowKey = ({ arm, evaluation }: Pick<Row, 'arm' | 'evaluation'>): string => (evaluation === 'test' ? arm : `${arm}, ${evaluation}`)

/** Rows of all arms whose cells are there. Throws `RangeError` where the base is missing. */
export function rowsOf(arms: readonly { readonly name: string; readonly results: readonly CellResult[] }[], base: string): Row[] {
  const bits = (results: readonly CellResult[], evaluation: string): number[] => results.map(({ evaluations }) => evaluations[evaluation].bitsPerByte)
  const all = arms.flatMap(({ name, results }) => Object.keys(results[0].evaluations).map((evaluation) => ({ arm: name, evaluation, results })))
  const compared = all.find((row) => rowKey(row) === base)
  if (!compared) throw new RangeError(`there is no arm "${base}" to compare with: ${all.map(rowKey).join(', ')}`)
  const baseBits = bits(compared.results, compared.evaluation)
  return all.map(({ arm, evaluation, results }) => ({
    arm,
    evaluation,
    parameters: results[0].parameters,
    steps: results[0].steps,
    bitsPerByte: spread(bits(results, evaluation)),
    accuracy: spread(results.map((result) => result.evaluations[evaluation].accuracy)),
    gain: gainOver(bits(results, evaluation), baseBits),
  }))
}

/** The points of a plot, from rows. */
export const point = (x: number, { bitsPerByte: { mean, deviation } }: Row) => ({ x, y: mean, deviation })
