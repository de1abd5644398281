import type { RunConfigInput } from '../../src/train/run-config.ts'
import type { Evaluation } from '../../src/train/evaluator.ts'

/**
 * An experiment is made of cells: one training run each, evaluated once or more. A cell is told apart by what it computes, so experiments that
 * need the same one share it.
 */
export interface Cell {
  /** A model of the registry: `memorizing-transformer`. */
  readonly model: string
  /** Keys of the model's configuration, over those of its `small` preset. */
  readonly set: Readonly<Record<string, unknown>>
  readonly run: RunConfigInput & { readonly steps: number; readonly seed: number }
  /** The cell whose parameters this one begins from, after so many steps (by default all of them). */
  readonly from?: { readonly cell: Cell; readonly step?: number } | undefined
  readonly evaluations: readonly CellEvaluation[]
}

/** How a trained cell is evaluated: on which documents, and with which keys of the model changed. */
export interface CellEvaluation {
  readonly name: string
  readonly split: 'validation' | 'test'
  readonly tokens: number
  readonly maxDocumentTokens: number
  readonly set?: Readonly<Record<string, unknown>>
}

/** What a cell gave; kept in its folder, so that it is computed once. */
export interface CellResult {
  /** Folder of the run, below the experiments' own. */
  readonly folder: string
  readonly parameters: number
  readonly steps: number
  /** Tokens trained on. */
  readonly tokens: number
  /** Of training, without compiling and evaluating; with other work on the machine it says little. */
  readonly trainingSeconds: number
  /** Held out, along the way. */
  readonly curve: readonly { readonly step: number; readonly bitsPerByte: number }[]
  readonly evaluations: Readonly<Record<string, Pick<Evaluation, 'bitsPerByte' | 'natsPerToken' | 'perplexity' | 'accuracy' | 'tokens' | 'bytes'>>>
}
