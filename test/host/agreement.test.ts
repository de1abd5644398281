import { describe, expect, it } from 'vitest'
import { findDisagreement, ulpDistance, worstElement } from '../../src/host/agreement.ts'
import { HostArray } from '../../src/ir/host-array.ts'

const f32 = (...values: number[]) => HostArray.from('f32', values)

describe('ulpDistance', () => {
  it('counts representable values, across zero too', () => {
    expect(ulpDistance('f32', 1, 1 + 2 ** -23)).toBe(1)
    expect(ulpDistance('f32', 1, 1 - 2 ** -24)).toBe(1)
    expect(ulpDistance('f32', 2 ** -149, -(2 ** -149))).toBe(2)
    expect(ulpDistance('f32', 0, -0)).toBe(0)
    expect(ulpDistance('f64', 1, 1 + 2 ** -50)).toBe(4)
    expect(ulpDistance('f64', -0, -(2 ** -1074))).toBe(1)
    expect(ulpDistance('bf16', 1, 1.015625)).toBe(2)
    expect(ulpDistance('f8E4M3FN', 448, -448)).toBe(252)
    expect(ulpDistance('f32', Infinity, 3.4e38)).toBe(Infinity)
    expect(ulpDistance('f32', NaN, NaN)).toBe(Infinity)
  })
})

describe('findDisagreement', () => {
  it('compares exactly as IEEE numbers', () => {
    expect(findDisagreement(f32(0, Infinity), f32(-0, Infinity), { kind: 'exact' })).toBeUndefined()
    expect(findDisagreement(f32(1, NaN), f32(1, NaN), { kind: 'exact' })).toEqual({ position: 1, index: [1], actual: NaN, expected: NaN, count: 1 })
    expect(findDisagreement(HostArray.from('i64', [1n, 2n]), HostArray.from('i64', [1n, 3n]), { kind: 'exact' })).toMatchObject({ actual: 2n, expected: 3n })
  })

  it('compares within a tolerance', () => {
    const rule = { kind: 'absolute', tolerance: 0.1 } as const
    expect(findDisagreement(f32(1, NaN, -Infinity, 0), f32(1.05, NaN, -Infinity, 0.1), { ...rule, tolerance: 0.11 })).toBeUndefined()
    expect(findDisagreement(f32(1), f32(1.2), rule)).toMatchObject({ count: 1 })
    expect(findDisagreement(f32(Infinity), f32(-Infinity), rule)).toMatchObject({ count: 1 })
    expect(findDisagreement(f32(NaN), f32(1), rule)).toMatchObject({ count: 1 })
    expect(findDisagreement(HostArray.from('i32', [1]), HostArray.from('i32', [2]), rule)).toMatchObject({ count: 1 })
  })

  it('compares within representable values, and can want a distance', () => {
    const near = f32(1 + 2 ** -23, NaN, Infinity)
    expect(findDisagreement(near, f32(1, NaN, Infinity), { kind: 'ulp', min: 0, max: 1 })).toBeUndefined()
    expect(findDisagreement(near, f32(1, NaN, Infinity), { kind: 'ulp', min: 0, max: 0 })).toMatchObject({ index: [0], count: 1 })
    expect(findDisagreement(f32(1), f32(1), { kind: 'ulp', min: 1, max: 3 })).toMatchObject({ count: 1 })
  })

  it('counts complex elements once and gives the index', () => {
    const a = new HostArray({ kind: 'tensor', dtype: 'c64', shape: [2, 2] }, Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))
    const b = new HostArray(a.type, Float32Array.of(1, 2, 0, 0, 5, 0, 7, 8))
    expect(findDisagreement(a, b, { kind: 'exact' })).toEqual({ position: 1, index: [0, 1], actual: [3, 4], expected: [0, 0], count: 2 })
  })
})

describe('worstElement', () => {
  it('is none where all are equal as numbers', () =>
    expect(worstElement(f32(1, NaN, -0, Infinity), f32(1, NaN, 0, Infinity), {})).toBeUndefined())
  it('is the one farthest beyond what is allowed, by the widest of the limits', () => {
    const [actual, expected] = [f32(1, 100.5, 2.25), f32(1, 100, 2)]
    expect(worstElement(actual, expected, { absolute: 0.1 })).toMatchObject({ index: [1], actual: 100.5, expected: 100, absolute: 0.5, excess: 5, count: 2 })
    expect(worstElement(actual, expected, { relative: 0.1 })).toMatchObject({ index: [2], relative: 0.125, excess: 1.25, count: 1 })
    expect(worstElement(actual, expected, { ofLargest: 0.01 })).toMatchObject({ index: [1], excess: 0.5, count: 0 })
    expect(worstElement(actual, expected, { absolute: 0.1, relative: 0.01 })).toMatchObject({ index: [2], excess: 2.5, count: 1 })
  })
  it('counts representable values', () => {
    const next = 1 + 2 ** -23
    expect(worstElement(f32(next, 1), f32(1, 1), { ulp: 2 })).toMatchObject({ index: [0], ulp: 1, excess: 0.5, count: 0 })
    expect(worstElement(f32(next, 1), f32(1, 1), { ulp: 0 })).toMatchObject({ excess: Infinity, count: 1 })
  })
  it('is infinitely far for NaN or an infinity on one side, for other integers, and without a limit', () => {
    expect(worstElement(f32(1, NaN), f32(1, 1), { absolute: 1e9 })).toMatchObject({ index: [1], excess: Infinity, count: 1 })
    expect(worstElement(f32(Infinity), f32(-Infinity), { ulp: 1e9 })).toMatchObject({ excess: Infinity })
    expect(worstElement(HostArray.from('i64', [1n]), HostArray.from('i64', [2n]), { absolute: 5 })).toMatchObject({ actual: 1n, excess: Infinity, count: 1 })
    expect(worstElement(HostArray.from('bool', [true]), HostArray.from('bool', [false]), { absolute: 5 })).toMatchObject({ actual: true, excess: Infinity })
    expect(worstElement(f32(1.5), f32(1), {})).toMatchObject({ excess: Infinity, count: 1 })
  })
  it('counts a complex element once and gives its index', () => {
    const complex = (...values: number[]) => {
      const array = HostArray.zeros('c64', [values.length / 2])
      array.data.set(values as never)
      return array
    }
    expect(worstElement(complex(1, 2, 3, 4), complex(1, 2, 4, 5), { absolute: 0.5 })).toMatchObject({ position: 1, index: [1], actual: [3, 4], expected: [4, 5], count: 1, excess: 2 })
  })
})
