import { describe, expect, it } from 'vitest'
import { catalogue } from '../../src/ops/catalogue.ts'
import { opSamples } from '../support/op-samples/index.ts'

/** Terminators are in every sample that has a region or a function; none can be built alone. */
const terminators = [...catalogue.values()].filter(({ traits }) => traits?.terminator).map(({ name }) => name)

describe('samples of ops', () => {
  it('cover the catalogue', () => {
    const sampled = new Set([...opSamples.map(({ op }) => op), ...terminators])
    expect([...catalogue.keys()].filter((name) => !sampled.has(name))).toEqual([])
  })
  it('have unique names of ops that exist', () => {
    expect(new Set(opSamples.map(({ name }) => name)).size).toBe(opSamples.length)
    expect(opSamples.filter(({ op }) => !catalogue.has(op))).toEqual([])
  })
  it('say that an op is differentiable exactly where it has a gradient', () => {
    const wrong = opSamples.filter(({ op, differentiable }) => {
      const { vjp } = catalogue.get(op)!
      return typeof vjp !== 'function' && !vjp.zero && differentiable !== false
    })
    expect(wrong.map(({ name }) => name)).toEqual([])
  })
})
