import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { startInterpreter } from '../../src/program/start.ts'
import { readManifest } from '../../src/train/checkpoint.ts'
import { DivergenceWatch } from '../../src/train/divergence.ts'
import type { DivergedError } from '../../src/train/errors.ts'
import { readFailure } from '../../src/train/failure.ts'
import { Trainer, type TrainListener, type TrainerOptions } from '../../src/train/trainer.ts'
import type { RunConfigInput } from '../../src/train/run-config.ts'
import { readSafetensors } from '../../src/data/safetensors.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'engram-divergence-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

const options = (run: Partial<RunConfigInput>): TrainerOptions => ({ ...tinyModel(), run: tinyRun(run), tokenizer: byteTokenizer(), train: tinyDocuments() })
/** Grows until the parameters overflow. */
const exploding = { kind: 'adam', schedule: { kind: 'constant', learningRate: 1e30 } } as const
const hex = (array: HostArray): string => Buffer.from(array.toBytes()).toString('hex')

async function diverge(run: Partial<RunConfigInput>, listener: TrainListener = {}, signal?: AbortSignal): Promise<{ error: DivergedError; trainer: Trainer }> {
  const trainer = await Trainer.create(startInterpreter(), options(run))
  const error = await trainer.run({ checkpoints: join(folder, 'checkpoints'), failures: join(folder, 'failures'), signal }, listener).then(
    () => expect.fail('did not diverge'),
    (reason: DivergedError) => reason,
  )
  return { error, trainer }
}

describe('a run that diverges', () => {
  it('keeps state and batch of the step, so that it can be run again', async () => {
    const back: number[] = []
    // The third step is the first whose update overflows; the second is saved.
    const { error, trainer } = await diverge({ steps: 50, optimizer: exploding, checkpoints: { every: 1, keep: 5 } }, {
      goingBack: (step, from) => { back.push(step, from) },
      notSaved: () => {},
    })
    expect(error).toMatchObject({ name: 'DivergedError', code: 'DIVERGED' })
    expect(error.step).toBeGreaterThan(1)
    expect(error.message).toContain(`training diverged in step ${error.step}: the loss is `)
    const path = join(folder, 'failures', `step-${String(error.step).padStart(8, '0')}`)
    expect(error.inputs).toBe(path)
    expect(error.message).toContain(`the step's inputs are in ${path}`)
    expect(error.hint).toContain(`engram replay ${path}`)
    expect((await readdir(path)).sort()).toEqual(['batch.safetensors', 'failure.json', 'manifest.json', 'state.safetensors'])
    expect(back[0]).toBe(error.step)
    const { failure, batch } = await readFailure(path)
    expect(failure).toMatchObject({ step: error.step, why: error.why, seeds: { seed: 0, dataSeed: 0 } })
    expect(batch.tokens.type.shape).toEqual([2, 8])
    expect((await readManifest(path)).step).toBe(error.step - 1)
    // The trainer stands before the step, with the state that was kept.
    expect(trainer.step).toBe(error.step - 1)
  })

  it('keeps the very state before the step, from the beginning of the run or from a checkpoint', async () => {
    // Steady steps, called too many by a rule that nothing passes: the state has no NaN, so the same steps can be done without the rule.
    const rule = { divergence: { margin: 0, steps: 5 }, optimizer: { kind: 'adam', schedule: { kind: 'constant', learningRate: 5 } } } as const
    const straight = await diverge({ steps: 50, ...rule })
    const { step } = straight.error
    expect(straight.error.message).toMatch(/: the loss is \d+\.\d+, and in each of the last 5 steps it was above \d+\.\d+, more than a guess has; the step's inputs are in /)
    const state = async () => (await readSafetensors(join(straight.error.inputs!, 'state.safetensors'))).tensors
    const kept = new Map([...(await state())].map(([name, array]) => [name, hex(array)]))
    const before = await Trainer.create(startInterpreter(), options({ ...rule, steps: step - 1, divergence: { steps: 0 } }))
    await before.run()
    for (const [name, array] of Object.entries(await before.readState())) expect(kept.get(name), name).toBe(hex(array))
    // With checkpoints the steps since the newest alone are done again.
    await rm(folder, { recursive: true })
    const back: number[] = []
    const again = await diverge({ steps: 50, ...rule, checkpoints: { every: 2, keep: 2 } }, { goingBack: (at, from) => { back.push(at, from) } })
    expect(again.error.step).toBe(step)
    expect(back[0]).toBe(step)
    expect(back[1]).toBeGreaterThan(0)
    for (const [name, array] of await state()) expect(kept.get(name), name).toBe(hex(array))
  })

  it('keeps the batch alone where going back was interrupted', async () => {
    const stop = new AbortController()
    const { error } = await diverge({ steps: 50, optimizer: exploding }, { goingBack: () => { stop.abort() } }, stop.signal)
    expect(error.message).toContain(`; the step's batch is in ${error.inputs}`)
    expect(error.hint).not.toContain('replay')
    expect((await readdir(error.inputs!)).sort()).toEqual(['batch.safetensors', 'failure.json'])
    expect((await readFailure(error.inputs!)).failure.notFiniteBefore).toBeNull()
    await expect(readFailure(folder)).rejects.toMatchObject({ code: 'FAILURE_MISSING' })
  })
})

describe('the rule', () => {
  const facts = (loss: number, gradientNorm = 1) => ({ step: 1, loss, gradientNorm, nats: 0, weight: 1, correct: 0, tokens: 1, bytes: 1 })

  it('takes a loss above that of a guess, for long, as diverged', () => {
    const watch = new DivergenceWatch({ margin: 1, steps: 3 }, 256)
    const bound = Math.log(256) + 1
    for (const loss of [2, bound + 0.1, bound + 0.1, bound - 0.1, bound + 0.1, bound + 0.1]) expect(watch.look(facts(loss))).toBeUndefined()
    expect(watch.look(facts(7))).toBe('the loss is 7.000, and in each of the last 3 steps it was above 6.545, more than a guess has')
  })

  it('begins above the first loss, where that is larger', () => {
    const watch = new DivergenceWatch({ margin: 1, steps: 1 }, 256)
    expect(watch.look(facts(20))).toBeUndefined()
    expect(watch.look(facts(20.9))).toBeUndefined()
    expect(watch.look(facts(21.1))).toContain('above 21.000')
  })

  it('can be switched off, but not for what is not finite', () => {
    const watch = new DivergenceWatch({ margin: 0, steps: 0 }, 2)
    for (let i = 0; i < 500; i++) expect(watch.look(facts(1 + i))).toBeUndefined()
    expect(watch.look(facts(NaN))).toBe('the loss is NaN, the norm of the gradient 1')
    expect(watch.look(facts(1, Infinity))).toBe('the loss is 1, the norm of the gradient Infinity')
  })
})
