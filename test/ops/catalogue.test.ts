import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { walkOperations } from '../../src/ir/module.ts'
import { isTensorType, sameShape } from '../../src/ir/types.ts'
import { interpret } from '../../src/interpret/interpreter.ts'
import { catalogue } from '../../src/ops/catalogue.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { opSamples, sampleInputs } from '../support/op-samples/index.ts'

test('every op of the catalogue has a sample, and every sample an op', () => {
  const sampled = new Set(opSamples.map((sample) => sample.op))
  // What ends a block is in every sample.
  const needed = [...catalogue.values()].filter((definition) => !definition.traits?.terminator).map((definition) => definition.name)
  expect(needed.filter((name) => !sampled.has(name))).toEqual([])
  expect([...sampled].filter((name) => !catalogue.has(name))).toEqual([])
  const names = opSamples.map((sample) => sample.name)
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
})

describe.each(opSamples.map((sample) => [sample.name, sample] as const))('%s', (_, sample) => {
  const trace = () => traceFunction('sample', sample.build as (...args: never[]) => unknown, sample.inputs)

  test('holds its op, and reads back what it prints', () => {
    const { module } = trace()
    const text = printModule(module)
    const names: string[] = []
    for (const func of module.functions) walkOperations(func.block, (operation) => names.push(operation.name))
    expect(names).toContain(sample.op)
    expect(printModule(parseModule(text))).toBe(text)
  })

  test('evaluates to the types it declares, the same after printing and parsing', () => {
    const { module, func } = trace()
    const inputs = sampleInputs(sample)
    const results = interpret(module, inputs)
    expect(results).toHaveLength(func.resultTypes.length)
    results.forEach((result, i) => {
      const type = func.resultTypes[i]
      if (!isTensorType(type)) return
      expect(result).toBeInstanceOf(HostArray)
      const array = result as HostArray
      expect([array.dtype, sameShape(array.shape, type.shape)]).toEqual([type.dtype, true])
    })
    expect(interpret(parseModule(printModule(module)), inputs)).toEqual(results)
  })
})
