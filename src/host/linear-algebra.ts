import { dtypes, isFloat } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { roundStore } from './elementwise.ts'

/** Factorisation and substitution on batches of matrices, in double precision; a result is rounded once. */

/** One matrix, its imaginary parts all zero if the numbers are real. */
interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly re: Float64Array
  readonly im: Float64Array
}

const emptyMatrix = (rows: number, columns: number): Matrix => ({ rows, columns, re: new Float64Array(rows * columns), im: new Float64Array(rows * columns) })

function readMatrix(array: HostArray, batch: number): Matrix {
  const [rows, columns] = array.shape.slice(-2)
  const matrix = emptyMatrix(rows, columns)
  const from = batch * rows * columns
  const { data } = array
  if (dtypes[array.dtype].kind === 'complex')
    for (let i = 0; i < matrix.re.length; i++) {
      matrix.re[i] = data[2 * (from + i)] as number
      matrix.im[i] = data[2 * (from + i) + 1] as number
    }
  else for (let i = 0; i < matrix.re.length; i++) matrix.re[i] = data[from + i] as number
  return matrix
}

function writeMatrix(array: HostArray, batch: number, { re, im }: Matrix): void {
  const { data } = array
  const from = batch * re.length
  if (dtypes[array.dtype].kind === 'complex')
    for (let i = 0; i < re.length; i++) {
      data[2 * (from + i)] = re[i]
      data[2 * (from + i) + 1] = im[i]
    }
  else (data as Float64Array).set(re, from)
}

/** `a` with rows for columns; its conjugate if asked. */
function transposed(a: Matrix, conjugate: boolean): Matrix {
  const out = emptyMatrix(a.columns, a.rows)
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++) {
      out.re[j * a.rows + i] = a.re[i * a.columns + j]
      out.im[j * a.rows + i] = conjugate ? -a.im[i * a.columns + j] : a.im[i * a.columns + j]
    }
  return out
}

/**
 * The triangular factor of each positive definite matrix: `a = l l^H`, or `a = u^H u` with the upper triangle. Only that triangle of `a` is
 * read, and the other one of the result is zero. A matrix that is not positive definite gives NaN.
 */
export function choleskyArray(a: HostArray, lower: boolean): HostArray {
  const out = HostArray.zeros(a.dtype, a.shape)
  const n = a.shape[a.shape.length - 1]
  const batches = n === 0 ? 0 : a.size / (n * n)
  for (let batch = 0; batch < batches; batch++) {
    const matrix = readMatrix(a, batch)
    const factor = choleskyFactor(lower ? matrix : transposed(matrix, true))
    writeMatrix(out, batch, lower ? factor : transposed(factor, true))
  }
  if (isFloat(a.dtype)) roundStore(a.dtype, out.data)
  return out
}

function choleskyFactor({ rows: n, re, im }: Matrix): Matrix {
  const l = emptyMatrix(n, n)
  for (let j = 0; j < n; j++) {
    let pivot = re[j * n + j]
    for (let k = 0; k < j; k++) pivot -= l.re[j * n + k] ** 2 + l.im[j * n + k] ** 2
    if (!(pivot > 0)) {
      l.re.fill(NaN)
      if (im.some((x) => x !== 0)) l.im.fill(NaN)
      return l
    }
    const diagonal = Math.sqrt(pivot)
    l.re[j * n + j] = diagonal
    for (let i = j + 1; i < n; i++) {
      let x = re[i * n + j]
      let y = im[i * n + j]
      for (let k = 0; k < j; k++) {
        const [p, q] = [i * n + k, j * n + k]
        x -= l.re[p] * l.re[q] + l.im[p] * l.im[q]
        y -= l.im[p] * l.re[q] - l.re[p] * l.im[q]
      }
      l.re[i * n + j] = x / diagonal
      l.im[i * n + j] = y / diagonal
    }
  }
  return l
}

export interface TriangularSolve {
  readonly leftSide: boolean
  readonly lower: boolean
  readonly unitDiagonal: boolean
  readonly transpose: 'NO_TRANSPOSE' | 'TRANSPOSE' | 'ADJOINT'
}

/** Solves `op(a) x = b`, or `x op(a) = b`, for each matrix of a batch; only the one triangle of `a` is read. */
export function triangularSolveArray(a: HostArray, b: HostArray, options: TriangularSolve): HostArray {
  const out = HostArray.zeros(b.dtype, b.shape)
  const n = a.shape[a.shape.length - 1]
  if (b.size === 0) return out
  const batches = a.size / (n * n)
  const { leftSide, transpose } = options
  for (let batch = 0; batch < batches; batch++) {
    const matrix = readMatrix(a, batch)
    const right = readMatrix(b, batch)
    // x op(a) = b is op(a)^T x^T = b^T, so that there is one way of substituting.
    const turned = leftSide === (transpose !== 'NO_TRANSPOSE')
    const system = transpose === 'ADJOINT' ? transposed(transposed(matrix, true), false) : matrix
    const solution = substitute(turned ? transposed(system, false) : system, leftSide ? right : transposed(right, false), options.lower !== turned, options.unitDiagonal)
    writeMatrix(out, batch, leftSide ? solution : transposed(solution, false))
  }
  if (isFloat(b.dtype)) roundStore(b.dtype, out.data)
  return out
}

/** Solves `t x = b` in place of `b`. */
function substitute(t: Matrix, b: Matrix, lower: boolean, unit: boolean): Matrix {
  const n = t.rows
  const { columns, re, im } = b
  for (let step = 0; step < n; step++) {
    const i = lower ? step : n - 1 - step
    for (let s = 0; s < step; s++) {
      const k = lower ? s : n - 1 - s
      const [tr, ti] = [t.re[i * n + k], t.im[i * n + k]]
      if (ti === 0) {
        for (let c = 0; c < columns; c++) {
          re[i * columns + c] -= tr * re[k * columns + c]
          im[i * columns + c] -= tr * im[k * columns + c]
        }
      } else
        for (let c = 0; c < columns; c++) {
          const [x, y] = [re[k * columns + c], im[k * columns + c]]
          re[i * columns + c] -= tr * x - ti * y
          im[i * columns + c] -= tr * y + ti * x
        }
    }
    if (unit) continue
    const [dr, di] = [t.re[i * n + i], t.im[i * n + i]]
    const size = dr * dr + di * di
    for (let c = i * columns; c < (i + 1) * columns; c++) {
      const [x, y] = [re[c], im[c]]
      re[c] = di === 0 ? x / dr : (x * dr + y * di) / size
      im[c] = di === 0 ? y / dr : (y * dr - x * di) / size
    }
  }
  return b
}
