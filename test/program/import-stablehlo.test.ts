import { describe, expect, it } from 'vitest'
import {
  EngramError, HostArray, InputError, OpError, ParseError, type Tensor, TraceError, VerifyError, bf16, checkModule, cond, evaluate, f32, foriLoop, grad, i32,
  importStableHLO, interpretProgram, lower, outlined, parseModule, scope,
} from 'engram'

const softSign = `module @soft_sign attributes {mhlo.num_partitions = 1 : i32} {
  func.func public @main(%x: tensor<3xf32> {tf.aliasing_output = 0 : i32, mhlo.sharding = "{replicated}"}) -> (tensor<3xf32> {jax.result_info = "result"}) {
    %0 = call @scale(%x) : (tensor<3xf32>) -> tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  func.func private @scale(%x: tensor<3xf32>) -> tensor<3xf32> {
    %size = stablehlo.abs %x : tensor<3xf32>
    %one = stablehlo.constant dense<1.0> : tensor<3xf32>
    %sum = stablehlo.add %size, %one : tensor<3xf32>
    %0 = stablehlo.divide %x, %sum : tensor<3xf32>
    return %0 : tensor<3xf32>
  }
  func.func private @unused(%x: tensor<f32>) -> tensor<f32> {
    return %x : tensor<f32>
  }
}
`
const two = `func.func @split(%x: tensor<4xf32>, %y: tensor<4xi32>) -> (tensor<4xi32>, tensor<4xf32>) {
  return %y, %x : tensor<4xi32>, tensor<4xf32>
}
func.func private @helper(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.tanh %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
`
const x = HostArray.from('f32', [-1, 0, 3])

/** The error of `run`, which must be of the given class, without the folder of this test. */
function failure(run: () => unknown, kind: new (...args: never[]) => EngramError): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(kind)
    return (error as Error).message.replace(/[^ (]*(import-stablehlo\.test\.ts):\d+:\d+/g, '$1')
  }
  throw new Error('expected an error, got none')
}

describe('importStableHLO', () => {
  it('puts the functions that are reached into the module, once, under names that are free', () => {
    const fn = importStableHLO(softSign)
    const scale = outlined('scale', (x: Tensor) => x.mul(2))
    const { text } = lower((x: Tensor) => fn(scale(fn(x))).add(fn(x)), f32(3))
    expect(text).toMatchInlineSnapshot(`
      "module @program attributes {mhlo.num_partitions = 1 : i32} {
        func.func public @main(%arg0: tensor<3xf32>) -> tensor<3xf32> {
          %0 = call @soft_sign(%arg0) : (tensor<3xf32>) -> tensor<3xf32>
          %1 = call @scale_0(%0) : (tensor<3xf32>) -> tensor<3xf32>
          %2 = call @soft_sign(%1) : (tensor<3xf32>) -> tensor<3xf32>
          %3 = call @soft_sign(%arg0) : (tensor<3xf32>) -> tensor<3xf32>
          %4 = stablehlo.add %2, %3 : tensor<3xf32>
          return %4 : tensor<3xf32>
        }
        func.func private @soft_sign(%arg0: tensor<3xf32> {mhlo.sharding = "{replicated}"}) -> (tensor<3xf32> {jax.result_info = "result"}) {
          %0 = call @scale(%arg0) : (tensor<3xf32>) -> tensor<3xf32>
          return %0 : tensor<3xf32>
        }
        func.func private @scale(%arg0: tensor<3xf32>) -> tensor<3xf32> {
          %0 = stablehlo.abs %arg0 : tensor<3xf32>
          %1 = stablehlo.constant dense<1.0> : tensor<3xf32>
          %2 = stablehlo.add %0, %1 : tensor<3xf32>
          %3 = stablehlo.divide %arg0, %2 : tensor<3xf32>
          return %3 : tensor<3xf32>
        }
        func.func private @scale_0(%arg0: tensor<3xf32>) -> tensor<3xf32> {
          %0 = stablehlo.constant dense<2.0> : tensor<3xf32>
          %1 = stablehlo.multiply %arg0, %0 : tensor<3xf32>
          return %1 : tensor<3xf32>
        }
      }
      "
    `)
    checkModule(parseModule(text))
  })

  it('gives the function a name, its types and its module', () => {
    const fn = importStableHLO(softSign)
    expect([fn.name, fn.inputs, fn.outputs, fn.module.functions.length]).toEqual(['soft_sign', [f32(3)], [f32(3)], 3])
    expect(importStableHLO(softSign, { name: 'other' }).name).toBe('other')
    expect(lower(fn, ...fn.inputs).text).toContain('module @soft_sign')
  })

  it('gives one tensor for one result, an array for any other number', () => {
    const fn = importStableHLO<Tensor[]>(two)
    expect(fn.name).toBe('split')
    expect(evaluate((x: Tensor, y: Tensor) => fn(x, y), HostArray.from('f32', [1, 2, 3, 4]), HostArray.from('i32', [5, 6, 7, 8])).map((a) => a.toNested())).toEqual([[5, 6, 7, 8], [1, 2, 3, 4]])
    expect(evaluate(importStableHLO('func.func @main() { return }') as unknown as () => Tensor[])).toEqual([])
  })

  it('imports any function by name', () => {
    const fn = importStableHLO(two, { entry: 'helper' })
    expect(evaluate((x: Tensor) => fn(x), HostArray.from('f32', [0, 0, 0, 0])).toNested()).toEqual([0, 0, 0, 0])
    expect(lower((x: Tensor) => fn(x), f32(4)).text).toContain('func.func private @helper')
  })

  it('reads bytes, and either form', () => {
    const generic = `"builtin.module"() ({
      "func.func"() <{function_type = (tensor<3xf32>) -> tensor<3xf32>, sym_name = "main"}> ({
      ^bb0(%x: tensor<3xf32>):
        %0 = "stablehlo.tanh"(%x) : (tensor<3xf32>) -> tensor<3xf32>
        "func.return"(%0) : (tensor<3xf32>) -> ()
      }) : () -> ()
    }) : () -> ()`
    for (const text of [generic, Buffer.from(generic)]) expect(lower(importStableHLO(text), f32(3)).text).toContain('stablehlo.tanh')
  })

  it('composes with scopes, loops, branches and gradients', () => {
    const fn = importStableHLO(softSign)
    const repeated = (x: Tensor): Tensor => foriLoop(0, 2, (_, y: Tensor) => scope('step', () => cond(y.sum().gt(100), () => y, () => fn(y))), x)
    // x / (1 + |x|), twice, is x / (1 + 2|x|), whose slope is 1 / (1 + 2|x|)^2.
    expect(evaluate(repeated, x).toNested()).toEqual([-1 / 3, 0, 3 / 7].map(Math.fround))
    const slope = evaluate(grad((x: Tensor) => repeated(x).sum()), x)
    ;[1 / 9, 1, 1 / 49].forEach((expected, i) => expect(slope.data[i]).toBeCloseTo(expected, 6))
    const curvature = evaluate((x: Tensor) => grad((x: Tensor) => grad((x: Tensor) => fn(x).sum())(x).sum())(x), x)
    ;[2 / 8, 0, -2 / 64].forEach((expected, i) => expect(curvature.data[i]).toBeCloseTo(expected, 6))
  })

  it('keeps what other dialects say, and refuses two meanings of one name', () => {
    const sharded = (mesh: string, partitions = 2) => `module @sharded attributes {mhlo.num_partitions = ${partitions} : i32} {
      sdy.mesh @mesh = <[${mesh}]>
      func.func @main(%x: tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}]>}) -> tensor<4xf32> {
        %0 = stablehlo.tanh %x {sdy.sharding = #sdy.sharding_per_value<[<@mesh, [{"a"}]>]>} : tensor<4xf32>
        %1 = "other.op"(%0) {level = 3 : i64} : (tensor<4xf32>) -> tensor<4xf32>
        return %1 : tensor<4xf32>
      }
    }`
    const a = importStableHLO(sharded('"a"=2'))
    const { text } = lower((x: Tensor) => a(importStableHLO(sharded('"a"=2'))(x)), f32(4))
    expect(text.match(/sdy\.mesh/g)).toHaveLength(1)
    expect(text).toContain('attributes {mhlo.num_partitions = 2 : i32}')
    expect(text).toContain('#sdy.sharding_per_value<[<@mesh, [{"a"}]>]>')
    expect(text).toContain('"other.op"')
    expect(failure(() => lower((x: Tensor) => a(importStableHLO(sharded('"a"=4'))(x)), f32(4)), InputError)).toMatchInlineSnapshot(`"sharded: its module has sdy.mesh @mesh = <["a"=2]>, the program it is called in has sdy.mesh @mesh = <["a"=4]>: rename one of them"`)
    expect(failure(() => lower((x: Tensor) => a(importStableHLO(sharded('"a"=2', 8))(x)), f32(4)), InputError)).toMatchInlineSnapshot(`"sharded: its module has the attribute mhlo.num_partitions = 2 : i32, the program it is called in has mhlo.num_partitions = 8 : i32"`)
    const program = lower((x: Tensor) => a(x), f32(4))
    expect(failure(() => interpretProgram(program, HostArray.from('f32', [1, 2, 3, 4])), EngramError)).toMatchInlineSnapshot(`"'other.op' cannot be run: it is not in Engram's catalogue of ops"`)
  })
})

describe('errors of importStableHLO', () => {
  const fn = importStableHLO(softSign, { file: 'soft-sign.mlir' })
  const file = 'a.mlir'

  it('name the place in the text', () => {
    expect(failure(() => importStableHLO('func.func @main(%x: tensor<2xf32) -> tensor<2xf32> { return %x }', { file }), ParseError)).toMatchInlineSnapshot(`
      "a.mlir:1:33: expected '>' to close a tensor type
        1 | func.func @main(%x: tensor<2xf32) -> tensor<2xf32> { return %x }
          |                                 ^"
    `)
    const mixed = 'func.func @main(%x: tensor<2xf32>, %y: tensor<3xf32>) -> tensor<2xf32> {\n  %0 = "stablehlo.add"(%x, %y) : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>\n  return %0 : tensor<2xf32>\n}'
    for (const text of [mixed, Buffer.from(mixed)]) expect(failure(() => importStableHLO(text, { file }), VerifyError)).toMatchInlineSnapshot(`
      "a.mlir:2:8: 'stablehlo.add' op operands differ in shape: (f32[2], f32[3]) [add_c1]
        2 |   %0 = "stablehlo.add"(%x, %y) : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>
          |        ^"
    `)
  })

  it('name the functions there are', () => {
    expect(failure(() => importStableHLO(two, { file, entry: 'main' }), InputError)).toMatchInlineSnapshot(`"a.mlir: the module has no function @main; it has @split, @helper"`)
    expect(failure(() => importStableHLO(two.replaceAll('private ', ''), { file }), InputError)).toMatchInlineSnapshot(`"a.mlir: the module has no function @main and not just one public function: name one with the option entry; it has @split, @helper"`)
    expect(failure(() => importStableHLO('func.func private @main(tensor<f32>) -> tensor<f32>', { file }), InputError)).toMatchInlineSnapshot(`"a.mlir: @main is only declared: it has no body to import"`)
  })

  it('name what cannot be a static function of tensors', () => {
    const identity = (type: string) => `module {\n  func.func @main(%n: tensor<i32>, %x: ${type}) -> ${type} {\n    return %x : ${type}\n  }\n}`
    expect(failure(() => importStableHLO(identity('tensor<?x3xf32>'), { file }), InputError)).toMatchInlineSnapshot(`"a.mlir:2:3: @main: argument 1 is f32[?,3], whose shape is open: a traced program has static shapes. Export the function with concrete shapes, or refine the module to them first"`)
    expect(failure(() => importStableHLO(identity('!stablehlo.token'), { file }), InputError)).toMatchInlineSnapshot(`"a.mlir:2:3: @main: argument 1 is !stablehlo.token: only functions of tensors can be imported"`)
    const recursive = `func.func @main(%x: tensor<f32>) -> tensor<f32> {\n  %0 = call @again(%x) : (tensor<f32>) -> tensor<f32>\n  return %0 : tensor<f32>\n}
func.func private @again(%x: tensor<f32>) -> tensor<f32> {\n  %0 = call @main(%x) : (tensor<f32>) -> tensor<f32>\n  return %0 : tensor<f32>\n}`
    expect(failure(() => importStableHLO(recursive, { file }), InputError)).toMatchInlineSnapshot(`"a.mlir:1:1: @main calls itself, through @again: StableHLO has no recursion"`)
  })

  it('name wrong arguments with the user\'s line', () => {
    expect(failure(() => lower((x: Tensor) => fn(x, x), f32(3)), OpError)).toMatchInlineSnapshot(`
      "call: soft_sign takes 1 tensor(s) (f32[3]), it is given 2: (f32[3], f32[3])
        at import-stablehlo.test.ts"
    `)
    expect(failure(() => lower((x: Tensor) => fn(x), f32(4)), OpError)).toMatchInlineSnapshot(`
      "call: soft_sign takes 1 tensor(s) (f32[3]), it is given (f32[4]): argument 0 is f32[4], not f32[3]
        at import-stablehlo.test.ts"
    `)
    expect(failure(() => lower((x: Tensor) => scope('layer0', () => fn(x)), bf16(3)), OpError)).toMatchInlineSnapshot(`
      "call: soft_sign takes 1 tensor(s) (f32[3]), it is given (bf16[3]): argument 0 is bf16[3], not f32[3]
        at import-stablehlo.test.ts in layer0"
    `)
    expect(failure(() => lower((x: Tensor) => fn([x] as unknown as Tensor), f32(3)), TraceError)).toMatchInlineSnapshot(`
      "soft_sign takes 1 tensor(s) (f32[3]): argument 0 is an array, expected a tensor
        at import-stablehlo.test.ts"
    `)
    expect(failure(() => fn(1 as unknown as Tensor), TraceError)).toMatchInlineSnapshot(`
      "soft_sign takes 1 tensor(s) (f32[3]): argument 0 is the number 1, expected a tensor
        at import-stablehlo.test.ts"
    `)
    expect(failure(() => lower(() => fn(undefined as unknown as Tensor)), TraceError)).toMatchInlineSnapshot(`
      "soft_sign takes 1 tensor(s) (f32[3]): argument 0 is undefined, expected a tensor
        at import-stablehlo.test.ts"
    `)
    expect(failure(() => lower((i: Tensor) => importStableHLO<Tensor[]>(two)(i, i), i32(4)), OpError)).toMatchInlineSnapshot(`
      "call: split takes 2 tensor(s) (f32[4], i32[4]), it is given (i32[4], i32[4]): argument 0 is i32[4], not f32[4]
        at import-stablehlo.test.ts"
    `)
  })

  it('name the line of the text and the user\'s call where an op has no gradient', () => {
    const popular = 'func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {\n  %0 = stablehlo.custom_call @nobody(%x) : (tensor<3xf32>) -> tensor<3xf32>\n  return %0 : tensor<3xf32>\n}'
    const fn = importStableHLO(popular, { file: 'popular.mlir' })
    expect(failure(() => lower(grad((x: Tensor) => scope('layer1', () => fn(x)).sum()), f32(3)), EngramError)).toMatchInlineSnapshot(`
      "custom_call @nobody has no gradient: wrap it with customVjp
        at popular.mlir:2:8 in layer1, called at import-stablehlo.test.ts"
    `)
  })
})
