import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, programFolder } from './stablehlo.ts'

let folder: Folder
beforeAll(async () => void (folder = await programFolder()))
afterAll(() => folder.remove())

describe('engram diff', () => {
  it('finds no difference in names, spacing and form', async () => {
    expect(await folder.run('diff', 'good.mlir', 'renamed.mlir')).toEqual({ status: 0, stdout: 'the same program\n', stderr: '' })
  })
  it('names the op', async () => {
    const { status, stdout } = await folder.run('diff', 'good.mlir', 'other.mlir')
    expect(status).toBe(1)
    expect(stdout).toMatchInlineSnapshot(`
      "@main: stablehlo.add was removed (good.mlir:2:8)
        - %0 = stablehlo.add %outside0, %outside0 : tensor<2xf32>

      @main: stablehlo.multiply was added (other.mlir:2:8)
        + %0 = stablehlo.multiply %outside0, %outside0 : tensor<2xf32>

      @main: func.return differs (other.mlir:3:3)
        operand 0: stablehlo.add (line 2), f32[2] became stablehlo.multiply (line 2), f32[2]
      "
    `)
  })
  it('gives the differences as JSON', async () => {
    const { status, stdout } = await folder.run('diff', 'good.mlir', 'other.mlir', '--json')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ same: false, differences: [{ kind: 'removed', op: 'stablehlo.add', function: '@main' }, { kind: 'added', op: 'stablehlo.multiply' }, { kind: 'changed', op: 'func.return' }] })
  })
  it('fails for files that cannot be read', async () => {
    const { status, stderr } = await folder.run('diff', 'good.mlir', 'broken.mlir')
    expect(status).toBe(2)
    expect(stderr).toContain('broken.mlir:1:33')
  })
})
