import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { batchNormTraining } from '../../src/ops/batch-norm.ts'
import { complex, imag, real } from '../../src/ops/complex.ts'
import { setDimensionSize } from '../../src/ops/dimension-size.ts'
import { type FftKind, fftArray } from '../../src/host/fft.ts'
import { fft } from '../../src/ops/fft.ts'
import { broadcast, torchIndexSelect } from '../../src/ops/legacy.ts'
import { einsum, unaryEinsum } from '../../src/ops/legacy-einsum.ts'
import { cholesky, triangularSolve } from '../../src/ops/linear-algebra.ts'
import { map } from '../../src/ops/map.ts'
import { matmul } from '../../src/ops/dot-general.ts'
import { transpose } from '../../src/ops/transpose.ts'
import { worstError } from '../support/arrays-agree.ts'
import { seededRandom } from '../support/op-samples/sample.ts'
import { runOp, runOps, traceError } from '../support/run-ops.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const f64 = (...shape: number[]) => tensorType('f64', shape)
const c64 = (...shape: number[]) => tensorType('c64', shape)

const noise = (dtype: 'f64' | 'c128', shape: number[], seed = 1): HostArray => {
  const random = seededRandom(seed)
  const array = HostArray.zeros(dtype, shape)
  for (let i = 0; i < array.data.length; i++) array.data[i] = random() * 2 - 1
  return array
}

/** The defining sum. */
function naiveTransform(x: HostArray, sign: number): HostArray {
  const [n] = x.shape
  const out = HostArray.zeros('c128', [n])
  for (let k = 0; k < n; k++)
    for (let j = 0; j < n; j++) {
      const angle = (sign * 2 * Math.PI * ((j * k) % n)) / n
      const [re, im] = [x.data[2 * j] as number, x.data[2 * j + 1] as number]
      ;(out.data as Float64Array)[2 * k] += re * Math.cos(angle) - im * Math.sin(angle)
      ;(out.data as Float64Array)[2 * k + 1] += re * Math.sin(angle) + im * Math.cos(angle)
    }
  return out
}

describe('fft', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 12, 30, 49, 61, 64, 67, 97, 134, 210, 256, 331, 1000])('of length %i is the defining sum, and its inverse gives the signal back', (n) => {
    const x = noise('c128', [n], n)
    const type = tensorType('c128', [n])
    const forward = fftArray(x, 'FFT', [n], type)
    expect(worstError(forward, naiveTransform(x, -1))).toBeLessThan(1e-11)
    expect(worstError(fftArray(forward, 'IFFT', [n], type), x)).toBeLessThan(1e-14)
  })

  it('of real signals is half of the whole transform, and comes back', () => {
    for (const n of [1, 2, 5, 8, 71, 150]) {
      const x = noise('f64', [3, n], n)
      const half = Math.floor(n / 2) + 1
      const [halfTransform, whole, back] = runOps((t) => {
        const y = fft(t, 'RFFT', [n])
        return [y, fft(complex(t, broadcastZeros(t)), 'FFT', [n]), fft(y, 'IRFFT', [n])]
      }, x)
      expect(halfTransform.shape).toEqual([3, half])
      const expected = HostArray.zeros('c128', [3, half])
      for (let row = 0; row < 3; row++) expected.data.set(whole.data.subarray(2 * row * n, 2 * (row * n + half)) as never, 2 * row * half)
      expect(worstError(halfTransform, expected)).toBeLessThan(1e-12)
      expect(worstError(back, x)).toBeLessThan(1e-13)
    }
  })

  it('of a prime length takes n log n steps', () => {
    const n = 2 ** 16 + 1 // a prime, so that Bluestein's way is taken
    const start = performance.now()
    fftArray(noise('c128', [n]), 'FFT', [n], tensorType('c128', [n]))
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('refuses wrong types and lengths', () => {
    const error = (kind: FftKind, lengths: number[], type: ReturnType<typeof f32>) => traceError((x) => fft(x, kind, lengths), type)
    expect(error('FFT', [8], f32(8))).toMatchInlineSnapshot(`"fft: FFT takes a complex tensor as input, but is given tensor<8xf32>. [fft_c2]"`)
    expect(error('RFFT', [8], c64(8))).toMatchInlineSnapshot(`"fft: RFFT requires f32 or f64 input type, but is given complex<f32>. [fft_c2]"`)
    expect(error('RFFT', [8], f32(9))).toMatchInlineSnapshot(`"fft: RFFT requires innermost dimensions to be compatible with fft_length. Got: 9 but wanted 8. [fft_c4]"`)
    expect(error('IRFFT', [8], c64(8))).toMatchInlineSnapshot(`"fft: IRFFT requires innermost dimension to be compatible with fft_length[-1]/2+1. Got: 8 but fft_length is 8. [fft_c5]"`)
    expect(error('IRFFT', [3, 8], c64(2, 5))).toMatchInlineSnapshot(`"fft: IRFFT requires non-final dimensions to be compatible with fft_length. Got: 2, 5 but wanted 3, 8, and 2 != 3. [fft_c5]"`)
    expect(error('FFT', [1, 1, 1, 8], c64(1, 1, 1, 8))).toMatchInlineSnapshot(`"fft: rank must be between 1 and 3, but got 4. [fft_c3]"`)
    expect(error('FFT', [1, 8], c64(8))).toMatchInlineSnapshot(`"fft: operand rank must not be less than fft rank of 2 for operand of type 'tensor<8xcomplex<f32>>' [fft_c1]"`)
  })
})

const broadcastZeros = (x: Tensor): Tensor => imag(x)

describe('linear algebra', () => {
  it('cholesky gives a factor whose square is the matrix, for real and complex numbers, from either triangle', () => {
    const x = noise('f64', [2, 5, 5])
    const [square, lower, upper] = runOps((t) => {
      const a = matmul(t, transpose(t, [0, 2, 1]))
      const [l, u] = [cholesky(a), cholesky(a, { lower: false })]
      return [a, matmul(l, transpose(l, [0, 2, 1])), matmul(transpose(u, [0, 2, 1]), u)]
    }, x)
    expect(worstError(lower, square)).toBeLessThan(1e-14)
    expect(worstError(upper, square)).toBeLessThan(1e-14)
    const hermitian = HostArray.zeros('c128', [2, 2])
    hermitian.data.set([4, 0, 2, -2, 2, 2, 6, 0] as never)
    expect(runOp((a) => cholesky(a), hermitian).toNested()).toEqual([[[2, 0], [0, 0]], [[1, 1], [2, 0]]])
  })

  it('cholesky of a matrix that is not positive definite is NaN', () => {
    const result = runOp((a) => cholesky(a), HostArray.from('f32', [[[1, 0], [0, -1]], [[4, 0], [0, 9]]]))
    expect(result.toNested()).toEqual([[[NaN, NaN], [NaN, NaN]], [[2, 0], [0, 3]]])
  })

  it('triangular_solve solves what it says, and reads one triangle only', () => {
    const a = HostArray.from('f64', [[2, 99], [1, 4]])
    const b = HostArray.from('f64', [[2], [9]])
    expect(runOp((x, y) => triangularSolve(x, y), a, b).toNested()).toEqual([[1], [2]])
    expect(runOp((x, y) => triangularSolve(x, y, { transpose: 'TRANSPOSE' }), a, b).toNested()).toEqual([[-0.125], [2.25]])
    expect(runOp((x, y) => triangularSolve(x, y, { unitDiagonal: true }), a, b).toNested()).toEqual([[2], [7]])
    expect(runOp((x, y) => triangularSolve(x, transpose(y, [1, 0]), { leftSide: false }), a, b).toNested()).toEqual([[-0.125, 2.25]])
  })

  it('refuses matrices that do not go together', () => {
    expect(traceError((a) => cholesky(a), f32(3))).toMatchInlineSnapshot(`"cholesky: argument 'a' must have rank >= 2, got shape 3. [cholesky_c2]"`)
    expect(traceError((a) => cholesky(a), f32(3, 2))).toMatchInlineSnapshot(`"cholesky: minor dimensions of 'a' must have equal size, got shape 3, 2. [cholesky_c3]"`)
    expect(traceError((a, b) => triangularSolve(a, b), f32(2, 3, 3), f32(3, 1))).toMatchInlineSnapshot(`"triangular_solve: operands must have equal rank, but got 'tensor<2x3x3xf32>' and 'tensor<3x1xf32>' [triangular_solve_c2]"`)
    expect(traceError((a, b) => triangularSolve(a, b), f32(3, 3), f32(2, 1))).toMatchInlineSnapshot(`"triangular_solve: shared dimension of operands 'a' and 'b' does not match, but got 'tensor<3x3xf32>' and 'tensor<2x1xf32>' [triangular_solve_c3]"`)
    expect(traceError((a, b) => triangularSolve(a, b), f32(2, 2), f64(2, 1))).toMatchInlineSnapshot(`"triangular_solve: operands differ in element type: f32[2,2] and f64[2,1] [triangular_solve_c1]"`)
  })
})

describe('other ops of arrays', () => {
  it('batch normalization gives mean 0 and variance 1', () => {
    const x = noise('f64', [6, 3, 4])
    const [y, mean] = runOps((t, s, o) => batchNormTraining(t, s, o, { epsilon: 0, featureIndex: 1 }), x, HostArray.from('f64', [1, 1, 1]), HostArray.from('f64', [0, 0, 0]))
    for (let f = 0; f < 3; f++) {
      const values = Array.from({ length: 24 }, (_, i) => y.data[(Math.floor(i / 4) * 3 + f) * 4 + (i % 4)] as number)
      expect(values.reduce((a, b) => a + b, 0) / 24).toBeCloseTo(0, 14)
      expect(values.reduce((a, b) => a + b * b, 0) / 24).toBeCloseTo(1, 14)
    }
    expect(mean.shape).toEqual([3])
    expect(traceError((t, s) => batchNormTraining(t, s, s, { featureIndex: 1 }), f32(2, 3), f32(2))).toMatchInlineSnapshot(`"batch_norm_training: expects the size of single-dimensional operands to be compatible with feature count, but the size of single-dimensional operands is 2 and the feature count is 3. [batch_norm_training_c3]"`)
  })

  it('complex numbers and their parts go together', () => {
    const [re, im] = [HostArray.from('f32', [1, -2]), HostArray.from('f32', [0.5, 3])]
    const [z, a, b] = runOps((x, y) => {
      const made = complex(x, y)
      return [made, real(made), imag(made)]
    }, re, im)
    expect(z.toNested()).toEqual([[1, 0.5], [-2, 3]])
    expect([a.toNested(), b.toNested()]).toEqual([[1, -2], [0.5, 3]])
    expect(traceError((x, y) => complex(x, y), f32(2), f64(2))).toMatchInlineSnapshot(`"complex: parts differ in type: (f32[2], f64[2]) [complex_c1]"`)
    expect(traceError((x) => real(x), tensorType('i32', [2]))).toMatchInlineSnapshot(`"real: operand must be complex or float, got i32[2] [real_i1]"`)
  })

  it('map runs its computation once for every element', () => {
    const x = HostArray.from('f32', [[1, 2, 3], [4, 5, 6]])
    expect(runOp((t) => map([t, t], (a, b) => add(a, b)), x).toNested()).toEqual([[2, 4, 6], [8, 10, 12]])
    expect(traceError(() => map([], () => undefined as never))).toMatchInlineSnapshot(`"map: needs at least one input [map_i1]"`)
  })

  it('set_dimension_size keeps the first elements', () => {
    const x = HostArray.from('f32', [[1, 2, 3], [4, 5, 6]])
    expect(runOp((t, n) => setDimensionSize(t, n, 1), x, HostArray.from('i32', 2)).toNested()).toEqual([[1, 2], [4, 5]])
    expect(() => runOp((t, n) => setDimensionSize(t, n, 1), x, HostArray.from('i32', 4))).toThrowErrorMatchingInlineSnapshot(`[OpError: set_dimension_size: size 4 is not between 0 and 3, the size of f32[2,3] axis 1]`)
  })

  it('older ops are what took their place', () => {
    const x = HostArray.from('f32', [[1, 2, 3], [4, 5, 6]])
    expect(runOp((t) => broadcast(t, [2]), x).toNested()).toEqual([x.toNested(), x.toNested()])
    expect(runOp((t, i) => torchIndexSelect(t, i, 1), x, HostArray.from('i32', [[2, 0], [5, -1]])).toNested()).toEqual([[[3, 1], [3, 1]], [[6, 4], [6, 4]]])
    expect(runOp((t) => einsum('ij,kj->ik', t, t), x).toNested()).toEqual([[14, 32], [32, 77]])
    expect(runOp((t) => unaryEinsum('ij->ji', t), x).toNested()).toEqual([[1, 4], [2, 5], [3, 6]])
    expect(runOp((t) => unaryEinsum('ii->i', t), HostArray.from('f32', [[1, 2], [3, 4]])).toNested()).toEqual([1, 4])
    expect(traceError((t) => unaryEinsum('ij->k', t), f32(2, 2))).toMatchInlineSnapshot(`"unary_einsum: config "ij->k" is not of the form "ij->i" with letters for axes"`)
    expect(traceError((t) => einsum('ij,jk->ik', t, t), f32(2, 3))).toMatchInlineSnapshot(`"einsum: label 'j' is 3 and 2: f32[2,3] and f32[2,3]"`)
  })

  it('einsum is the sum of products for any labels', () => {
    const labels = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 3 })
    fc.assert(
      fc.property(labels, labels, fc.integer({ min: 0, max: 15 }), (left, right, mask) => {
        const all = [...new Set([...left, ...right])]
        const result = all.filter((_, i) => mask & (1 << i))
        const sizes: Record<string, number> = { a: 2, b: 3, c: 1, d: 2 }
        const [x, y] = [noise('f64', left.map((l) => sizes[l])), noise('f64', right.map((l) => sizes[l]), 2)]
        const actual = runOp((p, q) => einsum(`${left.join('')},${right.join('')}->${result.join('')}`, p, q), x, y)
        const expected = HostArray.zeros('f64', result.map((l) => sizes[l]))
        const at = (names: readonly string[], index: Record<string, number>) => names.reduce((flat, name) => flat * sizes[name] + index[name], 0)
        const visit = (i: number, index: Record<string, number>): void => {
          if (i === all.length) (expected.data as Float64Array)[at(result, index)] += Number(x.data[at(left, index)]) * Number(y.data[at(right, index)])
          else for (let k = 0; k < sizes[all[i]]; k++) visit(i + 1, { ...index, [all[i]]: k })
        }
        visit(0, {})
        expect(worstError(actual, expected)).toBeLessThan(1e-14)
      }),
      { numRuns: 60 },
    )
  })
})
