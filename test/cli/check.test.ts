import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Folder, programFolder } from './stablehlo.ts'

let folder: Folder
beforeAll(async () => void (folder = await programFolder()))
afterAll(() => folder.remove())

describe('engram check', () => {
  it('says that files are good', async () => {
    expect(await folder.run('check', 'good.mlir', 'renamed.mlir')).toEqual({ status: 0, stdout: 'good.mlir: ok\nrenamed.mlir: ok\n', stderr: '' })
  })
  it('shows every error of every file, and goes on', async () => {
    const { status, stdout, stderr } = await folder.run('check', 'broken.mlir', 'invalid.mlir', 'unknown.mlir', 'missing.mlir', 'good.mlir')
    expect(status).toBe(2)
    expect(stdout).toBe('good.mlir: ok\n')
    expect(stderr).toContain(`broken.mlir:1:33: expected`)
    expect(stderr).toContain(`  1 | func.func @main(%a: tensor<2xf32) {\n`)
    expect(stderr).toContain(`invalid.mlir:2:8: 'stablehlo.slice' op limit index 5`)
    expect(stderr).toMatch(/\[slice_c3\]\n {2}2 | {3}%0 = "stablehlo.slice"/)
    expect(stderr).toContain(`unknown.mlir:2:3: unknown op 'tosa.add': it is not in the catalogue`)
    expect(stderr).toContain(`missing.mlir: cannot be read: ENOENT`)
    expect(stderr).not.toContain('    at ')
  })
  it('gives the parts of an error as JSON', async () => {
    const { status, stdout } = await folder.run('check', 'invalid.mlir', 'good.mlir', '--json')
    expect(status).toBe(2)
    const { ok, files } = JSON.parse(stdout) as { ok: boolean; files: { file: string; ok: boolean; errors: unknown[] }[] }
    expect(ok).toBe(false)
    expect(files.map((each) => [each.file, each.ok])).toEqual([['invalid.mlir', false], ['good.mlir', true]])
    expect(files[0].errors).toMatchObject([{ code: 'VERIFY', line: 2, column: 8, op: 'stablehlo.slice', rule: 'slice_c3' }])
  })
  it('accepts foreign ops where that is asked for', async () => {
    expect((await folder.run('check', 'unknown.mlir', '--allow-foreign-ops')).status).toBe(0)
  })
})

describe('engram run', () => {
  it('verifies first', async () => {
    const { status, stderr } = await folder.run('run', 'invalid.mlir', '--random', '1', '--backend', 'interpreter')
    expect(status).toBe(2)
    expect(stderr).toContain(`engram: invalid.mlir:2:8: 'stablehlo.slice' op`)
  })
  it('runs what is valid', async () => {
    const { status, stdout } = await folder.run('run', 'good.mlir', '--random', '1', '--backend', 'interpreter', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ results: [{ type: 'f32[2]' }] })
  })
})
