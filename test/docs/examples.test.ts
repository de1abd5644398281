import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { formatWithOptions, promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { examplesOf, pageNames, readPage, root } from './pages.ts'

const folder = path.join(root, '.cache', `docs-examples-${process.pid}`)
const examples = pageNames().flatMap((name) => examplesOf(name, readPage(name)))
const fileOf = (i: number) => path.join(folder, examples[i].file)

beforeAll(() => {
  examples.forEach(({ code }, i) => {
    fs.mkdirSync(path.dirname(fileOf(i)), { recursive: true })
    // `export {}` makes a module of an example without imports.
    fs.writeFileSync(fileOf(i), `${code}\nexport {}\n`)
  })
  const config = { extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false, noUnusedParameters: false }, include: ['*/*.ts'] }
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** What an example prints when it runs, without the folder it was put in. */
async function run(i: number): Promise<string[]> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
    lines.push(...formatWithOptions({ colors: false, breakLength: Infinity }, ...(values as [unknown])).replace(/\n$/, '').split('\n'))
  })
  try {
    await import(fileOf(i))
  } finally {
    log.mockRestore()
  }
  return lines.map((line) => line.replaceAll(`${path.dirname(fileOf(i))}${path.sep}`, ''))
}

describe('examples of the documentation', () => {
  it('are there', () => {
    expect(examples.length).toBeGreaterThan(8)
  })

  it('have no type errors', async () => {
    const { bin } = JSON.parse(fs.readFileSync(path.join(root, 'node_modules/typescript/package.json'), 'utf8')) as { bin: { tsc: string } }
    const tsc = path.join(root, 'node_modules/typescript', bin.tsc)
    const result = await promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', folder]).catch((error: { stdout: string }) => error)
    const errors = result.stdout.replace(/\S*docs-examples-\d+\/([^(]+)/g, (_, file: string) => examples.find((example) => example.file === file)?.name ?? file)
    expect(errors).toBe('')
  })

  examples.forEach(({ name, output }, i) => {
    it(`${name} prints what the page says`, async () => {
      expect(await run(i)).toEqual(output)
    })
  })
})
