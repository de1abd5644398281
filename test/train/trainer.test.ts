import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { readSafetensors, writeSafetensors } from '../../src/data/safetensors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import type { Session } from '../../src/program/session.ts'
import { listCheckpoints } from '../../src/train/checkpoint-folder.ts'
import { findCheckpoint, readManifest } from '../../src/train/checkpoint.ts'
import type { TrainError } from '../../src/train/errors.ts'
import type { StepReport } from '../../src/train/step-meter.ts'
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

let session: Session
let folder: string
beforeAll(async () => { session = await startRunner() })
afterAll(() => session.close())
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'engram-train-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

const options = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...tinyModel(),
  run: tinyRun(),
  tokenizer: byteTokenizer(),
  train: tinyDocuments(),
  heldOut: tinyDocuments(2),
  ...changes,
})
const bytesOf = (state: Record<string, HostArray>) => Object.fromEntries(Object.entries(state).map(([name, array]) => [name, Buffer.from(array.toBytes()).toString('hex')]))
const rejection = (promise: Promise<unknown>): Promise<TrainError> =>
  promise.then(() => expect.fail('did not reject'), (error: TrainError) => error)

async function trained(changes: Partial<TrainerOptions> = {}, checkpoints?: string) {
  const trainer = await Trainer.create(session, options(changes))
  const result = await trainer.run({ checkpoints })
  const state = await trainer.readState()
  await trainer.release()
  return { result, state }
}

describe('a run', () => {
  it('goes on from a checkpoint bit for bit', { timeout: 300_000 }, async () => {
    const straight = await trained()
    const first = await trained({ run: tinyRun({ steps: 3 }), heldOut: [] }, folder)
    expect(first.result.checkpoint).toBe(join(folder, 'step-00000003'))
    const second = await trained({ resume: first.result.checkpoint! }, folder)
    expect(second.result).toMatchObject({ step: 6, reason: 'done' })
    expect(second.result.totals).toMatchObject({ tokens: straight.result.totals.tokens, bytes: straight.result.totals.bytes })
    expect(bytesOf(second.state)).toEqual(bytesOf(straight.state))
    expect(second.result.evaluation!.nats).toBe(straight.result.evaluation!.nats)
    // The state did change, and dropout drew with the key.
    expect(bytesOf(first.state)).not.toEqual(bytesOf(straight.state))
  })

  it('lowers the loss, reports in every unit and keeps the newest checkpoints and the best', async () => {
    const trainer = await Trainer.create(session, options({ run: tinyRun({ steps: 60, logEvery: 10, evaluation: { every: 30, tokens: 60 }, checkpoints: { every: 20, keep: 2 } }) }))
    const reports: StepReport[] = []
    const evaluations: number[] = []
    const saved: number[] = []
    const best: { step: number; bitsPerByte: number; perplexity: number }[] = []
    const result = await trainer.run({ checkpoints: folder }, {
      report: (report) => { reports.push(report) },
      evaluated: ({ step, bitsPerByte }) => { evaluations.push(step, Math.round(bitsPerByte)) },
      saved: (_path, step) => { saved.push(step) },
      best: (_path, step, { bitsPerByte, perplexity }) => { best.push({ step, bitsPerByte, perplexity }) },
    })
    await trainer.release()
    expect(reports.map(({ step }) => step)).toEqual([1, 10, 20, 30, 40, 50, 60])
    const last = reports.at(-1)!
    expect(last.loss).toBeLessThan(0.7 * reports[0].loss)
    expect(last.perplexity).toBeCloseTo(Math.exp(last.loss), 6)
    expect(last.bitsPerByte).toBeCloseTo(last.loss / Math.LN2, 6)
    expect(last.tokensPerSecond).toBeGreaterThan(0)
    expect(last.secondsLeft).toBe(0)
    expect(last.diagnostics.memoryGate).toHaveLength(2)
    expect(evaluations.filter((_, i) => i % 2 === 0)).toEqual([30, 60])
    // The evaluation after step 30 was the best so far; the last one came after the last checkpoint was saved.
    expect(saved).toEqual([20, 30, 40, 60])
    expect(best.map(({ step }) => step)).toEqual([30, 60])
    expect(best[1].bitsPerByte).toBeLessThan(best[0].bitsPerByte)
    expect(result.best).toMatchObject({ step: 60, path: join(folder, 'step-00000060'), bitsPerByte: best[1].bitsPerByte })
    expect((await listCheckpoints(folder)).map((path) => path.slice(-8))).toEqual(['00000040', '00000060'])
    expect((await readdir(folder)).sort()).toEqual(['step-00000040', 'step-00000060'])
    const manifest = await readManifest(await findCheckpoint(folder))
    expect(manifest.heldOut).toMatchObject({ bitsPerByte: best[1].bitsPerByte, perplexity: best[1].perplexity, split: 'validation' })
    expect(manifest).toMatchObject({ step: 60, seeds: { seed: 0, dataSeed: 0 }, tokenizer: { kind: 'bytes' }, model: { model: 'memorizing-transformer' } })
  })

  it('evaluates the same whatever training did in between', async () => {
    const trainer = await Trainer.create(session, options())
    const before = await trainer.evaluate()
    const again = await trainer.evaluate()
    expect(again.nats).toBe(before.nats)
    expect(before.tokens).toBeGreaterThanOrEqual(60)
    await trainer.run()
    expect((await trainer.evaluate()).nats).not.toBe(before.nats)
    await trainer.release()
  })

  it('stops after the step under way when asked, with a checkpoint', async () => {
    const trainer = await Trainer.create(session, options({ run: tinyRun({ steps: 1000, logEvery: 1 }) }))
    const stop = new AbortController()
    const result = await trainer.run({ checkpoints: folder, signal: stop.signal }, { report: ({ step }) => { if (step === 3) stop.abort() } })
    await trainer.release()
    expect(result.reason).toBe('interrupted')
    expect(result.step).toBeLessThan(10)
    expect((await readManifest(result.checkpoint!)).step).toBe(result.step)
  })

  it('runs on the interpreter too, within rounding of the CPU', async () => {
    const run = tinyRun({ steps: 2 })
    const { state } = await trained({ run })
    const interpreter = await Trainer.create(startInterpreter(), options({ run }))
    await interpreter.run()
    const other = await interpreter.readState()
    for (const name of Object.keys(state).filter((each) => each.startsWith('parameters.'))) {
      const [a, b] = [state[name].data as Float32Array, other[name].data as Float32Array]
      // Adam divides by the size of the gradient: where that is nearly 0, rounding decides the direction of a step of 0.01.
      const off = a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length
      expect(off, name).toBeLessThan(2e-4)
    }
  })

  it('refuses a tokenizer with more ids than the model has', async () => {
    const error = await rejection(Trainer.create(session, options(tinyModel({ vocabularySize: 256 }))))
    expect(error.message).toBe("the tokenizer 'bytes' has 257 ids, the model's vocabularySize is 256")
  })
})

describe('a checkpoint that cannot be used', () => {
  let kept: string
  let good: string
  beforeAll(async () => {
    kept = await mkdtemp(join(tmpdir(), 'engram-checkpoint-'))
    await trained({ run: tinyRun({ steps: 1 }), heldOut: [] }, kept)
  })
  afterAll(() => rm(kept, { recursive: true, force: true }))
  beforeEach(async () => {
    await cp(kept, folder, { recursive: true })
    good = join(folder, 'step-00000001')
  })
  const resume = (changes: Partial<TrainerOptions> = {}) => rejection(Trainer.create(session, options({ resume: folder, ...changes })))

  it('is cut short', async () => {
    const path = join(good, 'state.safetensors')
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 100))
    const error = await resume()
    expect(error.code).toBe('CHECKPOINT_CORRUPT')
    expect(error.message).toBe(`the checkpoint ${good} cannot be used: state.safetensors is cut short: it has ${bytes.length - 100} of ${bytes.length} bytes`)
    await writeFile(path, Buffer.from(bytes).fill(1, bytes.length - 100))
    expect((await resume()).message).toContain('state.safetensors was changed after it was written (its hash differs)')
    await rm(path)
    expect((await resume()).message).toContain('state.safetensors is missing')
  })

  it('has a manifest that is cut short, wrong, of another version or missing', async () => {
    const path = join(good, 'manifest.json')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, 200))
    expect((await resume()).message).toContain('manifest.json is cut short or not JSON')
    await writeFile(path, text.replace('"step": 1', '"step": -1'))
    expect((await resume()).message).toMatch(/manifest\.json: .*step/)
    await writeFile(path, text.replace('"version": 1', '"version": 2'))
    expect(await resume()).toMatchObject({ code: 'CHECKPOINT_VERSION', hint: 'update Engram' })
    await rm(path)
    expect(await resume()).toMatchObject({ code: 'CHECKPOINT_MISSING' })
    expect(await resume({ resume: join(folder, 'nothing') })).toMatchObject({ code: 'CHECKPOINT_MISSING', message: `${join(folder, 'nothing')} does not exist: there is no checkpoint` })
  })

  it('is of another model or configuration', async () => {
    const error = await resume({ ...tinyModel({ width: 32, neighbours: 3 }), run: tinyRun({ batchSize: 4, steps: 9 }) })
    expect(error.code).toBe('CHECKPOINT_MISMATCH')
    expect(error.message).toBe(
      `the checkpoint ${good} was trained with another configuration:\n  model.width: 16 in the checkpoint, 32 here\n` +
        '  model.neighbours: 4 in the checkpoint, 3 here\n  model.headSize: 8 in the checkpoint, 16 here\n' +
        '  model.feedForwardSize: 64 in the checkpoint, 128 here\n  batchSize: 2 in the checkpoint, 4 here',
    )
  })

  it('belongs to other documents', async () => {
    expect(await resume({ train: tinyDocuments(3) })).toMatchObject({ code: 'POSITION_MISMATCH' })
  })

  it('holds NaN', async () => {
    const path = join(good, 'state.safetensors')
    const { tensors } = await readSafetensors(path)
    const [name, array] = [...tensors].find(([each]) => each === 'parameters.embedding')!
    const data = (array.data as Float32Array).slice()
    data[3] = NaN
    await writeSafetensors(path, new Map(tensors).set(name, new HostArray(array.type, data)), { format: 'engram-checkpoint' })
    const { createHash } = await import('node:crypto')
    const bytes = await readFile(path)
    const manifest = JSON.parse(await readFile(join(good, 'manifest.json'), 'utf8')) as { tensors: { sizeBytes: number; sha256: string } }
    manifest.tensors.sizeBytes = bytes.length
    manifest.tensors.sha256 = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(good, 'manifest.json'), JSON.stringify(manifest))
    const error = await resume()
    expect(error.code).toBe('CHECKPOINT_NOT_FINITE')
    expect(error.message).toBe(`the checkpoint ${good} holds NaN or infinity: 1 of the ${data.length} numbers of 'parameters.embedding' f32[257,16]`)
  })
})
