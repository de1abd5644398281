import { describe, expect, it } from 'vitest'
import { parseModule } from '../../src/text/parse.ts'
import { attributeFailure, bodyFailure, inBody, parseFailure, readAttribute } from './read.ts'

/** Text that is made to be hard to read: it must end in an error, soon, and without much memory. */
describe('hostile text', () => {
  const nestedIf = (depth: number): string =>
    '%p = stablehlo.constant dense<true> : tensor<i1>\n' +
    '"stablehlo.if"(%p) ({\n'.repeat(depth) + '"stablehlo.return"() : () -> ()\n' + '}, { "stablehlo.return"() : () -> () }) : (tensor<i1>) -> ()\n"stablehlo.return"() : () -> ()\n'.repeat(depth)

  it('limits the nesting of regions', () => {
    expect(parseModule(inBody(nestedIf(250).replace(/"stablehlo.return"\(\) : \(\) -> \(\)\n$/, 'return'))).functions).toHaveLength(1)
    expect(bodyFailure(nestedIf(300))).toContain('regions are nested more than 256 deep')
    expect(bodyFailure(nestedIf(50_000))).toContain('regions are nested more than 256 deep')
    expect(parseFailure('module {'.repeat(50_000))).toContain('modules are nested more than 100 deep')
  })

  it('has stack enough for both limits together', () => {
    const attribute = `${'['.repeat(900)}tuple<tensor<1xf32, "x">>${']'.repeat(900)}`
    const text = nestedIf(250).replace('"stablehlo.return"() : ', `"stablehlo.return"() {a = ${attribute}} : `)
    expect(() => parseModule(inBody(text.replace(/"stablehlo.return"\(\) : \(\) -> \(\)\n$/, 'return')))).not.toThrow()
  })

  it.each([
    ['arrays', '[', ']'],
    ['dictionaries', '{a = ', '}'],
    ['tuples', 'tuple<', '>'],
    ['functions', '(', ') -> ()'],
    ['futures', '!stablehlo.future<', '>'],
    ['encodings', 'tensor<1xf32, ', '>'],
  ])('limits the nesting of %s', (_, open, close) => {
    const text = (depth: number) => open.repeat(depth) + (open.includes('[') || open.includes('{') ? '1' : 'tensor<f32>') + close.repeat(depth)
    if (!open.includes('future')) expect(() => readAttribute(text(900))).not.toThrow()
    expect(attributeFailure(text(1100))).toContain('nested more than 1000 deep')
    expect(attributeFailure(open.repeat(200_000))).toContain('nested more than 1000 deep')
  })

  it('limits the nesting of brackets in foreign text, constants, scales and locations', () => {
    expect(attributeFailure(`#a.b<${'['.repeat(200_000)}`)).toContain('brackets are nested more than 1000 deep')
    expect(attributeFailure(`dense<${'['.repeat(200_000)}> : tensor<f32>`)).toContain('lists are nested more than 1000 deep')
    expect(attributeFailure(`tensor<1x!quant.uniform<i8:f32:{0:1}, ${'{'.repeat(200_000)}`)).toContain('nested more than 1000 deep')
    expect(bodyFailure(`return loc(${'callsite('.repeat(200_000)}`)).toContain('nested more than 1000 deep')
  })

  it('refuses aliases that stand for too much', () => {
    const bomb = (sigil: string, seed: string, twice: (name: string) => string): string =>
      [`${sigil}a0 = ${seed}`, ...Array.from({ length: 60 }, (_, i) => `${sigil}a${i + 1} = ${twice(`${sigil}a${i}`)}`)].join('\n')
    expect(parseFailure(bomb('#', '[1, 2]', (name) => `[${name}, ${name}]`))).toContain('stands for more than 1000000 parts')
    expect(parseFailure(bomb('!', 'tuple<>', (name) => `tuple<${name}, ${name}>`))).toContain('stands for more than 1000000 parts')
    expect(parseFailure(bomb('#', '#x.y<1>', (name) => `#x.y<${name}, ${name}>`))).toContain('stands for more than 1000000 parts')
    expect(parseFailure(bomb('#', '[1, 2]', (name) => `[${name}, ${name}]`).split('\n').slice(0, 16).join('\n') + `\nmodule attributes {x = [${'#a15, '.repeat(500)}1]} {}`)).toContain(
      'aliases of this text stand for too much',
    )
  })

  it('lets locations name each other in a circle', () => {
    const module = parseModule('func.func @f() { return loc(#a) }\n#a = loc("x"(#b))\n#b = loc("y"(#a))')
    expect(module.functions[0].block.operations[0].location?.describe()).toContain('in x')
  })

  it('takes no memory for what is only claimed', () => {
    expect(attributeFailure('dense<[1]> : tensor<1000000000x1000xi64>')).toContain('inferred shape of elements literal')
    expect(attributeFailure('dense<> : tensor<1000000000xi64>')).toContain('expected 1000000000 elements')
    expect(attributeFailure(`dense<1> : tensor<${'9000000000000000x'.repeat(3)}i64>`)).toContain('more elements than can be counted')
    expect(readAttribute('dense<1> : tensor<1000000000x1000xi64>')).toMatchObject({ kind: 'dense' })
    expect(bodyFailure('%0 = "stablehlo.transpose"(%a) <{permutation = dense<0> : tensor<100000000000xi64>}> : (tensor<4xf32>) -> tensor<4xf32>')).toContain(
      `attribute 'permutation' failed to satisfy constraint`,
    )
    expect(bodyFailure('%0:999999999 = stablehlo.abs %a : tensor<4xf32>')).toContain('at most 100000')
    expect(attributeFailure('9'.repeat(1_000_000))).toContain('too long')
    expect(attributeFailure(`array<i64: ${'9'.repeat(1_000_000)}>`)).toContain('too long')
    expect(attributeFailure(`dense<${'9'.repeat(1_000_000)}> : tensor<i64>`)).toContain('expected an integer')
  })

  it('refuses text that ends too early, at every place', () => {
    const text = inBody('%0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 0>}> {x = dense<[1.0]> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32> loc("a"("b":1:2))\nreturn')
    // Without the last character it is not complete; what is longer is.
    for (let length = text.indexOf('{') + 1; length < text.length; length++) {
      const message = parseFailure(text.slice(0, length))
      expect(message).toMatch(/^model\.mlir:\d+:\d+: /)
    }
    expect(parseModule(text).functions).toHaveLength(1)
  })

  it('takes time in proportion to the text', () => {
    const strings = Array.from({ length: 200_000 }, (_, i) => `"s${i}"`).join(', ')
    const types = Array.from({ length: 100_000 }, (_, i) => `tensor<${i}xf32, "e">`).join(', ')
    const escapes = '"\\n",'.repeat(200_000)
    const started = performance.now()
    readAttribute(`[${strings}]`)
    readAttribute(`[${types}]`)
    readAttribute(`[${escapes} 1]`)
    attributeFailure(`[${'"'.repeat(400_000)}`)
    attributeFailure(`[${'#a.b<'.repeat(999)}${'"x" '.repeat(400_000)}`)
    // These would take minutes if each string were searched for to the end of the text.
    expect(performance.now() - started).toBeLessThan(20_000)
  })
})
