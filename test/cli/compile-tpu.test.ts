import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engram } from '../support/command.ts'
import { describeTpu } from '../support/tpu.ts'

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-compile-tpu-'))
  await writeFile(join(cwd, 'add.mlir'), 'func.func @main(%x: tensor<8x128xf32>) -> tensor<8x128xf32> {\n  %0 = stablehlo.add %x, %x : tensor<8x128xf32>\n  return %0 : tensor<8x128xf32>\n}\n')
  await writeFile(join(cwd, 'wrong.mlir'), 'func.func @main(%x: tensor<4xf32>) -> tensor<5xf32> {\n  return %x : tensor<4xf32>\n}\n')
  await writeFile(join(cwd, 'search.ts'), `
    import { f32, lower, nearest, scope, type Tensor } from 'engram'
    export const program = () =>
      lower((q: Tensor, rows: Tensor) => scope('find', () => nearest(q, rows, { k: 8, recallTarget: 0.9, rowOrder: 'unrelated' })), f32(128, 64), f32(4096, 64))
  `)
})
afterAll(() => rm(cwd, { recursive: true, force: true }))
const run = (...args: string[]) => engram(args, { cwd })

/** Figures that another version of the compiler may change. */
const masked = (text: string) => text.replace(/\d+\.\d+ (us|ms|s)\b/g, 'TIME $1').replace(/\d+(\.\d+)? (GB|MB|kB|B)\b/g, 'SIZE').replace(/\d+\.\d %/g, 'SHARE').replace(/ {2,}/g, '  ')

describe('compile --target', () => {
  it.each([
    [['compile', 'tiny', '--target', 'tpu:v5lite:2x2'], 'there is no TPU topology "v5lite:2x2": the name is v5e: v5e:2x2'],
    [['compile', 'tiny', '--target', 'gpu'], 'there is no target "gpu": expected cpu, or tpu: and a topology, such as tpu:v5e:2x2'],
    [['compile', 'tiny', '--target', 'cpu', '--executable', 'x'], '--executable: only a TPU\'s executable can be written'],
    [['compile', 'tiny', '--hlo', 'x'], '--hlo needs --target with a topology, such as tpu:v5e:2x2'],
    [['compile', 'tiny', '--target', 'tpu', '--executable', 'x'], '--executable needs --target with a topology, such as tpu:v5e:2x2'],
    [['compile', 'tiny', '--target', 'tpu', '--backend', 'cpu'], '--target and --backend exclude each other'],
    [['compile', 'tiny', '--target', 'cpu', '--stats'], '--target and --stats exclude each other'],
    [['compile', 'add.mlir'], 'add.mlir is lowered already: give --target to compile it'],
    [['compile', 'none.mlir', '--target', 'tpu:v5e:2x2'], 'none.mlir: cannot be read'],
    [['compile', 'wrong.mlir', '--target', 'tpu:v5e:2x2'], 'wrong.mlir:2:3'],
  ])('%j is refused', async (args, message) => {
    const { status, stderr, stdout } = await run(...args)
    expect(stderr).toContain(message)
    expect([status, stdout]).toEqual([2, ''])
  })

  it('says without compiling what was chosen for a TPU, and gives that text', async () => {
    const { status, stdout } = await run('compile', './search.ts#program', '--target', 'tpu', '--stats', '-o', 'search.mlir')
    expect(status).toBe(0)
    expect(masked(stdout).split('\n').slice(5, 7)).toEqual([
      'chosen  search find/nearest[packed bins=128 recall=0.9739]: packed: the target is tpu; the best of each of 128 bins reach recall 0.9739 for the 0.9 wanted',
      '  queries f32[128,64], database f32[4096,64], k 8, recall 0.9, innerProduct, at search.ts:4:62',
    ])
    expect(await readFile(join(cwd, 'search.mlir'), 'utf8')).toContain('stablehlo.bitcast_convert')
    const { choices } = JSON.parse((await run('compile', './search.ts#program', '--json')).stdout) as any
    expect(choices).toEqual([
      {
        what: 'search', chosen: 'exact', scope: 'find/nearest[exact]', reason: 'exact: no target is named, where all scores and a top-k cost least',
        of: 'queries f32[128,64], database f32[4096,64], k 8, recall 0.9, innerProduct', place: expect.stringMatching(/search\.ts:4:62$/),
      },
    ])
  })

  it('takes this machine\'s processor too', async () => {
    const { status, stdout } = await run('compile', 'add.mlir', '--target', 'cpu', '--hlo', 'cpu.hlo')
    expect(status).toBe(0)
    expect(masked(stdout)).toMatchInlineSnapshot(`
      "program  add.mlir
      target  cpu
      compiled in  TIME s
      memory  arguments SIZE, outputs SIZE, of which aliased SIZE, temporaries SIZE
      flops  1024
      "
    `)
    expect(await readFile(join(cwd, 'cpu.hlo'), 'utf8')).toMatch(/^HloModule/)
  })
})

describeTpu('compile --target tpu', () => {
  it('prints a table, the search in words', async () => {
    const { status, stdout, stderr } = await run('compile', './search.ts#program', '--target', 'tpu:v5e:2x2', '--ops', '2')
    expect(stderr.split('\n').filter((line) => line && !line.startsWith('compiling'))).toEqual([])
    expect(status).toBe(0)
    expect(masked(stdout)).toMatchInlineSnapshot(`
      "program  ./search.ts#program
      target  tpu:v5e:2x2, 1 of 4 devices; one of v5e has 16 GiB of HBM, SIZE/s, 197 Tflop/s (bf16)
      compiled in  TIME s
      chosen  search find/nearest[packed bins=128 recall=0.9739]: packed: the target is tpu; the best of each of 128 bins reach recall 0.9739 for the 0.9 wanted
        queries f32[128,64], database f32[4096,64], k 8, recall 0.9, innerProduct, at search.ts:4:62
      memory  at most SIZE of SIZE of HBM: it fits (SHARE)
        arguments SIZE, outputs SIZE, of which aliased SIZE, temporaries SIZE
      flops  71.6 million
      estimate  TIME us a run at least, SHARE of the device's peak: an estimate from the compiled code, not measured
        computing TIME us, HBM TIME us for SIZE
      method  of each op the longer of its instruction bundles, times their loops, and its bytes at full HBM bandwidth; summed
      search  find/nearest[packed bins=128 recall=0.9739]: the reduction to the best of each bin is fused with the matrix product; no score matrix in HBM (it would be f32[128,32,128], SIZE); TIME us

        estimate  share  HBM  scope, and its slowest ops
        TIME us  SHARE  SIZE  find/nearest[packed bins=128 recall=0.9739] (8 ops)
        TIME us  SHARE  SIZE  fusion.1: fusion of copy, convolution, select, reduce  search.ts:4:62
        TIME us  SHARE  SIZE  nearest_packed_bins_128_recall_0_9739_.77: sort  search.ts:4:62
        TIME us  SHARE  SIZE  (no scope) (6 ops)
        TIME us  SHARE  SIZE  copy.4: copy
        TIME us  SHARE  SIZE  copy.5: copy
      "
    `)
  })

  it('prints one JSON object, and writes the optimised program and the executable', async () => {
    const { status, stdout } = await run('compile', 'add.mlir', '--target', 'tpu:v6e:1x1', '--json', '--hlo', 'out/add.hlo', '--executable', 'out/add.bin')
    expect(status).toBe(0)
    const facts = JSON.parse(stdout) as any
    expect(facts).toMatchObject({
      target: 'tpu:v6e:1x1', devices: 1, fits: true, topology: { name: 'v6e:1x1', chips: 1, devices: 1 }, searches: [], customCalls: {},
      memory: { arguments: 4096, outputs: 4096 }, estimate: { unknownLoops: 0, hbmBytes: 8192 },
    })
    expect(facts.estimate.ops.map(({ opcode, source }: any) => [opcode, source])).toContainEqual(['add', 'add.mlir:2:8'])
    const hlo = await readFile(join(cwd, 'out/add.hlo'), 'utf8')
    expect(hlo.length).toBe(facts.hloBytes)
    expect((await readFile(join(cwd, 'out/add.bin'))).byteLength).toBe(facts.executableBytes)
    expect((await readdir(join(cwd, 'out'))).toSorted()).toEqual(['add.bin', 'add.hlo'])
  })

  it('says what XLA refuses, with exit code 1', async () => {
    await writeFile(join(cwd, 'large.mlir'), (await readFile(join(cwd, 'add.mlir'), 'utf8')).replaceAll('8x128xf32', '200000x200000xf32'))
    const { status, stdout, stderr } = await run('compile', 'large.mlir', '--target', 'tpu:v5e:2x2')
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/engram: cannot compile large \(RESOURCE_EXHAUSTED\): .*HBM/)
  })
})
