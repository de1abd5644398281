import { existsSync, watch } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SeededRandom } from '../../src/data/random.ts'
import { bestCheckpoint, listCheckpoints, stepOfName } from '../../src/train/checkpoint-folder.ts'
import { readManifest } from '../../src/train/checkpoint.ts'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-killed-'))
  await mkdir(join(cwd, 'corpus'))
  for (let i = 0; i < 20; i++) await writeFile(join(cwd, 'corpus', `${i}.txt`), `document ${i}: ${'what was read before is read again; '.repeat(3 + i)}`)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const steps = 100
const checkpointEvery = 3
const kills = 20
const begin = (name: string): string[] => [
  'train', 'tiny', '--name', name, '--corpus', 'corpus', '--batch', '2', '--set', 'segmentLength=8', 'width=8', 'layers=1', 'heads=1', 'memorySize=32', 'memoryLayers=[1]', 'dropout=0.1',
  '--steps', String(steps), '--checkpoint-every', String(checkpointEvery), '--keep', '2', '--eval-every', '10', '--eval-tokens', '64', '--log-every', '1',
  '--backend', 'interpreter', '--json',
]
const resume = (name: string): string[] => ['train', '--resume', `runs/${name}`, '--backend', 'interpreter', '--json']

type Line = { event: string; step: number; loss: number; [key: string]: unknown }
const linesOf = (text: string): Line[] =>
  text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line]
    } catch {
      // Cut short by the kill.
      return []
    }
  })
const folderOf = (name: string): string => join(cwd, 'runs', name, 'checkpoints')

/** When a run is killed: somewhere on its way to the first step, between steps, or while a checkpoint is being written. */
type Moment = 'start' | 'steps' | 'checkpoint'

/** Runs the command and kills its process group at a moment, a little earlier or later by chance. */
async function killed(args: readonly string[], moment: Moment, random: SeededRandom, startMs: number): Promise<Line[]> {
  const until = new AbortController()
  const reports = 1 + random.below(4)
  const writes = 1 + random.below(2)
  const { status, stdout, stderr } = await engram(args, {
    cwd,
    asGroup: (child) => {
      const kill = (delayMs: number): void => { setTimeout(() => { if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL') }, delayMs) }
      if (moment === 'start') kill(random.below(Math.ceil(startMs)))
      if (moment === 'checkpoint') watchWrites(writes, until.signal, () => kill(random.below(6)))
      if (moment === 'steps') {
        let text = ''
        let struck = false
        child.stdout!.on('data', (piece: string) => {
          text += piece
          if (struck || linesOf(text).filter(({ event }) => event === 'report').length < reports) return
          struck = true
          kill(random.below(30))
        })
      }
    },
  })
  until.abort()
  expect({ status, stderr }).toEqual({ status: null, stderr: '' })
  return linesOf(stdout)
}

/** Calls back when the given number of temporary folders of checkpoints have appeared. */
function watchWrites(count: number, signal: AbortSignal, then: () => void): void {
  const seen = new Set<string>()
  watch(join(cwd, 'runs'), { recursive: true, signal }, (_event, name) => {
    const temporary = /\.step-\d+\.[0-9a-f]+\.tmp/.exec(name ?? '')?.[0]
    if (temporary === undefined || seen.has(temporary)) return
    seen.add(temporary)
    if (seen.size === count) then()
  })
}

it(`a run killed ${kills} times at any moment loses no more than the steps since its last checkpoint and ends with the same bits`, { timeout: 600_000 }, async () => {
  const began = performance.now()
  let startMs = 0
  const straight = await engram(begin('straight'), { cwd, watch: (stdout) => { if (startMs === 0 && stdout.includes('"report"')) startMs = performance.now() - began } })
  expect(straight.status).toBe(0)

  const random = new SeededRandom('kills', 7)
  const command = (): string[] => (existsSync(join(cwd, 'runs/killed/config.json')) ? resume('killed') : begin('killed'))
  const newest = async (): Promise<number> => stepOfName((await listCheckpoints(folderOf('killed'))).at(-1) ?? 'step-00000000')
  let interruptedWrites = 0
  for (let kill = 0; kill < kills; kill++) {
    const before = await newest()
    const lines = await killed(command(), (['start', 'steps', 'checkpoint'] as const)[kill % 3], random, startMs)
    const begun = lines.find(({ event }) => event === 'start')
    if (begun) expect(begun.step).toBe(before)
    // What was told as saved is there; every checkpoint is whole; and no more is lost than was done since.
    const saved = Math.max(before, ...lines.filter(({ event }) => event === 'checkpoint').map(({ step }) => step))
    const done = Math.max(before, ...lines.filter(({ event }) => event === 'report').map(({ step }) => step))
    expect(await newest()).toBeGreaterThanOrEqual(saved)
    expect(done - (await newest())).toBeLessThanOrEqual(checkpointEvery)
    for (const path of await listCheckpoints(folderOf('killed'))) expect((await readManifest(path)).step).toBe(stepOfName(path))
    if ((await readdir(folderOf('killed')).catch(() => [])).some((name) => name.endsWith('.tmp'))) interruptedWrites++
  }
  expect(await newest()).toBeLessThan(steps)
  // Some of the kills did fall into the writing of a checkpoint.
  expect(interruptedWrites).toBeGreaterThan(0)

  const last = await engram(command(), { cwd })
  expect({ status: last.status, stderr: last.stderr }).toEqual({ status: 0, stderr: '' })
  const state = async (name: string) => {
    const path = join(folderOf(name), `step-${String(steps).padStart(8, '0')}`)
    const { step, totals: { tokens, bytes }, dataPosition, heldOut, tensors } = await readManifest(path)
    return { step, tokens, bytes, dataPosition, heldOut, tensors, best: (await bestCheckpoint(folderOf(name)))!.step, kept: await readdir(folderOf(name)) }
  }
  expect(await state('killed')).toEqual(await state('straight'))
  const history = async (name: string) =>
    linesOf(await readFile(join(cwd, 'runs', name, 'metrics.jsonl'), 'utf8'))
      .filter(({ event }) => event === 'report' || event === 'evaluation')
      .map(({ event, step, loss, nats }) => ({ event, step, loss, nats }))
  expect(await history('killed')).toEqual(await history('straight'))
})
