import 'engram/vitest'
import { type Tensor, foriLoop, f32, lower, matmul, outlined, scope, softmax } from 'engram'
import { describe, expect, it } from 'vitest'
import { failure } from './message.ts'

const layer = (x: Tensor, w: Tensor) => scope('layer0', () => scope('attention', () => softmax(matmul(x, w)).add(x)))
const program = lower(layer, f32(4, 8), f32(8, 8))
const looped = lower((x: Tensor) => foriLoop(0, 3, (_: Tensor, y: Tensor) => y.tanh(), x), f32(4))

describe('toContainOps', () => {
  it('takes programs, text, modules, and functions with types', () => {
    for (const received of [program, program.text, program.module]) expect(received).toContainOps(['dot_general', 'add'])
    expect(layer).toContainOps(['dot_general'], { types: [f32(4, 8), f32(8, 8)] })
  })

  it('wants the order that is asked for', async () => {
    expect(program).toContainOps(['dot_general', 'exponential', 'divide', 'add'])
    expect(program).not.toContainOps(['exponential', 'dot_general'])
    expect(await failure(() => expect(program).toContainOps(['divide', 'exponential']))).toMatchInlineSnapshot(`
      "pattern 2 of 2 has no match: exponential
        pattern 1 matched %13 = stablehlo.divide %12, %11 : tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
      after the last match come
        %14 = stablehlo.broadcast_in_dim %13, dims = [0, 1] : (tensor<4x1xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %15 = stablehlo.multiply %8, %14 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %16 = stablehlo.add %15, %arg0 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:110)
        return %16 : tensor<4x8xf32>   (at test/vitest/contain-ops.test.ts:7:17)
      it matches, but not after the last match
        %8 = stablehlo.exponential %7 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)"
    `)
  })

  it('says what came nearest and why it did not match', async () => {
    const wanted = { op: 'dot_general', operands: ['f32[4,8]', 'bf16[8,8]'], scope: 'layer1' }
    expect(await failure(() => expect(program).toContainOps([wanted]))).toMatchInlineSnapshot(`
      "pattern 1 of 1 has no match: { op: 'dot_general', operands: ['f32[4,8]', 'bf16[8,8]'], scope: 'layer1' }
      the program begins with
        %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
        %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %inner2 = stablehlo.maximum %inner0, %inner1 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        stablehlo.return %inner2 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        ... and 17 more
      the nearest op is
        %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
        but its operands are f32[4,8], f32[8,8]
        but its scope is layer0/attention"
    `)
    expect(await failure(() => expect(program).toContainOps(['dot_general', 'convolution', 'add']))).toMatchInlineSnapshot(`
      "pattern 2 of 3 has no match: convolution
        pattern 1 matched %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
      after the last match come
        %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %inner2 = stablehlo.maximum %inner0, %inner1 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        stablehlo.return %inner2 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %3 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<4xf32>) -> tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        ... and 16 more
      no op of the program has this name"
    `)
  })

  it('compares attributes as text, by regular expression, or as values', async () => {
    const dimensions = { lhs_contracting_dimensions: [1] }
    expect(program).toContainOps([{ op: 'dot_general', attributes: { dot_dimension_numbers: dimensions } }])
    expect(program).toContainOps([{ op: 'dot_general', attributes: { dot_dimension_numbers: 'lhs_contracting_dimensions = [1]' } }])
    expect(program).toContainOps([{ op: 'dot_general', attributes: { dot_dimension_numbers: /rhs_contracting_dimensions = \[0\]/ } }])
    expect(program).toContainOps([{ op: 'reduce', attributes: { dimensions: [1] } }, { op: 'broadcast_in_dim', attributes: { broadcast_dimensions: [0] } }])
    expect(program).not.toContainOps([{ op: 'reduce', attributes: { dimensions: [0] } }])
    expect(program).not.toContainOps([{ op: 'reduce', attributes: { nothing: 1 } }])
    expect(await failure(() => expect(program).toContainOps([{ op: 'divide' }, { op: 'broadcast_in_dim', attributes: { dims: [0, 1] } }]))).toMatchInlineSnapshot(`
      "pattern 2 of 2 has no match: { op: 'broadcast_in_dim', attributes: { dims: [0, 1] } }
        pattern 1 matched %13 = stablehlo.divide %12, %11 : tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
      after the last match come
        %14 = stablehlo.broadcast_in_dim %13, dims = [0, 1] : (tensor<4x1xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %15 = stablehlo.multiply %8, %14 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %16 = stablehlo.add %15, %arg0 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:110)
        return %16 : tensor<4x8xf32>   (at test/vitest/contain-ops.test.ts:7:17)
      the nearest op is
        %14 = stablehlo.broadcast_in_dim %13, dims = [0, 1] : (tensor<4x1xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        but it has no dims, but broadcast_dimensions"
    `)
    const donated = lower((x: Tensor) => x.add(1), f32(4))
    expect(`func.func @main() { %0 = stablehlo.constant {mhlo.kind = "mask", n = 7 : i32} dense<1.0> : tensor<f32>\nreturn }`).toContainOps([{ op: 'constant', attributes: { 'mhlo.kind': 'mask', n: 7 } }])
    expect(donated).not.toContainOps([{ op: 'constant', attributes: { n: 7 } }])
  })

  it('compares types by position or anywhere, with any size or shape', () => {
    expect(program).toContainOps([{ op: 'dot_general', operands: ['f32[4,8]', undefined], results: ['tensor<4x8xf32>'] }])
    expect(program).toContainOps([{ op: 'reduce', results: 'f32[*]' }, { op: 'broadcast_in_dim', results: /^f32\[4,/ }])
    expect(program).toContainOps([{ op: 'add', results: 'f32' }])
    expect(program).not.toContainOps([{ op: 'add', results: 'f32[4]' }])
    expect(program).not.toContainOps([{ op: 'dot_general', operands: ['f32[4,8]'] }])
  })

  it('compares scopes in whole names', () => {
    for (const scope of ['layer0/attention', 'layer0', 'attention', /layer\d\/att/]) expect(program).toContainOps([{ op: 'dot_general', scope }])
    for (const scope of ['layer', 'attention/layer0', /layer1/]) expect(program).not.toContainOps([{ op: 'dot_general', scope }])
  })

  it('refuses ops that must not stand between, before or after', async () => {
    expect(program).toContainOps(['dot_general', { not: 'transpose' }, 'add'])
    expect(program).toContainOps([{ not: 'exponential' }, 'dot_general'])
    expect(program).not.toContainOps(['dot_general', { not: 'exponential' }, 'add'])
    // Another match may do: from the exponential on, no product stands between.
    expect(program).toContainOps([/stablehlo/, { not: 'dot_general' }, 'divide'])
    expect(await failure(() => expect(program).toContainOps(['dot_general', { not: 'divide' }, { op: 'add', results: 'f32[4,8]' }]))).toMatchInlineSnapshot(`
      "pattern 3 of 3 has no match: { op: 'add', results: 'f32[4,8]' }
        pattern 1 matched %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
      it would match
        %16 = stablehlo.add %15, %arg0 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:110)
      but before it stands what must not, divide:
        %13 = stablehlo.divide %12, %11 : tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
      after the last match come
        %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %inner2 = stablehlo.maximum %inner0, %inner1 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        stablehlo.return %inner2 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %3 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<4xf32>) -> tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        ... and 16 more"
    `)
    expect(await failure(() => expect(program).toContainOps(['dot_general', { not: 'divide' }]))).toMatchInlineSnapshot(`
      "an op stands after the last match that must not: divide
        pattern 1 matched %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
        %13 = stablehlo.divide %12, %11 : tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)"
    `)
  })

  it('wants matches side by side if asked, but for what is ignored', async () => {
    expect(program).toContainOps(['multiply', 'add'], { consecutive: true })
    expect(program).not.toContainOps(['dot_general', 'divide'], { consecutive: true })
    expect(program).toContainOps(['dot_general', 'reduce', 'broadcast_in_dim'], { consecutive: true, ignore: ['constant'] })
    expect(await failure(() => expect(program).toContainOps(['dot_general', 'divide'], { consecutive: true }))).toMatchInlineSnapshot(`
      "pattern 2 of 2 has no match: divide
        pattern 1 matched %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
      after the last match come
        %1 = stablehlo.constant dense<0xFF800000> : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.maximum across dimensions = [1] : (tensor<4x8xf32>, tensor<f32>) -> tensor<4xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %inner2 = stablehlo.maximum %inner0, %inner1 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        stablehlo.return %inner2 : tensor<f32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        %3 = stablehlo.broadcast_in_dim %2, dims = [0] : (tensor<4xf32>) -> tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
        ... and 16 more
      it matches
        %13 = stablehlo.divide %12, %11 : tensor<4x1xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:88)
      but not right after the last match, as consecutive asks"
    `)
  })

  it('looks into regions and private functions', async () => {
    expect(looped).toContainOps(['while', 'tanh'])
    const twice = lower((x: Tensor) => outlined('square', (y: Tensor) => y.mul(y))(x).add(1), f32(4))
    expect(twice).toContainOps([{ op: 'func.call' }, { op: 'multiply', function: 'square' }])
    expect(await failure(() => expect(twice).toContainOps([{ op: 'multiply', function: 'main' }]))).toMatchInlineSnapshot(`
      "pattern 1 of 1 has no match: { op: 'multiply', function: 'main' }
      the program begins with
        %0 = call @square(%arg0) : (tensor<4xf32>) -> tensor<4xf32>   (at test/vitest/contain-ops.test.ts:150:83)
        %1 = stablehlo.constant dense<1.0> : tensor<4xf32>   (at test/vitest/contain-ops.test.ts:150:87)
        %2 = stablehlo.add %0, %1 : tensor<4xf32>   (at test/vitest/contain-ops.test.ts:150:87)
        return %2 : tensor<4xf32>   (at test/vitest/contain-ops.test.ts:150:19)
        %0 = stablehlo.multiply %arg0, %arg0 : tensor<4xf32>   (in @square)   (at test/vitest/contain-ops.test.ts:150:76)
        ... and 1 more
      the nearest op is
        %0 = stablehlo.multiply %arg0, %arg0 : tensor<4xf32>   (in @square)   (at test/vitest/contain-ops.test.ts:150:76)
        but it is in @square"
    `)
  })

  it('says what it found that should not be there', async () => {
    expect(await failure(() => expect(program).not.toContainOps(['dot_general', { op: 'add', scope: 'layer0' }]))).toMatchInlineSnapshot(`
      "the program should not contain these ops in this order, it does:
        dot_general
          %0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:96)
        { op: 'add', scope: 'layer0' }
          %16 = stablehlo.add %15, %arg0 : tensor<4x8xf32>   (in layer0/attention, at test/vitest/contain-ops.test.ts:6:110)"
    `)
  })

  it('refuses what it cannot understand', async () => {
    expect(await failure(() => expect(layer).toContainOps(['add']))).toMatchInlineSnapshot(`"toContainOps got a function without the types of its arguments: give { types: [f32(8, 16), ...] }, or expect(lower(f, ...types))"`)
    expect(await failure(() => expect(42).toContainOps(['add']))).toMatchInlineSnapshot(`"toContainOps takes a program (what lower() gives), StableHLO text, a module, or a function with { types }; got 42"`)
    expect(await failure(() => expect(program).toContainOps([{ name: 'add' } as never]))).toMatchInlineSnapshot(`"toContainOps, pattern 1: a pattern has no name (it has op, attributes, operands, results, scope, function, or not)"`)
    expect(await failure(() => expect(program).toContainOps([{}]))).toMatchInlineSnapshot(`"toContainOps, pattern 1: a pattern is an op's name, a regular expression, or an object with op, attributes, operands, results, scope, function; got {  }"`)
    expect(await failure(() => expect(program).toContainOps([{ not: 'add' }]))).toMatchInlineSnapshot(`"toContainOps needs a pattern besides those that begin with not: for an op that must not be there, use expect(...).not.toContainOps([...])"`)
    expect(await failure(() => expect('func.func @main( {').toContainOps(['add']))).toMatchInlineSnapshot(`
      "received.mlir:1:18: expected non-function type
        1 | func.func @main( {
          |                  ^"
    `)
  })
})
