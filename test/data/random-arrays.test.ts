import { describe, expect, it } from 'vitest'
import { randomArrays } from '../../src/data/random-arrays.ts'
import { tensorType } from '../../src/ir/types.ts'

describe('randomArrays', () => {
  const types = (['f32', 'bf16', 'i64', 'u8', 'bool', 'c64'] as const).map((dtype) => tensorType(dtype, [50]))
  it('depends on the seed alone', () => {
    expect(randomArrays(types, 3)).toEqual(randomArrays(types, 3))
    expect(randomArrays(types, 3)).not.toEqual(randomArrays(types, 4))
  })
  it('draws floats on both sides of zero, small whole numbers, and both booleans', () => {
    const [f32, bf16, i64, u8, bool, c64] = randomArrays(types, 1).map(({ data }) => Array.from(data as Float64Array, Number))
    for (const floats of [f32, bf16, c64]) {
      expect(Math.min(...floats)).toBeLessThan(-0.5)
      expect(Math.max(...floats)).toBeGreaterThan(0.5)
      expect(Math.max(...floats.map(Math.abs))).toBeLessThanOrEqual(1)
    }
    for (const whole of [i64, u8]) expect(new Set(whole)).toEqual(new Set([0, 1, 2, 3]))
    expect(new Set(bool)).toEqual(new Set([0, 1]))
  })
})
