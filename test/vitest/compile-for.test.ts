import 'engram/vitest'
import { type Tensor, customCall, f32, lower, matmul, scope } from 'engram'
import { describe, expect, it } from 'vitest'
import { matchText } from '../../src/vitest/text-patterns.ts'
import { failure } from './message.ts'

const layer = (x: Tensor, w: Tensor) => scope('layer0', () => matmul(x, w).tanh())
const types = [f32(4, 8), f32(8, 8)] as const

describe('toCompileFor', () => {
  it('compiles for this machine', async () => {
    await expect(lower(layer, ...types)).toCompileFor('cpu')
    await expect(layer).toCompileFor('cpu', { types })
    await expect(lower(layer, ...types).text).toCompileFor('cpu')
  })

  it("shows the compiler's message and the op", async () => {
    const unknown = lower((x: Tensor) => scope('layer0', () => customCall('no.such.kernel', [x.mul(2)], [f32(4)])[0]), f32(4))
    await expect(unknown).not.toCompileFor('cpu')
    expect(await failure(() => expect(unknown).toCompileFor('cpu'))).toMatchInlineSnapshot(`
      "program does not compile for cpu (NOT_FOUND): No registered implementation for untyped custom call to no.such.kernel for Host
      the op is
        %2 = stablehlo.custom_call @no.such.kernel(%1) : (tensor<4xf32>) -> tensor<4xf32>
          in layer0, at test/vitest/compile-for.test.ts:18:64"
    `)
  })

  it('shows the op at the place that the message names', async () => {
    const text = 'func.func @main(%a: tensor<4xf32>) -> tensor<5xf32> {\n\n  // Too long.\n  %0 = stablehlo.slice %a [0:5] : (tensor<4xf32>) -> tensor<5xf32>\n  return %0 : tensor<5xf32>\n}\n'
    expect(await failure(() => expect(text).toCompileFor('cpu'))).toMatchInlineSnapshot(`
      "received does not compile for cpu (UNKNOWN): received.mlir:4:8: error: limit index 5 is larger than dimension size 4 in dimension 0
      received.mlir:4:8: error: 'stablehlo.slice' op failed to infer returned types
      received.mlir:4:8: note: see current operation: %0 = "stablehlo.slice"(%arg0) <{limit_indices = array<i64: 5>, start_indices = array<i64: 0>, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<5xf32>
        4 |   %0 = stablehlo.slice %a [0:5] : (tensor<4xf32>) -> tensor<5xf32>
          |        ^
      the op is
        %0 = stablehlo.slice %arg0 [0:5] : (tensor<4xf32>) -> tensor<5xf32>
          at received.mlir:4:8"
    `)
  })

  it('matches the optimised program', async () => {
    await expect(lower(layer, ...types)).toCompileFor('cpu', { hlo: [/\bdot\(/, { not: /\bdot\(/ }] })
    await expect(lower(layer, ...types)).not.toCompileFor('cpu', { hlo: ['convolution('] })
    const message = await failure(() => expect(lower(layer, ...types)).toCompileFor('cpu', { hlo: ['ENTRY', 'convolution('] }))
    expect(message).toContain('layer compiles for cpu, but to another program: pattern 2 of 2 is not there: convolution(\n  pattern 1 matched ENTRY')
  })

  it('compiles for TPUs that are not there', async () => {
    await expect(lower(layer, ...types)).toCompileFor('tpu:v5e:2x2', { hlo: ['ENTRY', /convolution|\bdot\b/] })
    const large = lower((x: Tensor) => scope('layer0', () => matmul(x, x).tanh().mul(x)), f32(65536, 65536))
    const message = await failure(() => expect(large).toCompileFor('tpu:v5e:2x2'))
    expect(message).toMatch(/does not compile for tpu:v5e:2x2 \(RESOURCE_EXHAUSTED\): /)
  })

  it('fails where the program should not compile and does', async () => {
    expect(await failure(() => expect(lower(layer, ...types)).not.toCompileFor('cpu'))).toMatchInlineSnapshot(`"layer should not compile for cpu, it does"`)
  })

  it('refuses targets that are none', async () => {
    expect(await failure(() => expect(lower(layer, ...types)).toCompileFor('gpu'))).toMatchInlineSnapshot(`"there is no target "gpu": expected cpu, or tpu: and a topology, such as tpu:v5e:2x2"`)
  })
})

describe('patterns on a text', () => {
  const text = 'ENTRY main {\n  a = f32[4] parameter(0)\n  b = f32[4] fusion(a)\n  c = f32[4] custom-call(b)\n  d = f32[4] fusion(c)\n}\n'
  it('match in order', () => {
    expect(matchText(text, ['parameter', /fusion\(\w\)/, 'custom-call', /fusion/g])).toBeUndefined()
    expect(matchText(text, ['parameter', { not: 'dot' }, /custom-call/, { not: 'custom-call' }])).toBeUndefined()
  })
  it('say what is not there, and what is instead', () => {
    expect(matchText(text, ['custom-call', 'parameter'])).toMatchInlineSnapshot(`
      "pattern 2 of 2 is not there: parameter
        pattern 1 matched c = f32[4] custom-call(b)
      after that come
        d = f32[4] fusion(c)
        }"
    `)
    expect(matchText(text, [/dot/])).toMatchInlineSnapshot(`
      "pattern 1 of 1 is not there: /dot/
      the text begins with
        ENTRY main {
        a = f32[4] parameter(0)
        b = f32[4] fusion(a)
        c = f32[4] custom-call(b)"
    `)
  })
  it('say what must not be there', () => {
    expect(matchText(text, ['parameter', { not: /fusion/ }, 'custom-call'])).toMatchInlineSnapshot(`
      "before pattern 3, custom-call, stands what must not: /fusion/
        pattern 1 matched a = f32[4] parameter(0)
        b = f32[4] fusion(a)"
    `)
    expect(matchText(text, ['custom-call', { not: 'fusion' }])).toMatchInlineSnapshot(`
      "what must not be there is: fusion
        pattern 1 matched c = f32[4] custom-call(b)
        d = f32[4] fusion(c)"
    `)
    expect(matchText(text, [{ not: 'fusion' }])).toMatchInlineSnapshot(`
      "what must not be there is: fusion
        b = f32[4] fusion(a)"
    `)
  })
})
