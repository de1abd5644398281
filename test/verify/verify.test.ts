import { describe, expect, it } from 'vitest'
import { Block, Func, Module, Operation, Region } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { addOp } from '../../src/ops/arithmetic.ts'
import { catalogue } from '../../src/ops/catalogue.ts'
import { funcReturnOp, returnOp } from '../../src/ops/return.ts'
import { parseModule } from '../../src/text/parse.ts'
import { VerifyError } from '../../src/verify/verify-error.ts'
import { checkModule, verifyModule } from '../../src/verify/verify.ts'
import { inBody } from '../text/read.ts'

const f32 = tensorType('f32', [4])
const file = 'model.mlir'

/** The messages of what is wrong with a text that can be parsed. */
const findings = (text: string): string => {
  const errors = verifyModule(parseModule(text, { file, allowForeignOps: true }), { source: { text, file } })
  return errors.map(({ message }) => message).join('\n')
}
/** The same for a function's body on %a and %b, both tensor<4xf32>. */
const inside = (body: string): string => findings(inBody(body))

/** A function f32[4] -> f32[4] put together by hand. */
function byHand(fill: (block: Block, add: (lhs: any, rhs: any) => Operation) => void): string {
  const module = new Module()
  const func = new Func('f', [f32])
  func.resultTypes = [f32]
  module.functions.push(func)
  fill(func.block, (lhs, rhs) => new Operation(func.block, addOp, [lhs, rhs], {}, [f32], []))
  return verifyModule(module).map(({ message }) => message).join('\n')
}
const giveBack = (block: Block, value: any): Operation => new Operation(block, funcReturnOp, [value], {}, [], [])

describe('rules of ops', () => {
  it('are broken at a line, with a caret and the rule', () => {
    expect(inside('  %0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 0>}> : (tensor<4xf32>) -> tensor<5xf32>\n  return')).toMatchInlineSnapshot(`
      "model.mlir:2:8: 'stablehlo.transpose' op inferred type(s) 'tensor<4xf32>' are incompatible with return type(s) of operation 'tensor<5xf32>' [transpose_c3]
        2 |   %0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 0>}> : (tensor<4xf32>) -> tensor<5xf32>
          |        ^"
    `)
  })
  it('are all reported, one for each op', () => {
    const text = inBody('  %0 = "stablehlo.add"(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<5xf32>\n  %1 = "stablehlo.negate"(%0) : (tensor<5xf32>) -> tensor<4xf32>\n  return')
    const errors = verifyModule(parseModule(text, { file }))
    expect(errors.map(({ line, op }) => [line, op])).toEqual([[2, 'stablehlo.add'], [3, 'stablehlo.negate']])
    expect(verifyModule(parseModule(text, { file }), { limit: 1 })).toHaveLength(1)
  })
  it('count operands, results and regions', () => {
    expect(inside('  %0 = "stablehlo.add"(%a) : (tensor<4xf32>) -> tensor<4xf32>\n  return')).toContain(`'stablehlo.add' op expected 2 operands, but found 1`)
    expect(inside('  %0:2 = "stablehlo.add"(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)\n  return')).toContain(`expected 1 result, but found 2`)
    expect(inside('  %0 = "stablehlo.sort"(%a) : (tensor<4xf32>) -> tensor<4xf32>\n  return')).toContain(`expected 1 region, but found 0`)
  })
  it('need the attributes', () => {
    const message = byHand((block) => {
      const sort = new Operation(block, catalogue.get('stablehlo.transpose')!, [block.arguments[0]], {}, [f32], [])
      block.operations.push(sort, giveBack(block, sort.results[0]))
    })
    expect(message).toBe(`'stablehlo.transpose' op requires attribute 'permutation'`)
  })
  it('hold for types that are not known until the program runs', () => {
    expect(findings('func.func @f(%a: tensor<?xf32>, %b: tensor<4xf32>) -> tensor<?xf32> {\n  %0 = "stablehlo.add"(%a, %b) : (tensor<?xf32>, tensor<4xf32>) -> tensor<?xf32>\n  return %0 : tensor<?xf32>\n}')).toBe('')
  })
  it('are not asked of ops that nobody knows', () => {
    expect(inside('  %0 = "my.op"(%a) ({\n    "my.end"() : () -> ()\n  }) : (tensor<4xf32>) -> tensor<9xf32>\n  return')).toBe('')
  })
})

describe('functions', () => {
  it('return what they say', () => {
    expect(findings('func.func @f(%a: tensor<4xf32>) -> tensor<5xf32> {\n  return %a : tensor<4xf32>\n}')).toMatchInlineSnapshot(`
      "model.mlir:2:3: 'func.return' op type of return operand 0 ('tensor<4xf32>') doesn't match function result type ('tensor<5xf32>') in function @f
        2 |   return %a : tensor<4xf32>
          |   ^"
    `)
    expect(findings('func.func @f(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {\n  return %a : tensor<4xf32>\n}')).toContain(`has 1 operands, but enclosing function (@f) returns 2`)
  })
  it('are called by names that exist, with their types', () => {
    expect(inside('  %0 = func.call @g(%a) : (tensor<4xf32>) -> tensor<4xf32>\n  return')).toContain(`'func.call' op 'g' does not reference a valid function`)
    const g = 'func.func private @g(%a: tensor<5xf32>) -> tensor<5xf32> {\n  return %a : tensor<5xf32>\n}\n'
    expect(findings(`${g}${inBody('  %0 = func.call @g(%a) : (tensor<4xf32>) -> tensor<5xf32>\n  return')}`)).toContain('model.mlir:5:8: ')
    expect(findings(`${g}${inBody('  %0 = stablehlo.composite "my.op" %a {decomposition = @h} : (tensor<4xf32>) -> tensor<4xf32>\n  return')}`)).toContain('composite_c2')
  })
  it('have one name each', () => {
    const module = parseModule('func.func private @f()\nfunc.func private @g()', { file })
    module.functions.push(new Func('f', []))
    expect(verifyModule(module).map(({ detail }) => detail)).toEqual([`redefinition of symbol named 'f'`])
  })
  it('may be declared only', () => expect(findings('func.func private @f(tensor<4xf32>) -> tensor<4xf32>')).toBe(''))
  it('are checked in modules inside modules too', () => {
    expect(findings('module {\n  module @inner {\n    func.func @f(%a: tensor<4xf32>) -> tensor<5xf32> {\n      return %a : tensor<4xf32>\n    }\n  }\n  func.func private @g()\n}')).toContain('model.mlir:4:7')
  })
})

describe('values', () => {
  it('are defined before they are used', () => {
    const message = byHand((block, add) => {
      const first = add(block.arguments[0], block.arguments[0])
      const second = add(first.results[0], block.arguments[0])
      block.operations.push(second, first, giveBack(block, second.results[0]))
    })
    expect(message).toBe(`'stablehlo.add' op operand #0 does not dominate this use: it is defined after it`)
  })
  it('do not feed themselves', () => {
    const message = byHand((block, add) => {
      const one = add(block.arguments[0], block.arguments[0])
      one.operands = [block.arguments[0], one.results[0]]
      block.operations.push(one, giveBack(block, one.results[0]))
    })
    expect(message).toContain('operand #1 does not dominate this use')
  })
  it('are not seen outside their region or function', () => {
    const other = new Func('other', [f32])
    expect(byHand((block) => block.operations.push(giveBack(block, other.block.arguments[0])))).toContain('operand #0 is defined in a region or function that this operation is not in')
  })
})

describe('terminators', () => {
  it('end every block', () => {
    expect(inside('  %0 = stablehlo.add %a, %b : tensor<4xf32>')).toMatchInlineSnapshot(`
      "model.mlir:2:8: 'stablehlo.add' op block with no terminator: its last operation must be one
        2 |   %0 = stablehlo.add %a, %b : tensor<4xf32>
          |        ^"
    `)
    expect(inside('  "func.return"() : () -> ()\n  %0 = stablehlo.add %a, %b : tensor<4xf32>\n  return')).toContain(`'func.return' op must be the last operation in the parent block`)
  })
  it('of functions end no region', () => {
    const text = '  %0 = "stablehlo.sort"(%a) ({\n  ^bb0(%x: tensor<f32>, %y: tensor<f32>):\n    %c = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>\n    func.return %c : tensor<i1>\n  }) : (tensor<4xf32>) -> tensor<4xf32>\n  return'
    expect(inside(text)).toContain(`model.mlir:5:5: 'func.return' op expects parent op 'func.func'`)
  })
  it('are there even where a region is empty', () => {
    const message = byHand((block) => {
      const region = new Region()
      region.blocks.push(new Block(region, [tensorType('f32', []), tensorType('f32', [])]))
      const sort = new Operation(block, catalogue.get('stablehlo.sort')!, [block.arguments[0]], {}, [f32], [region])
      block.operations.push(sort, giveBack(block, sort.results[0]))
    })
    expect(message).toContain('empty block: expect at least a terminator')
  })
  it('are one kind for every region', () => {
    expect(byHand((block) => block.operations.push(new Operation(block, returnOp, [block.arguments[0]], {}, [], [])))).toBe('')
  })
})

describe('checkModule', () => {
  it('gives a valid module back', () => {
    const module = parseModule(inBody('  return'))
    expect(checkModule(module)).toBe(module)
  })
  it('throws the first error, with its parts', () => {
    const module = parseModule(inBody('  %0 = "stablehlo.add"(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<5xf32>\n  return'), { file })
    let error: unknown
    try {
      checkModule(module)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(VerifyError)
    expect(error).toMatchObject({ code: 'VERIFY', op: 'stablehlo.add', rule: 'add_c1', file, line: 2, column: 8 })
  })
})
