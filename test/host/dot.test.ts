import { describe, expect, it } from 'vitest'
import { dotArrays } from '../../src/host/dot.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { type DType, dtypes } from '../../src/ir/dtypes.ts'
import { tensorType } from '../../src/ir/types.ts'
import { seededRandom } from '../support/op-samples/index.ts'

/** Whole numbers, so that sums are exact in every order. */
function wholeNumbers(dtype: DType, shape: readonly number[], seed: number): HostArray {
  const random = seededRandom(seed)
  const array = HostArray.zeros(dtype, shape)
  const big = array.data instanceof BigInt64Array
  for (let i = 0; i < array.data.length; i++) {
    const value = Math.floor(random() * 7) - 3
    array.data[i] = (big ? BigInt(value) : value) as never
  }
  return array
}

/** By the definition, one element after another. `lhs [b,m,k]`, `rhs [b,k,n]`. */
function product(lhs: HostArray, rhs: HostArray): number[] {
  const [b, m, k] = lhs.shape
  const n = rhs.shape[2]
  const complex = dtypes[lhs.dtype].kind === 'complex'
  const width = complex ? 2 : 1
  const part = (array: HostArray, i: number, p: 0 | 1) => (p && !complex ? 0 : Number(array.data[i * width + p]))
  const out: number[] = []
  for (let e = 0; e < b; e++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let re = 0
        let im = 0
        for (let s = 0; s < k; s++) {
          const [p, q] = [(e * m + i) * k + s, (e * k + s) * n + j]
          re += part(lhs, p, 0) * part(rhs, q, 0) - part(lhs, p, 1) * part(rhs, q, 1)
          im += part(lhs, p, 0) * part(rhs, q, 1) + part(lhs, p, 1) * part(rhs, q, 0)
        }
        out.push(re, ...(complex ? [im] : []))
      }
  return out
}

describe('dotArrays', () => {
  const sizes = [1, 2, 3, 4, 5, 7, 9]
  it.each(['f32', 'f64', 'i32', 'i64', 'c64', 'c128'] as const)('multiplies matrices of all small sizes in %s', (dtype) => {
    for (const m of sizes)
      for (const n of sizes)
        for (const k of [0, 1, 3, 17, 40]) {
          const [lhs, rhs] = [wholeNumbers(dtype, [2, m, k], m + k), wholeNumbers(dtype, [2, k, n], n + 3)]
          const result = dotArrays(lhs, rhs, { lhsBatching: [0], rhsBatching: [0], lhsContracting: [2], rhsContracting: [1] }, tensorType(dtype, [2, m, n]))
          expect([...result.data].map(Number), `${m} x ${k} x ${n}`).toEqual(product(lhs, rhs))
        }
  })
  it('takes axes in any place', () => {
    const [m, k, n] = [3, 18, 6]
    const [lhs, rhs] = [wholeNumbers('f32', [1, m, k], 1), wholeNumbers('f32', [1, k, n], 2)]
    const turned = (array: HostArray): HostArray => {
      const [, rows, columns] = array.shape
      return HostArray.of('f32', [columns, rows], Array.from({ length: rows * columns }, (_, i) => Number(array.data[(i % rows) * columns + Math.floor(i / rows)])))
    }
    const result = dotArrays(turned(lhs), turned(rhs), { lhsBatching: [], rhsBatching: [], lhsContracting: [0], rhsContracting: [1] }, tensorType('f32', [m, n]))
    expect([...result.data]).toEqual(product(lhs, rhs))
  })
  it('rounds at every step of a sum of 16 products in f32, and once at the end of a longer one', () => {
    const sum = (count: number): number => {
      const values = HostArray.of('f32', [count], [2 ** 24, ...new Array(count - 1).fill(1)])
      const ones = HostArray.of('f32', [count], new Array(count).fill(1))
      return dotArrays(values, ones, { lhsBatching: [], rhsBatching: [], lhsContracting: [0], rhsContracting: [0] }, tensorType('f32', [])).item()
    }
    expect(sum(16)).toBe(2 ** 24)
    expect(sum(17)).toBe(2 ** 24 + 16)
  })
})
