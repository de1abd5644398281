import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { concatenate, stack } from '../../src/ops/concatenate.ts'
import { iota } from '../../src/ops/iota.ts'
import { expandDims, reshape, squeeze } from '../../src/ops/reshape.ts'
import { reverse } from '../../src/ops/reverse.ts'
import { transpose } from '../../src/ops/transpose.ts'
import { build, counting, read, shapes } from '../support/arrays.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)

describe('reshape', () => {
  test('keeps the row-major order', () => {
    expect(runOp((x) => reshape(x, [3, 2]), counting([2, 3])).toNested()).toEqual([[1, 2], [3, 4], [5, 6]])
  })
  test('one size may be left open', () => {
    expect(runOp((x) => reshape(x, [-1, 2]), counting([2, 3])).shape).toEqual([3, 2])
    expect(runOp((x) => reshape(x, [-1]), counting([])).shape).toEqual([1])
    expect(runOp((x) => reshape(x, [2, -1]), counting([0, 3])).shape).toEqual([2, 0])
  })
  test('expandDims and squeeze are inverse', () => {
    expect(runOp((x) => expandDims(x, 1), counting([2, 3])).shape).toEqual([2, 1, 3])
    expect(runOp((x) => expandDims(x, -1), counting([2, 3])).shape).toEqual([2, 3, 1])
    expect(runOp((x) => expandDims(x, [0, 2]), counting([2, 3])).shape).toEqual([1, 2, 1, 3])
    expect(runOp((x) => squeeze(x), counting([1, 2, 1, 3])).shape).toEqual([2, 3])
    expect(runOp((x) => squeeze(x, -2), counting([1, 2, 1, 3])).shape).toEqual([1, 2, 3])
  })
  test('complex numbers and booleans', () => {
    const complex = new HostArray(tensorType('c64', [2]), Float32Array.of(1, 2, 3, 4))
    expect(runOp((x) => reshape(x, [2, 1]), complex).toNested()).toEqual([[[1, 2]], [[3, 4]]])
    expect(runOp((x) => reshape(x, [1, 2]), HostArray.from('bool', [true, false])).toNested()).toEqual([[true, false]])
  })
  test('errors', () => {
    expect(traceError((x) => reshape(x, [4, 2]), f32(2, 3))).toMatchInlineSnapshot(`"reshape: number of output elements (8) doesn't match expected number of elements (6): tensor<2x3xf32> and tensor<4x2xf32> [reshape_c2]"`)
    expect(traceError((x) => reshape(x, [4, -1]), f32(2, 3))).toMatchInlineSnapshot(`"reshape: cannot make [4,-1] of f32[2,3] with 6 elements [reshape_c2]"`)
    expect(traceError((x) => squeeze(x, 1), f32(1, 3))).toMatchInlineSnapshot(`"reshape: cannot squeeze axis 1 of f32[1,3]: its size is 3, not 1"`)
    expect(traceError((x) => expandDims(x, 4), f32(1, 3))).toMatchInlineSnapshot(`"reshape: axis 4 is out of range for rank 3"`)
    expect(traceError((x) => expandDims(x, [0, 0]), f32(1, 3))).toMatchInlineSnapshot(`"reshape: axes [0,0] name an axis twice"`)
  })
})

describe('transpose', () => {
  test('reverses the axes by default', () => {
    expect(runOp((x) => transpose(x), counting([2, 3])).toNested()).toEqual([[1, 4], [2, 5], [3, 6]])
  })
  test('agrees with reading index by index', () => {
    const cases = shapes().chain((shape) => fc.tuple(fc.constant(shape), fc.shuffledSubarray(shape.map((_, i) => i), { minLength: shape.length })))
    fc.assert(fc.property(cases, ([shape, permutation]) => {
      const x = counting(shape)
      const expected = build('f32', permutation.map((axis) => shape[axis]), (index) => read(x, permutation.map((_, axis) => index[permutation.indexOf(axis)])))
      expect(runOp((t) => transpose(t, permutation), x)).toEqual(expected)
    }))
  })
  test('errors', () => {
    expect(traceError((x) => transpose(x, [0]), f32(2, 3))).toMatchInlineSnapshot(`"transpose: TransposeOp operand rank 2 does not match permutation size 1 [transpose_c2]"`)
    expect(traceError((x) => transpose(x, [1, 1]), f32(2, 3))).toMatchInlineSnapshot(`"transpose: attribute permutation must be a permutation of [0, 1] but got 1, 1 [transpose_c2]"`)
  })
})

describe('reverse', () => {
  test('agrees with reading index by index', () => {
    const cases = shapes().chain((shape) => fc.tuple(fc.constant(shape), fc.subarray(shape.map((_, i) => i))))
    fc.assert(fc.property(cases, ([shape, axes]) => {
      const x = counting(shape)
      const expected = build('f32', shape, (index) => read(x, index.map((i, axis) => (axes.includes(axis) ? shape[axis] - 1 - i : i))))
      expect(runOp((t) => reverse(t, axes), x)).toEqual(expected)
    }))
  })
  test('errors', () => {
    expect(traceError((x) => reverse(x, 2), f32(2, 3))).toMatchInlineSnapshot(`"reverse: axis 2 is out of range for rank 2"`)
    expect(traceError((x) => reverse(x, [1, -1]), f32(2, 3))).toMatchInlineSnapshot(`"reverse: axes [1,-1] name an axis twice"`)
  })
})

describe('iota', () => {
  test('counts along its axis', () => {
    expect(runOp(() => iota(tensorType('i32', [2, 3]), 1)).toNested()).toEqual([[0, 1, 2], [0, 1, 2]])
    expect(runOp(() => iota(tensorType('i64', [2, 3]), -2)).toNested()).toEqual([[0n, 0n, 0n], [1n, 1n, 1n]])
    expect(runOp(() => iota(f32(0, 3), 1)).shape).toEqual([0, 3])
  })
  test('wraps and rounds as the type does', () => {
    expect(runOp(() => iota(tensorType('u2', [6]), 0)).toNested()).toEqual([0, 1, 2, 3, 0, 1])
    expect(runOp(() => iota(tensorType('bf16', [260]), 0)).data[259]).toBe(260)
    expect(runOp(() => iota(tensorType('c64', [2]), 0)).toNested()).toEqual([[0, 0], [1, 0]])
  })
  test('errors', () => {
    expect(traceError(() => iota(f32(2), 1))).toMatchInlineSnapshot(`"iota: axis 1 is out of range for rank 1"`)
    expect(traceError(() => iota(tensorType('bool', [2]), 0))).toMatchInlineSnapshot(`"iota: cannot count in bool[2]: the element type must be a number [iota_o1]"`)
  })
})

describe('concatenate', () => {
  test('agrees with reading index by index', () => {
    const cases = shapes({ min: 1, max: 3 }).chain((shape) =>
      fc.tuple(fc.constant(shape), fc.nat({ max: shape.length - 1 }), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 })))
    fc.assert(fc.property(cases, ([shape, axis, sizes]) => {
      const parts = sizes.map((size) => counting(shape.with(axis, size)))
      const total = sizes.reduce((a, b) => a + b, 0)
      const expected = build('f32', shape.with(axis, total), (index) => {
        let [at, part] = [index[axis], 0]
        while (at >= sizes[part]) at -= sizes[part++]
        return read(parts[part], index.with(axis, at))
      })
      expect(runOp((...tensors) => concatenate(tensors, axis), ...parts)).toEqual(expected)
    }))
  })
  test('stack makes a new axis', () => {
    expect(runOp((a, b) => stack([a, b], -1), counting([2]), counting([2])).toNested()).toEqual([[1, 1], [2, 2]])
  })
  test('errors', () => {
    expect(traceError((a, b) => concatenate([a, b], 0), f32(2, 3), f32(2, 4))).toMatchInlineSnapshot(`"concatenate: shapes of operand (0) and (1) are not compatible at non-concat index 1: (2, 3) != (2, 4); only axis 0 may differ [concatenate_c2]"`)
    expect(traceError((a, b) => concatenate([a, b], 0), f32(2, 3), f32(2))).toMatchInlineSnapshot(`"concatenate: inputs differ in rank: (f32[2,3], f32[2]) [concatenate_c2]"`)
    expect(traceError((a, b) => concatenate([a, b], 0), f32(2), tensorType('i32', [2]))).toMatchInlineSnapshot(`"concatenate: inputs differ in element type: (f32[2], i32[2]) [concatenate_c1]"`)
    expect(traceError((a) => concatenate([a], 0), f32())).toMatchInlineSnapshot(`"concatenate: axis 0 is out of range for rank 0"`)
    expect(traceError(() => concatenate([], 0))).toMatchInlineSnapshot(`"concatenate: needs at least one tensor [concatenate_c3]"`)
  })
})
