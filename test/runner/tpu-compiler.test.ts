import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { nearest } from '../../src/knn/nearest.ts'
import { f32 } from '../../src/lib/type-constructors.ts'
import { add } from '../../src/ops/arithmetic.ts'
import { type CompiledFor, compileFor } from '../../src/program/compile-for.ts'
import { lower, lowerWith } from '../../src/program/lower.ts'
import { startRunner } from '../../src/program/start.ts'
import { TpuCompiler } from '../../src/runner/tpu-compiler.ts'
import { parseTopology, tpuGenerations } from '../../src/runner/topology.ts'
import { scope } from '../../src/trace/frame.ts'
import { parseHlo } from '../../src/xla/hlo.ts'
import { findSearches } from '../../src/xla/search.ts'
import { describeTpu } from '../support/tpu.ts'

/** An addition of two f32[4]. */
const small = { name: 'small', text: 'func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = stablehlo.add %x, %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n' }
/** XLA checks this with an assertion, which ends the process. */
const deadly = {
  name: 'deadly',
  text: 'func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.custom_call @Sharding(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n',
}
const v5e = parseTopology('v5e:2x2')
const rejection = (promise: Promise<unknown>): Promise<any> => promise.then(() => expect.fail('expected a rejection'), (error: unknown) => error)

describeTpu('TpuCompiler', () => {
  let temporary: string
  let before: string | undefined
  let compiler: TpuCompiler
  beforeAll(async () => {
    before = process.env.TMPDIR
    temporary = await mkdtemp(join(tmpdir(), 'engram-test-tpu-'))
    process.env.TMPDIR = temporary
    compiler = new TpuCompiler()
  })
  afterAll(async () => {
    await compiler.close()
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    await rm(temporary, { recursive: true, force: true })
  })
  /** Folders for what the compiler writes; the one that removes them needs a moment after an end. */
  const folders = () => readdir(temporary).then((names) => names.filter((name) => name.startsWith('engram-tpu-')).length)

  const search = (k: number, recallTarget: number) =>
    lowerWith({ target: 'tpu', name: 'search' }, (q: Tensor, rows: Tensor) => scope('find', () => nearest(q, rows, { k, recallTarget, rowOrder: 'unrelated' })), f32(128, 64), f32(4096, 64))
  const searches = ({ hlo, estimate }: CompiledFor) => findSearches(parseHlo(hlo), estimate!)

  it('compiles a search that is fused with its matrix product, and estimates it', async () => {
    const compiled = await compileFor(search(8, 0.9), 'tpu:v5e:2x2', { compiler })
    const [found, ...others] = searches(compiled)
    expect(others).toEqual([])
    expect(found.scope).toMatch(/^find\/nearest\[.* recall=0\.9\d+\]$/)
    expect(found).toMatchObject({ fusedWith: 'reduce', inHbm: [], scores: { bytes: 128 * 4096 * 4 } })
    const { estimate, memory, topology } = compiled
    // All rows are read once, and the scores never written.
    expect(estimate!.hbmBytes).toBeGreaterThanOrEqual((4096 + 128) * 64 * 4)
    expect(estimate!.hbmBytes).toBeLessThan(1.5 * (4096 + 128) * 64 * 4)
    expect(estimate!.seconds).toBeGreaterThanOrEqual(Math.max(estimate!.hbmSeconds, (2 * 128 * 4096 * 64) / topology!.device.peakFlops))
    expect(estimate!.seconds).toBeLessThan(1e-3)
    expect(estimate!.ops.find(({ fused }) => fused.includes('convolution'))).toMatchObject({ opcode: 'fusion', bundles: 'own', scope: found.scope })
    expect(memory).toMatchObject({ arguments: (4096 + 128) * 64 * 4, hbm: 16 * 2 ** 30 })
    expect(memory!.peak).toBeGreaterThan(memory!.arguments)
    expect(compiled.flops).toBeGreaterThan(2 * 128 * 4096 * 64)
  })

  it('sees the scores of an exact search in memory', async () => {
    const compiled = await compileFor(search(8, 1), 'tpu:v5e:2x2', { compiler })
    const [found] = searches(compiled)
    expect(found).toMatchObject({ scope: 'find/nearest[exact]' })
    expect([...found.inHbm, ...found.onChip].length).toBeGreaterThan(0)
  })

  it('makes of a program with locations what it makes of one without', async () => {
    const program = search(8, 0.9)
    const [bare, located] = [await compileFor({ name: 'search', text: program.text }, 'tpu:v5e:2x2', { compiler }), await compileFor(program, 'tpu:v5e:2x2', { compiler })]
    const facts = ({ estimate, memory, flops, hlo }: CompiledFor) => ({
      memory: { ...memory, code: 0 },
      flops,
      seconds: estimate!.seconds,
      // The names differ, which come from the locations.
      ops: [...parseHlo(hlo).computations.values()].map(({ ops }) => ops.map(({ opcode, type }) => `${opcode} ${type}`)),
    })
    expect(facts(located)).toEqual(facts(bare))
    expect(bare.estimate!.ops.every((op) => op.scope === '')).toBe(true)
    expect(bare.estimate!.ops.some(({ source }) => /^search\.mlir:\d+:\d+$/.test(source ?? ''))).toBe(true)
  })

  it('names the scope and the line of an op', async () => {
    const { estimate } = await compileFor(lower((x: Tensor) => scope('double', () => add(x, x)), f32(8, 128)), 'tpu:v5e:2x2', { compiler })
    expect(estimate!.ops.find(({ opcode }) => opcode === 'add')).toMatchObject({ scope: 'double', source: expect.stringMatching(/tpu-compiler\.test\.ts:\d+:\d+$/) })
  })

  it.each(Object.values(tpuGenerations).map(({ name, shapes }) => `${name}:${shapes[1]}`))('compiles for %s', async (name) => {
    const compiled = await compileFor(small, `tpu:${name}`, { compiler })
    expect(compiled).toMatchObject({ target: `tpu:${name}`, devices: 1, estimate: { unknownLoops: 0 }, serialized: undefined })
    expect(compiled.estimate!.ops.map(({ opcode }) => opcode)).toContain('add')
  })

  it('compiles for a single chip, and gives the executable', async () => {
    const { serialized } = await compileFor(small, 'tpu:v5e:1x1', { compiler, executable: true })
    expect(serialized!.byteLength).toBeGreaterThan(1000)
  })

  it('compiles a program for as many devices as its mesh has', async () => {
    const text = `sdy.mesh @mesh = <["x"=2]>
func.func @main(%x: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}, %w: tensor<16x4xf32>) -> tensor<f32> {
  %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  %zero = stablehlo.constant dense<0.0> : tensor<f32>
  %1 = stablehlo.reduce(%0 init: %zero) applies stablehlo.add across dimensions = [0, 1] : (tensor<8x4xf32>, tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}`
    const compiled = await compileFor(text, 'tpu:v5e:2x2', { compiler })
    expect(compiled.devices).toBe(2)
    // Each device has half of the rows, and the sums are added.
    expect(compiled.hlo).toMatch(/parameter\(0\).*sharding=\{devices=\[2,1\]/)
    expect(compiled.hlo).toContain('all-reduce')
    const error = await rejection(compileFor({ name: 'wide', text: text.replace('"x"=2', '"x"=8') }, 'tpu:v5e:2x2', { compiler }))
    expect(error).toMatchObject({ name: 'RunnerArgumentError', message: expect.stringContaining('wide is for 8 devices, v5e:2x2 has 4') })
  })

  it('refuses what XLA refuses, with the place in the text', async () => {
    const wrong = { name: 'wrong', text: small.text.replace('return %0 : tensor<4xf32>', 'return %1 : tensor<4xf32>') }
    const syntax = await rejection(compiler.compile(wrong, v5e))
    expect(syntax.name).toBe('CompileError')
    expect(syntax.message).toContain('wrong.mlir:3:10: use of undeclared SSA value name')
    expect(syntax.message).toContain('  3 |   return %1 : tensor<4xf32>')
    const unknown = await rejection(compiler.compile({ name: 'unknown', text: small.text.replace('stablehlo.add %x, %x : tensor<4xf32>', 'stablehlo.custom_call @nobody(%x) : (tensor<4xf32>) -> tensor<4xf32>') }, v5e))
    expect(unknown).toMatchObject({ name: 'CompileError', status: 'INVALID_ARGUMENT', message: expect.stringContaining('Custom emitter for nobody not found') })
    const large = await rejection(compiler.compile({ name: 'large', text: small.text.replaceAll('4xf32', '200000x200000xf32') }, v5e))
    expect(large).toMatchObject({ name: 'CompileError', status: 'RESOURCE_EXHAUSTED', message: expect.stringContaining('HBM') })
  })

  it('says when the compiler ended its process; the next program and other sessions are not touched', async () => {
    const session = await startRunner({ platform: 'cpu' })
    try {
      const waiting = [compiler.compile(deadly, v5e), compiler.compile(small, v5e)] as const
      const error = await rejection(waiting[0])
      expect(error).toMatchObject({ name: 'TpuCompilerDiedError', code: 'TPU_COMPILER_DIED', signal: 'SIGABRT' })
      expect(error.message).toContain('cannot compile deadly for v5e:2x2: the compiler ended its process (by SIGABRT); its last words:')
      expect(error.message).toContain('Sharding instruction must have exactly one operand')
      expect(error.message).not.toMatch(/@ +0x/)
      expect((await waiting[1]).hlo).toContain('add(')
      const executable = await session.compile(lower((x: Tensor) => add(x, x), f32(2)))
      expect((await executable.run(HostArray.from('f32', [1, 2]))).toNested()).toEqual([2, 4])
    } finally {
      await session.close()
    }
  })

  it('can be cancelled while it compiles, and goes on with the next', async () => {
    const controller = new AbortController()
    // Its compilation takes seconds.
    const long = search(32, 0.95)
    const compiling = compileFor(long, 'tpu:v5e:2x2', { compiler, signal: controller.signal })
    const next = compiler.compile(small, v5e)
    setTimeout(() => controller.abort(), 200)
    expect(await rejection(compiling)).toMatchObject({ name: 'CancelledError', message: expect.stringContaining('the compilation of search for v5e:2x2 was cancelled') })
    expect((await next).hlo).toContain('add(')
    expect(await rejection(compileFor(small, 'tpu:v5e:2x2', { compiler, signal: controller.signal }))).toMatchObject({ name: 'CancelledError' })
  })

  it('leaves no folders behind: one for the process that lives, none when it is closed', async () => {
    await expect.poll(folders, { timeout: 20_000 }).toBe(1)
    const closing = new TpuCompiler()
    await closing.compile(small, v5e)
    expect(await folders()).toBe(2)
    await closing.close()
    await expect.poll(folders, { timeout: 20_000 }).toBe(1)
    expect(await rejection(closing.compile(small, v5e))).toMatchObject({ name: 'RunnerClosedError' })
  })

  it('says how to get libtpu where it is missing', async () => {
    // Python runs this first; it hides the package.
    const folder = await mkdtemp(join(temporary, 'hiding-'))
    await writeFile(join(folder, 'sitecustomize.py'), 'import importlib.metadata as m\nreal = m.version\ndef version(name):\n    if name == "libtpu":\n        raise m.PackageNotFoundError(name)\n    return real(name)\nm.version = version\n')
    const path = process.env.PYTHONPATH
    process.env.PYTHONPATH = folder
    try {
      const error = await rejection(compileFor(small, 'tpu:v5e:2x2'))
      expect(error).toMatchObject({ name: 'RunnerStartError', code: 'LIBTPU_MISSING' })
      expect(error.message).toMatchInlineSnapshot(`
        "cannot start the runner: compiling for TPUs needs the Python package libtpu, which is not installed
          fix: run \`npm run setup -- --tpu\`"
      `)
    } finally {
      if (path === undefined) delete process.env.PYTHONPATH
      else process.env.PYTHONPATH = path
    }
  })
})

it('compiles for this machine\'s processor too, with what there is to say', async () => {
  const compiled = await compileFor(lower((x: Tensor) => add(x, x), f32(4)), 'cpu')
  expect(compiled).toMatchObject({ target: 'cpu', topology: undefined, devices: 1, estimate: undefined, serialized: undefined, memory: { arguments: 16, outputs: 16, hbm: 0 } })
  expect(compiled.hlo).toMatch(/^HloModule/)
  expect(compiled.hlo).toContain('f32[4]')
})
