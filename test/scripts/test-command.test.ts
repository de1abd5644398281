import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { machineNotes, readCounts, testSteps } from '../../scripts/test.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
beforeEach(() => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-steps-')) })
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Runs steps as `npm test` does; each step is a line of JavaScript. */
function run(steps: readonly { title: string; code: string; report?: string }[], notes: readonly string[] = []) {
  const file = path.join(folder, 'steps.mjs')
  const list = steps.map(({ title, code, report }) => ({ title, command: process.execPath, args: ['-e', code], report }))
  fs.writeFileSync(file, `import { runSteps } from ${JSON.stringify(pathToFileURL(path.join(root, 'scripts/test.ts')).href)}
    process.exitCode = await runSteps(${JSON.stringify(list)}, ${JSON.stringify(folder)}, ${JSON.stringify(notes)})`)
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', file], { cwd: root, encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n') }
}

describe('npm test', () => {
  it('goes on after a failed step, counts tests and steps, and ends with the counts', () => {
    const report = path.join(folder, 'report.json')
    const { status, lines } = run([
      { title: 'types', code: 'process.exit(2)' },
      { title: 'tests', code: `require('fs').writeFileSync(${JSON.stringify(report)}, '{"numPassedTests": 5, "numFailedTests": 1}'); process.exit(1)`, report },
      { title: 'lint', code: 'console.log("clean")' },
    ])
    expect(status).toBe(1)
    expect(lines).toContain('clean')
    expect(lines.slice(-4).map((line) => line.replace(/ +[\d.]+ s$/, ''))).toEqual(['FAILED  types', 'FAILED  tests', 'ok      lint', '6 passed, 3 failed'])
  })

  it('ends well when everything holds', () => {
    const { status, lines } = run([{ title: 'types', code: '' }])
    expect([status, lines.at(-1)]).toEqual([0, '1 passed, 0 failed'])
  })

  it('says before the counts what this kind of machine cannot check', () => {
    expect(run([{ title: 'types', code: '' }], ['note: no TPU']).lines.slice(-2)).toEqual(['note: no TPU', '1 passed, 0 failed'])
    expect(machineNotes('linux', 'x64', '/usr/bin/chromium')).toEqual([])
    expect(machineNotes('darwin', 'arm64', '/usr/bin/chromium')).toEqual(['note: tests that compile for TPUs did not run: there is no libtpu for darwin-arm64'])
    expect(machineNotes('linux', 'x64', null)).toEqual([expect.stringMatching(/^note: tests that open pages in a browser did not run: install Chromium/)])
  })

  it('counts a step that was killed or cannot be started as failed', () => {
    const { status, lines } = run([{ title: 'tests', code: "process.kill(process.pid, 'SIGKILL')", report: path.join(folder, 'none.json') }])
    expect([status, lines.at(-1)]).toEqual([1, '0 passed, 1 failed'])
    expect(lines.join('\n')).toContain('tests: FAILED (SIGKILL)')
  })

  it('has every step that the house asks for, and hands filters to vitest', () => {
    const steps = testSteps(root, ['test/ops', '-t', 'add'], 'report.json')
    expect(steps.map(({ title }) => title)).toEqual(['generated protobuf types are current', 'types', 'lint', 'tests: test/ops -t add'])
    expect(steps[3].args.slice(-3)).toEqual(['test/ops', '-t', 'add'])
    for (const { args } of steps.slice(1)) expect(fs.existsSync(args[0])).toBe(true)
    expect(testSteps(root, [], 'report.json')[3].title).toBe('import rules and tests')
  })
})

describe('readCounts', () => {
  it('reads a vitest report and knows one that is none', () => {
    const file = path.join(folder, 'r.json')
    for (const text of ['', '{', '{}', '{"numPassedTests": "5", "numFailedTests": 0}']) {
      fs.writeFileSync(file, text)
      expect(readCounts(file)).toBeUndefined()
    }
    fs.writeFileSync(file, '{"numPassedTests": 5, "numFailedTests": 0}')
    expect(readCounts(file)).toEqual({ passed: 5, failed: 0 })
    expect(readCounts(path.join(folder, 'none.json'))).toBeUndefined()
  })
})
