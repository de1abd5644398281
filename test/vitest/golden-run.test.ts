import { afterAll, describe, expect, it } from 'vitest'
import { TestFolder } from './child-run.ts'

/** The matchers as a user meets them: vitest in a process of its own. */

const folder = new TestFolder('golden-run')
afterAll(() => folder.remove())

const testFile = (op: string): string => `import 'engram/vitest'
import { type Tensor, f32, lower, scope } from 'engram'
import { expect, test } from 'vitest'

const layer = (x: Tensor) => scope('layer0', () => x.mul(2).${op}())
test('the lowering of a layer', async () => {
  await expect(lower(layer, f32(4))).toMatchStableHLO()
})
`

describe('golden files, in a run of vitest', () => {
  it('are refused on CI, written on a first run, compared, and updated with -u', async () => {
    folder.write('layer.test.ts', testFile('tanh'))
    const onCi = await folder.run([], { ci: true })
    expect(onCi.status).toBe(1)
    expect(onCi.output).toContain('there is no golden file __stablehlo__/layer/the-lowering-of-a-layer.mlir, and this run may not write it')
    expect(folder.list('__stablehlo__')).toEqual([])

    expect((await folder.run()).status).toBe(0)
    expect(folder.list('__stablehlo__')).toEqual(['the-lowering-of-a-layer.mlir'])
    const golden = folder.read('__stablehlo__/layer/the-lowering-of-a-layer.mlir')
    expect(golden).toMatchInlineSnapshot(`
      "module @layer {
        func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
          %0 = stablehlo.constant dense<2.0> : tensor<4xf32> loc("layer0")
          %1 = stablehlo.multiply %arg0, %0 : tensor<4xf32> loc("layer0")
          %2 = stablehlo.tanh %1 : tensor<4xf32> loc("layer0")
          return %2 : tensor<4xf32>
        }
      }
      "
    `)

    folder.write('layer.test.ts', testFile('exp'))
    const changed = await folder.run()
    expect(changed.status).toBe(1)
    expect(/the program is not[^❯]*/.exec(changed.output)?.[0].trimEnd()).toMatchInlineSnapshot(`
      "the program is not the one in __stablehlo__/layer/the-lowering-of-a-layer.mlir: one difference
      (- as in the file, + as it is now; if this is right, update the file with vitest -u)

      @main: stablehlo.tanh became stablehlo.exponential in layer0 (layer.test.ts:5:61, was __stablehlo__/layer/the-lowering-of-a-layer.mlir:5:10)
          %0 = stablehlo.constant dense<2.0> : tensor<4xf32>
          %1 = stablehlo.multiply %arg0, %0 : tensor<4xf32>
        - %2 = stablehlo.tanh %1 : tensor<4xf32>
        + %2 = stablehlo.exponential %1 : tensor<4xf32>
          return %2 : tensor<4xf32>"
    `)
    expect(folder.read('__stablehlo__/layer/the-lowering-of-a-layer.mlir')).toBe(golden)

    expect((await folder.run(['-u'])).status).toBe(0)
    expect(folder.read('__stablehlo__/layer/the-lowering-of-a-layer.mlir')).toBe(golden.replace('tanh', 'exponential'))
  })

  it('fail the run even where somebody forgot to await', async () => {
    folder.write('layer.test.ts', testFile('sqrt').replace('await ', ''))
    expect((await folder.run([], { ci: true })).status).toBe(1)
  })
})
