import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installedSources } from '../../src/data/installed.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const code = (name: string): string => Array.from({ length: 12 }, (_, i) => `export const ${name}${'abcdefghijkl'[i]} = compute('${name}')\n`).join('')
const manifest = (more = {}): string => JSON.stringify({ name: 'x', ...more })

const project = {
  'node_modules/alpha/package.json': manifest(),
  'node_modules/alpha/index.js': code('alpha'),
  'node_modules/alpha/copy.mjs': code('alpha'),
  'node_modules/alpha/index.d.ts': code('alphaTypes'),
  'node_modules/alpha/index.min.js': code('alphaMin'),
  'node_modules/alpha/index.js.map': '{}',
  'node_modules/alpha/README.md': 'words',
  'node_modules/alpha/lib/cjs/x.js': code('commonModule'),
  'node_modules/alpha/lib/esm/x.js': code('esModule'),
  'node_modules/alpha/packed.js': `var a=${'1+'.repeat(900)}1\n`,
  'node_modules/alpha/made.js': `// @generated\n${code('made')}`,
  'node_modules/alpha/table.js': '123456789, 123456789, 123456789,\n'.repeat(9),
  'node_modules/alpha/node_modules/beta/package.json': manifest(),
  'node_modules/alpha/node_modules/beta/index.ts': code('olderBeta'),
  'node_modules/@scope/gamma/package.json': manifest(),
  'node_modules/@scope/gamma/index.js': code('gamma'),
  'node_modules/beta/package.json': manifest(),
  'node_modules/beta/index.ts': code('beta'),
  'node_modules/only-linux/package.json': manifest({ os: ['linux'] }),
  'node_modules/only-linux/index.js': code('linux'),
  'node_modules/.cache/package.json': manifest(),
  'node_modules/.cache/index.js': code('cache'),
  '.venv/lib/python3.11/site-packages/jax/core.py': code('jax'),
  '.venv/lib/python3.11/site-packages/jax/__pycache__/core.py': code('cached'),
  '.venv/lib/python3.11/site-packages/jax-1.dist-info/x.py': code('info'),
  '.venv/lib/python3.11/site-packages/pip/main.py': code('pip'),
  '.venv/lib/python3.11/site-packages/six.py': code('six'),
}
const small = { minDocumentBytes: 0 }

test('whole packages are documents; copies, generated and platform files are left out', () => {
  const corpus = installedSources(temporaryFolder(project), small)
  expect(corpus.documents.map(({ name, group }) => `${name} (${group})`)).toEqual([
    'npm/@scope/gamma (npm/@scope/gamma)',
    'npm/alpha (npm/alpha)',
    'npm/alpha/node_modules/beta (npm/beta)',
    'npm/beta (npm/beta)',
    'python/jax (python/jax)',
    'python/six.py (python/six.py)',
  ])
  const alpha = new TextDecoder().decode(corpus.documents[1].read())
  expect(alpha.match(/==> .* <==/g)).toEqual(['==> npm/alpha/copy.mjs <==', '==> npm/alpha/index.d.ts <==', '==> npm/alpha/lib/esm/x.js <=='])
  expect(corpus.skipped).toMatchObject({ duplicate: 1, minified: 1, generated: 2 })
})

test('does not depend on where the project stands', () => {
  const read = (root: string) => installedSources(root, small).documents.map((d) => [d.name, new TextDecoder().decode(d.read())])
  const [one, other] = [temporaryFolder(project), temporaryFolder(project)]
  expect(read(one)).toEqual(read(other))
  expect(JSON.stringify(read(one))).not.toContain(one)
})

test('limits on documents and on the whole', () => {
  const root = temporaryFolder(project)
  const all = installedSources(root, small).documents
  const divided = installedSources(root, { ...small, maxDocumentBytes: 700 }).documents
  expect(divided.map((d) => d.name)).toContain('npm/alpha/lib')
  expect(Math.max(...divided.map((d) => d.sizeBytes))).toBeLessThanOrEqual(700)
  const total = all.reduce((sum, d) => sum + d.sizeBytes, 0)
  const half = installedSources(root, { ...small, maxTotalBytes: total >> 1 })
  expect(half.documents.length).toBeGreaterThan(0)
  expect(half.documents.reduce((sum, d) => sum + d.sizeBytes, 0)).toBeLessThanOrEqual(total >> 1)
  expect(half.skipped.overTotal).toBe(all.length - half.documents.length)
})

test('a linked package folder does not loop', () => {
  const root = temporaryFolder(project)
  symlinkSync('..', join(root, 'node_modules', 'beta', 'self'))
  expect(installedSources(root, small).documents.length).toBe(6)
})

test('nothing installed says what to do', async () => {
  const error = await thrownBy(() => installedSources(temporaryFolder()))
  expect(error).toMatchObject({ name: 'DataError', code: 'CORPUS_EMPTY' })
  expect(error.message).toContain('npm run setup')
  const tooSmall = await thrownBy(() => installedSources(temporaryFolder(project), { minDocumentBytes: 1e9 }))
  expect(tooSmall).toMatchObject({ code: 'CORPUS_EMPTY' })
})

test('this project has long documents installed, from npm at least', () => {
  const corpus = installedSources(join(import.meta.dirname, '..', '..'))
  expect(corpus.documents.some((d) => d.name.startsWith('npm/') && d.sizeBytes > 100_000)).toBe(true)
  expect(corpus.documents.every((d) => d.sizeBytes <= 2 ** 20)).toBe(true)
  expect(new Set(corpus.documents.map((d) => d.name)).size).toBe(corpus.documents.length)
})
