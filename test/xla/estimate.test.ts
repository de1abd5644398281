import { describe, expect, it } from 'vitest'
import type { BundleCount } from '../../src/xla/bundles.ts'
import { estimateTime } from '../../src/xla/estimate.ts'
import { arraysOf, parseHlo, tupleMembers } from '../../src/xla/hlo.ts'
import { findSearches } from '../../src/xla/search.ts'
import { fusedSearch, loopProgram } from './programs.ts'

const speed = { clockHz: 1e9, hbmBytesPerSecond: 1e9 }
const kernel = (cycles: number, unknownLoops = 0): BundleCount => ({ cycles, bundles: cycles, unknownLoops })

describe('parseHlo', () => {
  it('reads ops with types, operands, scopes and places', () => {
    const { entry, computations } = parseHlo(fusedSearch, 'search.mlir')
    expect([...computations.keys()]).toEqual(['gt', 'inner', 'fused', 'main'])
    expect(entry.ops.map(({ name, opcode, operands, scope, source }) => [name, opcode, operands.join(' '), scope, source])).toMatchInlineSnapshot(`
      [
        [
          "q",
          "parameter",
          "",
          "a \\"quoted\\" (name)",
          undefined,
        ],
        [
          "d",
          "parameter",
          "",
          undefined,
          undefined,
        ],
        [
          "fusion.1",
          "fusion",
          "q d",
          "layer1/nearest[xla]",
          "src/model.ts:37:49",
        ],
        [
          "sort.1",
          "sort",
          "fusion.1",
          "layer1/nearest[xla]/sort",
          "search.mlir:9:13",
        ],
        [
          "sl",
          "slice-start",
          "d",
          undefined,
          undefined,
        ],
        [
          "sd",
          "slice-done",
          "sl",
          undefined,
          undefined,
        ],
        [
          "tuple",
          "tuple",
          "sort.1 sd",
          undefined,
          undefined,
        ],
      ]
    `)
    expect(entry.root.name).toBe('tuple')
  })

  it('says when there is no program', () => {
    expect(() => parseHlo('HloModule empty\n')).toThrow('the optimised program has no ENTRY computation')
  })

  it('reads types', () => {
    expect(arraysOf('(f32[8,128]{1,0:T(8,128)S(1)}, s4[3]{0}, pred[], token[])')).toEqual([
      { dtype: 'f32', shape: [8, 128], bytes: 4096, onChip: true },
      { dtype: 's4', shape: [3], bytes: 1.5, onChip: false },
      { dtype: 'pred', shape: [], bytes: 1, onChip: false },
      { dtype: 'token', shape: [], bytes: 0, onChip: false },
    ])
    expect(tupleMembers('((f32[2]{0:T(128)}, s32[]), /*index=1*/f32[4]{0})')).toEqual(['(f32[2]{0:T(128)}, s32[])', 'f32[4]{0}'])
    expect(tupleMembers('f32[2]{0}')).toEqual(['f32[2]{0}'])
  })
})

describe('estimateTime', () => {
  it('takes the longer of bundles and bytes of each op', () => {
    const estimate = estimateTime(parseHlo(fusedSearch), new Map([['fusion.1', kernel(500_000, 3)], ['sort.1', kernel(1000)]]), speed)
    const { ops, ...whole } = estimate
    // Queries and rows are read from HBM; the scores are on the chip; the sort writes to HBM; the slice reads four rows.
    const [fusion, sort, slice] = [(128 + 1024) * 64 * 4, 128 * 256 * 4, 4 * 64 * 4]
    expect(ops.map(({ name, hbmBytes, computeSeconds, seconds }) => [name, hbmBytes, computeSeconds, seconds])).toEqual([
      ['fusion.1', fusion, 5e-4, 5e-4],
      ['sort.1', sort, 1e-6, sort / 1e9],
      ['sl', slice, 0, 0],
      ['sd', 0, 0, 0],
    ])
    expect(whole).toMatchObject({ hbmBytes: fusion + sort + slice, computeSeconds: 5.01e-4, unknownLoops: 3 })
    expect(whole.seconds).toBeCloseTo(5e-4 + sort / 1e9, 12)
    expect(ops[0]).toMatchObject({ opcode: 'fusion', scope: 'layer1/nearest[xla]', source: 'src/model.ts:37:49', customCall: 'PartialReduce', fused: ['convolution', 'custom-call'], bundles: 'own', times: 1 })
  })

  it('is at least the time of all bytes', () => {
    const estimate = estimateTime(parseHlo(fusedSearch), new Map(), { clockHz: 1e9, hbmBytesPerSecond: 1 })
    expect(estimate.seconds).toBe(estimate.hbmBytes)
  })

  it('carries out loops as often as they turn, counts in-place updates by what they write, and gives twins their twin\'s bundles', () => {
    const estimate = estimateTime(parseHlo(loopProgram), new Map([['fusion.long', kernel(100)], ['row', kernel(7)]]), speed)
    expect(estimate.unknownLoops).toBe(0)
    expect(estimate.ops.map(({ name, times, hbmBytes, computeSeconds, bundles }) => [name, times, hbmBytes, computeSeconds, bundles])).toEqual([
      // Each turn: two counters and a row read, a row written.
      ['row', 10, 10 * (256 + 4 + 256), 70e-9, 'own'],
      ['new', 10, 10 * (256 + 4 + 256), 0, 'none'],
      ['fusion.9', 1, 512, 100e-9, 'twin'],
      ['fusion.long', 1, 512, 100e-9, 'own'],
    ])
  })

  it('counts a loop once whose condition it cannot read', () => {
    const estimate = estimateTime(parseHlo(loopProgram.replace('direction=LT', 'direction=NE')), new Map(), speed)
    expect([estimate.unknownLoops, estimate.ops[0].times]).toEqual([1, 1])
    const known = loopProgram.replace('direction=LT', 'direction=NE').replace('body=%body', 'body=%body, backend_config={"known_trip_count":{"n":"5"}}')
    expect(estimateTime(parseHlo(known), new Map(), speed).ops[0].times).toBe(5)
  })
})

describe('findSearches', () => {
  const search = (text: string) => findSearches(parseHlo(text), estimateTime(parseHlo(text), new Map(), speed))

  it('sees a search that is fused with its product', () => {
    expect(search(fusedSearch)).toEqual([
      { scope: 'layer1/nearest[xla]', scores: { type: 'f32[128,1024]', bytes: 524288 }, fusedWith: 'PartialReduce', inHbm: [], onChip: [], seconds: expect.closeTo(((128 + 1024) * 64 * 4 + 128 * 256 * 4) / 1e9, 9) },
    ])
  })

  it('sees scores in HBM and on the chip', () => {
    const unfused = fusedSearch
      .replace('ROOT %best = f32[128,256]{1,0:T(8,128)S(1)} custom-call(%scores), custom_call_target="PartialReduce", called_computations={%gt}', 'ROOT %half = f32[128,1024]{1,0:T(8,128)} negate(%scores)')
      .replace('%fusion.1 = f32[128,256]{1,0:T(8,128)S(1)}', '%fusion.1 = f32[128,1024]{1,0:T(8,128)}')
    expect(search(unfused)).toMatchObject([{ fusedWith: undefined, inHbm: [{ op: 'fusion.1', type: 'f32[128,1024]', bytes: 524288 }], onChip: [] }])
    expect(search(unfused.replace('%fusion.1 = f32[128,1024]{1,0:T(8,128)}', '%fusion.1 = f32[128,1024]{1,0:T(8,128)S(1)}'))).toMatchObject([{ inHbm: [], onChip: [{ op: 'fusion.1' }] }])
  })

  it('finds one by its custom call where no scope says so, and none where there is none', () => {
    expect(search(fusedSearch.replaceAll('nearest[xla]', 'lookup')).map(({ scope, fusedWith }) => [scope, fusedWith])).toEqual([['', 'PartialReduce']])
    expect(search(loopProgram)).toEqual([])
  })
})
