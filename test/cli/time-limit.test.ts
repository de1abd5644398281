import { describe, expect, it } from 'vitest'
import { TimeLimitError, withTimeLimit } from '../../src/cli/time-limit.ts'
import { InputError } from '../../src/ir/errors.ts'

describe('withTimeLimit', () => {
  it('gives what the function gives, and throws what it throws', () => {
    expect(withTimeLimit(10_000, () => [1, 2])).toEqual([1, 2])
    expect(() => withTimeLimit(10_000, () => { throw new InputError('no') })).toThrow(InputError)
  })
  it('ends an endless loop, whatever catches errors in it', () => {
    const endless = (): void => {
      for (;;) {
        try {
          for (;;);
        } catch {
          // It must not get here.
        }
      }
    }
    expect(() => withTimeLimit(20, endless)).toThrow(TimeLimitError)
    expect(() => withTimeLimit(20, endless)).toThrow('took longer than 0.02 s and was ended')
  })
  it('can be used inside of itself', () => {
    expect(withTimeLimit(10_000, () => withTimeLimit(10_000, () => 1) + withTimeLimit(10_000, () => 2))).toBe(3)
  })
})
