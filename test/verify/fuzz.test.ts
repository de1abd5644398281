import { describe, expect, it } from 'vitest'
import { EngramError } from '../../src/ir/errors.ts'
import type { Module } from '../../src/ir/module.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { verifyModule } from '../../src/verify/verify.ts'
import { opSamples, seededRandom } from '../support/op-samples/index.ts'

/** Types that take the place of those that a program has, so that it can be read but means something else. */
const types = [
  'tensor<f32>', 'tensor<i1>', 'tensor<0xf32>', 'tensor<4xi32>', 'tensor<2x3xf64>', 'tensor<?xf32>', 'tensor<?x3xi64>', 'tensor<*xf32>', 'tensor<2x2x2x2xcomplex<f32>>',
  'tensor<2x3x!quant.uniform<i8:f32, 0.5>>', 'tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>', 'tensor<?xf32, #stablehlo.bounds<3>>', '!stablehlo.token', 'tuple<tensor<f32>>',
  '!stablehlo.future<tensor<4xf32>>', 'memref<2xf32>', 'tuple<>',
]
const numbers = ['0', '1', '-1', '2', '3', '7', '9223372036854775807', '-9223372036854775808']

/** A program with all uses of some types, and some numbers of attributes, replaced; parts may be left out. */
function change(text: string, random: () => number): string {
  const below = (limit: number): number => Math.floor(random() * limit)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]
  let out = text
  for (let changes = 1 + below(3); changes > 0; changes--) {
    const known = [...new Set(out.match(/tensor<[^<>]*>/g) ?? [])]
    const integers = [...out.matchAll(/(?<=[[ ,:<])-?\d+(?=[\],> ])/g)]
    const attributes = [...out.matchAll(/, \w+ = (?:\d+ : i\d+|array<i64[^>]*>|dense<[^>]*> : tensor<[^>]*>|#stablehlo<\w+ \w+>)/g)]
    const cut = (match: RegExpMatchArray, by: string): string => out.slice(0, match.index) + by + out.slice(match.index! + match[0].length)
    out = [
      () => (known.length ? out.replaceAll(pick(known), pick(types)) : out),
      () => (integers.length ? cut(pick(integers), pick(numbers)) : out),
      () => (attributes.length ? cut(pick(attributes), '') : out),
      () => out.replace(/\((%\w+), %\w+\)(.*: \()([^,()]*), [^,()]*\)/, '($1)$2$3)'),
    ][below(4)]()
  }
  return out
}

describe('changed programs', () => {
  const texts = opSamples.map(({ build, inputs }) => printModule(traceFunction('main', build, inputs).module, { generic: true }))

  it.each([1, 2, 3])('are valid or break a rule; no rule fails itself (seed %i)', (seed) => {
    const random = seededRandom(seed)
    const crashed: string[] = []
    let refused = 0
    for (let n = 0; n < 20 * texts.length; n++) {
      const text = change(texts[n % texts.length], random)
      let module: Module
      try {
        module = parseModule(text)
      } catch (error) {
        if (!(error instanceof EngramError)) throw error
        continue
      }
      for (const { message, cause } of verifyModule(module)) {
        refused++
        if (message.includes('cannot be checked')) crashed.push(`${message}\n${(cause as Error)?.stack?.split('\n').slice(0, 4).join('\n')}`)
      }
    }
    expect([...new Map(crashed.map((text) => [text.replace(/^[^']*/, '').slice(0, 60), text])).values()]).toEqual([])
    expect(refused).toBeGreaterThan(500)
  })
})
