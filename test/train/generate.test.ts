import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import type { Session } from '../../src/program/session.ts'
import { startSession } from '../../src/program/start.ts'
import { Generator } from '../../src/train/generate.ts'
import { initProgram, seedKey } from '../../src/train/programs.ts'
import { samplingSchema } from '../../src/train/sampling.ts'
import { unflatten } from '../../src/trace/tree.ts'
import { tinyModel, tinyRun } from './tiny-run.ts'

const trained = tinyModel({ dropout: 0, width: 32 })
const init = initProgram(trained, tinyRun())
const { parameters: spec } = unflatten(init.outputStructure, init.outputs) as { parameters: unknown }
const text = new TextEncoder().encode('the memory holds twenty tokens, and this prompt has more of them than that')

let parameters: unknown
let interpreter: Session
beforeAll(async () => {
  parameters = evaluate((key: Tensor) => trained.model.initialParameters(trained.config, key), seedKey(3))
  interpreter = await startSession('interpreter')
})
afterAll(() => interpreter.close())

async function generated(session: Session, prompt: Uint8Array, tokens: number, sampling: Parameters<typeof samplingSchema.parse>[0] = {}, more: { seed?: number; endOfDocument?: number; signal?: AbortSignal } = {}, model = trained): Promise<number[]> {
  const generator = await Generator.create(session, model, spec, samplingSchema.parse(sampling))
  const onDevice = session.put(parameters)
  const ids: number[] = []
  for await (const id of generator.generate(onDevice, prompt, { tokens, seed: 1, ...more })) ids.push(id)
  await generator.release()
  return ids
}

describe('generation', () => {
  it('gives the same tokens in the interpreter and compiled by XLA', { timeout: 120_000 }, async () => {
    const session = await startSession('cpu')
    try {
      for (const sampling of [{ temperature: 0 }, { temperature: 0.9, topK: 40, topP: 0.95 }]) {
        const compiled = await generated(session, text, 24, sampling)
        expect(compiled.length).toBe(24)
        expect(await generated(interpreter, text, 24, sampling)).toEqual(compiled)
      }
    } finally {
      await session.close()
    }
  })

  it('depends on the seed, and on it alone', async () => {
    const first = await generated(interpreter, text, 8)
    expect(await generated(interpreter, text, 8)).toEqual(first)
    expect(await generated(interpreter, text, 8, {}, { seed: 2 })).not.toEqual(first)
    // More tokens go on from fewer.
    expect((await generated(interpreter, text, 12)).slice(0, 8)).toEqual(first)
  })

  it('depends on what the memory alone still holds', async () => {
    // Two layers with a cache of 8 reach 24 tokens back at most.
    const tail = 'and this is the same at the end of both'
    const prompts = ['let the first memory be of this, ', 'BUT OTHERWISE 1234567890 HERE IT, '].map((head) => new TextEncoder().encode(head + tail))
    const of = async (changes: Record<string, unknown>) => {
      const chosen = tinyModel({ dropout: 0, width: 32, gateBias: 5, memorySize: 64, ...changes })
      return Promise.all(prompts.map((prompt) => generated(interpreter, prompt, 24, { temperature: 0.3 }, {}, chosen)))
    }
    const [a, b] = await of({})
    expect(a).not.toEqual(b)
    const [c, d] = await of({ memorySize: 16 })
    expect(c).toEqual(d)
  })

  it('reads prompts of every length against a segment of 8', async () => {
    for (const length of [1, 2, 7, 8, 9, 16, 17]) expect((await generated(interpreter, text.subarray(0, length), 2)).length).toBe(2)
  })

  it('ends at the end of the document, and when it is told to', async () => {
    const all = await generated(interpreter, text, 30)
    const end = all[5]
    expect(await generated(interpreter, text, 30, {}, { endOfDocument: end })).toEqual(all.slice(0, all.indexOf(end) + 1))
    expect(await generated(interpreter, text, 30, {}, { signal: AbortSignal.abort() })).toHaveLength(1)
  })

  it('refuses an empty prompt, and ids that the model does not have', async () => {
    await expect(generated(interpreter, new Uint8Array(0), 1)).rejects.toMatchObject({ name: 'TrainError', code: 'GENERATION_PROMPT', message: 'the prompt is empty' })
    await expect(generated(interpreter, Uint16Array.of(1, 300) as never, 1)).rejects.toThrow("token 300 at place 1 of the prompt is outside the model's vocabulary of 257")
  })
})
