import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConformanceCase, loadCases, splitPrograms } from '../../src/cli/conformance-cases.ts'
import { runCase } from '../../src/cli/conformance-run.ts'
import { type Folder, programFolder } from './stablehlo.ts'

const checked = (value: number): string => `func.func @main() {
  %0 = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %1 = stablehlo.add %0, %0 : tensor<2xi32>
  check.expect_eq_const %1, dense<[2, ${value}]> : tensor<2xi32>
  return
}
`
const invalid = `func.func @f(%a: tensor<2xf32>) -> tensor<3xf32> {
  // expected-error@+1 {{MESSAGE}}
  %0 = "stablehlo.negate"(%a) : (tensor<2xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}
`
const files = {
  'checks.mlir': `// RUN: something\n\n${checked(4)}`,
  'checks-wrong.mlir': checked(5),
  'plain.mlir': 'func.func @f(%a: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.tanh %a : tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n',
  'reject.mlir': `${invalid.replace('MESSAGE', 'are incompatible with return type')}// -----\n// The next one is expected to say something else.\n${invalid.replace('MESSAGE', 'another text')}// -----\n\n${invalid.replace('expected-error', 'expected-error-re').replace('MESSAGE', 'incompatible with {{.*}} type')}`,
  'several.mlir': `${checked(4).replace('@main', '@one')}${checked(5).replace('@main', '@two')}`,
}

let folder: Folder
beforeAll(async () => void (folder = await programFolder(files)))
afterAll(() => folder.remove())

describe('engram conformance', () => {
  it('runs the programs of a folder as they say themselves', async () => {
    const { status, stdout } = await folder.run('conformance', '.', '--json')
    expect(status).toBe(1)
    const report = JSON.parse(stdout) as Record<string, any>
    expect(report).toMatchObject({
      exec: { total: 3, passed: 1 },
      parse_only: { total: 1, passed: 1 },
      verify_reject: { total: 3, passed: 2, refused: 3, messages: 2 },
      failed: ['checks-wrong.mlir', 'reject.mlir#2', 'several.mlir'],
    })
    // add passes in one case of three, tanh in its only one, negate in two of three.
    expect(report.byOp).toBeCloseTo((1 / 3 + 1 + 2 / 3) / 3)
    expect(report.reasons['checks-wrong.mlir']).toContain('expected 5')
    expect(report.reasons['reject.mlir#2']).toContain('expected 10: another text; got 10: ')
  })
  it('prints a table', async () => {
    const { status, stdout } = await folder.run('conformance', '.', '--only', 'reject')
    expect(status).toBe(1)
    expect(stdout).toContain('failed:\n  reject.mlir#2: expected 10: another text; got')
    expect(stdout).toMatch(/verify_reject +2 of 3 {2}\(3 refused, 2 with the expected message and line\)\naverage by op +66\.7 %/)
  })
  it('compares with a list of known failures', async () => {
    const known = (...ids: string[]): Promise<void> => folder.write('known.json', JSON.stringify({ failures: ids.map((id) => ({ id, reason: 'because' })) }))
    await known('checks-wrong.mlir', 'reject.mlir#2', 'several.mlir')
    const good = await folder.run('conformance', '.', '--known', 'known.json', '--json')
    expect(good.status).toBe(0)
    expect(JSON.parse(good.stdout)).toMatchObject({ exec: { total: 3, passed: 1 }, known: { unexpectedFailures: [], unexpectedPasses: [], missing: [] } })
    await known('checks.mlir', 'reject.mlir#2', 'several.mlir', 'gone.mlir')
    const bad = await folder.run('conformance', '.', '--known', 'known.json')
    expect(bad.status).toBe(1)
    expect(bad.stdout).toMatch(/^failed, not known to:\n {2}checks-wrong\.mlir: .*\n\npassed, known to fail:\n {2}checks\.mlir\n\nknown to fail, not there:\n {2}gone\.mlir\n/)
    const part = await folder.run('conformance', '.', '--known', 'known.json', '--only', 'several')
    expect(part.status).toBe(0)
  })
  it('ends a case that takes too long, and goes on', async () => {
    const endless = await programFolder({
      'a-loop.mlir': `func.func @main() {
        %0 = stablehlo.constant dense<true> : tensor<i1>
        %1 = stablehlo.while(%c = %0) : tensor<i1>
          cond { stablehlo.return %c : tensor<i1> } do { stablehlo.return %c : tensor<i1> }
        check.expect_eq_const %1, dense<false> : tensor<i1>
        return
      }`,
      'b-good.mlir': checked(4),
    })
    const { status, stdout } = await endless.run('conformance', '.', '--timeout', '1', '--json')
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ exec: { total: 2, passed: 1 }, reasons: { 'a-loop.mlir': 'took longer than 1 s and was ended' } })
    await endless.remove()
  })
  it.each([
    ['{', 'known.json is not JSON'],
    ['{"failures": [{"id": "a"}]}', 'failures[0].reason'],
    ['{"failures": [{"id": "a", "reason": "x"}, {"id": "a", "reason": "y"}]}', 'known.json: a is there twice'],
  ])('refuses the list %s', async (text, message) => {
    await folder.write('known.json', text)
    const { status, stderr } = await folder.run('conformance', '.', '--known', 'known.json')
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
  it.each([
    [['conformance', 'nothing-here'], 'nothing-here: cannot be read: ENOENT'],
    [['conformance', '.', '--only', 'xyz'], '.: no case has an id that contains xyz'],
  ])('%j is refused', async (args, message) => {
    const { status, stderr } = await folder.run(...args)
    expect(status).toBe(2)
    expect(stderr).toContain(`engram: ${message}`)
  })
  it('reads a manifest, and says what is wrong with one', async () => {
    const listed = await programFolder({ ...files, 'manifest.json': JSON.stringify({ cases: [{ id: 'several.mlir', mode: 'exec', primary_op: 'stablehlo.add', entry: 'one' }] }) })
    const cases = await loadCases(listed.path)
    expect(await Promise.all(cases.map((each) => runCase(each)))).toEqual([{ passed: true }])
    await listed.write('manifest.json', '{"cases": [{"id": "a", "mode": "dance"}]}')
    await expect(loadCases(listed.path)).rejects.toThrow(/manifest.json: .*\n.*cases\[0\]\.mode/)
    await listed.write('manifest.json', '{')
    await expect(loadCases(listed.path)).rejects.toThrow('manifest.json is not JSON')
    await listed.remove()
  })
})

describe('a case', () => {
  const base: ConformanceCase = { id: 'x', mode: 'exec', primaryOp: 'none', entries: [], expected: [], allowForeignOps: false, read: async () => checked(4) }
  it('fails, whatever goes wrong in it', async () => {
    expect(await runCase(base)).toEqual({ passed: true })
    const crash = { ...base, read: () => Promise.reject(new Error('the disk is gone')) }
    expect(await runCase(crash)).toMatchObject({ passed: false, reason: expect.stringContaining('crash: Error: the disk is gone') })
    expect(await runCase({ ...base, read: async () => 'func.func @main() {' })).toMatchObject({ passed: false })
  })
  it('that must be refused fails if it is accepted', async () => {
    const expected = [{ line: 1, text: 'something', regex: false }]
    expect(await runCase({ ...base, mode: 'verify_reject', expected })).toEqual({ passed: false, refused: false, reason: 'expected 1: something; got accepted' })
  })
  it('is one of several in a file, with the lines of the whole', () => {
    expect(splitPrograms('a\nb\n// -----\n// only a comment\n// -----\nc')).toEqual(['a\nb\n', '\n\n\n\nc'].map((text) => expect.stringContaining(text.trim())))
    expect(splitPrograms('a\n// -----\nb')[1]).toBe('\n\nb')
  })
})
