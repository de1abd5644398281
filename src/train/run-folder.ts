import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../data/atomic-file.ts'
import { issueText } from '../data/errors.ts'
import { listCheckpoints } from './checkpoint-folder.ts'
import { TrainError } from './errors.ts'
import { type RunConfig, checkRunConfig } from './run-config.ts'

/**
 * The folder of a run: `config.json` (all that is needed to start it again), `metrics.jsonl` (a line per report, evaluation and
 * event), `checkpoints/`, and in the end `report.html`.
 */
export interface RunFolder {
  readonly path: string
  readonly checkpoints: string
  readonly metrics: string
  readonly report: string
}

/** Where the list of what a run took of the checkpoint that it began from is, in its folder. */
export const startFile = 'from.json'

export const runFolder = (path: string): RunFolder => ({
  path,
  checkpoints: join(path, 'checkpoints'),
  metrics: join(path, 'metrics.jsonl'),
  report: join(path, 'report.html'),
})

const savedConfigSchema = z.strictObject({
  /** How the model was named on the command line. */
  reference: z.string(),
  model: z.looseObject({ model: z.string() }),
  run: z.record(z.string(), z.unknown()),
})

export interface SavedConfig {
  readonly reference: string
  readonly model: Readonly<Record<string, unknown>>
  readonly run: RunConfig
}

/** Throws `TrainError` `RUN_EXISTS` if `path` holds a run that could go on. What a run without a checkpoint left may be overwritten. */
export async function assertNewRun(path: string): Promise<void> {
  if ((await listCheckpoints(runFolder(path).checkpoints)).length > 0)
    throw new TrainError(`${path} holds a run already`, 'RUN_EXISTS', { hint: `go on with it (engram train --resume ${path}), or give another --name` })
}

/** Makes the folder of a new run. Throws `TrainError` `RUN_EXISTS`, `DataError` when the disk does not take it. */
export async function createRunFolder(path: string, config: SavedConfig): Promise<RunFolder> {
  await assertNewRun(path)
  await saveConfig(path, config)
  const folder = runFolder(path)
  await rm(folder.metrics, { force: true })
  return folder
}

/** Writes `config.json`. Throws `DataError` when the disk does not take it. */
export const saveConfig = (path: string, config: SavedConfig): Promise<void> =>
  writeFileAtomic(join(path, 'config.json'), (writer) => writer.write(new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)))

/** The configuration of a run that exists. Throws `TrainError` `RUN_MISSING`, `RUN_CONFIGURATION`. */
export async function openRunFolder(path: string): Promise<{ folder: RunFolder; config: SavedConfig }> {
  let text: string
  try {
    text = await readFile(join(path, 'config.json'), 'utf8')
  } catch (error) {
    throw new TrainError(`${path} is not a run: it has no config.json`, 'RUN_MISSING', { hint: 'name the folder of a run, such as runs/tiny', cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new TrainError(`${join(path, 'config.json')} is not JSON: ${(error as Error).message}`, 'RUN_CONFIGURATION', { cause: error })
  }
  const parsed = savedConfigSchema.safeParse(value)
  if (!parsed.success) throw new TrainError(`${join(path, 'config.json')}: ${issueText(parsed.error)}`, 'RUN_CONFIGURATION')
  return { folder: runFolder(path), config: { ...parsed.data, run: checkRunConfig(parsed.data.run) } }
}

/** Any line of `metrics.jsonl`. */
export interface MetricsLine {
  readonly event: string
  readonly step: number
  readonly [key: string]: unknown
}

export const appendMetrics = (folder: RunFolder, line: MetricsLine): Promise<void> => appendFile(folder.metrics, `${JSON.stringify(line)}\n`)

/** The lines so far; one cut short by a crash is passed over. */
export async function readMetrics(folder: RunFolder): Promise<MetricsLine[]> {
  const text = await readFile(folder.metrics, 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as MetricsLine]
    } catch {
      return []
    }
  })
}

/** Drops the lines of steps after `step`: a run that goes on from there will write them again. */
export async function rewindMetrics(folder: RunFolder, step: number): Promise<void> {
  const lines = (await readMetrics(folder)).filter((line) => line.step <= step)
  await writeFileAtomic(folder.metrics, (writer) => writer.write(new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))))
}
