import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/models/configuration.ts'
import { presetNames } from '../../src/models/presets.ts'
import { configure, findModel, modelNames, preset } from '../../src/models/registry.ts'
import { messageOf } from '../support/message-of.ts'

const base = { model: 'memorizing-transformer', vocabularySize: 256, segmentLength: 16, width: 32, layers: 2, heads: 4, memorySize: 64, memoryLayers: [2] }
const complaint = (changes: Record<string, unknown>) => messageOf(() => configure({ ...base, ...changes }))

describe('configurations that cannot be', () => {
  test('heads that do not divide the width', () => {
    expect(complaint({ heads: 5 })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        heads: 5 heads do not divide the width 32: choose a divisor, or give headSize"
    `)
    expect(configure({ ...base, heads: 5, headSize: 8 }).config.headSize).toBe(8)
  })

  test('more neighbours than places', () => {
    expect(complaint({ neighbours: 65 })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        neighbours: 65 neighbours are more than the memorySize of 64"
    `)
  })

  test('an unknown key, with the nearest right one', () => {
    expect(complaint({ neighbors: 8, memorysize: 3 })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        neighbors: unknown key, did you mean neighbours?
        memorysize: unknown key, did you mean memorySize?"
    `)
    expect(messageOf(() => configure({ ...base, model: 'transformer' }))).toMatchInlineSnapshot(`
      "the configuration of transformer:
        memorySize: unknown key, did you mean headSize?
        memoryLayers: unknown key, did you mean layers?"
    `)
  })

  test('values of the wrong kind or out of range, all at once', () => {
    expect(complaint({ width: 0, computeDtype: 'f8', dropout: 1, layers: '2', vocabularySize: undefined })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        vocabularySize: missing (expected number)
        width: 0 is not allowed (expected number to be >0)
        layers: "2" is not allowed (expected number)
        computeDtype: "f8" is not allowed (expected one of "f32"|"bf16"|"f64")
        dropout: 1 is not allowed (expected number to be <1)"
    `)
  })

  test('a way of the approximate search beside the exact one', () => {
    expect(complaint({ searchLowering: 'packed' })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        searchLowering: "packed" is a way of the approximate search, but search is "exact": set search to "approximate""
    `)
    expect(complaint({ search: 'approximate', searchLowering: 'packed2' })).toMatch(/searchLowering: "packed2" is not allowed \(expected one of "auto"\|"exact"\|"custom-call"/)
    expect(configure({ ...base, searchLowering: 'exact' }).config).toMatchObject({ search: 'exact', searchLowering: 'exact' })
    expect(configure({ ...base, search: 'approximate', searchLowering: 'packed' }).config).toMatchObject({ searchLowering: 'packed' })
  })

  test('memory layers that are not there', () => {
    expect(complaint({ memoryLayers: [2, 3, 2] })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        memoryLayers: there is no layer 3: the model has layers 1 to 2
        memoryLayers: [2,3,2] names a layer twice"
    `)
    expect(complaint({ memoryLayers: [0] })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        memoryLayers.0: 0 is not allowed (expected number to be >0)"
    `)
  })

  test('a compressed memory with nothing to compress, or with less room than a step needs', () => {
    const compressive = { model: 'compressive-transformer', vocabularySize: 256, segmentLength: 18, width: 32, layers: 2, heads: 4, cacheLength: 16 }
    expect(configure(compressive).config).toMatchObject({ compressionRate: 4, compressedLength: 16, compression: 'convolution', auxiliaryLoss: 'attention-reconstruction' })
    expect(configure({ ...compressive, compression: 'most-used', cacheLength: 4, compressedLength: 5 }).config).toMatchObject({ auxiliaryLoss: 'none', compressedLength: 5 })
    expect(messageOf(() => configure({ ...compressive, cacheLength: 0, compressedLength: 4 }))).toMatchInlineSnapshot(`
      "the configuration of compressive-transformer:
        cacheLength: 0 leaves nothing to compress: it must be 1 or more
        compressedLength: 4 places are fewer than one step fills: a segment of 18 at a compressionRate of 4 makes 5"
    `)
    expect(messageOf(() => configure({ ...compressive, compression: 'pooling', auxiliaryLoss: 'both', compressionRate: 0 }))).toMatchInlineSnapshot(`
      "the configuration of compressive-transformer:
        compressionRate: 0 is not allowed (expected number to be >0)
        compression: "pooling" is not allowed (expected one of "max-pooling"|"mean-pooling"|"convolution"|"dilated-convolution"|"most-used")
        auxiliaryLoss: "both" is not allowed (expected one of "none"|"auto-encoding"|"attention-reconstruction")"
    `)
  })

  test('position buckets that overlap', () => {
    expect(complaint({ positionDistance: 16 })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        positionDistance: 16 must be more than half of positionBuckets 32: the first half is exact"
    `)
  })

  test('relative positions of an odd width', () => {
    expect(complaint({ positions: 'relative', width: 33, headSize: 8 })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        width: 33 is odd: relative positions need as many cosines as sines"
    `)
    expect(complaint({ positions: 'relativ' })).toMatchInlineSnapshot(`
      "the configuration of memorizing-transformer:
        positions: "relativ" is not allowed (expected one of "t5"|"relative")"
    `)
  })

  test('an unknown model or preset', () => {
    expect(messageOf(() => configure({ ...base, model: 'memorising-transformer' }))).toMatchInlineSnapshot(
      `"there is no model memorising-transformer, did you mean memorizing-transformer? (models: transformer, transformer-xl, compressive-transformer, memorizing-transformer)"`,
    )
    expect(messageOf(() => configure({ width: 3 }))).toMatchInlineSnapshot(
      `"a model's configuration: model: missing (one of transformer, transformer-xl, compressive-transformer, memorizing-transformer)"`,
    )
    expect(messageOf(() => preset('transformer', 'paper-200'))).toMatchInlineSnapshot(
      `"there is no preset paper-200, did you mean paper-200m? (presets: tiny, small, paper-200m, paper-1b, paper-8b)"`,
    )
  })

  test('errors are typed and name the key', () => {
    try {
      configure({ ...base, neighbours: 65 })
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error).toMatchObject({ code: 'BAD_CONFIGURATION', path: 'neighbours' })
    }
  })
})

test('every preset of every model is a configuration, and defaults follow the sizes', () => {
  for (const model of modelNames)
    for (const name of presetNames) {
      const { config } = preset(model, name)
      expect(config.model).toBe(model)
      expect(findModel(model).name).toBe(model)
      expect(config.positionBuckets).toBe(32)
    }
  const { config } = configure(base)
  expect(config).toMatchObject({ headSize: 8, feedForwardSize: 128, cacheLength: 16, memoryDtype: 'f32', neighbours: 32, search: 'exact' })
  expect(preset('memorizing-transformer', 'paper-200m').config).toMatchObject({ layers: 12, width: 1024, memoryLayers: [9], neighbours: 32, computeDtype: 'bf16' })
})
