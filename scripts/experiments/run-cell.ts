import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { z } from 'zod'
import { SafetensorsFile } from '../../src/data/safetensors.ts'
import { findCheckpoint } from '../../src/train/checkpoint.ts'
import type { Cell, CellResult } from './cell.ts'
import { writeText } from './write-text.ts'

const command = fileURLToPath(new URL('../../bin/engram.mjs', import.meta.url))

/** One thread for a program: two cells side by side get more out of two cores than one after the other with two threads. */
const oneThread = { XLA_FLAGS: [process.env.XLA_FLAGS, '--xla_cpu_multi_thread_eigen=false'].filter(Boolean).join(' '), OMP_NUM_THREADS: '1' }

/** What a cell computes, as a value: the shards by their name alone, wherever they lie. */
const identity = (cell: Cell): unknown => ({
  model: cell.model,
  set: cell.set,
  run: { ...cell.run, data: { ...cell.run.data, corpus: path.basename(String(cell.run.data?.corpus)) } },
  from: cell.from ? { cell: identity(cell.from.cell), step: cell.from.step ?? null } : null,
  evaluations: cell.evaluations,
})

/** The name of a cell's run: readable, and the same for the same computation alone. */
export const cellName = (cell: Cell): string =>
  `${cell.model}-seed${cell.run.seed}-${createHash('sha256').update(JSON.stringify(identity(cell))).digest('hex').slice(0, 12)}`

const resultFile = 'cell.json'

/** The result of a cell that was computed before. */
export async function readCellResult(folder: string, cell: Cell): Promise<CellResult | undefined> {
  const file = path.join(folder, cellName(cell), resultFile)
  return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as CellResult) : undefined
}

/**
 * Trains and evaluates a cell with the `engram` command, as a user would, and keeps the result in its run's folder. A run that was interrupted goes
 * on from its newest checkpoint. The cell that it begins from has to be there. Rejects with what the command printed where it fails.
 */
export async function runCell(folder: string, cell: Cell, say: (line: string) => void): Promise<CellResult> {
  const known = await readCellResult(folder, cell)
  if (known) return known
  const name = cellName(cell)
  const run = path.join(folder, name)
  await train(folder, name, cell, say)
  const evaluations: Record<string, CellResult['evaluations'][string]> = {}
  for (const { name: evaluation, split, tokens, maxDocumentTokens, set = {} } of cell.evaluations) {
    const { stdout } = await engram(['eval', run, '--split', split, '--tokens', String(tokens), '--max-document-tokens', String(maxDocumentTokens), '--json', ...setFlags(set)])
    evaluations[evaluation] = evaluationSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1)!))
    say(`${name}: ${evaluation} ${evaluations[evaluation].bitsPerByte.toFixed(4)} bits/byte`)
  }
  const result: CellResult = { folder: name, ...(await readMetrics(run)), evaluations }
  await writeText(path.join(run, resultFile), `${JSON.stringify(result, null, 2)}\n`)
  return result
}

const evaluationSchema = z.object({
  bitsPerByte: z.number(),
  natsPerToken: z.number(),
  perplexity: z.number(),
  accuracy: z.number(),
  tokens: z.number(),
  bytes: z.number(),
})

const setFlags = (set: Readonly<Record<string, unknown>>): string[] => {
  const pairs = Object.entries(set).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? [] : ['--set', ...pairs]
}

const engram = (args: readonly string[]) => execa(process.execPath, [command, ...args], { env: oneThread, stdin: 'ignore' })

async function train(folder: string, name: string, cell: Cell, say: (line: string) => void): Promise<void> {
  const run = path.join(folder, name)
  if (existsSync(path.join(run, 'trained'))) return
  const goesOn = existsSync(path.join(run, 'checkpoints'))
  if (!goesOn) await rm(run, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const config = path.join(folder, `${name}.config.json`)
  await writeText(config, JSON.stringify(cell.run))
  const begin = ['train', `${cell.model}:small`, '--config', config, ...setFlags(cell.set), '--name', name, '--runs', folder]
  const from = cell.from ? ['--from', checkpointOf(folder, cell.from)] : []
  const child = engram(goesOn ? ['train', '--resume', run, '--steps', String(cell.run.steps), '--json'] : [...begin, ...from, '--json'])
  let told = performance.now()
  for await (const line of child.iterable()) {
    const event = parsed(line)
    if (event.event === 'evaluation') say(`${name}: step ${event.step} of ${cell.run.steps}, held out ${Number(event.bitsPerByte).toFixed(4)} bits/byte`)
    else if (event.event === 'report' && performance.now() - told > 30_000) {
      told = performance.now()
      say(`${name}: step ${event.step} of ${cell.run.steps}, ${Number(event.tokensPerSecond).toFixed(0)} tokens/s, ${Math.round(Number(event.secondsLeft) / 60)} min left`)
    }
  }
  await child
  await writeText(path.join(run, 'trained'), '')
  await rm(config, { force: true })
}

function checkpointOf(folder: string, { cell, step }: NonNullable<Cell['from']>): string {
  const run = path.join(folder, cellName(cell))
  return step === undefined ? run : path.join(run, 'checkpoints', `step-${String(step).padStart(8, '0')}`)
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return {}
  }
}

async function readMetrics(run: string): Promise<Omit<CellResult, 'folder' | 'evaluations'>> {
  const lines = (await readFile(path.join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n').map(parsed)
  const last = lines.filter(({ event }) => event === 'report').at(-1)! as unknown as { step: number; totals: { tokens: number; seconds: number } }
  const curve = lines.filter(({ event }) => event === 'evaluation').map(({ step, bitsPerByte }) => ({ step: Number(step), bitsPerByte: Number(bitsPerByte) }))
  return { parameters: await countParameters(run), steps: last.step, tokens: last.totals.tokens, trainingSeconds: Math.round(last.totals.seconds), curve }
}

/** Numbers among the parameters of the run's newest checkpoint, by the header of its file. */
async function countParameters(run: string): Promise<number> {
  const file = await SafetensorsFile.open(path.join(await findCheckpoint(run), 'state.safetensors'))
  try {
    return [...file.tensors].filter(([name]) => name.startsWith('parameters')).reduce((sum, [, { type }]) => sum + type.shape.reduce((a, b) => a * b, 1), 0)
  } finally {
    await file.close()
  }
}
