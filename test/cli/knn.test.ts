import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command, CommanderError } from 'commander'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { command } from '../../src/cli/knn.ts'
import { reportError } from '../../src/cli/report-error.ts'
import { readNpy, writeNpy } from '../../src/data/npy.ts'
import { writeSafetensors } from '../../src/data/safetensors.ts'
import { openVectors } from '../../src/data/vectors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { engram } from '../support/command.ts'

let cwd: string
const run = (...args: string[]) => engram(['knn', ...args], { cwd })

/** The same in this process, with the folder in front of files: much quicker, for what is refused. */
async function runHere(args: readonly string[]): Promise<{ status: number; output: string }> {
  let output = ''
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((output += String(text)), true))
  try {
    const inFolder = args.map((arg) => (/\.(npy|fvecs|index|csv|safetensors)\b/.test(arg) ? join(cwd, arg) : arg))
    await quiet(command()).parseAsync(inFolder, { from: 'user' })
    return { status: 0, output }
  } catch (error) {
    return { status: error instanceof CommanderError ? 2 : reportError(error), output }
  } finally {
    stderr.mockRestore()
  }
}

const quiet = (each: Command): Command => {
  each.commands.forEach(quiet)
  return each.exitOverride()
}

/** Four corners of a square, of which each query is near to one. */
const corners = HostArray.from('f32', [[1, 1], [1, -1], [-1, 1], [-1, -1]])
const near = HostArray.from('f32', [[-2, -1.5], [0.5, 0.75], [0.1, -3]])

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'engram-knn-'))
  await writeNpy(join(cwd, 'corners.npy'), corners)
  await writeNpy(join(cwd, 'near.npy'), near)
  await writeNpy(join(cwd, 'nan.npy'), HostArray.from('f32', [[1, 2], [3, NaN]]))
  await writeNpy(join(cwd, 'wide.npy'), HostArray.from('f32', [[1, 2, 3]]))
  await writeSafetensors(join(cwd, 'model.safetensors'), { keys: corners, values: near })
  await writeFile(join(cwd, 'cut.fvecs'), Buffer.concat([Buffer.from(Int32Array.of(2).buffer), Buffer.from(Float32Array.of(1, 2).buffer), Buffer.from([2, 0, 0])]))
  await writeFile(join(cwd, 'empty.fvecs'), '')
  await run('build', 'corners.npy', '-o', 'corners.index')
})
afterAll(() => rm(cwd, { recursive: true, force: true }))

describe('engram knn build', () => {
  it('tells what it wrote, for people and for programs', async () => {
    const { status, stdout } = await run('build', 'model.safetensors#keys', '-o', 'keys.index', '--distance', 'cosine', '--dtype', 'bf16', '--no-shuffle', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ index: 'keys.index', source: 'model.safetensors#keys', rows: 4, size: 2, distance: 'cosine', dtype: 'bf16', shuffleSeed: null })
    expect((await run('build', 'clustered:500x8', '-o', 'clustered.index', '--seed', '7')).stdout).toMatch(/^clustered.index: 500 vectors of 8, f32, l2, in random order \(seed 7\); 0\.0 MB in /)
  })

  it.each([
    [['build', 'nan.npy', '-o', 'x.index'], 'engram: nan.npy: row 1, component 1 is NaN; vectors must be finite'],
    [['build', 'cut.fvecs', '-o', 'x.index'], 'engram: cut.fvecs is cut short, or its rows differ in size: row 1 begins at byte 12'],
    [['build', 'empty.fvecs', '-o', 'x.index'], 'engram: empty.fvecs is empty'],
    [['build', 'model.safetensors#kys', '-o', 'x.index'], "engram: model.safetensors has no tensor 'kys'; it has keys, values"],
    [['build', 'none.npy', '-o', 'x.index'], 'engram: the npy file none.npy does not exist'],
    [['build', 'gaussian:0x3', '-o', 'x.index'], 'engram: gaussian:0x3: it holds no vectors'],
    [['build', 'corners.npy'], "error: required option '-o, --output <file>' not specified"],
    [['build', 'corners.npy', '-o', 'x.index', '--distance', 'l3'], "argument 'l3' is invalid. Allowed choices are innerProduct, cosine, l2."],
    [['query', 'corners.npy', 'near.npy'], 'corners.npy is not a safetensors file'],
    [['query', 'model.safetensors', 'near.npy'], 'engram: model.safetensors is a safetensors file, but no index of vectors'],
    [['query', 'corners.index', 'wide.npy'], 'engram: wide.npy has vectors of 3 components, the index (of corners.npy) has 2'],
    [['query', 'corners.index', 'near.npy', '-k', '0'], 'engram: k is 0, must be an integer of 1 or more'],
    [['query', 'corners.index', 'near.npy', '-k', '5'], 'engram: k is 5, there are 4 entries'],
    [['query', 'corners.index', 'near.npy', '-k', '2', '--recall', '1.01'], 'engram: the recall target is 1.01, must be greater than 0 and at most 1'],
    [['query', 'corners.index', 'near.npy', '-k', '2', '--recall', '0'], 'engram: the recall target is 0, must be greater than 0 and at most 1'],
    [['query', 'corners.index', 'nan.npy', '-k', '2', '--backend', 'interpreter', '-o', 'x.npy'], 'engram: nan.npy: row 1, component 1 is NaN'],
    [['query', 'corners.index', 'near.npy', '-o', 'x.csv'], 'engram: x.csv: what is found (i32) can be written as .npy, .ivecs, .jsonl'],
    [['query', 'corners.index', 'near.npy', '--lowering', 'best'], 'Allowed choices are auto, exact, custom-call'],
    [['bench', 'corners.npy', '-k', '2'], 'engram: corners.npy is not generated: name vectors to search for with --queries'],
    [['bench', 'corners.npy', '-k', '2', '--queries', 'near.npy', '--truth', 'near.npy'], 'engram: near.npy: true neighbours are rows of the vectors, 32-bit integers'],
    [['bench', 'gaussian:100x4', '--estimate', 'cpu'], 'engram: an estimate is of a TPU, such as tpu:v5e:2x2, not of cpu'],
    [['bench', 'gaussian:100x4', '--estimate', 'tpu:v5e:3x3'], 'v5e'],
  ])('%j is refused with exit code 2, and nothing is left', async (args, message) => {
    const before = await readdir(cwd)
    const { status, output } = await runHere(args)
    expect(output.replaceAll(`${cwd}/`, '')).toContain(message)
    expect(status).toBe(2)
    expect(await readdir(cwd)).toEqual(before)
  })
})

describe('Ctrl-C', () => {
  /** Interrupts a command as soon as `when` is true; gives what it said. */
  async function interrupted(args: readonly string[], when: () => Promise<boolean>): Promise<string> {
    const before = await readdir(cwd)
    const running = runHere(args)
    while (!(await when())) await new Promise((resolve) => setImmediate(resolve))
    process.emit('SIGINT')
    const { output } = await running
    expect(process.exitCode).toBe(130)
    process.exitCode = undefined
    expect(await readdir(cwd)).toEqual(before)
    return output
  }

  it('stops a build, and leaves nothing', async () => {
    const listeners = process.listenerCount('SIGINT')
    const output = await interrupted(['build', 'gaussian:200000x16', '-o', 'long.index'], async () => process.listenerCount('SIGINT') > listeners)
    expect(output).toBe('engram: interrupted: stopping; nothing half-written is left (again: quit at once)\n')
    expect(process.listenerCount('SIGINT')).toBe(listeners)
  })

  it('stops queries while results are written, and leaves nothing', async () => {
    const args = ['query', 'corners.index', 'gaussian:2000x2', '-k', '2', '--batch', '1', '-o', 'found.ivecs.npy', '--backend', 'interpreter']
    expect(await interrupted(args, async () => (await readdir(cwd)).some((name) => name.endsWith('.tmp')))).toContain('interrupted')
  })
})

describe('engram knn query', () => {
  it('prints a line per query, the nearest first', async () => {
    const { status, stdout, stderr } = await run('query', 'corners.index', 'near.npy', '-k', '2', '--backend', 'interpreter', '--batch', '2')
    expect(status).toBe(0)
    const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as { query: number; rows: number[]; scores: number[] })
    expect(lines.map(({ query, rows }) => [query, rows])).toEqual([[0, [3, 2]], [1, [0, 2]], [2, [1, 3]]])
    expect(lines[0].scores[0]).toBeCloseTo(-1.25, 5)
    expect(stderr).toMatch(/^3 queries in .* s; exact: the target is interpreter/)
  })

  it('writes rows and scores to files', async () => {
    const { status, stdout } = await run('query', 'corners.index', 'near.npy', '-k', '2', '-o', 'found.npy', '--scores', 'scores.fvecs', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ queries: 3, k: 2, lowering: 'exact', output: 'found.npy', scores: 'scores.fvecs' })
    expect(await readNpy(join(cwd, 'found.npy'))).toEqual(HostArray.from('i32', [[3, 2], [0, 2], [1, 3]]))
    const scores = await openVectors(join(cwd, 'scores.fvecs'))
    expect([scores.rows, scores.size]).toEqual([3, 2])
    await scores.close()
    expect((await run('query', 'corners.index', 'near.npy', '-k', '2', '-o', 'found.ivecs', '--backend', 'interpreter')).stdout).toBe('')
    const rows = await openVectors(join(cwd, 'found.ivecs'))
    expect((await rows.read(0, 3)).toNested()).toEqual([[3, 2], [0, 2], [1, 3]])
    await rows.close()
    await run('query', 'corners.index', 'near.npy', '-k', '1', '-o', 'found.jsonl', '--backend', 'interpreter')
    expect((await readFile(join(cwd, 'found.jsonl'), 'utf8')).split('\n')).toHaveLength(4)
  })
})

describe('engram knn bench', () => {
  it('measures recall and time of the exact search and of the lowering for a TPU', async () => {
    const { status, stdout } = await run('bench', 'periodic:6000x16', '-k', '10', '--rounds', '1', '--json')
    expect(status).toBe(0)
    const report = JSON.parse(stdout) as { rows: number; queries: number; truth: string; lowerings: { lowering: string; bins: number; expectedRecall: number; measured: { recall: number; microsecondsPerQuery: number } }[] }
    expect(report).toMatchObject({ source: 'periodic:6000x16', rows: 6000, queries: 1024, truth: 'exact search', shuffled: true })
    expect(report.lowerings.map(({ lowering }) => lowering)).toEqual(['exact', 'packed'])
    const [exact, packed] = report.lowerings
    expect(exact.measured.recall).toBe(1)
    expect(packed.measured.recall).toBeGreaterThanOrEqual(0.95)
    for (const { measured } of report.lowerings) expect(measured.microsecondsPerQuery).toBeGreaterThan(0)
  })

  it('estimates for a TPU that is not there', async () => {
    const { status, stdout } = await run('bench', 'gaussian:2048x16', '-k', '10', '--lowering', 'packed-2', 'custom-call', '--rounds', '1', '--estimate', 'tpu:v5e:2x2', '--json')
    expect(status).toBe(0)
    const { lowerings } = JSON.parse(stdout) as { lowerings: { lowering: string; measured?: object; estimate: { target: string; microseconds: number; method: string } }[] }
    expect(lowerings.map(({ lowering, measured }) => [lowering, measured !== undefined])).toEqual([['exact', true], ['packed-2', true], ['custom-call', false]])
    for (const { estimate } of lowerings) expect(estimate).toMatchObject({ target: 'tpu:v5e:2x2', method: expect.stringContaining('bundles') as string })
    const [exact, packed] = lowerings.map(({ estimate }) => estimate.microseconds)
    expect(packed).toBeGreaterThan(0)
    expect(packed).toBeLessThan(exact)
  })

  it('measures against true neighbours that a file gives, and prints a table', async () => {
    await writeFile(join(cwd, 'truth.ivecs'), Buffer.from(Int32Array.of(2, 3, 2, 2, 0, 2, 2, 1, 3).buffer))
    const { status, stdout } = await run('bench', 'corners.npy', '--queries', 'near.npy', '--truth', 'truth.ivecs', '-k', '2', '--lowering', 'exact', '--rounds', '1', '--backend', 'interpreter')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^corners\.npy: 4 vectors of 2, f32, l2, in random order\n3 queries in batches of 3, k 2, recall target 0\.95, on interpreter; recall against truth\.ivecs\n\nlowering/)
    expect(stdout).toMatch(/\nexact {8}- {5}- {4}1\.0000 {2}1\.0000 +[\d.]+\n/)
  })
})
