import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterAll, describe, expect, it } from 'vitest'
import { changes, mutate } from '../../scripts/fuzz/mutation.ts'
import { judgeText } from '../../scripts/fuzz/judge-text.ts'
import { judgeCase, mutatedText, readCorpus } from '../../scripts/fuzz/mutation-run.ts'
import { SeededRandom } from '../../src/data/random.ts'

const golden = fileURLToPath(new URL('../golden', import.meta.url))
const script = fileURLToPath(new URL('../../scripts/fuzz/mutations.ts', import.meta.url))
const scratch = mkdtempSync(path.join(tmpdir(), 'engram-mutations-'))
afterAll(() => rmSync(scratch, { recursive: true }))

const run = (...args: string[]) => execa('node', ['--import', 'tsx', script, ...args], { reject: false, cwd: fileURLToPath(new URL('../..', import.meta.url)) })

describe('changed programs', () => {
  it('end in a program or in a typed error, soon', () => {
    const corpus = readCorpus(golden, 11)
    const outcomes = new Set<string>()
    for (let index = 0; index < 400; index++) {
      const { outcome, fault } = judgeCase(corpus, index, 20_000)
      outcomes.add(outcome)
      expect(fault, `case ${index} of seed 11`).toBeUndefined()
    }
    expect([...outcomes]).toEqual(expect.arrayContaining(['refused', 'valid']))
  })
  it('are the same for the same seed and number, and other ones for others', () => {
    const corpus = readCorpus(golden, 1)
    expect(mutatedText(corpus, 7)).toEqual(mutatedText(readCorpus(golden, 1), 7))
    expect(new Set(Array.from({ length: 20 }, (_, index) => mutatedText(corpus, index).text)).size).toBe(20)
    expect(mutatedText(readCorpus(golden, 2), 7).text).not.toBe(mutatedText(corpus, 7).text)
  })
  it('can be made from any text', () => {
    for (const text of ['', 'x', '1 + 1', 'module {}\n'])
      for (let seed = 0; seed < 200; seed++) expect(typeof mutate(text, ['module {}', ''], new SeededRandom(seed))).toBe('string')
    expect(Object.keys(changes).length).toBeGreaterThan(8)
  })
})

describe('what is judged', () => {
  it.each([
    ['module {}', 'valid'],
    ['module {', 'refused'],
    ['func.func @f(%a: tensor<2xf32>) -> tensor<3xf32> {\n return %a : tensor<2xf32>\n}', 'invalid'],
  ])('%j', (text, outcome) => {
    expect(judgeText(text)).toEqual({ outcome })
  })
})

describe('scripts/fuzz/mutations.ts', () => {
  it('reports as JSON', async () => {
    const { stdout, exitCode } = await run(golden, '--cases', '40', '--seed', '5', '--json', '--output', path.join(scratch, 'none'))
    expect(exitCode).toBe(0)
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ cases: 40, seed: 5, faults: [] })
    expect(report.refused + report.invalid + report.valid).toBe(40)
    expect(existsSync(path.join(scratch, 'none'))).toBe(false)
  })
  it('writes down what is at fault, and the number that makes it again', async () => {
    const output = path.join(scratch, 'faults')
    // No program of this size is read in so little time.
    const { stdout, exitCode } = await run(golden, '--cases', '20', '--time-limit', '1', '--json', '--output', output)
    expect(exitCode).toBe(1)
    const [fault] = JSON.parse(stdout).faults
    expect(fault.fault).toContain('took longer than 0.001 s')
    expect(readFileSync(fault.file, 'utf8')).toBe(mutatedText(readCorpus(golden, 1), fault.index).text)
  })
  it('says when the process that reads has not the memory to begin', async () => {
    const { stderr, exitCode } = await run(golden, '--cases', '3', '--memory', '8')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('the process that reads could not begin: the process died')
  })
  it('says that a folder has no programs', async () => {
    const { stderr, exitCode } = await run(path.join(scratch, 'none'))
    expect(exitCode).toBe(2)
    expect(stderr).toContain('there are no programs (.mlir)')
  })
})
