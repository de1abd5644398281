import { expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import type { Session } from '../../src/program/session.ts'
import { startInterpreter, startRunner } from '../../src/program/start.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

/** Losses of 30 steps, and the state after them. */
async function train(session: Session, computeDtype: 'f32' | 'bf16', accumulate = 1) {
  const run = tinyRun({ steps: 30, logEvery: 1, accumulate })
  const trainer = await Trainer.create(session, { ...tinyModel({ computeDtype, memoryDtype: computeDtype, dropout: 0 }), run, tokenizer: byteTokenizer(), train: tinyDocuments() })
  const losses: number[] = []
  await trainer.run({}, { report: ({ loss }) => { losses.push(loss) } })
  const state = await trainer.readState()
  await trainer.release()
  return { losses, state }
}

const onInterpreter = new Map<string, ReturnType<typeof train>>()
/** The same on the interpreter, once for all tests. */
function interpreted(...choice: ['f32' | 'bf16', number?]): ReturnType<typeof train> {
  const key = choice.join(' ')
  if (!onInterpreter.has(key)) onInterpreter.set(key, train(startInterpreter(), ...choice))
  return onInterpreter.get(key)!
}

async function onCpu(): ReturnType<typeof train> {
  const session = await startRunner()
  try {
    return await train(session, 'bf16')
  } finally {
    await session.close()
  }
}

/** Element types of the state's parts by the first word of their names. */
const typesOf = (state: Awaited<ReturnType<typeof train>>['state'], prefix: string) => [...new Set(Object.entries(state).filter(([name]) => name.startsWith(prefix)).map(([, { dtype }]) => dtype))].sort()

it.each([['the CPU', onCpu], ['the interpreter', () => interpreted('bf16')]] as const)('trains in bf16 on %s: parameters and statistics stay f32', { timeout: 240_000 }, async (_name, trained) => {
  const narrow = await trained()
  expect(typesOf(narrow.state, 'parameters.')).toEqual(['f32'])
  expect(typesOf(narrow.state, 'optimizer.')).toEqual(['f32'])
  expect(typesOf(narrow.state, 'model.')).toEqual(['bf16', 'i32'])
  expect(narrow.losses.at(-1)!).toBeLessThan(0.8 * narrow.losses[0])
  // Not the numbers of f32, and near them.
  const wide = await interpreted('f32')
  expect(narrow.losses).not.toEqual(wide.losses)
  narrow.losses.forEach((loss, i) => expect(Math.abs(loss / wide.losses[i] - 1), `step ${i + 1}`).toBeLessThan(0.03))
})

it('takes f64 for what it is', async () => {
  const run = tinyRun()
  await expect(Trainer.create(startInterpreter(), { ...tinyModel({ computeDtype: 'f64' }), run, tokenizer: byteTokenizer(), train: tinyDocuments() })).rejects.toMatchObject({
    code: 'RUN_CONFIGURATION',
    message: 'computeDtype "f64" is for checking gradients: models are trained in "f32" or "bf16"',
  })
})

it('accumulates gradients in f32', async () => {
  const [whole, parts] = [await interpreted('bf16'), await interpreted('bf16', 2)]
  expect(typesOf(parts.state, 'optimizer.')).toEqual(['f32'])
  parts.losses.forEach((loss, i) => expect(Math.abs(loss / whole.losses[i] - 1), `step ${i + 1}`).toBeLessThan(0.02))
})
