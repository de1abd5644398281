import { describe, expect, it } from 'vitest'
import type { Operation } from '../../src/ir/module.ts'
import type { OpDefinition } from '../../src/ir/op-definition.ts'
import { typeText } from '../../src/ir/types.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { bodyFailure, firstOperation, inBody, parseFailure, readBody } from './read.ts'

const twoResults = '%r:2 = stablehlo.optimization_barrier %a, %b : tensor<4xf32>, tensor<4xf32>\n'
const names = (operations: readonly Operation[]): string[] => operations.map((operation) => operation.name)

describe('operations', () => {
  it('reads generic form and own form to the same operation', () => {
    const own = readBody('%0 = stablehlo.compare LT, %a, %b, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>\nreturn')
    const generic = readBody(
      '%0 = "stablehlo.compare"(%a, %b) <{compare_type = #stablehlo<comparison_type FLOAT>, comparison_direction = #stablehlo<comparison_direction LT>}>' +
        ' : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>\n"func.return"() : () -> ()',
    )
    expect(printModule(generic)).toBe(printModule(own))
    expect(firstOperation(own).attributes).toEqual({ comparison_direction: 'LT', compare_type: 'FLOAT' })
  })

  it('reads attributes from properties and from the dictionary, and keeps those it does not know', () => {
    const operation = firstOperation(
      readBody('%0 = "stablehlo.transpose"(%a) {permutation = array<i64: 0>, mhlo.sharding = "{replicated}", flag} : (tensor<4xf32>) -> tensor<4xf32>\nreturn'),
    )
    expect(operation.attributes).toEqual({ permutation: [0] })
    expect(operation.discardable).toEqual({ 'mhlo.sharding': { kind: 'string', value: '{replicated}' }, flag: { kind: 'unit' } })
  })

  it('names several results together and one by one', () => {
    const { operations } = readBody(`${twoResults}%x, %y = stablehlo.optimization_barrier %r#1, %r : tensor<4xf32>, tensor<4xf32>\nreturn`).functions[0].block
    const [first, second] = operations
    expect(second.operands).toEqual([first.results[1], first.results[0]])
    const mixed = readBody(`%x:1, %y = stablehlo.optimization_barrier %a, %b : tensor<4xf32>, tensor<4xf32>\n%0 = stablehlo.add %x#0, %y : tensor<4xf32>\nreturn`)
    expect(mixed.functions[0].block.operations[1].operands).toEqual(mixed.functions[0].block.operations[0].results)
  })

  it('reads regions with and without a block header', () => {
    const module = readBody(`
      %init = stablehlo.constant dense<0.0> : tensor<f32>
      %sum = "stablehlo.reduce"(%a, %init) <{dimensions = array<i64: 0>}> ({
      ^bb0(%x: tensor<f32> loc("here"), %y: tensor<f32>):
        %0 = stablehlo.add %x, %y : tensor<f32>
        stablehlo.return %0 : tensor<f32>
      }) : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
      %0 = stablehlo.constant dense<true> : tensor<i1>
      %1 = "stablehlo.if"(%0) ({ stablehlo.return %sum : tensor<f32> }, { stablehlo.return %init : tensor<f32> }) : (tensor<i1>) -> tensor<f32>
      return`)
    const { operations } = module.functions[0].block
    expect(names(operations)).toEqual(['stablehlo.constant', 'stablehlo.reduce', 'stablehlo.constant', 'stablehlo.if', 'func.return'])
    expect(operations[1].regions[0].block.arguments.map(({ type }) => typeText(type))).toEqual(['tensor<f32>', 'tensor<f32>'])
    expect(operations[3].regions.map((region) => region.block.terminator?.operands[0])).toEqual([operations[1].results[0], operations[0].results[0]])
    expect(operations[1].regions[0].parent).toBe(operations[1])
    const places = [operations[1], operations[1].regions[0].block.operations[1], operations[2]].map(({ location }) => location?.describe())
    expect(places).toEqual(['<text>:4:14', '<text>:7:9', '<text>:9:12'])
  })

  it('gives the place of every op, or the one that is written', () => {
    const module = parseModule(
      `#l1 = loc("jit(f)/add"(#l2))\n${inBody(
        '%0 = stablehlo.add %a, %b : tensor<4xf32>\n%1 = stablehlo.add %a, %b : tensor<4xf32> loc(#l1)\n%2 = stablehlo.add %a, %b : tensor<4xf32> loc("name")\n' +
          'return loc(callsite(unknown at fused<"x">["m.py":7:8 to :9]))',
      )} loc("model.py":1:2)\n#l2 = loc("model.py":41:12)`,
      { file: 'model.mlir' },
    )
    expect(module.functions[0].location?.describe()).toBe('model.py:1:2')
    expect(module.functions[0].block.operations.map(({ location }) => location?.describe())).toEqual([
      'model.mlir:3:6',
      'model.py:41:12 in jit(f)/add',
      'model.mlir:5:6 in name',
      'm.py:7:8',
    ])
  })

  it('reads a constant whose type is not its value’s', () => {
    const text = '%0 = stablehlo.constant() {value = dense<1> : tensor<2xi8>} : () -> tensor<2x!quant.uniform<i8:f32, 2.0>>\nreturn'
    const module = readBody(text)
    expect(typeText(firstOperation(module).results[0].type)).toBe('tensor<2x!quant.uniform<i8:f32, 2.000000e+00>>')
    expect(printModule(parseModule(printModule(module)))).toBe(printModule(module))
  })

  it('keeps foreign ops if told so', () => {
    const body = '%0 = "other.op"(%a) <{p = 1 : i32}> ({\n^bb0(%x: tensor<f32>):\n  "other.end"(%x) : (tensor<f32>) -> ()\n}) {d} : (tensor<4xf32>) -> !other.thing\nreturn'
    expect(bodyFailure(body)).toMatchInlineSnapshot(`
      "model.mlir:2:6: unknown op 'other.op': it is not in the catalogue. Lower the program to StableHLO before it is read, or allow foreign ops, which can be read and printed but not run
        2 | %0 = "other.op"(%a) <{p = 1 : i32}> ({
          |      ^"
    `)
    const module = readBody(body, { allowForeignOps: true })
    expect(printModule(module)).toContain('"other.op"(%arg0) <{p = 1 : i32}> ({')
    expect(printModule(module)).toContain('}) {d} : (tensor<4xf32>) -> !other.thing')
    expect(printModule(parseModule(printModule(module), { allowForeignOps: true }))).toBe(printModule(module))
  })

  it('lets forms look ops up, count their results and fail', () => {
    const seen: unknown[] = []
    const probe: OpDefinition = {
      name: 'test.probe', operands: [], results: [], regions: [], attributes: {}, infer: () => [], evaluate: () => [], vjp: { notDifferentiable: '' },
      assembly: {
        print: () => undefined,
        parse: (parser) => {
          seen.push(parser.resultCount, parser.definition('test.probe') === probe, parser.peek('%'), parser.peek('@'), parser.symbol(), parser.string(), parser.integer())
          if (parser.accept('bad')) return parser.fail('expected something better')
          if (parser.accept('worse')) throw new TypeError('oops')
          return { operands: [], results: Array.from({ length: parser.resultCount }, () => parser.type()), attributes: {} }
        },
      },
    }
    const catalogue = new Map([[probe.name, probe]])
    const read = (rest: string) => parseModule(`func.func @f() {\n %r:2 = test.probe @s "text" -12 ${rest}\n}`, { catalogue })
    read('i32 index')
    expect(seen).toEqual([2, true, false, true, 's', 'text', -12n])
    expect(() => read('bad')).toThrow(`custom op 'test.probe' expected something better`)
    expect(() => read('worse')).toThrow(`custom op 'test.probe' oops`)
  })
})

describe('errors in operations', () => {
  it('names both places when a value is defined twice', () => {
    expect(bodyFailure('%0 = stablehlo.add %a, %b : tensor<4xf32>\n%0 = stablehlo.add %a, %b : tensor<4xf32>')).toMatchInlineSnapshot(`
      "model.mlir:3:1: redefinition of SSA value '%0'
        3 | %0 = stablehlo.add %a, %b : tensor<4xf32>
          | ^
      model.mlir:2:1: '%0' is already defined here
        2 | %0 = stablehlo.add %a, %b : tensor<4xf32>
          | ^"
    `)
  })

  it('names both places when a value is used as another type', () => {
    expect(bodyFailure('%0 = stablehlo.add %a, %b : tensor<5xf32>')).toMatchInlineSnapshot(`
      "model.mlir:2:20: use of value '%a' expects different type than prior uses: 'tensor<5xf32>' vs 'tensor<4xf32>'
        2 | %0 = stablehlo.add %a, %b : tensor<5xf32>
          |                    ^
      model.mlir:1:14: '%a' is defined here as 'tensor<4xf32>'
        1 | func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>) {
          |              ^"
    `)
  })

  it('names both places when a value is used before its definition', () => {
    expect(bodyFailure('%0 = stablehlo.add %a, %1 : tensor<4xf32>\n%1 = stablehlo.add %a, %b : tensor<4xf32>')).toMatchInlineSnapshot(`
      "model.mlir:2:24: use of undeclared SSA value name '%1'
        2 | %0 = stablehlo.add %a, %1 : tensor<4xf32>
          |                        ^
      model.mlir:3:1: %1 is defined only here: a value cannot be used before
        3 | %1 = stablehlo.add %a, %b : tensor<4xf32>
          | ^"
    `)
  })

  it('ends names with the region that they belong to', () => {
    const text = `%c = stablehlo.constant dense<true> : tensor<i1>
%0 = "stablehlo.if"(%c) ({ %x = stablehlo.abs %a : tensor<4xf32>
stablehlo.return %x : tensor<4xf32> }, { stablehlo.return %x : tensor<4xf32> }) : (tensor<i1>) -> tensor<4xf32>`
    expect(bodyFailure(text)).toContain(`model.mlir:4:59: use of undeclared SSA value name '%x'`)
    expect(parseFailure('func.func @f(%a: tensor<f32>) { return }\nfunc.func @g() { return %a : tensor<f32> }')).toContain(`use of undeclared SSA value name '%a'`)
    expect(bodyFailure('%0 = stablehlo.abs %0 : tensor<4xf32>')).toContain('use of undeclared SSA value name')
  })

  it.each([
    ['%0 = stablehlo.transpose %a, dims = [0 : (tensor<4xf32>) -> tensor<4xf32>', `expected ']'`],
    ['%0 = stablehlo.transpose %a, dims = [[0]] : (tensor<4xf32>) -> tensor<4xf32>', `custom op 'stablehlo.transpose' expected integer value, or expected ']' to end the list`],
    ['%0 = "stablehlo.transpose"(%a) : (tensor<4xf32>) -> tensor<4xf32>', `'stablehlo.transpose' op requires attribute 'permutation'`],
    ['%0 = "stablehlo.transpose"(%a) <{permutation = "x"}> : (tensor<4xf32>) -> tensor<4xf32>', `'stablehlo.transpose' op attribute 'permutation' failed to satisfy constraint: an array of i64`],
    ['%0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 0>, more = 1}> : (tensor<4xf32>) -> tensor<4xf32>', `'stablehlo.transpose' op has no property 'more'; it has permutation`],
    ['%0 = "stablehlo.abs"(%a) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>', 'number of operands and types do not match: got 1 operands and 2 types'],
    ['%0 = stablehlo.abs %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>', `custom op 'stablehlo.abs' 1 operands present, but expected 2`],
    ['%0 = stablehlo.abs %a : %a', 'expected non-function type'],
    ['%0 = stablehlo.abs %a', `expected ':'`],
    ['%0:2 = stablehlo.abs %a : tensor<4xf32>', 'operation defines 1 results but was provided 2 to bind'],
    ['%0 = stablehlo.return %a : tensor<4xf32>', 'cannot name an operation with no results'],
    ['%0:0 = stablehlo.abs %a : tensor<4xf32>', 'at least 1 result'],
    [`${twoResults}%x = stablehlo.abs %r#2 : tensor<4xf32>`, `reference to invalid result number '%r#2': %r has 2 results`],
    ['%0 = stablehlo.gather %a, %b : tensor<4xf32>', `'stablehlo.gather' has no form of its own: write it in generic form, "stablehlo.gather"(...)`],
    ['%0 = stablehlo.nonsense %a : tensor<4xf32>', `unknown op 'stablehlo.nonsense': it is not in the catalogue. Check the spelling`],
    ['%0 = arithmetic.plus %a : tensor<4xf32>', `ops of 'arithmetic' can only be read in generic form, "arithmetic.plus"(...)`],
    ['%0 = "stablehlo.abs"(%a)[^bb1] : (tensor<4xf32>) -> tensor<4xf32>', 'branches to blocks are not supported'],
    ['%0 = "stablehlo.if"(%a) ({}, {}) : (tensor<4xf32>) -> tensor<4xf32>', `'stablehlo.if' op region #0 ('true_branch') failed to verify constraint: region with 1 blocks`],
    ['%0 = ^bb0', 'expected operation name in quotes'],
    ['%0 = stablehlo.abs %a : tensor<4xf32> loc(#nowhere)\nreturn', 'operation location alias was never defined: #nowhere'],
    ['%0 = stablehlo.abs %a : tensor<4xf32> loc(what)', 'expected location instance'],
  ])('refuses %s', (text, message) => expect(bodyFailure(text)).toContain(message))

  it('shows a part of a very long line', () => {
    const text = `module attributes {a = "${'x'.repeat(1000)}", b = $${' '.repeat(1000)}} {}`
    const [, source, caret] = parseFailure(text).split('\n')
    expect(source.length).toBeLessThan(180)
    expect(source[caret.indexOf('^')]).toBe('$')
  })
})
