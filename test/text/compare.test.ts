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
  it('has constants as one value or as all of them', () => {
    const constant = (value: string) => read(program(`  %0 = stablehlo.constant dense<${value}> : tensor<4xf32>\n  return %0 : tensor<4xf32>`))
    expect(sameModule(constant('2.0'), constant('[2.0, 2.0, 2.0, 2.0]'))).toBe(true)
    expect(sameModule(constant('2.0'), constant('[2.0, 2.0, 2.0, 2.5]'))).toBe(false)
    expect(sameModule(constant('0.0'), constant('[0.0, -0.0, 0.0, 0.0]'))).toBe(false)
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
          %0 = stablehlo.add %arg0, %arg1 : tensor<4xf32>
          %1 = stablehlo.multiply %0, %arg1 : tensor<4xf32>
        + %2 = stablehlo.negate %1 : tensor<4xf32>

      @f: stablehlo.tanh differs (b.mlir:5:8, was a.mlir:4:8)
        operand 0: %1 of stablehlo.multiply, f32[4] became %2 of stablehlo.negate, f32[4]
        - %3 = stablehlo.tanh %1 : tensor<4xf32>
        + %3 = stablehlo.tanh %2 : tensor<4xf32>
          return %3 : tensor<4xf32>
      "
    `)
    expect(diffModules(read(other), read(base)).map(({ kind, op }) => [kind, op])).toEqual([['removed', 'stablehlo.negate'], ['changed', 'stablehlo.tanh']])
  })
  it('of an op that takes the place of another is one difference, also for what uses it', () =>
    expect(diff(base, base.replace('stablehlo.multiply', 'stablehlo.subtract'))).toMatchInlineSnapshot(`
      "@f: stablehlo.multiply became stablehlo.subtract (b.mlir:3:8, was a.mlir:3:8)
          %0 = stablehlo.add %arg0, %arg1 : tensor<4xf32>
        - %1 = stablehlo.multiply %0, %arg1 : tensor<4xf32>
        + %1 = stablehlo.subtract %0, %arg1 : tensor<4xf32>
          %2 = stablehlo.tanh %1 : tensor<4xf32>
          return %2 : tensor<4xf32>
      "
    `))
  it('of an op that was taken out keeps the names of the others', () =>
    expect(diff(base, base.replace('  %1 = stablehlo.multiply %0, %b : tensor<4xf32>\n', '').replace('tanh %1', 'tanh %0'))).toMatchInlineSnapshot(`
      "@f: stablehlo.multiply was removed (a.mlir:3:8)
          %0 = stablehlo.add %arg0, %arg1 : tensor<4xf32>
        - %old1 = stablehlo.multiply %0, %arg1 : tensor<4xf32>

      @f: stablehlo.tanh differs (b.mlir:3:8, was a.mlir:4:8)
        operand 0: %old1 of stablehlo.multiply, f32[4] became %0 of stablehlo.add, f32[4]
        - %1 = stablehlo.tanh %old1 : tensor<4xf32>
        + %1 = stablehlo.tanh %0 : tensor<4xf32>
          return %1 : tensor<4xf32>
      "
    `))
  it('of an argument that was put in before others is one difference', () =>
    expect(diff(base, base.replace('%a: tensor<4xf32>', '%mask: tensor<4xi1>, %a: tensor<4xf32>'))).toMatchInlineSnapshot(`
      "@f: differs
        + argument 0: tensor<4xi1>
      "
    `))
  it('shows what stands between two differences once', () => {
    const chain = (...ops: string[]) => program(`${ops.map((op, i) => `  %${i} = stablehlo.${op} ${i ? `%${i - 1}` : '%a'} : tensor<4xf32>\n`).join('')}  return %${ops.length - 1} : tensor<4xf32>`)
    expect(diff(chain('tanh', 'sine', 'log', 'sqrt', 'exponential'), chain('floor', 'sine', 'log', 'sqrt', 'cosine'))).toMatchInlineSnapshot(`
      "@f: stablehlo.tanh became stablehlo.floor (b.mlir:2:8, was a.mlir:2:8)
        - %0 = stablehlo.tanh %arg0 : tensor<4xf32>
        + %0 = stablehlo.floor %arg0 : tensor<4xf32>
          %1 = stablehlo.sine %0 : tensor<4xf32>
          %2 = stablehlo.log %1 : tensor<4xf32>

      @f: stablehlo.exponential became stablehlo.cosine (b.mlir:6:8, was a.mlir:6:8)
          %3 = stablehlo.sqrt %2 : tensor<4xf32>
        - %4 = stablehlo.exponential %3 : tensor<4xf32>
        + %4 = stablehlo.cosine %3 : tensor<4xf32>
          return %4 : tensor<4xf32>
      "
    `)
  })
  it('of operands says where they come from', () => expect(diff(base, base.replace('multiply %0, %b', 'multiply %b, %0'))).toMatchInlineSnapshot(`
    "@f: stablehlo.multiply differs (b.mlir:3:8, was a.mlir:3:8)
      operand 0: %0 of stablehlo.add, f32[4] became %arg1, f32[4]
      operand 1: %arg1, f32[4] became %0 of stablehlo.add, f32[4]
        %0 = stablehlo.add %arg0, %arg1 : tensor<4xf32>
      - %1 = stablehlo.multiply %0, %arg1 : tensor<4xf32>
      + %1 = stablehlo.multiply %arg1, %0 : tensor<4xf32>
        %2 = stablehlo.tanh %1 : tensor<4xf32>
        return %2 : tensor<4xf32>
    "
  `))
  it('of an attribute or a type says both', () => {
    const transpose = (permutation: string, type: string) => `func.func @f(%a: tensor<2x3xf32>) {\n  %0 = stablehlo.transpose %a, dims = [${permutation}] : (tensor<2x3xf32>) -> tensor<${type}xf32> loc("layer3/attention"("model.py":7:3))\n  return\n}`
    expect(diff(transpose('1, 0', '3x2'), transpose('0, 1', '2x3'))).toMatchInlineSnapshot(`
      "@f: stablehlo.transpose differs in layer3/attention (model.py:7:3)
        permutation: array<i64: 1, 0> became array<i64: 0, 1>
        result types: f32[3,2] became f32[2,3]
        - %0 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
        + %0 = stablehlo.transpose %arg0, dims = [0, 1] : (tensor<2x3xf32>) -> tensor<2x3xf32>
          return
      "
    `)
  })
  it('of signatures, functions and module attributes', () => {
    expect(diff(base, base.replace('%b: tensor<4xf32>', '%b: tensor<4xf32> {tf.aliasing_output = 0 : i32}'))).toMatchInlineSnapshot(`
      "@f: differs
        argument 1: tensor<4xf32> became tensor<4xf32> {tf.aliasing_output = 0 : i32}
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
