import { describe, expect, it } from 'vitest'
import { traceFunction } from '../../src/program/trace-function.ts'
import { alignSequences } from '../../src/text/align.ts'
import { differencesText, diffModules, sameModule } from '../../src/text/compare.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { opSamples } from '../support/op-samples/index.ts'

const program = (body: string, signature = '%a: tensor<4xf32>, %b: tensor<4xf32>'): string => `func.func @f(${signature}) -> tensor<4xf32> {\n${body}\n}`
const base = program('  %0 = stablehlo.add %a, %b : tensor<4xf32>\n  %1 = stablehlo.multiply %0, %b : tensor<4xf32>\n  %2 = stablehlo.tanh %1 : tensor<4xf32>\n  return %2 : tensor<4xf32>')
const read = (text: string, file = 'a.mlir') => parseModule(text, { file })
const diff = (a: string, b: string): string => differencesText(diffModules(read(a), read(b, 'b.mlir')))

describe('the same program', () => {
  it('is one whatever its values are called, however it is spaced, and in whatever form', () => {
    const other = program('  %sum = "stablehlo.add"(%x, %y) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("here")\n\n  %p = stablehlo.multiply %sum,   %y : tensor<4xf32>\n %t = stablehlo.tanh %p : tensor<4xf32>\n return %t : tensor<4xf32>', '%x: tensor<4xf32>, %y: tensor<4xf32>')
    expect(diff(base, other)).toBe('')
  })
  it('has its functions in any order', () => {
    const [g, h] = ['g', 'h'].map((name) => base.replace('@f', `@${name}`))
    expect(sameModule(read(`${g}\n${h}`), read(`${h}\n${g}`))).toBe(true)
  })
  it.each(opSamples)('is one in both forms: $name', ({ build, inputs }) => {
    const { module } = traceFunction('main', build, inputs)
    expect(differencesText(diffModules(module, parseModule(printModule(module, { generic: true }))))).toBe('')
  })
})

describe('a difference', () => {
  it('of an op that was added leaves the others as they are', () => {
    const other = base.replace('  %2 =', '  %n = stablehlo.negate %1 : tensor<4xf32>\n  %2 =').replace('tanh %1', 'tanh %n')
    expect(diff(base, other)).toMatchInlineSnapshot(`
      "@f: stablehlo.negate was added (b.mlir:4:8)
        + %0 = stablehlo.negate %outside0 : tensor<4xf32>

      @f: stablehlo.tanh differs (b.mlir:5:8)
        operand 0: stablehlo.multiply (line 3), f32[4] became stablehlo.negate (line 4), f32[4]
      "
    `)
    expect(diffModules(read(other), read(base)).map(({ kind, op }) => [kind, op])).toEqual([['removed', 'stablehlo.negate'], ['changed', 'stablehlo.tanh']])
  })
  it('of operands says where they come from', () => expect(diff(base, base.replace('multiply %0, %b', 'multiply %b, %0'))).toMatchInlineSnapshot(`
    "@f: stablehlo.multiply differs (b.mlir:3:8)
      operand 0: stablehlo.add (line 2), f32[4] became argument 1, f32[4]
      operand 1: argument 1, f32[4] became stablehlo.add (line 2), f32[4]
    "
  `))
  it('of an attribute or a type says both', () => {
    const transpose = (permutation: string, type: string) => `func.func @f(%a: tensor<2x3xf32>) {\n  %0 = stablehlo.transpose %a, dims = [${permutation}] : (tensor<2x3xf32>) -> tensor<${type}xf32> loc("layer3/attention"("model.py":7:3))\n  return\n}`
    expect(diff(transpose('1, 0', '3x2'), transpose('0, 1', '2x3'))).toMatchInlineSnapshot(`
      "@f: stablehlo.transpose differs in layer3/attention (model.py:7:3)
        permutation: array<i64: 1, 0> became array<i64: 0, 1>
        result types: f32[3,2] became f32[2,3]
        - %0 = stablehlo.transpose %outside0, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
        + %0 = stablehlo.transpose %outside0, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
      "
    `)
  })
  it('of signatures, functions and module attributes', () => {
    expect(diff(base, base.replace('%b: tensor<4xf32>', '%b: tensor<4xf32> {tf.aliasing_output = 0 : i32}'))).toMatchInlineSnapshot(`
      "@f: differs
        arguments: (tensor<4xf32>, tensor<4xf32>) became (tensor<4xf32>, tensor<4xf32> {tf.aliasing_output = 0 : i32})
      "
    `)
    expect(diff(base, base.replace('@f', '@g'))).toBe('@f: differs\n  - function @f\n\n@g: differs\n  + function @g\n')
    expect(diff('module @m attributes {a = 1 : i32} {}', 'module @m attributes {a = 2 : i32} {}')).toContain('a: {a = 1 : i32} became {a = 2 : i32}')
  })
  it('inside a region', () => {
    const sort = (direction: string) => `func.func @f(%a: tensor<4xf32>) {\n  %0 = "stablehlo.sort"(%a) ({\n  ^bb0(%x: tensor<f32>, %y: tensor<f32>):\n    %c = stablehlo.compare ${direction}, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>\n    stablehlo.return %c : tensor<i1>\n  }) : (tensor<4xf32>) -> tensor<4xf32>\n  return\n}`
    const [only, ...more] = diffModules(read(sort('LT')), read(sort('GT'), 'b.mlir'))
    expect(more).toEqual([])
    expect(only).toMatchObject({ kind: 'changed', function: '@f', op: 'stablehlo.compare', place: 'b.mlir:4:10' })
  })
  it('stops at the limit', () => expect(diffModules(read(base), read(program('  return %a : tensor<4xf32>')), { limit: 2 })).toHaveLength(2))
})

describe('alignSequences', () => {
  const align = (a: string, b: string) => alignSequences([...a], [...b], (element) => element, (element) => element.toLowerCase()).map(([x, y]) => `${x ?? '-'}${y ?? '-'}`).join(' ')
  it('puts what is equal, then what is of one kind, opposite each other', () => {
    expect(align('abcd', 'abcd')).toBe('aa bb cc dd')
    expect(align('abcd', 'abxcd')).toBe('aa bb -x cc dd')
    expect(align('abcd', 'aBcd')).toBe('aa bB cc dd')
    expect(align('abqd', 'axyd')).toBe('aa b- q- -x -y dd')
    expect(align('', 'ab')).toBe('-a -b')
  })
  it('is quick for long sequences that differ throughout', () => {
    const long = (kind: string): string[] => Array.from({ length: 5000 }, (_, i) => `${kind}${i}`)
    expect(alignSequences(long('a'), long('b'), (text) => text, (text) => text[0])).toHaveLength(10_000)
  })
})
