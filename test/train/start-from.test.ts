import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { characterOfByte } from '../../src/data/byte-level.ts'
import { huggingFaceTokenizer } from '../../src/data/huggingface-tokenizer.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { describeTokenizer, tokenizerIdentity } from '../../src/data/tokenizer-identity.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { type ConfiguredModel, configure } from '../../src/models/registry.ts'
import { startInterpreter } from '../../src/program/start.ts'
import type { Session } from '../../src/program/session.ts'
import { readManifest } from '../../src/train/checkpoint.ts'
import type { TrainError } from '../../src/train/errors.ts'
import { startText } from '../../src/cli/start-text.ts'
import type { RunConfigInput } from '../../src/train/run-config.ts'
import { Trainer, type TrainerOptions } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

const sizes = { vocabularySize: 257, segmentLength: 8, width: 16, layers: 2, heads: 2 }
const xl = (changes: Record<string, unknown> = {}): ConfiguredModel => configure({ model: 'transformer-xl', attention: 'normalized', ...sizes, ...changes })
const memorizing = (changes: Record<string, unknown> = {}): ConfiguredModel => tinyModel({ dropout: 0, ...changes })

let session: Session
let folder: string
/** A Transformer-XL that was trained for 20 steps, and a Memorizing Transformer with 20 places for 6. */
let withoutMemory: string
let withMemory: string
beforeAll(async () => {
  session = await startInterpreter()
  folder = await mkdtemp(join(tmpdir(), 'engram-start-'))
  withoutMemory = await trained('xl', xl(), { steps: 20 })
  withMemory = await trained('mt', memorizing())
})
afterAll(async () => {
  await session.close()
  await rm(folder, { recursive: true, force: true })
})

const options = (model: ConfiguredModel, run: Partial<RunConfigInput> = {}, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...model,
  run: tinyRun(run),
  tokenizer: byteTokenizer(),
  train: tinyDocuments(),
  heldOut: tinyDocuments(2),
  ...more,
})

async function trained(name: string, model: ConfiguredModel, run: Partial<RunConfigInput> = {}): Promise<string> {
  const trainer = await Trainer.create(session, options(model, run))
  const { checkpoint } = await trainer.run({ checkpoints: join(folder, name) })
  await trainer.release()
  return checkpoint!
}

/** A run as it begins from a checkpoint: its list, its state, and its loss on held-out documents. */
async function begun(checkpoint: string, model: ConfiguredModel, run: Partial<RunConfigInput> = {}, optimizer: 'fresh' | 'kept' = 'fresh') {
  const trainer = await Trainer.create(session, options(model, { ...run, from: { checkpoint, optimizer } }))
  const result = { list: trainer.started!, state: await trainer.readState(), loss: (await trainer.evaluate()).natsPerToken }
  await trainer.release()
  return result
}
async function lossOf(checkpoint: string, model: ConfiguredModel): Promise<number> {
  const trainer = await Trainer.create(session, options(model, { steps: 20 }, { resume: checkpoint }))
  const { natsPerToken } = await trainer.evaluate()
  await trainer.release()
  return natsPerToken
}
const bytes = (array: HostArray): string => Buffer.from(array.toBytes()).toString('hex')
const rejection = (promise: Promise<unknown>): Promise<TrainError> => promise.then(() => expect.fail('did not reject'), (error: TrainError) => error)

describe('a model without memory that gets one', () => {
  it('begins as it was, with the gate almost shut', async () => {
    const before = await lossOf(withoutMemory, xl())
    const { list, loss, state } = await begun(withoutMemory, memorizing({ gateBias: -6 }))
    expect(list).toMatchObject({ step: 20, model: 'transformer-xl', made: [{ path: 'layers[1].memoryGate', type: 'f32[2]', initial: '-6' }], left: [], differing: [], optimizer: 'fresh' })
    expect(list.taken).toHaveLength(Object.keys(state).filter((name) => name.startsWith('parameters.')).length - 1)
    // The memory does take part, by a four-hundredth.
    expect(loss).not.toBe(before)
    expect(Math.abs(loss - before)).toBeLessThan(1e-3)
    expect((await begun(withoutMemory, memorizing({ gateBias: -100 }))).loss).toBeCloseTo(before, 6)
    // An open gate does change it.
    expect(Math.abs((await begun(withoutMemory, memorizing({ gateBias: 4 }))).loss - before)).toBeGreaterThan(1e-3)
  })

  it('may have had neither cache nor memory', async () => {
    const plain = configure({ model: 'transformer', attention: 'normalized', ...sizes })
    const checkpoint = await trained('plain', plain, { steps: 20 })
    const before = await lossOf(checkpoint, plain)
    const same = await begun(checkpoint, memorizing({ gateBias: -6, cacheLength: 0 }))
    expect(same.list.differing).toEqual([])
    expect(Math.abs(same.loss - before)).toBeLessThan(1e-3)
    expect((await begun(checkpoint, memorizing({ gateBias: -6, cacheLength: 8 }))).list.differing).toEqual(['cacheLength: 0 in the checkpoint, 8 here'])
  })

  it('says when its parameters will mean something else', async () => {
    const checkpoint = await trained('scaled', xl({ attention: 'scaled', activation: 'relu' }))
    const { list } = await begun(checkpoint, memorizing({ gateBias: -6 }))
    expect(list.made.map(({ path, initial }) => [path, initial])).toEqual([['layers[0].attention.scale', '10'], ['layers[1].attention.scale', '10'], ['layers[1].memoryGate', '-6']])
    expect(list.differing).toEqual(['attention: "scaled" in the checkpoint, "normalized" here', 'activation: "relu" in the checkpoint, "gelu" here'])
    expect(startText(list).split('\n').filter((line) => !line.startsWith('  taken'))).toEqual([
      `from ${checkpoint} (transformer-xl after step 6): 24 parameters taken, 3 made anew, 0 left`,
      '  made anew: layers[0-1].attention.scale f32[2]: 10',
      '  made anew: layers[1].memoryGate f32[2]: -6',
      '  means something else: attention: "scaled" in the checkpoint, "normalized" here; the first loss need not be the checkpoint\'s',
      '  means something else: activation: "relu" in the checkpoint, "gelu" here; the first loss need not be the checkpoint\'s',
      '  optimiser: statistics and schedule begin anew',
    ])
  })
})

describe('a memory', () => {
  it('gets another size, and every parameter stays', async () => {
    const { list, state } = await begun(withMemory, memorizing({ memorySize: 64 }))
    expect(list).toMatchObject({ made: [], left: [], differing: [] })
    expect(state['model.memory.layers[0].keys'].shape).toEqual([2, 2, 64, 8])
    const kept = await Trainer.create(session, options(memorizing(), {}, { resume: withMemory }))
    const before = await kept.readState()
    await kept.release()
    for (const { path } of list.taken) expect(bytes(state[`parameters.${path}`])).toBe(bytes(before[`parameters.${path}`]))
    // What the memory held is not taken: the run begins with empty ones.
    expect(bytes(before['model.memory.length'])).not.toMatch(/^0*$/)
    expect(bytes(state['model.memory.length'])).toMatch(/^0*$/)
  })

  it('is taken away', async () => {
    const { list } = await begun(withMemory, xl())
    expect(list).toMatchObject({ made: [], left: [{ path: 'layers[1].memoryGate', type: 'f32[2]' }], differing: [] })
  })
})

describe('the optimiser', () => {
  const statistic = 'optimizer.layers[0].attention.query.square'

  it('begins anew, or goes on for what was taken', async () => {
    const fresh = await begun(withoutMemory, memorizing())
    expect(bytes(fresh.state.step)).toBe('00000000')
    expect(bytes(fresh.state[statistic])).toMatch(/^0*$/)
    const kept = await begun(withoutMemory, memorizing(), {}, 'kept')
    expect(bytes(kept.state.step)).toBe('14000000')
    expect(bytes(kept.state[statistic])).not.toMatch(/^0*$/)
    expect(kept.list.freshStatistics).toEqual(['layers[1].memoryGate.mean', 'layers[1].memoryGate.square'])
  })

  it('must be of the same kind to go on', async () => {
    const adafactor = { kind: 'adafactor', schedule: { kind: 'constant', learningRate: 0.01 } } as const
    const { code, message } = await rejection(begun(withoutMemory, xl(), { optimizer: adafactor }, 'kept'))
    expect(code).toBe('CHECKPOINT_MISMATCH')
    expect(message).toContain('are of adam, this run has adafactor')
  })
})

describe('a run that begins from a checkpoint', () => {
  it('goes on bit for bit after an interruption, without the checkpoint it began from', async () => {
    const source = join(folder, 'source', 'step-00000020')
    await cp(withoutMemory, source, { recursive: true })
    const run = (steps: number): Partial<RunConfigInput> => ({ steps, from: { checkpoint: source } })
    const straight = await Trainer.create(session, options(memorizing(), run(6)))
    await straight.run()
    const first = await Trainer.create(session, options(memorizing(), run(3)))
    const { checkpoint } = await first.run({ checkpoints: join(folder, 'interrupted') })
    await rm(source, { recursive: true })
    const second = await Trainer.create(session, options(memorizing(), run(6), { resume: checkpoint! }))
    await second.run()
    expect(second.started).toBeUndefined()
    const [a, b] = [await straight.readState(), await second.readState()]
    expect(Object.keys(a)).toEqual(Object.keys(b))
    for (const name of Object.keys(a)) expect([name, bytes(a[name])]).toEqual([name, bytes(b[name])])
    for (const trainer of [straight, first, second]) await trainer.release()
  })

  it('does not begin again from another checkpoint of the same name', async () => {
    const { tensors } = await readManifest(withoutMemory)
    const start = (sha256: string) => Trainer.create(session, options(xl(), { from: { checkpoint: withoutMemory, sha256 } }))
    await (await start(tensors.sha256)).release()
    expect((await rejection(start('0'.repeat(64)))).message).toContain('is not the checkpoint any more that this run began from')
  })
})

describe('a checkpoint is refused', () => {
  it('with other sizes, naming path and both types', async () => {
    const { code, message, hint } = await rejection(begun(withoutMemory, memorizing({ width: 32 })))
    expect(code).toBe('CHECKPOINT_MISMATCH')
    expect(message).toContain('a transformer-xl there, a memorizing-transformer here')
    expect(message).toContain('embedding is f32[257,16] there, f32[257,32] here')
    expect(hint).toContain('width 16')
  })

  it('of a model with nothing in common', async () => {
    const { model } = xl()
    const other = { ...model, name: 'other', initialParameters: (config: never, key: never) => ({ table: (model.initialParameters(config, key) as { embedding: unknown }).embedding }) }
    const { code, message, hint } = await rejection(begun(withoutMemory, { model: other as never, config: xl().config }))
    expect(code).toBe('CHECKPOINT_MISMATCH')
    expect(message).toContain('has no parameter in common with the model')
    expect(hint).toContain('there are embedding, finalNorm.scale, layers[0].attention.key')
  })

  it('with another tokenizer, of the same size too', async () => {
    const [a, b] = [tokenizerOf('ab'), tokenizerOf('cd')]
    expect(a.vocabularySize).toBe(b.vocabularySize)
    const model = xl({ vocabularySize: a.vocabularySize })
    const text = { train: tinyDocuments(), heldOut: tinyDocuments(2) }
    const source = await Trainer.create(session, options(model, {}, { tokenizer: a, ...text }))
    const checkpoint = await source.save(join(folder, 'tokenizers'))
    await source.release()
    const start = (tokenizer: typeof a) => Trainer.create(session, options(model, { from: { checkpoint } }, { tokenizer, ...text }))
    await (await start(a)).release()
    const { code, message } = await rejection(start(b))
    expect(code).toBe('CHECKPOINT_TOKENIZER')
    expect(message).toContain(`with another tokenizer (${describeTokenizer(a.describe())}) than the run would have (${describeTokenizer(b.describe())})`)
  })

  it('that is missing, cut short or changed', async () => {
    expect((await rejection(begun(join(folder, 'none', 'step-00000001'), xl()))).code).toBe('CHECKPOINT_MISSING')
    const damaged = join(folder, 'damaged', 'step-00000020')
    await cp(withoutMemory, damaged, { recursive: true })
    const file = join(damaged, 'state.safetensors')
    const whole = await readFile(file)
    await writeFile(file, whole.subarray(0, whole.length - 5))
    expect((await rejection(begun(damaged, xl()))).message).toContain('is cut short')
    whole[whole.length - 1] ^= 1
    await writeFile(file, whole)
    expect((await rejection(begun(damaged, xl()))).message).toContain('was changed after it was written')
  })
})

it('a tokenizer is the same whatever the order of its keys', () => {
  expect(tokenizerIdentity({ kind: 'a', vocabularySize: 2, more: { x: 1, y: [2, 1] } })).toBe(tokenizerIdentity({ more: { y: [2, 1], x: 1 }, vocabularySize: 2, kind: 'a' } as never))
  expect(tokenizerIdentity({ kind: 'a', vocabularySize: 2, more: [1, 2] })).not.toBe(tokenizerIdentity({ kind: 'a', vocabularySize: 2, more: [2, 1] }))
})

/** A byte-level tokenizer with one merge. */
function tokenizerOf(pair: string) {
  const tokens = [...Array.from({ length: 256 }, (_, byte) => characterOfByte(byte)), pair]
  return huggingFaceTokenizer({
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [[pair[0], pair[1]]] },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: 'ByteLevel' },
    added_tokens: [{ id: 257, content: '<|endoftext|>', special: true }],
  })
}
