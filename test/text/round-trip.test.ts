import { describe, expect, it } from 'vitest'
import type { Module } from '../../src/ir/module.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { opSamples } from '../support/op-samples/index.ts'

/** What is printed is read back to what prints the same, in both forms and with locations. */
describe.each(opSamples)('$name', ({ build, inputs }) => {
  const module: Module = traceFunction('main', build, inputs).module
  const own = printModule(module)

  it('comes back from its own form', () => expect(printModule(parseModule(own))).toBe(own))

  it('comes back from generic form', () => {
    const generic = printModule(module, { generic: true })
    expect(printModule(parseModule(generic), { generic: true })).toBe(generic)
    expect(printModule(parseModule(generic))).toBe(own)
  })

  it('comes back with its locations', () => {
    const located = printModule(module, { locations: true })
    expect(printModule(parseModule(located), { locations: true })).toBe(located)
  })
})
