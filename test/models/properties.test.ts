import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { ModelRunner, type Step, randomSteps, treeLeaves } from '../support/model-runner.ts'

const tiny = { vocabularySize: 17, segmentLength: 5, width: 8, layers: 3, heads: 2, feedForwardSize: 12, computeDtype: 'f32', positionBuckets: 8, positionDistance: 12 }
const memorizing = { ...tiny, model: 'memorizing-transformer', cacheLength: 4, memorySize: 12, neighbours: 4, memoryLayers: [1, 3] }
const compressive = { ...tiny, model: 'compressive-transformer', cacheLength: 4, compressedLength: 3, compressionRate: 2 }
const models: Record<string, Record<string, unknown>> = {
  transformer: { ...tiny, model: 'transformer' },
  'transformer-xl': { ...tiny, model: 'transformer-xl', cacheLength: 7, attention: 'normalized' },
  'transformer-xl, relative positions': { ...tiny, model: 'transformer-xl', cacheLength: 7, positions: 'relative' },
  'transformer-xl, relative positions in bf16': { ...tiny, model: 'transformer-xl', cacheLength: 7, positions: 'relative', attention: 'normalized', computeDtype: 'bf16' },
  'compressive-transformer': compressive,
  'compressive-transformer, dilated, in bf16': { ...compressive, compression: 'dilated-convolution', computeDtype: 'bf16' },
  'compressive-transformer, most-used': { ...compressive, compression: 'most-used' },
  'memorizing-transformer': memorizing,
  'memorizing-transformer, relative positions': { ...memorizing, positions: 'relative' },
  'memorizing-transformer in bf16': { ...memorizing, computeDtype: 'bf16' },
  'memorizing-transformer, approximate search': { ...memorizing, search: 'approximate' },
}
const segments = [5, 5, 5, 5, 5]

/** Logits of one slot at some of its places. */
function part(logits: HostArray, slot: number, from = 0, to = logits.shape[1]): number[] {
  const [, places, vocabulary] = logits.shape
  return Array.from((logits.data as Float32Array).subarray((slot * places + from) * vocabulary, (slot * places + to) * vocabulary))
}
const changeTokens = (step: Step, slot: number, from = 0): Step => ({
  ...step,
  tokens: step.tokens.map((row, i) => (i === slot ? row.map((token, place) => (place >= from ? (token + 5) % 17 : token)) : row)),
})

describe.each(Object.entries(models))('%s', (_, configuration) => {
  const runner = new ModelRunner(configuration, 2)
  const steps = randomSteps(2, segments, 17, 3, 4)
  const outputs = runner.runAll(steps)

  test('nothing leaks between slots: other tokens and document starts in slot 1 leave slot 0 as it was, bit for bit', () => {
    const others = steps.map((step, i) => ({ ...changeTokens(step, 1), start: [step.start[0], i === 0 || !step.start[1]] }))
    const changed = runner.runAll(others)
    changed.forEach(({ logits }, i) => {
      expect(part(logits, 0)).toEqual(part(outputs[i].logits, 0))
      expect(part(logits, 1)).not.toEqual(part(outputs[i].logits, 1))
    })
  })

  test('nothing crosses the start of a document: what was read before leaves no trace', () => {
    const start = steps.findIndex((step, i) => i > 0 && step.start[0])
    expect(start).toBeGreaterThan(1)
    const changed = runner.runAll(steps.map((step, i) => (i < start ? changeTokens(step, 0) : step)))
    for (let i = 0; i < steps.length; i++)
      if (i < start) expect(part(changed[i].logits, 0)).not.toEqual(part(outputs[i].logits, 0))
      else expect(part(changed[i].logits, 0)).toEqual(part(outputs[i].logits, 0))
    // And a document reads the same whether it is the slot's first or a later one.
    const alone = runner.runAll(steps.slice(start))
    alone.forEach(({ logits }, i) => {
      const [own, later] = [part(logits, 0), part(outputs[start + i].logits, 0)]
      own.forEach((value, j) => expect(Math.abs(value - later[j])).toBeLessThan(configuration.computeDtype === 'bf16' ? 0.05 : 1e-5))
    })
  })

  test('nothing comes from the future: a later token changes no earlier logits', () => {
    for (const place of [1, 4]) {
      const changed = runner.runAll(steps.map((step, i) => (i === 2 ? changeTokens(step, 0, place) : step)))
      expect(part(changed[1].logits, 0)).toEqual(part(outputs[1].logits, 0))
      expect(part(changed[2].logits, 0, 0, place)).toEqual(part(outputs[2].logits, 0, 0, place))
      expect(part(changed[2].logits, 0, place)).not.toEqual(part(outputs[2].logits, 0, place))
    }
  })
})

describe('memory', () => {
  test('an empty memory changes nothing: the first segment of a document is that of the Transformer-XL with the same weights', () => {
    const runner = new ModelRunner(memorizing, 2)
    const xl = new ModelRunner({ ...tiny, model: 'transformer-xl', cacheLength: 4, attention: 'normalized' }, 2)
    const { layers, ...rest } = runner.parameters
    xl.parameters = { ...rest, layers: layers.map(({ memoryGate: _, ...layer }: any) => layer) }
    const steps = randomSteps(2, [5, 5, 5], 17, 8, 2)
    const [own, others] = [runner.runAll(steps), xl.runAll(steps)]
    steps.forEach(({ start }, i) =>
      start.forEach((begins, slot) => {
        if (begins) expect(part(own[i].logits, slot)).toEqual(part(others[i].logits, slot))
        else expect(part(own[i].logits, slot)).not.toEqual(part(others[i].logits, slot))
      }),
    )
  })

  test('what an earlier document left in the ring is neither read nor in the way', () => {
    const runner = new ModelRunner(memorizing, 1)
    const read = runner.runAll(randomSteps(1, [5, 5, 5], 17, 4, 100)).at(-1)!.state
    const spoiled = { ...read, memory: { ...read.memory, layers: read.memory.layers.map((layer: any) => ({ keys: full(layer.keys, 3), values: full(layer.values, 1e6) })) } }
    const fresh = { tokens: [[1, 2, 3, 4, 5]], start: [true] }
    expect([...runner.run(spoiled, fresh).logits.data]).toEqual([...runner.run(read, fresh).logits.data])
    expect(runner.run(spoiled, { ...fresh, start: [false] }).logits.data[0]).not.toBe(runner.run(read, { ...fresh, start: [false] }).logits.data[0])
  })

  test('lengths and position: reset by a start in the same step, grown by the segment, at most n', () => {
    const runner = new ModelRunner(memorizing, 2)
    const at = (step: any) => [step.state.memory.position.item(), [...step.state.memory.length.data], [...step.state.cache.length.data]]
    const tokens = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]
    const steps = [[true, true], [false, true], [false, false], [false, false]].map((start) => ({ tokens, start }))
    expect(runner.runAll(steps).map(at)).toEqual([
      [5, [5, 5], [4, 4]],
      [10, [10, 5], [4, 4]],
      [3, [12, 10], [4, 4]],
      [8, [12, 12], [4, 4]],
    ])
  })

  test('state keeps its shapes and types, so that a step can be repeated', () => {
    for (const configuration of Object.values(models)) {
      const runner = new ModelRunner(configuration, 2)
      const types = (state: unknown) => treeLeaves(state).map(({ dtype, shape }) => `${dtype}[${shape}]`)
      const before = runner.initialState()
      expect(types(runner.run(before, randomSteps(2, [5], 17, 1)[0]).state)).toEqual(types(before))
    }
  })

  test('memory may be kept in a narrower type', () => {
    const runner = new ModelRunner({ ...memorizing, memoryDtype: 'bf16' }, 1)
    const exact = new ModelRunner(memorizing, 1)
    const steps = randomSteps(1, [5, 5, 5], 17, 2)
    const [narrow, wide] = [runner.runAll(steps), exact.runAll(steps)]
    expect(narrow[2].state.memory.layers[0].keys.dtype).toBe('bf16')
    expect([...narrow[0].logits.data]).toEqual([...wide[0].logits.data])
    narrow[1].logits.data.forEach((value, i) => expect(Math.abs(Number(value) - Number(wide[1].logits.data[i]))).toBeLessThan(0.2))
  })

  test('diagnostics say how the memory is used', () => {
    const runner = new ModelRunner({ ...memorizing, gateBias: 0 }, 2)
    const [first, second] = runner.runAll([{ tokens: [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], start: [true, true] }, { tokens: [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], start: [false, true] }])
    expect(first.diagnostics.memoryGate.shape).toEqual([2, 2])
    expect(first.diagnostics.memoryFill.item()).toBe(0)
    expect([...first.diagnostics.memoryTopWeight.data]).toEqual([0, 0])
    expect(second.diagnostics.memoryFill.item()).toBeCloseTo(2.5 / 12, 6)
    second.diagnostics.memoryTopWeight.data.forEach((weight) => expect(weight).toBeGreaterThan(0.1))
  })
})

describe('compressed memory', () => {
  test.each(['max-pooling', 'mean-pooling', 'convolution', 'dilated-convolution', 'most-used'])(
    'what an earlier document left is neither read nor compressed later: %s',
    (compression) => {
      const runner = new ModelRunner({ ...compressive, compression, auxiliaryLoss: 'attention-reconstruction' }, 2)
      const read = runner.runAll(randomSteps(2, [5, 5, 5, 5], 17, 4, 100)).at(-1)!.state
      const { layers, ...lengths } = read.compressed
      const kept = { ...lengths, layers: layers.map((layer: any) => ({ ...layer, recent: full(layer.recent, 1e6), compressed: full(layer.compressed, -1e6) })) }
      const steps = randomSteps(2, [5, 5, 5, 5], 17, 6, 100)
      const readOn = (before: any): unknown[] => {
        let state = before
        return steps.map((step) => {
          const output: any = runner.run(state, step)
          state = output.state
          return [...output.logits.data, output.auxiliary.loss.item()]
        })
      }
      expect(readOn({ ...read, compressed: kept })).toEqual(readOn(read))
      expect(runner.run({ ...read, compressed: kept }, { ...steps[0], start: [false, false] }).logits.data[0]).not.toBe(runner.run(read, { ...steps[0], start: [false, false] }).logits.data[0])
    },
  )

  test('lengths: reset by a start in the same step; what does not fill a block waits', () => {
    const runner = new ModelRunner({ ...compressive, compressionRate: 3 }, 2)
    const at = (step: any) => [[...step.state.compressed.length.data], [...step.state.compressed.compressedLength.data]]
    const tokens = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]
    const steps = [[true, true], [false, true], [false, false], [false, false]].map((start) => ({ tokens, start }))
    // Of 5, 10, 15, 20 tokens 4 stay in the cache; of 1, 6, 11, 16 older ones 0, 2, 3, 3 of 5 blocks are full, and 3 places hold them.
    expect(runner.runAll(steps).map(at)).toEqual([
      [[5, 5], [0, 0]],
      [[4, 5], [2, 0]],
      [[6, 4], [3, 2]],
      [[5, 6], [3, 3]],
    ])
  })

  test('one for one it is a longer cache: the Transformer-XL with the same weights', () => {
    const runner = new ModelRunner({ ...compressive, compressionRate: 1, compressedLength: 5, compression: 'max-pooling' }, 2)
    const xl = new ModelRunner({ ...tiny, model: 'transformer-xl', cacheLength: 9 }, 2)
    xl.parameters = { ...runner.parameters, layers: runner.parameters.layers.map(({ compression: _, ...layer }: any) => layer) }
    const steps = randomSteps(2, [5, 5, 5, 5, 5], 17, 8, 4)
    const [own, others] = [runner.runAll(steps), xl.runAll(steps)]
    own.forEach(({ logits }, i) => logits.data.forEach((value, j) => expect(Math.abs(Number(value) - Number(others[i].logits.data[j]))).toBeLessThan(1e-5)))
  })
})

const full = (array: HostArray, value: number): HostArray => HostArray.of(array.dtype, array.shape, new Array<number>(array.size).fill(value))
