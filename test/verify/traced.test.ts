import { describe, expect, it } from 'vitest'
import { modelNames, preset } from '../../src/models/registry.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { parseModule } from '../../src/text/parse.ts'
import { verifyModule } from '../../src/verify/verify.ts'
import { initProgram, stateTypes, stepProgram } from '../../scripts/bench/train-program.ts'
import { opSamples } from '../support/op-samples/index.ts'

/** What `trace/` builds is valid, as it stands in memory and as it is read back. */
const messages = (module: Parameters<typeof verifyModule>[0]): string[] => verifyModule(module).map(({ message }) => message)

describe('what is traced verifies', () => {
  it.each(opSamples)('$name', ({ build, inputs }) => {
    expect(messages(traceFunction('main', build, inputs).module)).toEqual([])
  })
  it.each(modelNames)('the train step of a tiny %s', (name) => {
    const model = preset(name, 'tiny')
    const init = initProgram(model, 2)
    const step = stepProgram(model, 2, stateTypes(init))
    for (const program of [init, step]) {
      expect(messages(program.module)).toEqual([])
      expect(messages(parseModule(program.text))).toEqual([])
    }
  })
})
