import { describe, expect, it } from 'vitest'
import { EngramError } from '../../src/ir/errors.ts'
import { traceFunction } from '../../src/program/trace-function.ts'
import { parseModule } from '../../src/text/parse.ts'
import { printModule } from '../../src/text/print.ts'
import { opSamples, seededRandom } from '../support/op-samples/index.ts'
import { mutate } from './mutate.ts'

const handwritten = `
#alias = affine_map<(d0) -> (d0)>
!type = tensor<2x!quant.uniform<i8:f32:0, {0.5:1, 0.25}>>
module @fuzz attributes {a = #alias, b = [1 : i32, 2.5, "text\\n", @f::@g, unit, dense<"0x0000803F"> : tensor<1xf32>]} {
  sdy.mesh @mesh = <["x"=2]>
  func.func private @declared(!type, tensor<?x4xf32, #stablehlo.bounds<3, ?>>) -> (tuple<!stablehlo.token, index> {z = array<i64: 1>})
  func.func public @f(%arg0: tensor<4xf32> {k}) -> tensor<4xf32> attributes {no} {
    %0:2 = "other.op"(%arg0) <{p = dense<[[1, 2], [3, -4]]> : tensor<2x2xi64>}> ({
    ^bb0(%x: tensor<f32>, %y: tensor<f32>):
      %z = stablehlo.add %x, %y : tensor<f32>
      stablehlo.return %z : tensor<f32>
    }) {q = #stablehlo.gather<offset_dims = [0], index_vector_dim = 1>} : (tensor<4xf32>) -> (tensor<4xf32>, i32) loc("n"("f.py":1:2))
    %1 = stablehlo.constant dense<[(1.0, 2.0), (0x7F800000, -0.0)]> : tensor<2xcomplex<f32>> loc(#l)
    return %0#0 : tensor<4xf32>
  }
}
#l = loc(callsite("a" at fused<"m">["b":3:4]))
`

describe('mutated programs', () => {
  const corpus = [handwritten, ...opSamples.map(({ build, inputs }) => printModule(traceFunction('main', build, inputs).module))]
  const generic = opSamples.map(({ build, inputs }) => printModule(traceFunction('main', build, inputs).module, { generic: true, locations: true }))
  const texts = [...corpus, ...generic]

  it('the corpus itself can be read', () => {
    for (const text of texts) expect(() => parseModule(text, { allowForeignOps: true })).not.toThrow()
  })

  it.each([1, 2, 3, 4])('end in a typed error or in a program that prints and reads back (seed %i)', (seed) => {
    const random = seededRandom(seed)
    let read = 0
    for (let n = 0; n < 500; n++) {
      const source = random() < 0.3 ? handwritten : texts[Math.floor(random() * texts.length)]
      const text = mutate(source, texts, random)
      try {
        const printed = printModule(parseModule(text, { allowForeignOps: true }))
        read++
        expect(printModule(parseModule(printed, { allowForeignOps: true })), `printed from\n${text}`).toBe(printed)
      } catch (error) {
        if (!(error instanceof EngramError)) throw new Error(`not a typed error for\n${text}`, { cause: error })
        // A cause of another class is a slip in an op's own code, not a judgement of the text.
        expect(error.cause === undefined || error.cause instanceof EngramError, `${String((error.cause as Error | undefined)?.stack)} for\n${text}`).toBe(true)
      }
    }
    // Most changes break a program, but not all.
    expect(read).toBeGreaterThan(5)
  })
})
