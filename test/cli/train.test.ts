import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listCheckpoints, stepOfName } from '../../src/train/checkpoint-folder.ts'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-train-'))
  await mkdir(join(cwd, 'corpus'))
  for (let i = 0; i < 20; i++) await writeFile(join(cwd, 'corpus', `${i}.txt`), `document ${i}: ${'what was read before is read again; '.repeat(3 + i)}`)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

const small = ['--corpus', 'corpus', '--batch', '2', '--eval-tokens', '64', '--set', 'segmentLength=16', 'width=16', 'memorySize=64']
const train = (name: string, ...more: string[]) => ['train', 'tiny', ...small, '--name', name, '--json', ...more]
/** Nothing has to be compiled there, so that a few steps take less than with XLA. */
const interpreted = ['--backend', 'interpreter']
type Line = { event: string; step: number; [key: string]: unknown }
const lines = (text: string): Line[] => text.trim().split('\n').map((line) => JSON.parse(line) as Line)

describe('training from the command line', () => {
  it('trains, is interrupted, goes on to the same end, and is evaluated', { timeout: 240_000 }, async () => {
    const straight = await engram(train('straight', '--steps', '40', '--checkpoint-every', '20', '--log-every', '5', ...interpreted), { cwd })
    expect(straight.stderr).toBe('')
    expect(straight.status).toBe(0)
    const done = lines(straight.stdout).at(-1)!
    expect(done).toMatchObject({ event: 'done', reason: 'done', step: 40 })
    expect((await readdir(join(cwd, 'runs/straight'))).sort()).toEqual(['checkpoints', 'config.json', 'metrics.jsonl', 'report.html'])
    expect(await readdir(join(cwd, 'runs/straight/checkpoints'))).toEqual(['step-00000020', 'step-00000040'])
    expect(await readFile(join(cwd, 'runs/straight/report.html'), 'utf8')).toContain('bits per byte')

    // Ctrl-C some steps in.
    let signalled = false
    const stopped = await engram(train('stopped', '--steps', '100000', '--log-every', '5', ...interpreted), {
      cwd,
      watch: (stdout, child) => {
        // A second signal would quit at once.
        if (signalled || !stdout.includes('"step":10,')) return
        signalled = true
        child.kill('SIGINT')
      },
    })
    expect(stopped.status).toBe(130)
    expect(stopped.stderr).toContain('the step under way ends, then the state is saved')
    const interrupted = lines(stopped.stdout).at(-1)!
    expect(interrupted).toMatchObject({ event: 'done', reason: 'interrupted' })

    const again = await engram(['train', '--resume', 'runs/straight/checkpoints/step-00000020', '--json', '--steps', '40', ...interpreted], { cwd })
    expect(again.status).toBe(0)
    expect(lines(again.stdout).at(-1)).toMatchObject({ step: 40, evaluation: done.evaluation })
    const steps = (await readFile(join(cwd, 'runs/straight/metrics.jsonl'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line) as Line)
    expect(steps.filter(({ event }) => event === 'report').map(({ step }) => step)).toEqual([1, 5, 10, 15, 20, 25, 30, 35, 40])

    const last = interrupted.step + 3
    const resumed = await engram(['train', '--resume', 'runs/stopped', '--steps', String(last), ...interpreted], { cwd })
    expect(resumed.stdout).toContain(`going on after step ${interrupted.step}`)
    expect(resumed.stdout).toContain(`done: ${last} steps`)
    expect(resumed.status).toBe(0)

    const twice = await engram(train('straight'), { cwd })
    expect(twice).toMatchObject({ status: 2, stdout: '', stderr: 'engram: runs/straight holds a run already\n  go on with it (engram train --resume runs/straight), or give another --name\n' })

    const evaluated = await engram(['eval', 'runs/straight', '--split', 'validation', '--json', '--tokens', '64', ...interpreted], { cwd })
    expect(evaluated.status).toBe(0)
    const best = await engram(['eval', 'runs/straight', '--split', 'validation', '--checkpoint', 'best', '--json', '--tokens', '64', ...interpreted], { cwd })
    expect(JSON.parse(best.stdout)).toMatchObject({ step: 40, checkpoint: 'runs/straight/checkpoints/step-00000040' })
    expect(await engram(['generate', 'runs/straight', '--prompt', 'a', '--checkpoint', '7'], { cwd })).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no checkpoint of step 7') })
    const generate = (...more: string[]) => engram(['generate', 'runs/straight', '--tokens', '6', ...more, ...interpreted], { cwd })
    const drawn = JSON.parse((await generate('--prompt', 'what was read', '--json')).stdout) as Record<string, unknown>
    expect(drawn).toMatchObject({ step: 40, promptTokens: 13, reason: 'tokens' })
    await writeFile(join(cwd, 'prompt.txt'), 'what was read')
    expect((await generate('--prompt-file', 'prompt.txt')).stdout).toBe(`${drawn.text as string}\n`)
    expect(await generate('--prompt', '')).toMatchObject({ status: 2, stdout: '', stderr: 'engram: the prompt is empty\n  give at least one token of text to go on from\n' })
    expect(await generate()).toMatchObject({ status: 2, stderr: 'engram: give the prompt by --prompt or by --prompt-file, one of the two\n' })
    expect((JSON.parse(evaluated.stdout) as Line).bitsPerByte).toBeCloseTo((done.evaluation as { bitsPerByte: number }).bitsPerByte, 6)
  })

  it('says how to go on when the runner is killed', { timeout: 120_000 }, async () => {
    let killed = false
    const { status, stderr } = await engram(train('killed', '--steps', '100000', '--checkpoint-every', '5'), {
      cwd,
      watch: (stdout, child) => {
        if (killed || !stdout.includes('"checkpoint"')) return
        killed = true
        process.kill(runnerOf(child.pid!), 'SIGKILL')
      },
    })
    expect(status).toBe(1)
    expect(stderr).toContain('engram: the runner was killed by SIGKILL while ')
    expect(stderr).toContain('engram train --resume runs/killed')
    // On a busy machine the kill may come some checkpoints late.
    const newest = stepOfName((await listCheckpoints(join(cwd, 'runs/killed/checkpoints'))).at(-1)!)
    const resumed = await engram(['train', '--resume', 'runs/killed', '--steps', String(newest + 1), '--json', ...interpreted], { cwd })
    expect(resumed).toMatchObject({ status: 0, stderr: '' })
    expect(lines(resumed.stdout)[0]).toMatchObject({ event: 'start', step: newest })
  })

  it('says where it diverged', { timeout: 120_000 }, async () => {
    const { status, stderr } = await engram(train('diverged', '--optimizer', 'adam', '--schedule', 'constant', '--warmup', '1', '--learning-rate', '1e30', ...interpreted), { cwd })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^engram: training diverged in step \d+; going again from step 0 to keep the state before it \(Ctrl-C: keep the batch alone\)$/m)
    const said = /^engram: training diverged in step (\d+): the loss is \S+, the norm of the gradient \S+;.* the step's inputs are in (runs\/diverged\/failures\/step-\d+)\n {2}run the step again \(engram replay (\S+)\); lower the learning rate/m.exec(stderr)!
    expect(said[3]).toBe(said[2])
    const replayed = await engram(['replay', said[2], '--json', ...interpreted], { cwd })
    expect(replayed.stderr).toBe('')
    const { failure, metrics, notFiniteAfter } = JSON.parse(replayed.stdout) as { failure: { step: number; loss: number | null }; metrics: { loss: number | null }; notFiniteAfter: object }
    expect(failure.step).toBe(Number(said[1]))
    expect(metrics.loss).toBe(failure.loss)
    expect(Object.keys(notFiniteAfter)).not.toEqual([])
    expect((await engram(['replay', said[2], ...interpreted], { cwd })).stdout).toMatch(/^step \d+, as it was: the loss is .*\nagain: loss \S+ .*\nNaN or infinity in the state before:\n/)
    expect(await engram(['replay', 'runs/straight'], { cwd })).toMatchObject({ status: 2, stderr: expect.stringContaining('runs/straight is not a failed step: it has no failure.json') })
  })
})

/** The process id of the Python that a process started. */
function runnerOf(parent: number): number {
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n').map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
  const found = processes.find((match) => match && Number(match[2]) === parent && match[3].includes('engram_runner'))
  if (!found) throw new Error(`process ${parent} has no runner`)
  return Number(found[1])
}
