import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { type TensorType, tensorType } from '../../src/ir/types.ts'
import { type NearestOptions, nearest } from '../../src/knn/nearest.ts'
import { compileFor } from '../../src/program/compile-for.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { TpuCompiler } from '../../src/runner/tpu-compiler.ts'
import { parseHlo } from '../../src/xla/hlo.ts'
import { findSearches } from '../../src/xla/search.ts'
import { describeTpu } from '../support/tpu.ts'

describeTpu('a search on a TPU keeps its scores out of memory', () => {
  let compiler: TpuCompiler
  beforeAll(() => {
    compiler = new TpuCompiler()
  })
  afterAll(() => compiler.close())

  const one = [tensorType('f32', [256, 64]), tensorType('f32', [8192, 64])]
  const perSlot = [tensorType('bf16', [2, 3, 256, 64]), tensorType('bf16', [2, 3, 4096, 64])]
  const odd = [tensorType('f32', [256, 64]), tensorType('f32', [8100, 64])]
  const cases: [what: string, types: TensorType[], options: Omit<NearestOptions, 'k'>][] = [
    ['by choice', one, {}],
    ['of a mixed database', one, { rowOrder: 'mixed' }],
    ['packed', one, { lowering: 'packed' }],
    ['partial-reduce', one, { lowering: 'partial-reduce', rowOrder: 'unrelated' }],
    ['custom-call', one, { lowering: 'custom-call', rowOrder: 'unrelated' }],
    ['by cosine', one, { distance: 'cosine' }],
    ['by l2, some rows valid, n of no multiple', [...odd, tensorType('bool', [8100])], { distance: 'l2' }],
    ['one memory per slot, filled in part', [...perSlot, tensorType('i32', [2])], { rowOrder: 'unrelated' }],
  ]
  it.each(cases)('%s', async (_, types, options) => {
    const program = lowerWith({ target: 'tpu', name: 'search' }, (q: Tensor, rows: Tensor, valid: Tensor) => nearest(q, rows, { k: 16, ...options, valid }), ...(types as [TensorType, TensorType, TensorType]))
    const compiled = await compileFor(program, 'tpu:v5e:2x2', { compiler })
    const searches = findSearches(parseHlo(compiled.hlo), compiled.estimate!)
    expect(searches).toHaveLength(1)
    expect(searches[0].inHbm).toEqual([])
    expect(searches[0].fusedWith).not.toBe(undefined)
  })
})
