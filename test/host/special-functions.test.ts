import { describe, expect, it } from 'vitest'
import * as special from '../../src/host/special-functions.ts'

/** Digits from the tables of Abramowitz and Stegun and DLMF, where they are given to more digits than a double has. */
const known: readonly [string, (...args: number[]) => number, number[], number][] = [
  ['erf', special.erf, [0.5], 0.52049987781304653768],
  ['erf', special.erf, [1], 0.84270079294971486934],
  ['erf', special.erf, [-2], -0.99532226501895273416],
  ['erfc', special.erfc, [0.5], 0.47950012218695346232],
  ['erfc', special.erfc, [3], 2.2090496998585441373e-5],
  ['erfc', special.erfc, [10], 2.0884875837625447570e-45],
  ['erfInv', special.erfInv, [0.5], 0.47693627620446987338],
  ['erfInv', special.erfInv, [-0.9], -1.1630871536766740867],
  ['lgamma', special.lgamma, [0.5], 0.57236494292470008707],
  ['lgamma', special.lgamma, [3], 0.69314718055994530942],
  ['lgamma', special.lgamma, [100], 359.13420536957539878],
  ['lgamma', special.lgamma, [-1.5], 0.86004701537648101451],
  ['digamma', special.digamma, [1], -0.57721566490153286061],
  ['digamma', special.digamma, [0.5], -1.9635100260214234794],
  ['digamma', special.digamma, [-0.5], 0.036489973978576520559],
  ['zeta', special.zeta, [2, 1], 1.6449340668482264365],
  ['zeta', special.zeta, [3, 1], 1.2020569031595942854],
  ['zeta', special.zeta, [2, 0.5], 4.9348022005446793094],
  ['polygamma', special.polygamma, [1, 1], 1.6449340668482264365],
  ['polygamma', special.polygamma, [2, 1], -2.4041138063191885708],
  ['polygamma', special.polygamma, [0, 1], -0.57721566490153286061],
  ['besselI1e', special.besselI1e, [1], 0.20791041534970844887],
  ['besselI1e', special.besselI1e, [-5], -0.16397226694454234],
]

describe('special functions', () => {
  it.each(known)('%s%#: known value', (_, f, args, want) => {
    expect(Math.abs(f(...args) - want)).toBeLessThan(2e-15 * Math.max(Math.abs(want), want === 0.036489973978576520559 ? 1 : 0))
  })

  it('are continuous where the way of computing changes', () => {
    const seams: [(x: number) => number, number[]][] = [
      [special.erf, [-1, 1, 6]],
      [special.erfc, [0.5, 27.4]],
      [special.lgamma, [0.5, 1.5, 2.5, 12]],
      [special.digamma, [1e-3, 12]],
      [special.besselI1e, [-20, 20]],
    ]
    for (const [f, places] of seams)
      for (const x of places) {
        const [below, above] = [f(x * (1 - 1e-14)), f(x * (1 + 1e-14))]
        expect(Math.abs(above - below), `${f.name} at ${x}`).toBeLessThan(1e-11 * Math.max(1e-300, Math.abs(above)))
      }
  })

  it('have the recurrences and inverses that define them', () => {
    for (let i = 1; i < 200; i++) {
      const x = i * 0.097
      expect(special.lgamma(x + 1) - special.lgamma(x)).toBeCloseTo(Math.log(x), 11)
      expect(special.digamma(x + 1) - special.digamma(x)).toBeCloseTo(1 / x, 11)
      expect(special.zeta(2.5, x) - special.zeta(2.5, x + 1)).toBeCloseTo(x ** -2.5, 9)
      expect(special.erf(x) + special.erfc(x)).toBeCloseTo(1, 14)
      const p = i / 200
      expect(special.erf(special.erfInv(p))).toBeCloseTo(p, 14)
    }
  })

  it('are infinite, zero or NaN where they should be', () => {
    expect([special.erf(Infinity), special.erf(-Infinity), special.erfc(-Infinity), special.erfc(40)]).toEqual([1, -1, 2, 0])
    expect([special.erfInv(1), special.erfInv(-1), special.erfInv(1.5)]).toEqual([Infinity, -Infinity, NaN])
    expect([special.lgamma(0), special.lgamma(-3), special.lgamma(1), special.lgamma(2), special.lgamma(-Infinity)]).toEqual([Infinity, Infinity, 0, 0, Infinity])
    expect([special.digamma(0), special.digamma(-2), special.digamma(Infinity)]).toEqual([NaN, NaN, Infinity])
    expect([special.zeta(1, 2), special.zeta(0.5, 2), special.zeta(2, -1), special.zeta(2.5, -0.5)]).toEqual([Infinity, NaN, Infinity, NaN])
    // As many terms as there are integers between the argument and 0 would never end.
    expect([special.zeta(2, -1e15 + 0.5), special.polygamma(1, -1e15 + 0.5)].map((value) => value.toFixed(9))).toEqual(['9.869604401', '9.869604401'])
    expect(special.zeta(3, -64.25) - special.zeta(3, -63.25)).toBeCloseTo(-(64.25 ** -3), 12)
    expect([special.polygamma(-1, 2), special.polygamma(0.5, 2)]).toEqual([NaN, NaN])
    expect([special.besselI1e(0), special.besselI1e(Infinity)]).toEqual([0, 0])
    for (const f of [special.erf, special.erfc, special.erfInv, special.lgamma, special.digamma, special.besselI1e]) expect(f(NaN)).toBeNaN()
    expect(Object.is(special.erf(-0), -0)).toBe(true)
  })
})
