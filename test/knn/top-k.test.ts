import { describe, expect, it } from 'vitest'
import { approxBottomK, approxTopK } from '../../src/knn/approx-top-k.ts'
import { expectedRecallOfBest } from '../../src/knn/recall.ts'
import { topK } from '../../src/knn/top-k.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { multiply } from '../../src/ops/arithmetic.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { withTarget } from '../../src/trace/target.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { seededRandom } from '../support/op-samples/sample.ts'
import { traceError } from '../support/run-ops.ts'

const normals = (shape: readonly number[], seed = 3): HostArray => {
  const random = seededRandom(seed)
  const count = shape.reduce((a, b) => a * b, 1)
  return HostArray.of('f32', shape, Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())))
}

/** Positions of the k largest of a line, the first of equal ones first. */
const bestOf = (line: ArrayLike<number>, k: number): number[] =>
  Array.from(line, (_, i) => i).sort((a, b) => line[b] - line[a] || a - b).slice(0, k)

const lines = (array: HostArray): number[][] => array.toNested() as number[][]

describe('topK', () => {
  it('gives the largest, the first of equal ones first, and where they stand', () => {
    const x = HostArray.from('f32', [[1, 5, 3, 5, -2], [0, -1, -2, -3, -4]])
    const { values, indices } = evaluate((scores: Tensor) => topK(scores, 3), x)
    expect(values.toNested()).toEqual([[5, 5, 3], [0, -1, -2]])
    expect(indices.toNested()).toEqual([[1, 3, 2], [0, 1, 2]])
    expect(indices.dtype).toBe('i32')
  })

  it('searches any axis', () => {
    const { values, indices } = evaluate((scores: Tensor) => topK(scores, 1, 0), HostArray.from('f32', [[1, 5], [2, 4], [3, 6]]))
    expect([values.toNested(), indices.toNested()]).toEqual([[[3, 6]], [[2, 2]]])
  })

  it('puts NaN first and -inf last', () => {
    const { values } = evaluate((scores: Tensor) => topK(scores, 4), HostArray.from('f32', [-Infinity, 2, NaN, 7]))
    expect(values.toNested()).toEqual([NaN, 7, 2, -Infinity])
  })

  it('sends the gradient to the entries chosen', () => {
    checkGradient({ build: (x) => multiply(topK(x, 3).values, topK(x, 3).values), inputs: [normals([3, 8])] })
    checkGradient({ build: (x) => topK(x, 2, 0).values, inputs: [normals([5, 3])] })
  })

  it('leaves the search out of the gradient program', () => {
    const text = lower((x: Tensor) => topK(x, 3), tensorType('f32', [4, 64])).text
    expect(text.match(/"stablehlo.sort"/g)).toHaveLength(1)
    expect(text).not.toContain('gather')
  })

  it('refuses a k that cannot be', () => {
    const type = tensorType('f32', [4, 10])
    expect([0, 11, 2.5].map((k) => traceError((x) => topK(x, k), type))).toMatchInlineSnapshot(`
      [
        "topK: k is 0, must be an integer of 1 or more",
        "topK: k is 11, but axis 1 of f32[4,10] has 10 entries",
        "topK: k is 2.5, must be an integer of 1 or more",
      ]
    `)
    expect(traceError((x) => topK(x, 2, 2), type)).toMatchInlineSnapshot(`"topK: axis 2 is out of range for rank 2"`)
  })
})

describe('approxTopK', () => {
  const k = 32
  const x = normals([8, 4096])
  const exact = lines(x).map((line) => bestOf(line, k))
  const recall = (indices: HostArray): number => {
    const hits = lines(indices).map((found, row) => found.filter((i) => exact[row].includes(i)).length)
    return hits.reduce((a, b) => a + b) / (k * exact.length)
  }

  it('is exact where no target or a CPU is named', () => {
    const run = () => evaluate((scores: Tensor) => approxTopK(scores, k), x)
    expect(recall(run().indices)).toBe(1)
    expect(recall(withTarget('cpu', run).indices)).toBe(1)
  })

  it.each(['custom-call', 'partial-reduce'] as const)('%s reaches its recall target, with the values that stand at the indices', (lowering) => {
    const { values, indices } = evaluate((scores: Tensor) => approxTopK(scores, k, { lowering, recallTarget: 0.9 }), x)
    expect(recall(indices)).toBeGreaterThan(expectedRecallOfBest({ size: 4096, bins: 512, keptPerBin: 1, k }) - 0.04)
    expect(recall(indices)).toBeLessThan(1)
    lines(values).forEach((row, i) => {
      expect(row).toEqual([...row].sort((a, b) => b - a))
      expect(row).toEqual(lines(indices)[i].map((at) => lines(x)[i][at]))
    })
  })

  it('means the same as a custom call and as plain ops', () => {
    const run = (lowering: 'custom-call' | 'partial-reduce', shape: HostArray, axis: number) =>
      evaluate((scores: Tensor) => approxTopK(scores, 5, { lowering, axis, recallTarget: 0.5 }), shape)
    for (const [scores, axis] of [[normals([2, 1000]), 1], [normals([600, 3]), 0], [normals([2, 400, 2]), 1]] as const)
      expect(run('custom-call', scores, axis)).toEqual(run('partial-reduce', scores, axis))
  })

  it('gives indices inside the axis, also for rows of -inf', () => {
    const masked = HostArray.of('f32', [1, 1000], new Array<number>(1000).fill(-Infinity))
    const { indices } = evaluate((scores: Tensor) => approxTopK(scores, 5, { lowering: 'partial-reduce', recallTarget: 0.5 }), masked)
    expect(lines(indices)[0].every((i) => i >= 0 && i < 1000)).toBe(true)
  })

  it('gives all survivors when it is not to aggregate', () => {
    for (const lowering of ['custom-call', 'partial-reduce', 'exact'] as const) {
      const { values } = evaluate((scores: Tensor) => approxTopK(scores, k, { lowering, recallTarget: 0.9, aggregate: false }), x)
      expect(values.shape).toEqual([8, 512])
    }
    const { values } = evaluate(
      (scores: Tensor) => approxTopK(scores, 2, { lowering: 'custom-call', recallTarget: 0.5, aggregate: false, reductionInputSizeOverride: 516 }),
      normals([1, 129]),
    )
    expect([values.shape, values.at(129)]).toEqual([[1, 256], -Infinity])
  })

  it.each(['exact', 'custom-call', 'partial-reduce'] as const)('%s sends the gradient to the entries chosen', (lowering) => {
    checkGradient({ build: (scores) => approxTopK(scores, 2, { lowering, recallTarget: 0.5 }).values, inputs: [normals([1, 260])] })
  })

  it.each(['exact', 'custom-call', 'partial-reduce'] as const)('finds the smallest too, as %s', (lowering) => {
    const { values, indices } = evaluate((scores: Tensor) => approxBottomK(scores, 3, { lowering, recallTarget: 0.9, axis: 0 }), normals([600, 2]))
    const found = lines(values)
    const column = (at: number) => lines(normals([600, 2])).map((line) => line[at]).sort((a, b) => a - b)
    for (const at of [0, 1]) {
      expect(found.map((line) => line[at])).toEqual(column(at).slice(0, 3))
      lines(indices).forEach((line, i) => expect(lines(normals([600, 2]))[line[at]][at]).toBe(found[i][at]))
    }
  })

  it('is the custom call that XLA expects on a TPU', () => {
    const text = lowerWith({ target: 'tpu' }, (scores: Tensor) => approxTopK(scores, 32), tensorType('f32', [64, 8192])).text
    expect(text).toMatchInlineSnapshot(`
      "module @program {
        func.func public @main(%arg0: tensor<64x8192xf32>) -> (tensor<64x32xf32>, tensor<64x32xi32>) {
          %0 = stablehlo.iota dim = 1 : tensor<64x8192xi32>
          %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>
          %2 = stablehlo.constant dense<-1> : tensor<i32>
          %3:2 = stablehlo.custom_call @ApproxTopK(%arg0, %0, %1, %2) {called_computations = [@top_k_gt_f32_comparator], mhlo.backend_config = {aggregate_to_topk = true, recall_target = 0.95 : f32, reduction_dim = 1 : i64, reduction_input_size_override = -1 : i64, top_k = 32 : i64}} : (tensor<64x8192xf32>, tensor<64x8192xi32>, tensor<f32>, tensor<i32>) -> (tensor<64x32xf32>, tensor<64x32xi32>)
          return %3#0, %3#1 : tensor<64x32xf32>, tensor<64x32xi32>
        }
        func.func private @top_k_gt_f32_comparator(%arg0: tensor<f32>, %arg1: tensor<f32>, %arg2: tensor<i32>, %arg3: tensor<i32>) -> tensor<i1> {
          %0 = stablehlo.compare GT, %arg0, %arg1, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
          return %0 : tensor<i1>
        }
      }
      "
    `)
  })

  it('refuses what cannot be', () => {
    const type = tensorType('f32', [4, 300])
    const messages = [
      traceError((scores) => approxTopK(scores, 301), type),
      traceError((scores) => approxTopK(scores, 0), type),
      traceError((scores) => approxTopK(scores, 3, { recallTarget: 0 }), type),
      traceError((scores) => approxTopK(scores, 3, { recallTarget: 1.1 }), type),
      traceError((scores) => approxTopK(scores, 3, { reductionInputSizeOverride: 10 }), type),
      traceError((scores) => approxTopK(scores, 3, { lowering: 'fast' as 'exact' }), type),
      traceError((scores) => approxTopK(scores, 3), tensorType('i32', [4, 300])),
    ]
    expect(messages).toMatchInlineSnapshot(`
      [
        "approxTopK: k is 301, but axis 1 of f32[4,300] has 300 entries",
        "approxTopK: k is 0, must be an integer of 1 or more",
        "approxTopK: the recall target is 0, must be greater than 0 and at most 1",
        "approxTopK: the recall target is 1.1, must be greater than 0 and at most 1",
        "approxTopK: reductionInputSizeOverride is 10, must be at least the 300 entries of this shard",
        "approxTopK: lowering 'fast' is none of auto, exact, custom-call, partial-reduce",
        "approxTopK: scores must be of a float type, got i32[4,300]",
      ]
    `)
  })
})
