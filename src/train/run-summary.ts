import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { bestCheckpoint, listCheckpoints } from './checkpoint-folder.ts'
import { type MetricsLine, type SavedConfig, openRunFolder, readMetrics } from './run-folder.ts'
import { differences } from './run-config.ts'

/** What a run has come to, from its folder alone. */
export interface RunSummary {
  /** The folder's name. */
  readonly name: string
  readonly path: string
  /** As the model was named on the command line. */
  readonly reference: string
  readonly model: string
  readonly corpus: string
  /** The checkpoint whose parameters the run began with, and whether the optimiser went on from there; null where they were drawn. */
  readonly from: { readonly checkpoint: string; readonly optimizer: 'fresh' | 'kept' } | null
  /** Steps done, of those that are planned. */
  readonly step: number
  readonly steps: number
  /** Targets trained on. */
  readonly tokens: number
  /** Of the last report; NaN before the first. */
  readonly trainingBitsPerByte: number
  readonly trainingPerplexity: number
  /** The newest evaluation; NaN where its loss was not finite. */
  readonly heldOut: HeldOut | undefined
  /** The evaluation with the least loss. */
  readonly best: HeldOut | undefined
  readonly checkpoints: number
  /** The folder's name of the checkpoint with the least loss on held-out documents; null where none was evaluated. */
  readonly bestCheckpoint: string | null
}

export interface HeldOut {
  readonly step: number
  readonly bitsPerByte: number
  /** Per token. */
  readonly perplexity: number
}

/** A run with its whole configuration and history. */
export interface RunHistory extends RunSummary {
  readonly config: SavedConfig
  readonly reports: readonly MetricsLine[]
  readonly evaluations: readonly MetricsLine[]
}

/** Reads a run. Throws `TrainError` where the folder is not one. */
export async function readRun(path: string): Promise<RunHistory> {
  const { folder, config } = await openRunFolder(path)
  const lines = await readMetrics(folder)
  const reports = lines.filter(({ event }) => event === 'report')
  const evaluations = lines.filter(({ event }) => event === 'evaluation')
  const heldOut = evaluations.map((line) => ({ step: line.step, bitsPerByte: finite(line.bitsPerByte), perplexity: finite(line.perplexity) }))
  const last = reports.at(-1)
  return {
    name: basename(path),
    path,
    reference: config.reference,
    model: config.model.model as string,
    corpus: config.run.data.corpus,
    from: config.run.from ? { checkpoint: config.run.from.checkpoint, optimizer: config.run.from.optimizer } : null,
    step: Math.max(last?.step ?? 0, evaluations.at(-1)?.step ?? 0),
    steps: config.run.steps,
    tokens: finite((last?.totals as { tokens?: unknown } | undefined)?.tokens ?? 0),
    trainingBitsPerByte: finite(last?.bitsPerByte),
    trainingPerplexity: finite(last?.perplexity),
    heldOut: heldOut.at(-1),
    best: heldOut.filter((each) => !Number.isNaN(each.bitsPerByte)).sort((a, b) => a.bitsPerByte - b.bitsPerByte || a.step - b.step)[0],
    checkpoints: (await listCheckpoints(folder.checkpoints)).length,
    bestCheckpoint: nameOf((await bestCheckpoint(folder.checkpoints))?.path),
    config,
    reports,
    evaluations,
  }
}

const nameOf = (path: string | undefined): string | null => (path === undefined ? null : basename(path))

/** JSON has null where a number was not finite. */
const finite = (value: unknown): number => (typeof value === 'number' ? value : NaN)

/** The runs below a folder, sorted by name; folders that are none are passed over, damaged ones given as errors. */
export async function readRuns(folder: string): Promise<{ runs: RunHistory[]; damaged: { path: string; message: string }[] }> {
  const names = (await readdir(folder, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort()
  const runs: RunHistory[] = []
  const damaged: { path: string; message: string }[] = []
  for (const name of names) {
    const path = join(folder, name)
    try {
      runs.push(await readRun(path))
    } catch (error) {
      if ((error as { code?: string }).code !== 'RUN_MISSING') damaged.push({ path, message: (error as Error).message })
    }
  }
  return { runs, damaged }
}

/** A key of the configurations that differ, with the value of each run; undefined where a run has none. */
export interface ConfigurationDifference {
  readonly key: string
  readonly values: readonly unknown[]
}

/** Where the configurations of runs differ. */
export function configurationDifferences(runs: readonly RunHistory[]): ConfigurationDifference[] {
  const plain = runs.map(({ config }) => ({ model: config.model, run: config.run }) as Record<string, unknown>)
  const keys = new Set(plain.slice(1).flatMap((other) => differences(plain[0], other).map((line) => line.slice(0, line.indexOf(': ')))))
  return [...keys].map((key) => ({ key, values: plain.map((config) => valueAt(config, key)) }))
}

const valueAt = (config: unknown, key: string): unknown =>
  key.split('.').reduce<unknown>((value, part) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined), config)
