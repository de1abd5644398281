import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { oneHot } from '../../src/lib/one-hot.ts'
import { arange, causalMask, lowerTriangle, upperTriangle } from '../../src/lib/ranges.ts'
import { flip, moveAxis, repeat, repeatNewAxis, roll, sliceRanges, split, swapAxes, tile } from '../../src/lib/rearrange.ts'
import { bool, bf16, f32, i32, typeOf } from '../../src/lib/type-constructors.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import { counting } from '../support/arrays.ts'
import { checkGradient } from '../support/gradient-check.ts'
import { traceError } from '../support/run-ops.ts'
import { randomArray } from './random-array.ts'

const x = counting([2, 3], 'i32')
const run = (fn: (t: Tensor) => Tensor, input: HostArray = x) => evaluate(fn, input).toNested()

describe('rearranging', () => {
  it('cuts an axis', () => {
    expect(evaluate((t: Tensor) => split(t, 3, 1), x).map((part) => part.toNested())).toEqual([[[1], [4]], [[2], [5]], [[3], [6]]])
    expect(evaluate((t: Tensor) => split(t, [1, 2], -1), x).map((part) => part.toNested())).toEqual([[[1], [4]], [[2, 3], [5, 6]]])
  })

  it('repeats as a whole or element by element', () => {
    expect(run((t) => tile(t, [2, 2]))).toEqual([[1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6], [1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]])
    expect(run((t) => repeat(t, 2, 1))).toEqual([[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]])
    expect(run((t) => repeat(t, 2))).toEqual([[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6]])
    expect(run((t) => repeatNewAxis(t, 2, 1))).toEqual([[[1, 2, 3], [1, 2, 3]], [[4, 5, 6], [4, 5, 6]]])
  })

  it('moves elements and axes', () => {
    expect(run((t) => roll(t, 1, 1))).toEqual([[3, 1, 2], [6, 4, 5]])
    expect(run((t) => roll(t, -4, 1))).toEqual([[2, 3, 1], [5, 6, 4]])
    expect(run((t) => roll(t, 6, 1))).toEqual([[1, 2, 3], [4, 5, 6]])
    expect(run((t) => flip(t))).toEqual([[6, 5, 4], [3, 2, 1]])
    expect(run((t) => flip(t, 0))).toEqual([[4, 5, 6], [1, 2, 3]])
    expect(run((t) => swapAxes(t, 0, -1))).toEqual([[1, 4], [2, 5], [3, 6]])
    expect(evaluate((t: Tensor) => moveAxis(t, 0, 2), counting([2, 3, 4])).shape).toEqual([3, 4, 2])
    expect(evaluate((t: Tensor) => moveAxis(t, -1, 0), counting([2, 3, 4])).shape).toEqual([4, 2, 3])
  })

  it('slices by ranges, positions and null', () => {
    expect(run((t) => sliceRanges(t, null, [1, null]))).toEqual([[2, 3], [5, 6]])
    expect(run((t) => sliceRanges(t, -1, [0, -1]))).toEqual([4, 5])
    expect(run((t) => sliceRanges(t, [0, 2], [0, 3, 2]))).toEqual([[1, 3], [4, 6]])
    expect(run((t) => sliceRanges(t, 1, 2))).toBe(6)
    expect(evaluate((t: Tensor) => sliceRanges(t, [2, 1]), x).shape).toEqual([0, 3])
  })

  it('has gradients', () => {
    const input = randomArray([2, 3])
    for (const build of [
      (t: Tensor) => split(t, 3, 1), (t: Tensor) => tile(t, [2, 1]), (t: Tensor) => repeat(t, 3, 1), (t: Tensor) => roll(t, 2, 1), (t: Tensor) => flip(t),
      (t: Tensor) => sliceRanges(t, 1, [0, 3, 2]), (t: Tensor) => lowerTriangle(t), (t: Tensor) => upperTriangle(t, 1), (t: Tensor) => repeatNewAxis(t, 2),
    ]) checkGradient({ build, inputs: [input] })
  })

  it('says what does not fit', () => {
    const type = tensorType('f32', [2, 3])
    expect([
      traceError((t) => split(t, 2, 1), type),
      traceError((t) => split(t, [1, 1], 1), type),
      traceError((t) => tile(t, [2]), type),
      traceError((t) => repeat(t, -1), type),
      traceError((t) => roll(t, 0.5), type),
      traceError((t) => sliceRanges(t, 2), type),
      traceError((t) => sliceRanges(t, null, [0, 4]), type),
      traceError((t) => sliceRanges(t, [0, 1, 0]), type),
      traceError((t) => sliceRanges(t, null, null, null), type),
    ]).toMatchInlineSnapshot(`
      [
        "split: axis 1 of f32[2,3] does not divide into 2 equal parts",
        "split: sizes [1,1] add up to 2, axis 1 of f32[2,3] is 3",
        "tile: counts [2] has 1 entries, f32[2,3] has rank 2",
        "repeat: count -1 must be an integer of 0 or more",
        "roll: shift 0.5 must be an integer",
        "slice: position 2 at axis 0 is outside f32[2,3]",
        "slice: position 4 at axis 1 is outside f32[2,3]",
        "slice: step 0 at axis 0 must be an integer of 1 or more",
        "slice: got 3 ranges, f32[2,3] has rank 2",
      ]
    `)
  })
})

describe('positions and masks', () => {
  it('counts', () => {
    expect(evaluate(() => arange(4)).toNested()).toEqual([0, 1, 2, 3])
    expect(evaluate(() => arange(3, { start: 1, step: -0.5, dtype: 'f32' })).toNested()).toEqual([1, 0.5, 0])
    expect(traceError(() => arange(-1))).toMatchInlineSnapshot(`"arange: count -1 must be an integer of 0 or more"`)
  })

  it('hides the keys after a query, with the queries last', () => {
    expect(evaluate(() => causalMask(2, 4)).toNested()).toEqual([[true, true, true, false], [true, true, true, true]])
    expect(evaluate(() => causalMask(2)).toNested()).toEqual([[true, false], [true, true]])
    expect(evaluate(() => causalMask(2, 2, -1)).toNested()).toEqual([[false, false], [true, false]])
  })

  it('keeps triangles', () => {
    expect(run((t) => lowerTriangle(t))).toEqual([[1, 0, 0], [4, 5, 0]])
    expect(run((t) => upperTriangle(t, 1))).toEqual([[0, 2, 3], [0, 0, 6]])
    expect(run((t) => lowerTriangle(t), counting([2, 2, 2], 'i32'))).toEqual([[[1, 0], [3, 4]], [[5, 0], [7, 8]]])
  })

  it('makes one-hot vectors, of nothing where an index is out of range', () => {
    const indices = HostArray.from('i32', [2, 0, 7, -1])
    expect(run((t) => oneHot(t, 3), indices)).toEqual([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    const wide = evaluate((t: Tensor) => oneHot(t, 3, { axis: 0, dtype: 'bool' }), indices)
    expect([wide.dtype, wide.toNested()]).toEqual(['bool', [[false, true, false, false], [false, false, false, false], [true, false, false, false]]])
    expect(traceError((t) => oneHot(t, 3), tensorType('f32', [2]))).toMatchInlineSnapshot(`"oneHot: indices must be integers, got f32[2]"`)
  })
})

describe('type constructors', () => {
  it('make types', () => {
    expect(f32(8, 512)).toEqual(tensorType('f32', [8, 512]))
    expect([i32(), bool(3), bf16(0, 2)]).toEqual([tensorType('i32', []), tensorType('bool', [3]), tensorType('bf16', [0, 2])])
    expect(typeOf('u8', [4])).toEqual(tensorType('u8', [4]))
  })
  it('refuse sizes that cannot be', () => {
    const message = (make: () => unknown) => {
      try {
        return make()
      } catch (error) {
        return (error as Error).message
      }
    }
    expect([() => f32(2, -1), () => f32(1.5), () => i32(NaN), () => f32(2 ** 60)].map(message)).toMatchInlineSnapshot(`
      [
        "f32(2, -1): size -1 of axis 1 must be an integer of 0 or more",
        "f32(1.5): size 1.5 of axis 0 must be an integer of 0 or more",
        "i32(NaN): size NaN of axis 0 must be an integer of 0 or more",
        "f32(1152921504606847000): size 1152921504606847000 of axis 0 must be an integer of 0 or more",
      ]
    `)
  })
})
