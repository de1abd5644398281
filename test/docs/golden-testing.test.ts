import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engram } from '../support/command.ts'
import { type ChildResult, TestFolder } from '../vitest/child-run.ts'
import { type CodeBlock, codeBlocks, readPage, root } from './pages.ts'

/** The guide on golden-testing, step by step: its tests are run by vitest as a reader would, and what it shows is what came out. */

const blocks = codeBlocks(readPage('docs/guide/golden-text.md'))
const marked = (mark: string): CodeBlock => blocks.find(({ marks }) => marks.includes(mark) || marks.some((each) => each.startsWith(`${mark}=`)))!
const valueOf = ({ marks }: CodeBlock, key: string): string => marks.find((mark) => mark.startsWith(`${key}=`))!.slice(key.length + 1)
const tests = blocks.filter(({ marks }) => marks.includes('vitest'))

const folder = new TestFolder('docs-golden')
const golden = valueOf(marked('golden'), 'golden')
/** The message of the failed test, as vitest prints it. */
const messageOf = ({ output }: ChildResult): string => /\nError: ([^]*?)\n *❯ /.exec(output)?.[1].trim() ?? output

beforeAll(() => tests.forEach((block) => folder.write(valueOf(block, 'file'), `${block.code}\n`)))
afterAll(() => folder.remove())

describe('the guide on golden-testing', () => {
  it('has a first example of ten lines', () => {
    expect(tests[0].code.split('\n').length).toBeLessThanOrEqual(10)
  })

  it('has tests without type errors', async () => {
    folder.write('tsconfig.json', JSON.stringify({ extends: '../../tsconfig.json', include: ['*.test.ts'] }))
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder.path]).catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  })

  it('shows what happens on CI, on the first run, after a change, and with -u', async () => {
    const first = valueOf(tests[0], 'file')
    expect(messageOf(await folder.run([first], { ci: true }))).toBe(marked('ci').code)
    expect(await folder.run()).toMatchObject({ status: 0 })
    expect(folder.read(golden)).toBe(`${marked('golden').code}\n`)
    folder.write('before.mlir', folder.read(golden))

    folder.write(first, `${tests[0].code.replace('sigmoid', 'tanh')}\n`)
    const changed = await folder.run([first], { ci: true })
    expect(changed.status).toBe(1)
    expect(messageOf(changed)).toBe(marked('failure').code)
    expect(await folder.run([first, '-u'])).toMatchObject({ status: 0 })
    folder.write('after.mlir', folder.read(golden))
  })

  it('shows what engram diff says of the two files', async () => {
    const { status, stdout } = await engram(['diff', 'before.mlir', 'after.mlir'], { cwd: folder.path })
    expect(status).toBe(1)
    expect(stdout.trimEnd()).toBe(marked('diff').code)
  })
})
