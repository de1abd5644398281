import { describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import type { HostArray } from '../../src/ir/host-array.ts'
import { startInterpreter } from '../../src/program/start.ts'
import type { TrainError } from '../../src/train/errors.ts'
import { frozenParameters } from '../../src/train/freezing.ts'
import { initProgram, stateSpec, trainProgram } from '../../src/train/programs.ts'
import type { RunConfigInput } from '../../src/train/run-config.ts'
import { Trainer } from '../../src/train/trainer.ts'
import { tinyDocuments, tinyModel, tinyRun } from './tiny-run.ts'

const paths = ['embedding', 'layers[0].attention.query', 'layers[0].attention.key', 'layers[1].attention.query', 'layers[1].memoryGate', 'layers[10].memoryGate', 'finalNorm.scale']
const frozen = (...patterns: string[]): string[] => paths.filter((_, i) => frozenParameters(paths, { freeze: patterns })[i])
const error = (run: () => unknown): TrainError => {
  try {
    run()
  } catch (thrown) {
    return thrown as TrainError
  }
  return expect.fail('did not throw')
}

describe('patterns', () => {
  it('name parameters, whole branches, or anything by *', () => {
    expect(frozen('embedding')).toEqual(['embedding'])
    expect(frozen('layers.0')).toEqual(['layers[0].attention.query', 'layers[0].attention.key'])
    expect(frozen('layers[0].*')).toEqual(frozen('layers.0'))
    expect(frozen('*.query', 'final*')).toEqual(['layers[0].attention.query', 'layers[1].attention.query', 'finalNorm.scale'])
    expect(frozen('layers.1')).toEqual(['layers[1].attention.query', 'layers[1].memoryGate'])
    expect(frozen('layers.*.memoryGate')).toEqual(['layers[1].memoryGate', 'layers[10].memoryGate'])
    expect(frozenParameters(paths, {})).toEqual(paths.map(() => false))
  })

  it('name what is trained alone, less what is frozen', () => {
    expect(frozenParameters(paths, { trainOnly: ['*.memoryGate', 'embedding'], freeze: ['layers.10'] })).toEqual([false, true, true, true, false, true, true])
  })

  it('that match nothing are refused, with what is near', () => {
    const { code, message, hint } = error(() => frozen('layer.0.*'))
    expect({ code, message, hint }).toMatchInlineSnapshot(`
      {
        "code": "RUN_CONFIGURATION",
        "hint": "there are embedding, layers, layers.0, layers.1, layers.10, finalNorm; * stands for anything",
        "message": "no parameter matches layer.0.*, did you mean layers.0?",
      }
    `)
    expect(error(() => frozen('embeding')).message).toBe('no parameter matches embeding, did you mean embedding?')
    expect(error(() => frozenParameters(paths, { trainOnly: ['memoryGate'] })).message).toBe('no parameter matches memoryGate, did you mean *.memoryGate?')
    expect(error(() => frozen('*')).message).toBe('every parameter is frozen: nothing is left to train')
  })
})

const bytes = (array: HostArray): string => Buffer.from(array.toBytes()).toString('hex')

/** A short run: its state before and after. */
async function trained(run: Partial<RunConfigInput>) {
  const session = await startInterpreter()
  const trainer = await Trainer.create(session, { ...tinyModel(), run: tinyRun({ steps: 3, ...run }), tokenizer: byteTokenizer(), train: tinyDocuments(), heldOut: [] })
  const before = await trainer.readState()
  await trainer.run()
  const after = await trainer.readState()
  const { frozenCount, parameterCount } = trainer
  await session.close()
  return { before, after, frozenCount, parameterCount }
}

describe('frozen parameters', () => {
  const freeze = ['embedding', 'layers.0', '*.attention.output']
  const isFrozen = (name: string): boolean => /^(embedding$|layers\[0\]|.*\.attention\.output$)/.test(name)

  it.each([1, 2])('stay as they are, bit for bit, and have no optimiser state; all others change (groups of slots: %s)', async (accumulate) => {
    const { before, after, frozenCount, parameterCount } = await trained({ freeze, accumulate })
    const names = Object.keys(before).filter((name) => name.startsWith('parameters.'))
    for (const name of names) expect([name, bytes(after[name]) === bytes(before[name])]).toEqual([name, isFrozen(name.slice('parameters.'.length))])
    const owners = new Set(Object.keys(after).flatMap((name) => (name.startsWith('optimizer.') ? [name.slice('optimizer.'.length, name.lastIndexOf('.'))] : [])))
    expect([...owners].sort()).toEqual(names.map((name) => name.slice('parameters.'.length)).filter((name) => !isFrozen(name)).sort())
    expect(frozenCount).toBe(names.filter((name) => isFrozen(name.slice('parameters.'.length))).reduce((sum, name) => sum + before[name].data.length, 0))
    expect(frozenCount).toBeLessThan(parameterCount)
  })

  it('have no gradient computed', () => {
    const model = tinyModel()
    const operations = (run: Partial<RunConfigInput>): number => {
      const config = tinyRun(run)
      return trainProgram(model, config, stateSpec(initProgram(model, config))).text.split('\n').length
    }
    // With all but the last norm frozen nothing flows back through the layers.
    expect(operations({ trainOnly: ['finalNorm'] })).toBeLessThan(0.6 * operations({}))
  })

  it('do not change what the others learn of the same gradient', async () => {
    // After one step: the gradient of a parameter does not depend on which others are trained.
    const [all, some] = await Promise.all([trained({ steps: 1 }), trained({ steps: 1, freeze })])
    for (const name of ['parameters.layers[1].attention.query', 'parameters.layers[1].memoryGate', 'parameters.finalNorm.scale']) expect(bytes(some.after[name])).toBe(bytes(all.after[name]))
  })
})
