import { describe, expect, test } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { InterpreterBackend } from '../../src/interpret/backend.ts'
import type { Backend } from '../../src/ir/backend.ts'
import { Session } from '../../src/program/session.ts'
import { withTarget } from '../../src/trace/target.ts'
import { initProgram, stateSpec, trainProgram } from '../../src/train/programs.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

/** The interpreter under the name of a platform; keeps the texts that it was given. */
function namedBackend(platform: string): { backend: Backend; texts: Map<string, string> } {
  const texts = new Map<string, string>()
  const interpreter = new InterpreterBackend()
  const backend: Backend = {
    platform,
    compile: (source) => {
      texts.set(source.name, source.text)
      return interpreter.compile(source)
    },
    put: (array) => interpreter.put(array),
    close: () => interpreter.close(),
  }
  return { backend, texts }
}

async function compiled(platform: string): Promise<string | undefined> {
  const { backend, texts } = namedBackend(platform)
  const trainer = await Trainer.create(new Session(backend), { ...tinyModel(), run: tinyRun(), tokenizer: byteTokenizer(), train: tinyDocuments() })
  await trainer.release()
  return texts.get('train')
}

describe('a run lowers its programs for where they run', () => {
  const lowered = (target: 'tpu' | undefined): string =>
    withTarget(target, () => trainProgram(tinyModel(), tinyRun(), stateSpec(initProgram(tinyModel(), tinyRun())))).text

  test('on a TPU with the spellings that are best there', async () => {
    expect(await compiled('tpu')).toBe(lowered('tpu'))
  })

  test('elsewhere with those that are good everywhere', async () => {
    expect(await compiled('interpreter')).toBe(lowered(undefined))
    expect(lowered('tpu')).not.toBe(lowered(undefined))
  })
})
