import { describe, expect, it } from 'vitest'
import { complexAcos, complexAcosh, complexAsin, complexAsinh, complexAtan, complexAtanh } from '../../src/host/complex-inverse.ts'
import { complexMultiply } from '../../src/host/complex.ts'
import type { DType } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { broadcasted } from '../../src/ops/chlo-broadcast.ts'
import * as chlo from '../../src/ops/chlo-math.ts'
import { raggedDot } from '../../src/ops/chlo-ragged-dot.ts'
import { chloScan } from '../../src/ops/chlo-scan.ts'
import { chloTopK } from '../../src/ops/chlo-top-k.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)

describe('functions of chlo', () => {
  it('next_after goes to the neighbour', () => {
    const next = (dtype: DType, x: number[], y: number[]) => Array.from(runOp((a, b) => chlo.nextAfter(a, b), HostArray.from(dtype, x), HostArray.from(dtype, y)).data as Float64Array)
    expect(next('f64', [0, 0, 1, 1, -1, 2], [1, -1, 2, 0, 0, 2])).toEqual([5e-324, -5e-324, 1 + 2 ** -52, 1 - 2 ** -53, -1 + 2 ** -53, 2])
    expect(next('f32', [1, 0, NaN, Infinity], [2, -5, 1, 0])).toEqual([1 + 2 ** -23, -(2 ** -149), NaN, 3.4028234663852886e38])
    expect(next('bf16', [1, -1], [2, -2])).toEqual([1 + 2 ** -7, -1 - 2 ** -7])
    expect(next('f16', [65504], [Infinity])).toEqual([Infinity])
  })

  it('mulhi is the upper half of a product', () => {
    const high = (dtype: DType, x: (number | bigint)[], y: (number | bigint)[]) => Array.from(runOp((a, b) => chlo.mulhi(a, b), HostArray.from(dtype, x), HostArray.from(dtype, y)).data as ArrayLike<number>)
    expect(high('u8', [240, 255], [16, 255])).toEqual([15, 254])
    expect(high('i8', [-128, -1], [-128, 1])).toEqual([64, -1])
    expect(high('u32', [2 ** 32 - 1], [2 ** 32 - 1])).toEqual([2 ** 32 - 2])
    expect(high('i64', [2n ** 62n, -(2n ** 63n)], [8n, 1n])).toEqual([2n, -1n])
  })

  it('inverse functions of complex numbers invert, on the right branch', () => {
    const out = new Float64Array(2)
    const sine = ([x, y]: number[]) => [Math.sin(x) * Math.cosh(y), Math.cos(x) * Math.sinh(y)]
    const cosine = ([x, y]: number[]) => [Math.cos(x) * Math.cosh(y), -Math.sin(x) * Math.sinh(y)]
    const times = ([a, b]: number[], c: number, d: number) => {
      complexMultiply(a, b, c, d, out)
      return [out[0], out[1]]
    }
    const inverse = (f: (re: number, im: number, out: Float64Array) => void, z: number[]) => {
      f(z[0], z[1], out)
      return [out[0], out[1]]
    }
    const close = (a: number[], b: number[]) => {
      const error = Math.hypot(a[0] - b[0], a[1] - b[1])
      expect(error, `${a} is not ${b}`).toBeLessThan(1e-13 * Math.max(1, Math.hypot(...b)))
    }
    for (const re of [-30, -1.5, -1, -0.4, 0, 1e-9, 0.99, 1, 2, 50])
      for (const im of [-20, -1, -0.3, 1e-8, 0.7, 1, 8]) {
        const z = [re, im]
        close(sine(inverse(complexAsin, z)), z)
        close(cosine(inverse(complexAcos, z)), z)
        // sinh z = -i sin(i z), cosh z = cos(i z)
        close(times(sine(times(inverse(complexAsinh, z), 0, 1)), 0, -1), z)
        close(cosine(times(inverse(complexAcosh, z), 0, 1)), z)
        expect(inverse(complexAcosh, z)[0]).toBeGreaterThanOrEqual(0)
        const atan = inverse(complexAtan, z)
        expect(Math.abs(atan[0])).toBeLessThanOrEqual(Math.PI / 2)
        // atanh z = -i atan(i z)
        close(inverse(complexAtanh, z), times(inverse(complexAtan, times(z, 0, 1)), 0, -1))
      }
    expect(inverse(complexAtanh, [1, 0])).toEqual([Infinity, 0])
    close(inverse(complexAsin, [1e200, 1e200]), [Math.PI / 4, Math.log(2 * Math.SQRT2) + 200 * Math.LN10])
  })

  it('are precise in f32 and keep NaN', () => {
    const x = HostArray.from('f32', [0.25, 4, NaN])
    const [lgamma, erf] = runOps((t) => [chlo.lgamma(t), chlo.chloErf(t)], x)
    expect(lgamma.toNested()).toEqual([Math.fround(1.2880225246980775), Math.fround(1.791759469228055), NaN])
    expect(erf.toNested()).toEqual([Math.fround(0.2763263901682369), 1, NaN])
  })
})

describe('top_k', () => {
  it('gives the largest, earlier ones of equals first, NaN before all', () => {
    const [values, indices] = runOps((x) => Object.values(chloTopK(x, 3)), HostArray.from('f32', [[1, 3, 3, -2], [0, NaN, Infinity, 5]]))
    expect(values.toNested()).toEqual([[3, 3, 1], [NaN, Infinity, 5]])
    expect(indices.toNested()).toEqual([[1, 2, 0], [1, 2, 3]])
  })
  it('refuses too many and rank 0', () => {
    expect(traceError((x) => chloTopK(x, 5), f32(2, 4))).toMatchInlineSnapshot(`"chlo.top_k: operand's last dimension must be at least 5, got f32[2,4]"`)
    expect(traceError((x) => chloTopK(x, 1), f32())).toMatchInlineSnapshot(`"chlo.top_k: operand's rank must be at least 1, got f32[]"`)
  })
})

describe('ragged_dot', () => {
  const rows = HostArray.from('f32', [[1, 2], [3, 4], [5, 6], [7, 8]])
  it('multiplies the rows of each group by the matrix of the group; rows in no group are zero', () => {
    const matrices = HostArray.from('f32', [[[1], [0]], [[0], [10]]])
    const run = (sizes: number[]) => runOp((x, m, s) => raggedDot(x, m, s, { contracting: [[1], [1]], ragged: 0, group: 0 }), rows, matrices, HostArray.from('i32', sizes)).toNested()
    expect(run([1, 2])).toEqual([[1], [40], [60], [0]])
    expect(run([0, 9])).toEqual([[20], [40], [60], [80]])
  })
  it('sums over each group where the contracted axis is cut', () => {
    const result = runOp((x, s) => raggedDot(x, x, s, { contracting: [[0], [0]], ragged: 0 }), rows, HostArray.from('i32', [1, 3]))
    expect(result.toNested()).toEqual([[[1, 2], [2, 4]], [[83, 98], [98, 116]]])
  })
  it('takes groups of batches, and sizes that differ from row to row', () => {
    const batches = HostArray.of('f32', [2, 2, 1], [1, 2, 3, 4])
    const byBatch = runOp((x, s) => raggedDot(x, x, s, { batching: [[0], [0]], contracting: [[2], [2]], ragged: 0 }), batches, HostArray.from('i32', [1, 0]))
    expect(byBatch.toNested()).toEqual([[[1, 2], [2, 4]], [[0, 0], [0, 0]]])
    const factors = HostArray.of('f32', [2, 2, 1, 1], [1, 1, 10, 10])
    const own = runOp((x, m, s) => raggedDot(x, m, s, { batching: [[0], [1]], contracting: [[2], [2]], ragged: 1, group: 0 }), batches, factors, HostArray.from('i32', [[2, 0], [1, 1]]))
    expect(own.toNested()).toEqual([[[1], [2]], [[3], [40]]])
  })
  it('refuses groups that do not fit', () => {
    const error = (options: Parameters<typeof raggedDot>[3], rhs: number[], sizes = [2]) => traceError((x, y, s) => raggedDot(x, y, s, options), f32(4, 2), f32(...rhs), i32(...sizes))
    expect(error({ contracting: [[1], [1]], ragged: 0, group: 0 }, [3, 2, 1])).toMatchInlineSnapshot(`"chlo.ragged_dot: rhs group dimension is expected to have size=2, got 3"`)
    expect(error({ contracting: [[1], [0]], ragged: 0 }, [2, 1])).toMatchInlineSnapshot(`"chlo.ragged_dot: There must be exactly one group dimension in the rhs when the lhs ragged dimension is non-contracting."`)
    expect(error({ contracting: [[1], [1]], ragged: 1, group: 0 }, [2, 2, 1])).toMatchInlineSnapshot(`"chlo.ragged_dot: There must be zero group dimensions in the rhs when the ragged dimension is batch or contracting."`)
  })
})

describe('scan', () => {
  it('carries along an axis, from either end', () => {
    const x = HostArray.from('f32', [[1, 2, 3], [10, 20, 30]])
    const run = (reverse: boolean) =>
      runOps((t, c) => chloScan([t], [c], 1, ([slice], [carry]) => {
        const sum = add(slice, carry)
        return [sum, sum]
      }, { reverse }), x, HostArray.from('f32', [0, 100])).map((array) => array.toNested())
    expect(run(false)).toEqual([[[1, 3, 6], [110, 130, 160]], [6, 160]])
    expect(run(true)).toEqual([[[6, 5, 3], [160, 150, 130]], [6, 160]])
  })
  it('refuses an axis that is not there and carries that change', () => {
    expect(traceError((x, c) => chloScan([x], [c], 2, () => [c]), f32(2, 3), f32(2))).toMatchInlineSnapshot(`"chlo.scan: scan dimension of operand 0 is out of bounds: 2 for rank 2"`)
    expect(traceError((x, c) => chloScan([x], [c], 0, ([slice]) => [slice, slice]), f32(2, 3), f32(2))).toMatchInlineSnapshot(`"chlo.scan: the body returns f32[3] for carry 0, whose initial value is f32[2]"`)
  })
})

describe('broadcasting ops', () => {
  it('align axes from the last, or as they are told', () => {
    const [a, b] = [HostArray.from('f32', [[1], [2]]), HostArray.from('f32', [10, 20])]
    expect(runOp((x, y) => broadcasted('add', x, y), a, b).toNested()).toEqual([[11, 21], [12, 22]])
    expect(runOp((x, y) => broadcasted('multiply', x, y, [0]), HostArray.from('f32', [[1, 1], [1, 1]]), b).toNested()).toEqual([[10, 10], [20, 20]])
  })
  it('refuse shapes and types that do not go together', () => {
    expect(traceError((x, y) => broadcasted('add', x, y), f32(2, 3), f32(2))).toMatchInlineSnapshot(`"chlo.broadcast_add: operands cannot be broadcast to one shape: (f32[2,3], f32[2]) differ at axis 1"`)
    expect(traceError((x, y) => broadcasted('add', x, y), f32(2), i32(2))).toMatchInlineSnapshot(`"chlo.broadcast_add: mismatched operand types: (f32[2], i32[2])"`)
    expect(traceError((x, y) => broadcasted('add', x, y, [3]), f32(2, 3), f32(3))).toMatchInlineSnapshot(`"chlo.broadcast_add: broadcast_dimensions [3] must be increasing axes of rank 2: (f32[2,3], f32[3])"`)
    expect(traceError((x, y) => broadcasted('nothing', x, y), f32(2), f32(2))).toMatchInlineSnapshot(`"'nothing' is no broadcasting op of two operands"`)
  })
})

describe('text', () => {
  it.each([
    '%values, %indices = chlo.top_k(%arg0, k = 2) : tensor<4xf32> -> (tensor<2xf32>, tensor<2xi32>)',
    '%0 = chlo.erf %arg0 : tensor<4xf32> -> tensor<4xf32>',
    '%0 = chlo.next_after %arg0, %arg0 : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32>',
    '%0 = chlo.broadcast_compare %arg0, %arg0 {comparison_direction = #chlo<comparison_direction EQ>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>',
    '%0 = stablehlo.fft %arg1, type = FFT, length = [4] : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>',
    '%0 = stablehlo.complex %arg0, %arg0 : tensor<4xcomplex<f32>>',
    '%0 = stablehlo.real %arg1 : (tensor<4xcomplex<f32>>) -> tensor<4xf32>',
    '%0 = stablehlo.broadcast %arg0, sizes = [2] : (tensor<4xf32>) -> tensor<2x4xf32>',
    '%0 = stablehlo.get_dimension_size %arg0, dim = 0 : (tensor<4xf32>) -> tensor<i32>',
    '%0 = stablehlo.unary_einsum %arg0, config = "i->" : (tensor<4xf32>) -> tensor<f32>',
    '%0 = stablehlo.create_token : !stablehlo.token',
  ])('%s', (line) => {
    const text = `module {\n  func.func @main(%arg0: tensor<4xf32>, %arg1: tensor<4xcomplex<f32>>) {\n    ${line}\n    return\n  }\n}`
    const printed = printModule(parseModule(text)).split('\n')[2].trim()
    // Names of results are the printer's own matter.
    expect(printed.replace(/^%[^=]*=/, '')).toBe(line.replace(/^%[^=]*=/, ''))
  })
})
