import 'engram/vitest'
import { HostArray, Session, type Tensor, f32, i32, lower, matmul, scope, softmax, startInterpreter } from 'engram'
import { describe, expect, it } from 'vitest'
import type { Backend, Compiled, ProgramSource } from '../../src/ir/backend.ts'
import { InterpreterBackend } from '../../src/interpret/backend.ts'
import { parseModule } from '../../src/text/parse.ts'
import { failure } from './message.ts'

const layer = (x: Tensor, w: Tensor) => scope('layer0', () => ({ scores: scope('attention', () => softmax(matmul(x, w))), sum: x.sum() }))
const program = lower(layer, f32(4, 8), f32(8, 8))

/** The interpreter on another program: a text in it is replaced. */
class WrongBackend implements Backend {
  readonly platform = 'wrong'
  compiled = 0
  readonly #interpreter = new InterpreterBackend()
  readonly #from: string
  readonly #to: string
  constructor(from: string, to: string) {
    this.#from = from
    this.#to = to
  }
  compile(source: ProgramSource): Promise<Compiled> {
    this.compiled++
    const text = source.text.replaceAll(this.#from, this.#to)
    if (text === source.text) throw new Error(`nothing to replace in\n${text}`)
    return this.#interpreter.compile({ ...source, text, module: parseModule(text) })
  }
  put = this.#interpreter.put.bind(this.#interpreter)
  close = this.#interpreter.close.bind(this.#interpreter)
}
const wrong = (from: string, to: string) => new Session(new WrongBackend(from, to))

describe('toAgree', () => {
  it('compares the interpreter with XLA on the CPU, on drawn inputs and on given ones', async () => {
    await expect(program).toAgree()
    await expect(program).toAgree({ seed: 7, trace: true })
    await expect(layer).toAgree({ types: [f32(2, 3), f32(3, 3)] })
    await expect(program.text).toAgree()
    const ones = (...shape: number[]) => HostArray.of('f32', shape, new Array(shape.reduce((a, b) => a * b)).fill(1))
    await expect(program).toAgree({ inputs: [ones(4, 8), ones(8, 8)] })
    await expect(lower((x: Tensor) => x.add(1), i32(3))).toAgree()
  })

  it('takes any session, and leaves it open', async () => {
    const session = startInterpreter()
    await expect(program).toAgree({ backend: session, tolerance: { ulp: 0 } })
    await expect(program).toAgree({ backend: session })
    await session.close()
    await expect(program).toAgree({ backend: 'interpreter', tolerance: { ulp: 0 } })
  })

  it('reports the worst element, and the first value on the way that is off', async () => {
    expect(await failure(() => expect(program).toAgree({ backend: wrong('stablehlo.exponential', 'stablehlo.exponential_minus_one') }))).toMatchInlineSnapshot(`
      "layer gives something else on wrong than on the interpreter: result scores, f32[4,8], at [2, 2] (32 of 32 elements are off, this one most)
        interpreter  0.393321991
        wrong        0
        distance     1053385088 ulp, 1 relative, 0.393 absolute
        allowed      0.0000153 of the largest element
      the result is %15 = stablehlo.multiply %8, %14 : tensor<4x8xf32>
          in layer0/attention, at test/vitest/agree.test.ts:9:99
      the first value that is off comes from %8 = stablehlo.exponential %7 : tensor<4x8xf32>
          in layer0/attention, at test/vitest/agree.test.ts:9:99
      its result, f32[4,8], at [0, 0] (32 of 32 elements are off, this one most)
        interpreter  0.372822911
        wrong        -0.627177119
        distance     2111795539 ulp, 2.68 relative, 1 absolute
        allowed      0.0000153 of the largest element"
    `)
  })

  it('reports a difference of integers', async () => {
    const counts = lower((x: Tensor) => x.add(x).mul(2), i32(3))
    expect(await failure(() => expect(counts).toAgree({ backend: wrong('stablehlo.add', 'stablehlo.subtract') }))).toMatchInlineSnapshot(`
      "program gives something else on wrong than on the interpreter: result, i32[3], at [0] (3 of 3 elements are off, this one most)
        interpreter  12
        wrong        0
        distance     12
        allowed      none
      the result is %2 = stablehlo.multiply %0, %1 : tensor<3xi32>
          at test/vitest/agree.test.ts:73:50
      the first value that is off comes from %0 = stablehlo.add %arg0, %arg0 : tensor<3xi32>
          at test/vitest/agree.test.ts:73:43
      its result, i32[3], at [0] (3 of 3 elements are off, this one most)
        interpreter  6
        wrong        0
        distance     6
        allowed      none"
    `)
  })

  it('finds values that are off though no result is, if all are looked at', async () => {
    const hidden = lower((x: Tensor) => scope('bias', () => x.mul(1e-3)).add(1000), f32(4))
    const constant = /dense<(.*e-.*|0\.001.*)> : tensor<4xf32>/.exec(hidden.text)![1]
    const backend = () => wrong(constant, '1.1e-3')
    await expect(hidden).toAgree({ backend: backend() })
    expect(await failure(() => expect(hidden).toAgree({ backend: backend(), trace: true }))).toMatchInlineSnapshot(`
      "program gives something else on wrong than on the interpreter
      the first value that is off comes from %0 = stablehlo.constant dense<0.0010000000474974513> : tensor<4xf32>
          in bias, at test/vitest/agree.test.ts:93:63
      its result, f32[4], at [0] (4 of 4 elements are off, this one most)
        interpreter  0.00100000005
        wrong        0.00109999999
        distance     858993 ulp, 0.1 relative, 0.0001 absolute
        allowed      0.0000153 of the largest element"
    `)
  })

  it('keeps to the tolerance that is given: for all, by type, in any of the measures', async () => {
    const tripled = lower((x: Tensor) => [x.mul(3), x.convert('bf16').mul(3)] as const, f32(3))
    const off = () => wrong('dense<3.0> : tensor<3xf32>', 'dense<3.00001> : tensor<3xf32>')
    await expect(tripled).toAgree({ backend: off() })
    await expect(tripled).toAgree({ backend: off(), tolerance: { relative: 1e-5 } })
    await expect(tripled).toAgree({ backend: off(), tolerance: { ulp: 64 } })
    await expect(tripled).toAgree({ backend: off(), tolerance: { bf16: { ulp: 0 }, f32: { absolute: 1e-4 } } })
    for (const tolerance of [{ relative: 1e-6 }, { ulp: 8 }, { absolute: 1e-7 }, { ofLargest: 1e-6 }, { f32: { ulp: 8 } }, { default: { ulp: 8 } }])
      await expect(tripled).not.toAgree({ backend: off(), tolerance: tolerance as { ulp: number } })
    expect(await failure(() => expect(tripled).toAgree({ backend: off(), tolerance: { ulp: 8 }, trace: false }))).toMatchInlineSnapshot(`
      "program gives something else on wrong than on the interpreter: result [0], f32[3], at [2] (3 of 3 elements are off, this one most)
        interpreter  1.86594892
        wrong        1.86595523
        distance     53 ulp, 0.00000339 relative, 0.00000632 absolute
        allowed      8 ulp
      the result is %1 = stablehlo.multiply %arg0, %0 : tensor<3xf32>
          at test/vitest/agree.test.ts:110:45"
    `)
  })

  it('does not look further where a difference is wanted, or where it is not to', async () => {
    const backend = new WrongBackend('stablehlo.exponential', 'stablehlo.exponential_minus_one')
    await expect(program).not.toAgree({ backend: new Session(backend) })
    expect(backend.compiled).toBe(1)
    await failure(() => expect(program).toAgree({ backend: new Session(backend), trace: false }))
    expect(backend.compiled).toBe(2)
    await failure(() => expect(program).toAgree({ backend: new Session(backend) }))
    expect(backend.compiled).toBe(4)
  })

  it('fails where a difference is wanted and there is none', async () => {
    expect(await failure(() => expect(program).not.toAgree({ backend: 'interpreter' }))).toMatchInlineSnapshot(`"layer should not give the same on the interpreter and on interpreter, it does"`)
  })

  it('refuses what cannot be compared', async () => {
    expect(await failure(() => expect(program).toAgree({ inputs: [HostArray.zeros('f32', [4, 8])] }))).toMatchInlineSnapshot(`"toAgree: the inputs of layer: the value is an array of 1, expected an array of 2"`)
    expect(await failure(() => expect(program).toAgree({ inputs: [HostArray.zeros('f32', [4, 8]), HostArray.zeros('bf16', [8, 8])] }))).toMatchInlineSnapshot(`"toAgree: input [1] of layer: expected f32[8,8], got bf16[8,8]"`)
    expect(await failure(() => expect(program.text).toAgree({ inputs: [] }))).toMatchInlineSnapshot(`"toAgree: layer takes 2 inputs, got 0"`)
    expect(await failure(() => expect(program).toAgree({ inputs: [], seed: 1 }))).toMatchInlineSnapshot(`"toAgree: inputs and seed exclude each other"`)
    expect(await failure(() => expect(program).toAgree({ tolerance: { ulps: 1 } as never }))).toMatchInlineSnapshot(`"toAgree: a tolerance has no ulps: expected ulp, relative, absolute, ofLargest, or element types"`)
    expect(await failure(() => expect(program).toAgree({ tolerance: { ulp: 1, f32: {} } as never }))).toMatchInlineSnapshot(`"toAgree: a tolerance has no f32: expected ulp, relative, absolute, ofLargest"`)
    expect(await failure(() => expect(program).toAgree({ backend: 'gpu' as never }))).toMatchInlineSnapshot(`"there is no backend gpu: expected cpu, tpu, interpreter, or a session"`)
    expect(await failure(() => expect('func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> { return %a : tensor<?xf32> }').toAgree())).toMatchInlineSnapshot(`"argument 0 of @main is f32[?]: only programs of tensors of known sizes can be run"`)
    expect(await failure(() => expect('func.func @main(%a: tensor<2xf32>) -> tensor<3xf32> { return %a : tensor<2xf32> }').toAgree())).toMatchInlineSnapshot(`
      "received.mlir:1:55: 'func.return' op type of return operand 0 ('tensor<2xf32>') doesn't match function result type ('tensor<3xf32>') in function @main
        1 | func.func @main(%a: tensor<2xf32>) -> tensor<3xf32> { return %a : tensor<2xf32> }
          |                                                       ^"
    `)
  })
})
