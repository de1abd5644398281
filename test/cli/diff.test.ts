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
      "@main: stablehlo.add became stablehlo.multiply (other.mlir:2:8, was good.mlir:2:8)
        - %0 = stablehlo.add %arg0, %arg0 : tensor<2xf32>
        + %0 = stablehlo.multiply %arg0, %arg0 : tensor<2xf32>
          return %0 : tensor<2xf32>
      "
    `)
  })
  it('gives the differences as JSON', async () => {
    const { status, stdout } = await folder.run('diff', 'good.mlir', 'other.mlir', '--json')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ same: false, differences: [{ kind: 'changed', op: 'stablehlo.multiply', replaced: 'stablehlo.add', function: '@main', placeBefore: 'good.mlir:2:8' }] })
  })
  it('fails for files that cannot be read', async () => {
    const { status, stderr } = await folder.run('diff', 'good.mlir', 'broken.mlir')
    expect(status).toBe(2)
    expect(stderr).toContain('broken.mlir:1:33')
  })
})
