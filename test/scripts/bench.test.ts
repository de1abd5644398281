import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compare, median } from '../../scripts/bench/result.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-bench-'))
  const write = (name: string, body: string) => fs.writeFileSync(path.join(folder, name), body)
  write('package.json', '{"type":"module"}')
  write('frontend.bench.ts', `export const description: string = 'traces'
    export async function bench(options) {
      console.log('a stray line'); options.log('working')
      return { name: 'frontend', unit: 'ms', engram: 2, peer: 8, ratio: 0.25, details: { quick: options.quick, args: options.args } }
    }`)
  write('broken.bench.ts', "export const description = 'fails'\nexport async function bench() { throw new Error('no runner') }")
  write('nan.bench.ts', "export const description = 'is no number'\nexport async function bench() { return { name: 'nan', unit: 'ms', engram: NaN, peer: null, ratio: null, details: {} } }")
  write('cpu-step.bench.ts', "export const description = 'has no bench'")
  write('dispatch.ts', `import { main } from ${JSON.stringify(pathToFileURL(path.join(root, 'scripts/bench/bench.ts')).href)}
    process.exitCode = await main(process.argv.slice(2), ${JSON.stringify(folder)})`)
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

function bench(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path.join(folder, 'dispatch.ts'), ...args], { cwd: root, encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('the benchmark command', () => {
  it('prints one JSON line on stdout and everything else on stderr', () => {
    const { status, stdout, stderr } = bench('frontend', '--quick', '--steps', '3')
    expect(stdout).toBe('{"name":"frontend","unit":"ms","engram":2,"peer":8,"ratio":0.25,"details":{"quick":true,"args":["--steps","3"]}}\n')
    expect(stderr).toMatch(/^a stray line\nworking\nfrontend: engram 2\.000 ms, peer 8\.000 ms, ratio 0\.250 \(/)
    expect(status).toBe(0)
  })

  it('lists the benchmarks', () => {
    const { status, stdout } = bench('--help')
    expect(status).toBe(0)
    expect(stdout).toContain('  frontend         traces\n')
    expect(stdout).toContain('  cpu-step         (does not load: cpu-step.bench.ts must export')
  })

  it('names the nearest one for a name it does not know', () => {
    expect(bench('front-end')).toEqual({
      status: 2, stdout: '', stderr: 'unknown benchmark "front-end": did you mean "frontend"? There are: broken, cpu-step, frontend, nan\n',
    })
    expect(bench()).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/^which benchmark\?/) })
  })

  it('fails without a line on stdout when the benchmark fails or measures no number', () => {
    expect(bench('broken')).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('benchmark broken failed: Error: no runner') })
    expect(bench('nan')).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('benchmark nan: "engram" is NaN, a finite number is expected') })
  })
})

describe('results', () => {
  it('have their ratio from the two figures', () => {
    const base = { name: 'x', unit: 'ms', details: {} }
    expect(compare({ ...base, engram: 1, peer: 4 }).ratio).toBe(0.25)
    expect(compare({ ...base, engram: 1, peer: null }).ratio).toBeNull()
    expect(compare({ ...base, engram: 1, peer: 0 }).ratio).toBeNull()
  })

  it('take the middle of several runs', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(() => median([])).toThrow(RangeError)
  })
})
