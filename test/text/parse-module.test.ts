import { describe, expect, it } from 'vitest'
import { isDeclaration } from '../../src/ir/module.ts'
import { typeText } from '../../src/ir/types.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { parseFailure } from './read.ts'

const reprint = (text: string): string => printModule(parseModule(text))

describe('modules and functions', () => {
  it('keeps everything that a module says', () => {
    const text = `module @jit_f attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32} {
  sdy.mesh @mesh = <["data"=8, "model"=4]>
  func.func public @main(%arg0: tensor<4xf32> {jax.buffer_donor = true, sdy.sharding = #sdy.sharding<@mesh, [{"data"}]>}) -> (tensor<4xf32> {jax.result_info = ""}) {
    %0 = call @helper(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
  func.func private @helper(%arg0: tensor<4xf32>) -> tensor<4xf32> attributes {no_inline} {
    %0 = stablehlo.abs %arg0 : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
  func.func private @elsewhere(tensor<4xf32> {a = 1 : i64}, tensor<i1>) -> (tensor<f32>, tensor<f32>)
  func.func @unsaid() {
    return
  }
}
`
    expect(reprint(text)).toBe(text)
    const module = parseModule(text)
    expect(module.name).toBe('jit_f')
    expect(module.foreign).toEqual(['sdy.mesh @mesh = <["data"=8, "model"=4]>'])
    expect(module.functions.map(({ name, visibility }) => [name, visibility])).toEqual([['main', 'public'], ['helper', 'private'], ['elsewhere', 'private'], ['unsaid', 'public']])
    expect(module.functions.map(isDeclaration)).toEqual([false, false, true, false])
    expect(module.find('elsewhere')?.argumentTypes.map(typeText)).toEqual(['tensor<4xf32>', 'tensor<i1>'])
    expect(module.functions.every((func) => func.body.parent === func)).toBe(true)
  })

  it('implies a module around functions, and only where one is needed', () => {
    expect(parseModule('').functions).toEqual([])
    expect(parseModule('func.func @f() { return } func.func @g() { func.return }').functions.map(({ name }) => name)).toEqual(['f', 'g'])
    expect(parseModule('module @a {}').name).toBe('a')
    const both = parseModule('module @a {} module @b { module @c { func.func @f() { return } } }')
    expect(both.modules.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(both.modules[1].modules[0].functions[0].name).toBe('f')
    expect(printModule(parseModule(printModule(both)))).toBe(printModule(both))
  })

  it('reads functions and modules in generic form', () => {
    const text = `"builtin.module"() <{sym_name = "m"}> ({
      "func.func"() <{function_type = (tensor<f32>) -> tensor<f32>, sym_name = "main", sym_visibility = "public", arg_attrs = [{x = 1 : i64}], res_attrs = [{}]}> ({
      ^bb0(%arg0: tensor<f32>):
        "func.return"(%arg0) : (tensor<f32>) -> ()
      }) {extra} : () -> ()
      "func.func"() <{function_type = (tensor<f32>) -> (), sym_name = "declared", sym_visibility = "private"}> ({}) : () -> ()
    }) {mhlo.num_replicas = 1 : i32} : () -> ()`
    expect(reprint(text)).toMatchInlineSnapshot(`
      "module @m attributes {mhlo.num_replicas = 1 : i32} {
        func.func public @main(%arg0: tensor<f32> {x = 1 : i64}) -> tensor<f32> attributes {extra} {
          return %arg0 : tensor<f32>
        }
        func.func private @declared(tensor<f32>)
      }
      "
    `)
  })

  it('skips comments, a byte order mark and file metadata, and reads bytes', () => {
    const text = '\ufeff// a comment\nfunc.func @f() { // another\r\n  return }\n{-# dialect_resources: {builtin: {x: "0x00"}} #-}\n'
    expect(parseModule(text).functions).toHaveLength(1)
    expect(parseModule(new TextEncoder().encode('module @"é" {}')).name).toBe('é')
  })

  it('keeps foreign ops at module level', () => {
    const module = parseModule('module {\n  other.global @x = {\n    a\n  } // why\n  "other.op"() <{a = 1}> : () -> ()\n  func.func @f() { return }\n}')
    expect(module.foreign).toEqual(['other.global @x = { a }', '"other.op"() <{a = 1}> : () -> ()'])
  })

  it.each([
    ['func.func @f() { return } func.func @f() { return }', `redefinition of symbol named 'f'`],
    ['#a = 1 #a = 2', `redefinition of attribute alias id 'a'`],
    ['!a = tensor<f32> !a = tensor<f32>', `redefinition of type alias id 'a'`],
    ['#a.b = 1', `alias names with a '.' are reserved for dialects`],
    ['func.func @f(tensor<f32>) { return }', 'expected SSA identifier'],
    ['func.func @f(%x: tensor<f32>, %x: tensor<f32>) { return }', `redefinition of SSA value '%x'`],
    ['func.func @f() {}', 'body is empty'],
    ['func.func @f() { return ^bb1: return }', 'needs a body of one block, has 2'],
    ['func.func @f() { return', `expected '}' to end the region`],
    ['module {', `expected '}' to end the module`],
    ['%0 = stablehlo.add %a, %b : tensor<f32>', 'operations stand inside functions'],
    ['func.func f()', 'expected a symbol such as @main'],
    ['"func.func"() <{sym_name = "f"}> ({}) : () -> ()', 'expected function_type and sym_name'],
  ])('refuses %s', (text, message) => expect(parseFailure(text)).toContain(message))

  it('puts the caret where something is missing, not on the next line', () => {
    expect(parseFailure('func.func @f(%0: tensor<2xf32>, %1: tensor<2xf32>) {\n  %2 = stablehlo.add %0, %1 : tensor<2xf32\n  return\n}')).toMatchInlineSnapshot(`
      "model.mlir:2:43: expected '>' to close a tensor type
        2 |   %2 = stablehlo.add %0, %1 : tensor<2xf32
          |                                           ^"
    `)
  })
})
