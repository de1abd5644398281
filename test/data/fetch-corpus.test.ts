import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fetchCorpus } from '../../src/data/fetch-corpus.ts'
import { type KnownCorpus, knownCorpora, knownCorpus } from '../../src/data/known-corpora.ts'
import { readCorpus } from '../../src/data/corpus.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const proofs: KnownCorpus = {
  name: 'proofs', title: 'three proofs', debianPackage: 'some-proofs', version: '7', folder: 'usr/share/proofs', extensions: ['.ml'], files: 2, bytes: 10,
}

/** Stand-ins for apt-get and dpkg-deb: a package that holds what `unpack` (a shell script, run in the unpacked package) makes. */
function packageTools({ version = '7', unpack }: { version?: string; unpack: string }): string {
  const bin = temporaryFolder({})
  const tools = {
    'apt-get': `[ "$1 $2" = "download some-proofs" ] || { echo "E: Unable to locate package $2" >&2; exit 100; }\ntouch some-proofs_${version}_all.deb\n`,
    'dpkg-deb': `mkdir -p "$3" && cd "$3"\n${unpack}\n`,
  }
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}`)
    chmodSync(join(bin, name), 0o755)
  }
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH}`)
  return bin
}
const twoProofs = 'mkdir -p usr/share/proofs/deep; cd usr/share/proofs; printf hello > a.ml; printf world > deep/b.ml; printf no > c.txt'

afterEach(() => { vi.unstubAllEnvs() })

describe('fetching a corpus', () => {
  test('keeps the text alone, and is done once', async () => {
    packageTools({ unpack: twoProofs })
    const folder = join(temporaryFolder({}), 'corpora')
    const steps: string[] = []
    const first = await fetchCorpus(proofs, { folder, onStep: (text) => steps.push(text) })
    expect(first).toEqual({ name: 'proofs', package: 'some-proofs', version: '7', files: 2, bytes: 10, path: join(folder, 'proofs'), fetched: true })
    expect(steps).toEqual(['downloading the Debian package some-proofs', 'unpacking some-proofs_7_all.deb'])
    expect(readdirSync(folder)).toEqual(['proofs'])
    expect(readCorpus(join(folder, 'proofs')).documents.map(({ name }) => name)).toEqual(['a.ml', 'deep/b.ml'])
    packageTools({ unpack: 'exit 1' })
    expect(await fetchCorpus(proofs, { folder })).toEqual({ ...first, fetched: false })
  })

  test('a package of the same version with other text is refused, one of another version is told of', async () => {
    const folder = join(temporaryFolder({}), 'corpora')
    packageTools({ unpack: `${twoProofs}; printf more >> a.ml` })
    await expect(fetchCorpus(proofs, { folder })).rejects.toThrow('expected 2 files of 10 bytes, version 7 of the package has 2 of 14')
    expect(readdirSync(folder)).toEqual([])
    packageTools({ version: '8', unpack: `${twoProofs}; printf more >> a.ml` })
    expect((await fetchCorpus(proofs, { folder })).differs).toContain('version 8 (2 files, 14 bytes) is not 7 (2 files, 10 bytes)')
  })

  test('says what is missing, and leaves nothing behind', async () => {
    const folder = join(temporaryFolder({}), 'corpora')
    packageTools({ unpack: 'mkdir -p usr/share/other' })
    await expect(fetchCorpus(proofs, { folder })).rejects.toThrow('has no folder usr/share/proofs')
    await expect(fetchCorpus({ ...proofs, debianPackage: 'none' }, { folder })).rejects.toThrow('apt-get failed: E: Unable to locate package none')
    vi.stubEnv('PATH', temporaryFolder({}))
    await expect(fetchCorpus(proofs, { folder })).rejects.toMatchObject({
      code: 'CORPUS_TOOL_MISSING',
      message: expect.stringMatching(/no apt-get\n {2}on a machine without apt: unpack the Debian package some-proofs/),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test('takes no folder that it did not make', async () => {
    const folder = temporaryFolder({ 'proofs/mine.ml': 'let x = 1' })
    packageTools({ unpack: twoProofs })
    await expect(fetchCorpus(proofs, { folder })).rejects.toThrow('was not fetched by this command')
    writeFileSync(join(folder, 'proofs', '.engram-corpus.json'), '{"name": 3}')
    await expect(fetchCorpus(proofs, { folder })).rejects.toThrow(/is damaged .*remove .* and fetch it again/)
    expect(existsSync(join(folder, 'proofs', 'mine.ml'))).toBe(true)
  })

  test('an interrupted fetch leaves nothing', async () => {
    packageTools({ unpack: 'exec sleep 30' })
    const folder = join(temporaryFolder({}), 'corpora')
    const controller = new AbortController()
    const fetching = fetchCorpus(proofs, { folder, signal: controller.signal, onStep: (text) => text.startsWith('unpacking') && setTimeout(() => controller.abort(), 50) })
    await expect(fetching).rejects.toThrow('cannot fetch the corpus proofs: interrupted')
    expect(readdirSync(folder)).toEqual([])
  })

  test('names are known', async () => {
    expect(knownCorpora.map(({ name }) => name)).toEqual(['hol-light', 'go', 'metamath'])
    expect(knownCorpus('go').debianPackage).toBe('golang-1.19-src')
    expect(await thrownBy(() => knownCorpus('metamat'))).toMatchObject({ message: expect.stringContaining('did you mean metamath?') })
  })
})
