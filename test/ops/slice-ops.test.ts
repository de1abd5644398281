import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { dynamicSlice, dynamicUpdateSlice } from '../../src/ops/dynamic-slice.ts'
import { pad, slice, sliceAxis } from '../../src/ops/slice-pad.ts'
import { build, counting, read, shapes } from '../support/arrays.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)
const index = (i: number) => HostArray.of('i32', [], [i])

describe('slice', () => {
  test('agrees with reading index by index', () => {
    const cases = shapes().chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.tuple(...shape.map((size) => fc.nat({ max: size }).chain((start) => fc.tuple(fc.constant(start), fc.integer({ min: start, max: size }), fc.integer({ min: 1, max: 3 }))))),
      ))
    fc.assert(fc.property(cases, ([shape, ranges]) => {
      const x = counting(shape)
      const [starts, limits, strides] = [0, 1, 2].map((i) => ranges.map((range) => range[i]))
      const sizes = ranges.map(([start, limit, stride]) => Math.ceil((limit - start) / stride))
      const expected = build('f32', sizes, (at) => read(x, at.map((i, axis) => starts[axis] + i * strides[axis])))
      expect(runOp((t) => slice(t, starts, limits, strides), x)).toEqual(expected)
    }))
  })
  test('one axis', () => {
    expect(runOp((x) => sliceAxis(x, -1, 1, 4, 2), counting([2, 4])).toNested()).toEqual([[2, 4], [6, 8]])
  })
  test('errors', () => {
    expect(traceError((x) => slice(x, [0], [1]), f32(2, 3))).toMatchInlineSnapshot(`"slice: the number of elements in start_indices (1) does not match the rank of the operand (2) [slice_c2]"`)
    expect(traceError((x) => slice(x, [0, -1], [1, 2]), f32(2, 3))).toMatchInlineSnapshot(`"slice: negative start index -1 in dimension 1 [slice_c3]"`)
    expect(traceError((x) => slice(x, [0, 0], [1, 4]), f32(2, 3))).toMatchInlineSnapshot(`"slice: limit index 4 is larger than dimension size 3 in dimension 1 of operand f32[2,3] [slice_c3]"`)
    expect(traceError((x) => slice(x, [0, 2], [1, 1]), f32(2, 3))).toMatchInlineSnapshot(`"slice: start index 2 is larger than limit index 1 in dimension 1 [slice_c3]"`)
    expect(traceError((x) => slice(x, [0, 0], [1, 1], [1, 0]), f32(2, 3))).toMatchInlineSnapshot(`"slice: stride must be positive but got 0 in dimension 1 [slice_c4]"`)
    expect(traceError((x) => sliceAxis(x, 2, 0, 1), f32(2, 3))).toMatchInlineSnapshot(`"slice: axis 2 is out of range for rank 2"`)
  })
})

describe('pad', () => {
  test('the example of the specification', () => {
    expect(runOp((x, v) => pad(x, v, [0, 1], [2, 1], [1, 2]), counting([2, 3]), HostArray.of('f32', [], [0])).toNested()).toEqual([
      [0, 1, 0, 0, 2, 0, 0, 3, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 4, 0, 0, 5, 0, 0, 6, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ])
  })
  test('agrees with the definition, negative padding included', () => {
    const edge = fc.integer({ min: -3, max: 3 })
    const cases = shapes({ min: 0, max: 3 }).chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(() => fc.tuple(edge, edge, fc.nat({ max: 2 }))))))
    fc.assert(fc.property(cases, ([shape, paddings]) => {
      const sizes = shape.map((size, axis) => size + Math.max(size - 1, 0) * paddings[axis][2] + paddings[axis][0] + paddings[axis][1])
      fc.pre(sizes.every((size) => size >= 0))
      const x = counting(shape)
      const expected = build('f32', sizes, (at) => {
        const source = at.map((i, axis) => (i - paddings[axis][0]) / (paddings[axis][2] + 1))
        return source.every((i, axis) => Number.isInteger(i) && i >= 0 && i < shape[axis]) ? read(x, source) : -7
      })
      const [low, high, interior] = [0, 1, 2].map((i) => paddings.map((padding) => padding[i]))
      expect(runOp((t) => pad(t, -7, low, high, interior), x)).toEqual(expected)
    }))
  })
  test('complex numbers and booleans', () => {
    const complex = new HostArray(tensorType('c64', [1]), Float32Array.of(1, 2))
    const value = new HostArray(tensorType('c64', []), Float32Array.of(3, 4))
    expect(runOp((x, v) => pad(x, v, [1], [0]), complex, value).toNested()).toEqual([[3, 4], [1, 2]])
    expect(runOp((x) => pad(x, true, [0], [1]), HostArray.from('bool', [false])).toNested()).toEqual([false, true])
  })
  test('errors', () => {
    expect(traceError((x) => pad(x, 0, [0], [0]), f32(2, 3))).toMatchInlineSnapshot(`"pad: edge_padding_low length (1) must match operand rank (2) [pad_c2]"`)
    expect(traceError((x) => pad(x, 0, [0, 0], [0, 0], [0, -1]), f32(2, 3))).toMatchInlineSnapshot(`"pad: Interior padding cannot be negative: -1 in dimension 1 [pad_c3]"`)
    expect(traceError((x) => pad(x, 0, [0, -2], [0, -2]), f32(2, 3))).toMatchInlineSnapshot(`"pad: Padding result in negative size for dimension 1 of operand f32[2,3]: -1 [pad_c4]"`)
    expect(traceError((x, v) => pad(x, v, [0, 1], [0, 0]), f32(2, 3), f32(1))).toMatchInlineSnapshot(`"pad: padding_value f32[1] must have rank 0 [pad_i2]"`)
    expect(traceError((x, v) => pad(x, v, [0, 1], [0, 0]), f32(2, 3), i32())).toMatchInlineSnapshot(`"pad: operand f32[2,3], padding_value i32[] and the result differ in element type [pad_c1]"`)
  })
})

describe('dynamic_slice and dynamic_update_slice', () => {
  const cases = shapes().chain((shape) =>
    fc.tuple(fc.constant(shape), fc.tuple(...shape.map((size) => fc.tuple(fc.nat({ max: size }), fc.integer({ min: -6, max: 6 }))))))
  const clamped = (shape: readonly number[], boxes: readonly (readonly [number, number])[]) =>
    boxes.map(([size, start], axis) => Math.min(Math.max(start, 0), shape[axis] - size))

  test('a slice that reaches out is moved inside', () => {
    fc.assert(fc.property(cases, ([shape, boxes]) => {
      const x = counting(shape)
      const starts = clamped(shape, boxes)
      const sizes = boxes.map(([size]) => size)
      const expected = build('f32', sizes, (at) => read(x, at.map((i, axis) => i + starts[axis])))
      expect(runOp((t, ...at) => dynamicSlice(t, at, sizes), x, ...boxes.map(([, start]) => index(start)))).toEqual(expected)
    }))
  })
  test('an update that reaches out is moved inside', () => {
    fc.assert(fc.property(cases, ([shape, boxes]) => {
      const x = counting(shape)
      const starts = clamped(shape, boxes)
      const sizes = boxes.map(([size]) => size)
      const update = build('f32', sizes, (at) => -1 - at.reduce((a, b) => a + b, 0))
      const expected = build('f32', shape, (at) => {
        const inner = at.map((i, axis) => i - starts[axis])
        return inner.every((i, axis) => i >= 0 && i < sizes[axis]) ? read(update, inner) : read(x, at)
      })
      expect(runOp((t, u, ...at) => dynamicUpdateSlice(t, u, at), x, update, ...boxes.map(([, start]) => index(start)))).toEqual(expected)
    }))
  })
  test('start indices may be numbers, and of any integer type', () => {
    expect(runOp((x, i) => dynamicSlice(x, [i, 1], [1, 2]), counting([2, 3]), HostArray.of('i64', [], [-5])).toNested()).toEqual([[2, 3]])
    expect(runOp((x) => dynamicUpdateSlice(x, sliceAxis(x, 0, 0, 1), [1, 0]), counting([2, 2])).toNested()).toEqual([[1, 2], [1, 2]])
  })
  test('errors', () => {
    expect(traceError((x) => dynamicSlice(x, [0], [1, 1]), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_slice: expects number of start_indices to match operand rank: 1 vs 2. [dynamic_slice_c2]"`)
    expect(traceError((x) => dynamicSlice(x, [0, 0], [1]), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_slice: slice_sizes [1] has 1 entries, operand f32[2,3] has rank 2 [dynamic_slice_c2]"`)
    expect(traceError((x) => dynamicSlice(x, [0, 0], [1, 4]), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_slice: has slice size 4 greater than dimension size 3 in dimension 1 of operand f32[2,3] [dynamic_slice_c4]"`)
    expect(traceError((x) => dynamicSlice(x, [0, 0], [1, -1]), f32(2, 3))).toMatchInlineSnapshot(`"dynamic_slice: has negative size index to dynamic slice: -1, at dimension 1 [dynamic_slice_c4]"`)
    expect(traceError((x, i, j) => dynamicSlice(x, [i, j], [1, 1]), f32(2, 3), i32(), tensorType('i64', []))).toMatchInlineSnapshot(`"dynamic_slice: start indices must have same element type, got (i32[], i64[]) [dynamic_slice_c3]"`)
    expect(traceError((x, i) => dynamicSlice(x, [i], [1]), f32(2), f32())).toMatchInlineSnapshot(`"dynamic_slice: start indices must be integers of rank 0, got (f32[]) [dynamic_slice_i2]"`)
    expect(traceError((x, u) => dynamicUpdateSlice(x, u, [0]), f32(2), i32(1))).toMatchInlineSnapshot(`"dynamic_update_slice: operand f32[2] and update i32[1] differ in element type [dynamic_update_slice_c2]"`)
    expect(traceError((x, u) => dynamicUpdateSlice(x, u, [0]), f32(2), f32())).toMatchInlineSnapshot(`"dynamic_update_slice: operand f32[2] and update f32[] differ in rank [dynamic_update_slice_c3]"`)
    expect(traceError((x, u) => dynamicUpdateSlice(x, u, [0]), f32(2), f32(3))).toMatchInlineSnapshot(`"dynamic_update_slice: update f32[3] is larger than operand f32[2] at axis 0 [dynamic_update_slice_c6]"`)
    expect(traceError((x, u) => dynamicUpdateSlice(x, u, [0, 0]), f32(2), f32(1))).toMatchInlineSnapshot(`"dynamic_update_slice: expects number of start_indices to match operand rank: 2 vs 1. [dynamic_update_slice_c4]"`)
  })
})
