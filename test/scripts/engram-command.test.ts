import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
beforeEach(() => { folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'engram-bin-'))) })
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

function write(name: string, text: string): void {
  const file = path.join(folder, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
}

/** A small library in place of ours: the command line changes the library's state and then imports a model that reads it. */
function makeLibrary(where: string, kind: 'source' | 'built'): void {
  for (const part of ['bin', 'scripts/setup']) fs.cpSync(path.join(root, part), path.join(folder, where, part), { recursive: true })
  write(`${where}/package.json`, '{"name":"engram","type":"module"}')
  const [place, ending, annotation] = kind === 'source' ? ['src', 'ts', ': number'] : ['dist', 'js', '']
  write(`${where}/${place}/index.${ending}`, `export const shared = { n: 0 }\nexport const double = (x${annotation}) => 2 * x`)
  write(`${where}/${place}/cli/main.${ending}`, `
    import { pathToFileURL } from 'node:url'
    import path from 'node:path'
    import { shared } from '../index.${ending}'
    shared.n = 7
    const { model } = await import(pathToFileURL(path.resolve(process.argv[2])).href)
    console.log(model)`)
}

function linkTsx(where: string): void {
  fs.mkdirSync(path.join(folder, where, 'node_modules'), { recursive: true })
  fs.symlinkSync(path.join(root, 'node_modules', 'tsx'), path.join(folder, where, 'node_modules', 'tsx'))
}

/** A model of a user, with a second file, in a folder that says nothing or something of its kind of module. */
function makeModel(where: string, manifest?: string): void {
  write(`${where}/model.ts`, "import { double, shared } from 'engram'\nimport { triple } from './more.ts'\nexport const model: number = triple(double(5)) * 10 + shared.n")
  write(`${where}/more.ts`, "import { shared } from 'engram'\nexport const triple = (x: number): number => (shared.n === 7 ? 3 * x : -1)")
  if (manifest !== undefined) write(`${where}/package.json`, manifest)
}

function engram(where: string, cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(folder, where, 'bin', 'engram.mjs'), ...args], { cwd: path.join(folder, cwd), encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('the engram command', () => {
  it.each([
    ['an ES module', '{"type":"module"}'],
    ['no package.json', undefined],
    ['a CommonJS package', '{"type":"commonjs"}'],
  ])('runs the source in a checkout, and a TypeScript model in %s uses the same library', (_what, manifest) => {
    makeLibrary('checkout', 'source')
    linkTsx('checkout')
    makeModel('user', manifest)
    expect(engram('checkout', 'user', 'model.ts')).toEqual({ status: 0, stdout: '307\n', stderr: '' })
  })

  it('runs the built files in an installed package, with TypeScript models all the same', () => {
    makeLibrary('project/node_modules/engram', 'built')
    linkTsx('project')
    makeModel('project')
    expect(engram('project/node_modules/engram', 'project', 'model.ts')).toEqual({ status: 0, stdout: '307\n', stderr: '' })
  })

  it('says what to do when the npm packages are not installed', () => {
    makeLibrary('checkout', 'source')
    expect(engram('checkout', '.', 'model.ts')).toEqual({
      status: 1, stdout: '', stderr: 'engram: the npm packages are not installed\n  Run `npm run setup` in the checkout first.\n',
    })
  })

  it('says so when the built files are missing', () => {
    makeLibrary('project', 'built')
    linkTsx('project')
    fs.rmSync(path.join(folder, 'project/dist'), { recursive: true })
    expect(engram('project', '.')).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('dist/cli/main.js is missing') })
  })
})

describe('the check of the Node version', () => {
  it.each(['18.20.0', '20.18.3', '20.9.0'])('refuses %s', async (version) => {
    const { checkNode } = await import(path.join(root, 'scripts/setup/root.mjs'))
    expect(() => checkNode(version)).toThrow(`Node ${version} is too old: Engram needs Node 20.19 or newer`)
  })

  it.each(['20.19.0', '22.1.0', '24.0.0'])('accepts %s', async (version) => {
    const { checkNode } = await import(path.join(root, 'scripts/setup/root.mjs'))
    expect(checkNode(version)).toBeUndefined()
  })
})
