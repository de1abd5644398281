import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import { readNpy, writeNpy } from '../../src/data/npy.ts'
import { engram } from '../support/command.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-cli-'))
  await mkdir(join(cwd, 'nothing'))
  await mkdir(join(cwd, 'binary'))
  await writeFile(join(cwd, 'binary', 'a.dat'), Buffer.from([0, 1, 2, 255, 0, 200]))
  await writeFile(join(cwd, 'model.ts'), `
    import { add, f32, lower, preset, multiply } from 'engram'
    export const { model } = preset('memorizing-transformer', 'tiny')
    export const configured = preset('transformer-xl', 'tiny', { width: 16 })
    export const program = lower(({ a, b }: { a: any; b: any }) => ({ sum: add(a, b), product: multiply(a, b) }), { a: f32(3), b: f32(3) })
    export const number = 7
  `)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))
const run = (...args: string[]) => engram(args, { cwd })

describe('help and usage', () => {
  it('lists the commands, and the exit codes', async () => {
    const { status, stdout } = await run('--help')
    expect(status).toBe(0)
    for (const text of ['train', 'eval', 'compile', 'run', 'check', 'format', 'diff', 'conformance', 'doctor', 'Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted']) expect(stdout).toContain(text)
  })

  it.each(['train', 'eval', 'compile', 'run', 'check', 'diff', 'conformance', 'doctor'])('%s --help shows examples', async (command) => {
    const { status, stdout } = await run(command, '--help')
    expect(status).toBe(0)
    expect(stdout).toContain('Examples:')
    expect(stdout).toContain(`engram ${command}`)
    expect(stdout).toContain('--json')
  })

  it.each([
    [['trian'], "error: unknown command 'trian'\n(Did you mean train?)"],
    [['train', 'tiny', '--stps', '3'], "error: unknown option '--stps'\n(Did you mean --steps?)"],
    [['train', 'tny'], 'engram: there is no preset tny, did you mean tiny? (presets: tiny, small,'],
    [['train', 'memorising-transformer:tiny'], 'engram: there is no model memorising-transformer, did you mean memorizing-transformer?'],
    [['train', 'transformer-xl'], 'transformer-xl is a model, say which size too: transformer-xl:tiny'],
    [['train', 'tiny', '--steps', 'many'], "argument 'many' is invalid. expected a whole number of at least 1."],
    [['train', 'tiny', '--backend', 'gpu'], "argument 'gpu' is invalid. Allowed choices are cpu, interpreter, tpu."],
    [['train'], 'engram: name a model to train, a run to go on with (--resume), or a checkpoint to begin from (--from)'],
    [['train', 'tiny', '--resume', 'runs/x'], 'engram: --resume takes the model from the run: leave tiny out'],
    [['train', '--resume', 'runs/x'], 'engram: runs/x does not exist: there is no checkpoint\n  name a run'],
    [['eval', 'nothing'], 'engram: there is no checkpoint in nothing'],
    [['train', 'tiny', '--config', 'none.json'], 'engram: the configuration none.json cannot be read'],
    [['train', 'tiny', '--set', 'neigbours=3'], 'neigbours: unknown key, did you mean neighbours?'],
    [['train', 'tiny', '--set', 'heads=3', 'headSize=null'], 'headSize'],
    [['train', 'tiny', '--set', 'neighbours=500'], 'neighbours: 500 neighbours are more than the memorySize of 128'],
    [['train', 'tiny', '--set', 'layers=1'], 'memoryLayers: there is no layer 2: the model has layers 1 to 1'],
    [['train', 'tiny', '--corpus', 'missing'], 'missing'],
    [['train', 'tiny', '--corpus', 'nothing'], 'engram: corpus nothing has no files; point to a folder of text files'],
    [['train', 'tiny', '--corpus', 'binary'], 'engram: corpus binary is binary: none of its 1 files is text (UTF-8)'],
    [['compile', './model.ts#modle'], './model.ts#modle: the file has no export modle, did you mean model?'],
    [['compile', './model.ts#number'], './model.ts#number'],
    [['compile', './missing.ts#model'], 'missing.ts'],
    [['run', 'missing.mlir', '--random', '1'], 'missing.mlir: cannot be read'],
    [['run', './model.ts#program', '--backend', 'interpreter'], 'takes 2 inputs, got 0; it wants\n  [0].a: f32[3]\n  [0].b: f32[3]'],
  ])('%j is refused with exit code 2', async (args, message) => {
    const { status, stdout, stderr } = await run(...args)
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/^\s+at .*(node:|src\/)/m)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  })

  it('shows the stack with --debug', async () => {
    const { stderr } = await run('--debug', 'train', 'tny')
    expect(stderr).toMatch(/^ +at .*registry\.ts|^ +at .*presets\.ts/m)
  })
})

describe('compile', () => {
  it('prints the StableHLO of a preset, or writes it', async () => {
    const { status, stdout } = await run('compile', 'tiny', '--entry', 'evaluate', '--batch', '2')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^module @evaluate/)
    expect(await run('compile', 'tiny', '--entry', 'evaluate', '--batch', '2', '-o', 'out.mlir')).toEqual({ status: 0, stdout: '', stderr: '' })
    expect(await readFile(join(cwd, 'out.mlir'), 'utf8')).toBe(stdout)
  })

  it('says what a model of a TypeScript file is made of', async () => {
    const { status, stdout } = await run('compile', './model.ts#configured', '--json', '--batch', '2')
    expect(status).toBe(0)
    const facts = JSON.parse(stdout) as { parameters: number; operations: number; donatedInputs: number; byOperation: Record<string, number> }
    expect(facts.parameters).toBeGreaterThan(4000)
    expect(facts.donatedInputs).toBeGreaterThan(10)
    expect(Object.values(facts.byOperation).reduce((a, b) => a + b)).toBe(facts.operations)
  })
})

describe('run', () => {
  it('runs a program of a TypeScript file on arrays of files', async () => {
    await writeNpy(join(cwd, 'a.npy'), HostArray.from('f32', [1, 2, 3]))
    await writeNpy(join(cwd, 'b.npy'), HostArray.from('f32', [4, 5, 6]))
    const { status, stdout } = await run('run', './model.ts#program', '--inputs', 'a.npy', 'b.npy', '--backend', 'interpreter', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ results: [{ type: 'f32[3]', values: [5, 7, 9] }, { type: 'f32[3]', values: [4, 10, 18] }] })
    expect((await run('run', './model.ts#program', '--random', '1', '--backend', 'interpreter', '-o', 'results')).status).toBe(0)
    expect((await readNpy(join(cwd, 'results', '0.npy'))).shape).toEqual([3])
  })

  it('runs StableHLO text, and says where it is wrong', async () => {
    const text = 'func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %y = stablehlo.add %x, %x : tensor<2xf32>\n  return %y : tensor<2xf32>\n}\n'
    await writeFile(join(cwd, 'double.mlir'), text)
    expect(JSON.parse((await run('run', 'double.mlir', '--random', '1', '--backend', 'interpreter', '--json')).stdout)).toMatchObject({ results: [{ type: 'f32[2]' }] })
    await writeFile(join(cwd, 'wrong.mlir'), text.replace('%x, %x', '%x %x'))
    const { status, stderr } = await run('run', 'wrong.mlir', '--random', '1', '--backend', 'interpreter')
    expect(status).toBe(2)
    expect(stderr).toContain('wrong.mlir:2:')
  })
})

describe('doctor', () => {
  it('finds all there is, for people and for programs', async () => {
    const { status, stdout } = await run('doctor', '--json')
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { name: string; found: string | null; ok: boolean }[] }
    expect({ status, ok }).toEqual({ status: 0, ok: true })
    expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(['node', 'python', 'jax', 'jaxlib']))
    expect(findings.find(({ name }) => name === 'node')!.found).toBe(process.versions.node)
  })

  it('says what is missing and how to get it, with exit code 1', async () => {
    const { status, stdout } = await engram(['doctor'], { cwd, env: { ENGRAM_PYTHON: join(cwd, 'no-python') } })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^MISSING +python +not found/m)
    expect(stdout).toContain('npm run setup')
  })

  it('training without Python says the same, and the interpreter needs none', async () => {
    const env = { ENGRAM_PYTHON: join(cwd, 'no-python') }
    const corpus = join(cwd, 'corpus')
    await mkdir(corpus)
    for (let i = 0; i < 6; i++) await writeFile(join(corpus, `${i}.txt`), `document ${i}: ${'to be read again. '.repeat(6)}`)
    const args = ['train', 'tiny', '--corpus', 'corpus', '--steps', '1', '--batch', '1', '--set', 'segmentLength=8', 'memorySize=16', '--eval-tokens', '8', '--name', 'no-python']
    const failed = await engram(args, { cwd, env })
    expect(failed.status).toBe(1)
    expect(failed.stderr).toContain('npm run setup')
    const { status, stdout } = await engram([...args, '--backend', 'interpreter'], { cwd, env })
    expect(status).toBe(0)
    expect(stdout).toContain('done: 1 steps')
  })
})
