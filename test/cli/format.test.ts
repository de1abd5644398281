import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, programFolder, programs } from './stablehlo.ts'

let folder: Folder
beforeAll(async () => void (folder = await programFolder()))
afterAll(() => folder.remove())

const formatted = 'module {\n  func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {\n    %0 = stablehlo.add %arg0, %arg0 : tensor<2xf32>\n    return %0 : tensor<2xf32>\n  }\n}\n'

describe('engram format', () => {
  it('prints the same text for the same program', async () => {
    for (const file of ['good.mlir', 'renamed.mlir']) expect(await folder.run('format', file)).toEqual({ status: 0, stdout: formatted, stderr: '' })
  })
  it('prints generic form', async () => {
    const { stdout } = await folder.run('format', 'good.mlir', '--generic')
    expect(stdout).toContain('"stablehlo.add"(%arg0, %arg0) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>')
  })
  it('writes over the file that it has read', async () => {
    await folder.write('own.mlir', programs['renamed.mlir'])
    expect((await folder.run('format', 'own.mlir', '-o', 'own.mlir')).status).toBe(0)
    expect(await readFile(join(folder.path, 'own.mlir'), 'utf8')).toBe(formatted)
  })
  it('leaves a file that it cannot read as it is', async () => {
    const { status, stderr } = await folder.run('format', 'broken.mlir', '-o', 'broken.mlir')
    expect(status).toBe(2)
    expect(stderr).toContain('engram: broken.mlir:1:33: expected')
    expect(await readFile(join(folder.path, 'broken.mlir'), 'utf8')).toBe(programs['broken.mlir'])
  })
  it('keeps ops of other dialects', async () => expect((await folder.run('format', 'unknown.mlir')).stdout).toContain('"tosa.add"() : () -> ()'))
})
