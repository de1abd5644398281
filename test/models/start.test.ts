import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { configure } from '../../src/models/registry.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { messageOf } from '../support/message-of.ts'
import { at } from './reference-decoder.ts'

const base = { model: 'memorizing-transformer', vocabularySize: 16, segmentLength: 8, width: 16, layers: 2, heads: 4, memorySize: 32, memoryLayers: [2], neighbours: 4 }
const key = HostArray.of('u32', [2], [0, 7])

function parameters(changes: Record<string, unknown>): any {
  const { model, config } = configure({ ...base, ...changes })
  return evaluate((k: Tensor) => model.initialParameters(config, k), key)
}

describe('how parameters begin', () => {
  test('heads of the first layer look at the token before and the one before that, and no others', () => {
    const [plain, { layers }] = [parameters({}).layers, parameters({ previousTokenHeads: 2 })]
    const raised = (layer: number): number[][] => {
      const [table, before] = [layers[layer].positionBias as HostArray, plain[layer].positionBias as HostArray]
      const places = Array.from({ length: table.shape[0] }, (_, bucket) => Array.from({ length: 4 }, (_, head) => [bucket, head])).flat()
      return places.filter(([bucket, head]) => Math.abs(at(table, bucket, head) - at(before, bucket, head) - 6) < 1e-5)
    }
    expect(raised(0)).toEqual([[1, 0], [2, 1]])
    expect(raised(1)).toEqual([])
  })

  test('output projections are value projections transposed', () => {
    for (const { attention } of parameters({ copyingStart: true }).layers) {
      const { value, output } = attention as { value: HostArray; output: HostArray }
      for (let i = 0; i < 16; i++) for (let j = 0; j < 16; j++) expect(at(output, i, j)).toBe(at(value, j, i))
    }
  })

  test('more such heads than there are, or positions without a bias, are refused', () => {
    expect(messageOf(() => configure({ ...base, previousTokenHeads: 5 }))).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        previousTokenHeads: 5 is too many: there are 4 heads, and buckets of a single distance up to 15"
    `)
    expect(messageOf(() => configure({ ...base, previousTokenHeads: 1, positions: 'relative' }))).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        previousTokenHeads: 1 needs positions "t5": relative positions have no bias to begin with"
    `)
  })
})
