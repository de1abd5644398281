import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { convolution } from '../../src/ops/convolution.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { counting, read, unravel } from '../support/arrays.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)

interface Form {
  readonly size: number
  readonly kernel: number
  readonly stride: number
  readonly low: number
  readonly high: number
  readonly lhsDilation: number
  readonly rhsDilation: number
  readonly reversed: boolean
  readonly featureGroups: number
  readonly batchGroups: number
}

/** What the specification's formula gives for `[b, 0, f]x[0, i, o]->[b, 0, f]`, element by element. */
function naive(lhs: HostArray, rhs: HostArray, form: Form, shape: readonly number[]): number[] {
  const outputsPerGroup = rhs.shape[2] / (form.featureGroups * form.batchGroups)
  return Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, flat) => {
    const [b, place, o] = unravel(flat, shape)
    const group = Math.floor(o / outputsPerGroup)
    let sum = 0
    for (let k = 0; k < form.kernel; k++) {
      const at = place * form.stride - form.low + k * form.rhsDilation
      if (at < 0 || at % form.lhsDilation || at / form.lhsDilation >= form.size) continue
      for (let i = 0; i < rhs.shape[1]; i++) {
        const feature = form.featureGroups > 1 ? group * rhs.shape[1] + i : i
        const batch = form.batchGroups > 1 ? group * shape[0] + b : b
        sum += read(lhs, [batch, at / form.lhsDilation, feature]) * read(rhs, [form.reversed ? form.kernel - 1 - k : k, i, o])
      }
    }
    return sum
  })
}

const forms = fc.record({
  size: fc.integer({ min: 1, max: 7 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  low: fc.integer({ min: -1, max: 3 }),
  high: fc.integer({ min: -1, max: 3 }),
  lhsDilation: fc.integer({ min: 1, max: 3 }),
  rhsDilation: fc.integer({ min: 1, max: 3 }),
  reversed: fc.boolean(),
  groups: fc.constantFrom([1, 1], [2, 1], [1, 2]),
})

describe('convolution', () => {
  it.each(['i32', 'f32'] as const)('is the formula of the specification, in %s', (dtype) => {
    fc.assert(
      fc.property(forms, ({ groups: [featureGroups, batchGroups], ...rest }) => {
        const form = { ...rest, featureGroups, batchGroups }
        const lhs = counting([4, form.size, 2 * featureGroups], dtype)
        const rhs = counting([form.kernel, 2, 2 * featureGroups * batchGroups], dtype)
        const result = runOp(
          (x, k) =>
            convolution(x, k, {
              strides: [form.stride],
              padding: [[form.low, form.high]],
              lhsDilation: [form.lhsDilation],
              rhsDilation: [form.rhsDilation],
              reversal: [form.reversed],
              featureGroups,
              batchGroups,
            }),
          lhs,
          rhs,
        )
        expect(result.shape[0]).toBe(4 / batchGroups)
        expect(Array.from(result.data as Float32Array)).toEqual(naive(lhs, rhs, form, result.shape))
      }),
      { numRuns: 150 },
    )
  })

  it('sums in a wider type where that is asked for, and wraps around where it is not', () => {
    const x = HostArray.of('i8', [1, 2, 1], [100, 100])
    const k = HostArray.of('i8', [2, 1, 1], [2, 2])
    expect(runOp((a, b) => convolution(a, b), x, k).toNested()).toEqual([[[400 - 512]]])
    expect(runOp((a, b) => convolution(a, b, { outputDtype: 'i32' }), x, k).toNested()).toEqual([[[400]]])
  })

  it('prints as upstream does and reads that back', () => {
    const text = `module {
  func.func @main(%arg0: tensor<1x8x8x2xf32>, %arg1: tensor<3x3x2x4xf32>) -> tensor<1x8x8x4xf32> {
    %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 1], [1, 1]], reverse = [true, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]} : (tensor<1x8x8x2xf32>, tensor<3x3x2x4xf32>) -> tensor<1x8x8x4xf32>
    return %0 : tensor<1x8x8x4xf32>
  }
}`
    const line = (module: string) => module.split('\n').find((part) => part.includes('convolution'))
    expect(line(printModule(parseModule(text)))).toBe(line(text))
  })

  it('refuses what the specification refuses', () => {
    const error = (lhs: number[], rhs: number[], options: Parameters<typeof convolution>[2] = {}) => traceError((x, k) => convolution(x, k, options), f32(...lhs), f32(...rhs))
    expect(error([1, 4, 3], [2, 2, 5])).toMatchInlineSnapshot(`"convolution: expects input feature dimension (3) / feature_group_count = kernel input feature dimension (2). Got feature_group_count = 1. [convolution_c14]"`)
    expect(error([1, 4, 3], [2, 3, 5], { featureGroups: 2 })).toMatchInlineSnapshot(`"convolution: expects input feature dimension (3) to be a multiple of feature_group_count. Got feature_group_count = 2. [convolution_c11]"`)
    expect(error([3, 4, 3], [2, 3, 5], { batchGroups: 2 })).toMatchInlineSnapshot(`"convolution: expects input batch dimension (3) to be divisible by batch_group_count. Got batch_group_count = 2. [convolution_c10]"`)
    expect(error([1, 4, 3], [2, 3, 5], { strides: [1, 1] })).toMatchInlineSnapshot(`"convolution: expects window-strides to have same dimension-size as size of window dimensions (1), but got: 2. [convolution_c2]"`)
    expect(error([1, 4, 3], [2, 3, 5], { strides: [0] })).toMatchInlineSnapshot(`"convolution: expects window to have positive stride for 0-th window dimension, but got 0. [convolution_c3]"`)
    expect(error([1, 4, 3], [2, 3, 5], { dimensionNumbers: '[b, 0, f]x[0, i]->[b, 0, f]' })).toMatchInlineSnapshot(`"convolution: dimensionNumbers '[b, 0, f]x[0, i]->[b, 0, f]' are not of the form [b, 0, f]x[0, i, o]->[b, 0, f]"`)
    expect(error([1, 4, 3], [2, 3, 5], { featureGroups: 0 })).toMatchInlineSnapshot(`"convolution: attribute 'feature_group_count' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive, got 0 [convolution_c21]"`)
    expect(error([1, 4], [2, 3, 5])).toMatchInlineSnapshot(`"convolution: operands need the same rank of 2 or more: lhs f32[1,4], rhs f32[2,3,5]"`)
  })
})
