import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DType, dtypeNames, dtypes, integerRange, isInteger } from '../../src/ir/dtypes.ts'
import { f32FromBits } from '../../src/ir/float-bits.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { bitcastConvert, convert, reducePrecision } from '../../src/ops/convert.ts'
import { runOp, traceError } from '../support/run-ops.ts'

const to = (dtype: DType, array: HostArray) => runOp((x) => convert(x, dtype), array).toNested()
const f32 = (...values: number[]) => HostArray.from('f32', values)
const f64 = (...values: number[]) => HostArray.from('f64', values)
const nan = NaN
const inf = Infinity

describe('convert', () => {
  test('floats to integers: truncated, limited to the range, NaN is 0', () => {
    expect(to('i32', f32(nan, inf, -inf, 3e9, -3e9, -1.7, 1.9, -0.5))).toEqual([0, 2147483647, -2147483648, 2147483647, -2147483648, -1, 1, 0])
    expect(to('u8', f32(nan, inf, -inf, 300, -3, 255.9, 1.9, -0.5))).toEqual([0, 255, 0, 255, 0, 255, 1, 0])
    expect(to('i8', f32(nan, inf, -inf, 300, -300, 127.9, 1.9))).toEqual([0, 127, -128, 127, -128, 127, 1])
    expect(to('i4', f64(8, -9, 7.9, 100, -1))).toEqual([7, -8, 7, 7, -1])
    expect(to('u64', f64(nan, inf, -inf, 1.9e19, -3, 2 ** 63))).toEqual([0n, 2n ** 64n - 1n, 0n, 2n ** 64n - 1n, 0n, 2n ** 63n])
    expect(to('i64', f64(2 ** 63, -(2 ** 63), -1.5))).toEqual([2n ** 63n - 1n, -(2n ** 63n), -1n])
  })
  test('no elements at all', () => {
    for (const dtype of ['f32', 'f64', 'c64', 'bf16'] as const) expect(to(dtype, HostArray.zeros('u64', [0, 2]))).toEqual([])
  })
  test('integers wrap around', () => {
    expect(to('u8', HostArray.from('i32', [-1, 300, 256]))).toEqual([255, 44, 0])
    expect(to('i4', HostArray.from('i32', [-1, 9, 256]))).toEqual([-1, -7, 0])
    expect(to('i8', HostArray.from('u8', [255, 128, 1]))).toEqual([-1, -128, 1])
    expect(to('u64', HostArray.from('i8', [-1]))).toEqual([2n ** 64n - 1n])
    expect(to('i16', HostArray.from('i64', [2n ** 40n + 5n, -3n]))).toEqual([5, -3])
    expect(to('u32', HostArray.from('i64', [-1n]))).toEqual([2 ** 32 - 1])
  })
  test('bool', () => {
    expect(to('bool', f32(nan, 0, -0, 0.5, -3))).toEqual([true, false, false, true, true])
    expect(to('bool', HostArray.from('i64', [0n, 256n]))).toEqual([false, true])
    expect(to('f16', HostArray.from('bool', [true, false]))).toEqual([1, 0])
    expect(to('i64', HostArray.from('bool', [true, false]))).toEqual([1n, 0n])
  })
  test('rounding happens once', () => {
    // 33095681 lies just above the middle of two bf16 values; as f32 it would be the middle itself.
    expect(to('bf16', HostArray.from('i32', [33095681]))).toEqual([33161216])
    expect(to('bf16', f64(1.00390625000001, 1.00390625))).toEqual([1.0078125, 1])
    expect(to('f32', HostArray.from('i64', [2n ** 60n + 2n ** 36n + 1n, 2n ** 60n + 2n ** 36n, -(2n ** 60n + 2n ** 36n + 1n)])))
      .toEqual([2 ** 60 + 2 ** 37, 2 ** 60, -(2 ** 60 + 2 ** 37)])
    expect(to('f16', HostArray.from('i32', [2147483647, 65519, 65520, 2049]))).toEqual([inf, 65504, inf, 2048])
    expect(to('f8E4M3FN', HostArray.from('i32', [500, 464, 448, 17, 465]))).toEqual([nan, 448, 448, 16, nan])
    expect(to('f32', f64(1e300, -1e-300, 16777217))).toEqual([inf, -0, 16777216])
  })
  test('complex numbers', () => {
    const complex = new HostArray(tensorType('c128', [2]), Float64Array.of(2.5, 1, 0, 1))
    expect(to('i32', complex)).toEqual([2, 0])
    expect(to('bool', complex)).toEqual([true, false])
    expect(to('f32', complex)).toEqual([2.5, 0])
    expect(to('c64', complex)).toEqual([[2.5, 1], [0, 1]])
    expect(to('c64', HostArray.from('i64', [3n]))).toEqual([[3, 0]])
    expect(to('c64', HostArray.from('bool', [true]))).toEqual([[1, 0]])
  })
  test('from every type to every type: a value that both have stays the same', () => {
    const types = dtypeNames.filter((dtype) => dtype !== 'index')
    for (const from of types)
      for (const type of types) {
        const one = runOp((x) => convert(x, from), HostArray.from('i32', [1]))
        expect({ from, type, value: to(type, one) }).toEqual({ from, type, value: to(type, HostArray.from('i32', [1])) })
      }
  })
  test('an integer that fits comes back from any wider type', () => {
    const integers = dtypeNames.filter((dtype) => isInteger(dtype) && dtype !== 'index')
    const cases = fc.constantFrom(...integers).chain((dtype) => {
      const { min, max } = integerRange(dtype)
      return fc.tuple(fc.constant(dtype), fc.bigInt({ min, max }))
    })
    fc.assert(fc.property(cases, ([dtype, value]) => {
      const start = HostArray.of(dtype, [1], [value])
      const { bits } = dtypes[dtype]
      for (const wide of ['i64', 'u64', ...(bits <= 53 ? (['f64'] as const) : []), ...(bits <= 24 ? (['f32'] as const) : [])] as const)
        expect(runOp((x) => convert(convert(x, wide === 'u64' && dtype[0] === 'i' ? 'i64' : wide), dtype), start)).toEqual(start)
    }))
  })
})

describe('bitcast_convert', () => {
  const bits = (dtype: DType, array: HostArray) => runOp((x) => bitcastConvert(x, dtype), array)
  test('same width', () => {
    expect(bits('i32', f32(1, -0)).toNested()).toEqual([0x3f800000, -(2 ** 31)])
    expect(bits('u16', HostArray.from('bf16', [1, -2])).toNested()).toEqual([0x3f80, 0xc000])
    expect(bits('i8', HostArray.from('f8E4M3FN', [1])).toNested()).toEqual([0x38])
    expect(bits('u4', HostArray.from('i4', [-1, 7])).toNested()).toEqual([15, 7])
    expect(bits('i4', HostArray.from('f4E2M1FN', [6, -1])).toNested()).toEqual([7, -6])
  })
  test('other widths: low bits first', () => {
    expect(bits('u8', HostArray.from('u32', [0x04030201])).toNested()).toEqual([[1, 2, 3, 4]])
    expect(bits('u32', HostArray.from('u8', [[1, 2, 3, 4]])).toNested()).toEqual([0x04030201])
    expect(bits('u4', HostArray.from('u8', [0x21])).toNested()).toEqual([[1, 2]])
    expect(bits('i8', HostArray.from('i4', [[-1, 1]])).toNested()).toEqual([0x1f])
    expect(bits('bool', HostArray.from('u8', [5])).toNested()).toEqual([[true, false, true, false, false, false, false, false]])
    expect(bits('c128', new HostArray(tensorType('c64', [2]), Float32Array.of(1, 2, 3, 4))).shape).toEqual([])
  })
  test('there and back is the identity', () => {
    const narrower: Partial<Record<DType, readonly DType[]>> = {
      f64: ['u64', 'f32', 'i16', 'i8', 'u4', 'u2', 'bool'],
      i64: ['f64', 'u32', 'bf16', 'i4'],
      f32: ['i32', 'f16', 'u8', 'i2', 'bool'],
      u16: ['f16', 'bf16', 'i8', 'f8E5M2', 'bool'],
    }
    for (const [wide, list] of Object.entries(narrower) as [DType, DType[]][])
      for (const narrow of list) {
        const x = HostArray.of(wide, [3], wide[0] === 'f' ? [1.5, -2.25, 0] : wide[0] === 'i' ? [1n, 77n, 4660n] : [1, 777, 4660])
        const back = runOp((t) => bitcastConvert(bitcastConvert(t, narrow), wide), x)
        expect({ wide, narrow, back }).toEqual({ wide, narrow, back: x })
      }
  })
  test('errors', () => {
    expect(traceError((x) => bitcastConvert(x, 'f32', [2, 4]), tensorType('f64', [2]))).toMatchInlineSnapshot(`"bitcast_convert: requires compatible bit widths. Got: 'tensor<2xf64>' and 'tensor<2x4xf32>', but 32 * 4 != 64. [bitcast_convert_c1]"`)
    expect(traceError((x) => bitcastConvert(x, 'f64'), tensorType('f32', [3]))).toMatchInlineSnapshot(`"bitcast_convert: requires compatible bit widths. Got: 'tensor<3xf32>' and 'tensor<f64>', but 32 * 3 != 64. [bitcast_convert_c1]"`)
    expect(traceError((x) => bitcastConvert(x, 'c64'), tensorType('i64', [3]))).toMatchInlineSnapshot(`"bitcast_convert: cannot convert between real and complex types, but got: 'tensor<3xi64>' and 'tensor<3xcomplex<f32>>'. [bitcast_convert_c2]"`)
  })
})

describe('reduce_precision', () => {
  const reduce = (array: HostArray, e: number, m: number) => runOp((x) => reducePrecision(x, e, m), array).toNested()
  test('mantissa bits are rounded to even', () => {
    expect(reduce(f32(1.25, 1.75, 1.5, -1.125), 8, 1)).toEqual([1, 2, 1.5, -1])
  })
  test('too large becomes infinity, denormal becomes zero, infinities and NaNs stay', () => {
    expect(reduce(f32(65520, 65519, -1e10, 2 ** -15, -(2 ** -14), inf, nan), 5, 10)).toEqual([inf, 65504, -inf, 0, -(2 ** -14), inf, nan])
    expect(reduce(f32(-(2 ** -20)), 5, 10)).toEqual([-0])
    expect(reduce(HostArray.from('f16', [2 ** -24]), 5, 10)).toEqual([2 ** -24])
  })
  test('without a mantissa NaN becomes infinity', () => {
    expect(reduce(f32(nan, 3.5), 5, 0)).toEqual([inf, 4])
  })
  test('to the widths of bf16 it is rounding to bf16; to its own widths it changes nothing', () => {
    const floats = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(f32FromBits)
    fc.assert(fc.property(floats, (x) => {
      expect(reduce(f32(x), 8, 7)).toEqual(to('bf16', f32(x)))
      expect(reduce(f32(x), 8, 23)).toEqual([x])
      expect(reduce(f64(x), 11, 52)).toEqual([x])
    }))
  })
  test('to the widths of f16 it is rounding to f16 where that is normal', () => {
    const floats = fc.double({ noNaN: true, min: -70000, max: 70000 }).filter((x) => Math.abs(x) >= 2 ** -13)
    fc.assert(fc.property(floats, (x) => {
      expect(reduce(f64(x), 5, 10)).toEqual(to('f16', f64(x)))
    }))
  })
  test('errors', () => {
    expect(traceError((x) => reducePrecision(x, 0, 3), tensorType('f32', []))).toMatchInlineSnapshot(`"reduce_precision: exponent_bits is 0, must be at least 1 [reduce_precision_c2]"`)
    expect(traceError((x) => reducePrecision(x, 3, -1), tensorType('f32', []))).toMatchInlineSnapshot(`"reduce_precision: attribute 'mantissa_bits' failed to satisfy constraint: 32-bit signless integer attribute whose value is non-negative, got -1 [reduce_precision_c3]"`)
    expect(traceError((x) => reducePrecision(x, 3, 1), tensorType('i32', []))).toMatchInlineSnapshot(`"reduce_precision: operand i32[] must be of a float type [reduce_precision_i1]"`)
  })
})
