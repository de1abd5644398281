import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { functions } from '../../scripts/accuracy/functions.ts'
import { ulpDistance } from '../../src/host/agreement.ts'
import { f64FromBits } from '../../src/ir/float-bits.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { evaluate } from '../../src/program/evaluate.ts'

/** Exact values, rounded to f64, of arguments that were drawn at random; made by scripts/accuracy/reference.py with mpmath. */
const lines = readFileSync(new URL('function-values.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { name: string; rows: string[][] })

/** Units in the last place that f64 may be away, where it is more than 2. docs/concepts/interpreter.md has what was measured. */
const allowed: Readonly<Record<string, number>> = { erfc: 6, erf_inv: 4, trigamma: 6, zeta: 16, bessel_i1e: 12 }
/** Near their zeros these are exact to a number of this size, and not to so many units. */
const nearZeros: Readonly<Record<string, number>> = { lgamma: 1e-15, digamma: 4e-15 }

describe('functions in f64 and f32', () => {
  it('are all measured', () => {
    expect(lines.map(({ name }) => name)).toEqual(Object.keys(functions))
    for (const { name, rows } of lines) expect(rows.length, name).toBeGreaterThan(5)
  })
  it.each(lines)('$name', ({ name, rows }) => {
    const numbers = rows.map((row) => row.map((bits) => f64FromBits(BigInt(`0x${bits}`))))
    const run = (dtype: 'f64' | 'f32', columns: readonly (readonly number[])[]): number[] =>
      Array.from((evaluate(functions[name].of as (...tensors: Tensor[]) => Tensor, ...columns.map((values) => HostArray.of(dtype, [values.length], values))) as HostArray).data as Float64Array)
    const arity = functions[name].draws.length
    const columns = Array.from({ length: arity }, (_, i) => numbers.map((row) => row[i]))
    run('f64', columns).forEach((got, i) => {
      const exact = numbers[i][arity]
      if (name in nearZeros) expect(Math.abs(got - exact) / Math.max(1, Math.abs(exact)), `${name}(${columns.map((column) => column[i])})`).toBeLessThan(nearZeros[name])
      else expect(ulpDistance('f64', got, exact), `${name}(${columns.map((column) => column[i])})`).toBeLessThanOrEqual(allowed[name] ?? 2)
    })
    // Arguments that f32 has: what f64 gives for them, rounded, is what f32 must give.
    const short = columns.map((values) => values.map(Math.fround))
    if (name === 'sinh' || name === 'cosh') return
    const wide = run('f64', short)
    run('f32', short).forEach((got, i) => {
      if (short.every((column) => Number.isFinite(column[i]))) expect(ulpDistance('f32', got, Math.fround(wide[i])), `${name}(${short.map((column) => column[i])}) in f32`).toBeLessThanOrEqual(1)
    })
  })
})
