import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

// Written in pieces, so that this file does not hold what it looks for.
const folders = ['work', 'root', 'home', 'Users', 'opt']
const machinePath = new RegExp(`(?<![\\w.@~$}/-])/(?:${folders.join('|')})/[\\w.-]+|(?<![\\w])[A-Z]:\\\\{1,2}Users\\\\`)
const temporaryPath = new RegExp(`(?<![\\w.@~$}/-])/${'tmp'}/[\\w.-]+`)
const registryHost = new RegExp(['registry[.]npmjs[.]', 'registry[.]yarnpkg[.]', 'pypi[.]org/simple', 'files[.]pythonhosted[.]', 'npm[.]pkg[.]github[.]'].join('|'))

/** What in a text belongs to one machine or one registry: `LINE: what`. */
function findMachineTraces(text: string): string[] {
  return text.split('\n').flatMap((line, index) =>
    [machinePath, temporaryPath, registryHost].flatMap((pattern) => {
      const match = pattern.exec(line)
      return match ? [`${index + 1}: ${match[0]}`] : []
    }))
}

const untracked = new Set(['.git', '.venv', '.cache', 'node_modules', 'dist', 'runs', '__pycache__'])

/** Every file below a folder that is not of a kind that git ignores. */
function walk(folder: string): string[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (untracked.has(entry.name)) return []
    const name = path.posix.join(folder, entry.name)
    return entry.isDirectory() ? walk(name) : entry.isFile() ? [name] : []
  })
}

/** Files that git tracks and that are text; in a downloaded archive without git, all files. */
function trackedTexts(): [string, string][] {
  const names = fs.existsSync(path.join(root, '.git'))
    ? execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }).split('\0').filter((name) => name !== '')
    : walk('')
  return names.flatMap((name): [string, string][] => {
    const file = path.join(root, name)
    if (!fs.existsSync(file)) return [] // removed, and not committed yet
    const bytes = fs.readFileSync(file)
    return bytes.subarray(0, 8000).includes(0) ? [] : [[name, bytes.toString('utf8')]]
  })
}

describe('tracked files', () => {
  it('hold no path of one machine and no registry host', () => {
    const texts = trackedTexts()
    expect(texts.length).toBeGreaterThan(5)
    expect(texts.flatMap(([name, text]) => findMachineTraces(text).map((trace) => `${name}:${trace}`))).toEqual([])
  })

  it('has a lockfile without the addresses of a registry', () => {
    const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, { resolved?: string; integrity?: string }> }
    const entries = Object.entries(lock.packages).filter(([where]) => where !== '')
    expect(entries.length).toBeGreaterThan(10)
    expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([where]) => where)).toEqual([])
    expect(entries.filter(([, entry]) => entry.integrity === undefined).map(([where]) => where)).toEqual([])
  })
})

describe('findMachineTraces', () => {
  it.each([
    ['an absolute path', ['const file = "', 'work/main/src"'].join('/')],
    ['a home folder', ['see ', 'home/ada/notes'].join('/')],
    ['a temporary file', ['cat ', 'tmp/x.json'].join('/')],
    ['a Windows home', ['C:', 'Users', 'ada'].join('\\')],
    ['a registry', ['https://registry', 'npmjs', 'org/zod'].join('.')],
    ['a package index', ['https://pypi', 'org/simple'].join('.')],
  ])('finds %s', (_what, line) => {
    expect(findMachineTraces(`first\n${line}`)).toHaveLength(1)
    expect(findMachineTraces(`first\n${line}`)[0]).toMatch(/^2: /)
  })

  it.each(['import x from "../work/main.ts"', 'https://example.org/home/page', 'docs/work/plan.md', '~/home/x', '/usr/bin/env bash', '${root}/opt/x', 'a/tmp/b'])(
    'lets %s be', (line) => {
      expect(findMachineTraces(line)).toEqual([])
    })
})
