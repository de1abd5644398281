import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { approxTopK } from '../../src/knn/approx-top-k.ts'
import { topK } from '../../src/knn/top-k.ts'
import { sliceAxis } from '../../src/ops/slice-pad.ts'
import { sortWithIndices } from '../../src/ops/sort.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { findPython } from '../../src/runner/python.ts'

it('XLA finds its TopK in sort and slice, so that a CPU does not sort everything', () => {
  const shapes = [[64, 2048], [2, 8, 2048], [2, 4, 8, 2048]]
  const programs = [
    ...shapes.map((shape) => lower((x: Tensor) => topK(x, 32), tensorType('f32', shape))),
    lower((x: Tensor) => topK(x, 32), tensorType('bf16', [64, 2048])),
    lowerWith({ target: 'cpu' }, (x: Tensor) => approxTopK(x, 32), tensorType('f32', [2, 8, 2048])),
    // What no TopK can do: all of the sorted values.
    lower((x: Tensor) => sliceAxis(sortWithIndices(x, -1).values, -1, 0, 32), tensorType('f32', [64, 2048])),
  ]
  const script = fileURLToPath(new URL('compiled-calls.py', import.meta.url))
  const input = JSON.stringify(programs.map((program) => program.text))
  const found: unknown = JSON.parse(execFileSync(findPython().command, [script], { input, encoding: 'utf8', env: { ...process.env, JAX_PLATFORMS: 'cpu' } }))
  expect(found).toEqual([...new Array<string[]>(5).fill(['TopK']), ['sort']])
})
