import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { createBatchStream } from '../../src/data/packing.ts'
import { startInterpreter } from '../../src/program/start.ts'
import { bestCheckpoint, listCheckpoints, stepOfName } from '../../src/train/checkpoint-folder.ts'
import { type ManifestFacts, findCheckpoint, readManifest, readTensors, recordHeldOut, writeCheckpoint } from '../../src/train/checkpoint.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'engram-checkpoints-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

const facts = (step: number): ManifestFacts => ({
  step,
  totals: { tokens: 10, bytes: 10, seconds: 1 },
  heldOut: null,
  model: tinyModel().config,
  modelSource: null,
  run: tinyRun(),
  tokenizer: byteTokenizer().describe(),
  dataPosition: createBatchStream(tinyDocuments(), { slots: 2, segment: 8, tokenizer: byteTokenizer() }).position(),
  seeds: { seed: 0, dataSeed: 0 },
  versions: { engram: '0' },
})
const tensor = (name: string, values: readonly number[]) => {
  const array = HostArray.from('f32', [...values])
  return { name, type: array.type, read: async () => array }
}
const full = (): never => { throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }) }

describe('checkpoints', () => {
  it('come back as they were written', async () => {
    const path = await writeCheckpoint(folder, [tensor('parameters.a', [1, 2]), tensor('step', [3])], facts(7), { keep: 2, best: true })
    expect(path).toBe(join(folder, 'step-00000007'))
    expect(await readManifest(path)).toMatchObject({ step: 7, versions: { engram: '0' }, tensors: { count: 2 } })
    const [step, a] = await readTensors(path, [tensor('step', [0]), tensor('parameters.a', [0, 0])])
    expect([Array.from(step.data, Number), Array.from(a.data, Number)]).toEqual([[3], [1, 2]])
  })

  it('are the newest few; what interrupted writers left goes too', async () => {
    await mkdir(join(folder, '.step-00000003.abcdef.tmp'))
    await writeFile(join(folder, 'notes.txt'), 'of the user')
    for (const step of [1, 2, 3, 10]) await writeCheckpoint(folder, [tensor('a', [step])], facts(step), { keep: 2, best: true })
    expect((await readdir(folder)).sort()).toEqual(['notes.txt', 'step-00000003', 'step-00000010'])
    expect(await findCheckpoint(folder)).toBe(join(folder, 'step-00000010'))
    expect(await listCheckpoints(join(folder, 'nothing'))).toEqual([])
  })

  it('are the best one, too, by held-out documents', async () => {
    const heldOut = (bitsPerByte: number) => ({ bitsPerByte, perplexity: 2 ** bitsPerByte, split: 'validation' as const, tokens: 100 })
    const write = (step: number, bitsPerByte: number | undefined, best = true) =>
      writeCheckpoint(folder, [tensor('a', [step])], { ...facts(step), heldOut: bitsPerByte === undefined ? null : heldOut(bitsPerByte) }, { keep: 2, best })
    const steps = async () => (await listCheckpoints(folder)).map(stepOfName)
    await write(1, 3)
    await write(2, 2.5)
    await write(3, undefined)
    await write(4, 2.75)
    await write(5, 2.5)
    expect(await steps()).toEqual([2, 4, 5])
    expect(await bestCheckpoint(folder)).toEqual({ path: join(folder, 'step-00000002'), step: 2, ...heldOut(2.5) })
    for (const named of [findCheckpoint(folder, 'best'), findCheckpoint(join(folder, 'best')), findCheckpoint(folder, 2)]) expect(await named).toBe(join(folder, 'step-00000002'))
    expect(await findCheckpoint(folder)).toBe(join(folder, 'step-00000005'))
    await expect(findCheckpoint(folder, 3)).rejects.toMatchObject({ message: `there is no checkpoint of step 3 in ${folder}; there are those of 2, 4, 5` })
    // Evaluated after it was written.
    await recordHeldOut(join(folder, 'step-00000005'), heldOut(2.25), { keep: 2, best: true })
    expect(await steps()).toEqual([4, 5])
    expect((await bestCheckpoint(folder))?.step).toBe(5)
    await write(6, undefined, false)
    await write(7, undefined, false)
    expect(await steps()).toEqual([6, 7])
    await expect(findCheckpoint(folder, 'best')).rejects.toMatchObject({ code: 'CHECKPOINT_MISSING', message: `no checkpoint in ${folder} was evaluated on held-out documents, so none is the best` })
  })

  it('stay in place where a run that was taken back writes them again', async () => {
    const path = await writeCheckpoint(folder, [tensor('a', [1])], facts(1), { keep: 2, best: true })
    const before = await stat(join(path, 'state.safetensors'))
    await writeCheckpoint(folder, [tensor('a', [1])], { ...facts(1), totals: { tokens: 10, bytes: 10, seconds: 2 } }, { keep: 2, best: true })
    expect((await stat(join(path, 'state.safetensors'))).ino).toBe(before.ino)
    expect((await readManifest(path)).totals.seconds).toBe(2)
    await writeCheckpoint(folder, [tensor('a', [2])], facts(1), { keep: 2, best: true })
    expect((await readTensors(path, [tensor('a', [0])]))[0].item()).toBe(2)
    expect(await readdir(folder)).toEqual(['step-00000001'])
  })

  it('leave nothing half-written on a full disk, and older ones untouched', async () => {
    await writeCheckpoint(folder, [tensor('a', [1])], facts(1), { keep: 1, best: true })
    await expect(writeCheckpoint(folder, [tensor('a', [1]), { ...tensor('b', [2]), read: full }], facts(2), { keep: 1, best: true })).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/^no room on the disk to write .*step-00000002\/state\.safetensors \(ENOSPC\)/),
    })
    expect(await readdir(folder)).toEqual(['step-00000001'])
    expect((await readManifest(join(folder, 'step-00000001'))).step).toBe(1)
  })

  it('are not written of a state with NaN', async () => {
    await expect(writeCheckpoint(folder, [tensor('parameters.w', [1, NaN, Infinity])], facts(1), { keep: 1, best: true })).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FINITE',
      message: "the state holds NaN or infinity: 2 of the 3 numbers of 'parameters.w' f32[3]",
    })
    expect(await readdir(folder)).toEqual([])
  })

  it('name tensors of another shape or none', async () => {
    const path = await writeCheckpoint(folder, [tensor('a', [1, 2])], facts(1), { keep: 1, best: true })
    await expect(readTensors(path, [tensor('a', [1]), tensor('b', [1])])).rejects.toMatchObject({
      code: 'CHECKPOINT_MISMATCH',
      message: `the checkpoint ${path} is of another model:\n  a is f32[2] there, f32[1] here\n  b is missing`,
    })
  })
})

describe('training whose checkpoints cannot be written', () => {
  it('goes on with a warning, and fails at the end, where nothing would be left', async () => {
    const place = join(folder, 'file')
    await writeFile(place, '')
    const trainer = await Trainer.create(startInterpreter(), {
      ...tinyModel(), run: tinyRun({ steps: 5, checkpoints: { every: 2, keep: 1 } }), tokenizer: byteTokenizer(), train: tinyDocuments(),
    })
    const warnings: string[] = []
    await expect(trainer.run({ checkpoints: place }, { notSaved: ({ message }, step) => { warnings.push(`${step}: ${message.slice(0, 22)}`) } })).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
    expect(warnings).toEqual(['2: cannot make the folder', '4: cannot make the folder'])
    expect(trainer.step).toBe(5)
  })
})
