import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Corpus, readCorpus } from '../../src/data/corpus.ts'
import { corpusStatistics, shardStatistics } from '../../src/data/statistics.ts'
import { DataError } from '../../src/data/errors.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const contents = (corpus: Corpus): Record<string, string> => Object.fromEntries(corpus.documents.map((d) => [d.name, text(d.read())]))

describe('readCorpus', () => {
  test('takes the text files of all levels, sorted, and counts what it leaves out', () => {
    const folder = temporaryFolder({
      'b.txt': 'bee', 'a/z.txt': 'zed', 'a/B.md': 'markdown', 'empty.txt': '', 'image.txt': Uint8Array.of(80, 0, 7),
      'latin.txt': Buffer.from('na\xefve text, mostly plain', 'latin1'), 'noise.txt': Uint8Array.from({ length: 300 }, (_, i) => 128 + (i % 100)),
      '.hidden/x.txt': 'hidden', 'node_modules/p/index.txt': 'installed',
    })
    const corpus = readCorpus(folder, { extensions: ['txt'] })
    expect(corpus.documents.map((d) => d.name)).toEqual(['a/z.txt', 'b.txt', 'latin.txt'])
    expect(corpus.skipped).toEqual({ binary: 2, empty: 1, otherExtension: 1 })
    expect(readCorpus(folder, { everything: true }).documents.map((d) => d.name)).toContain('node_modules/p/index.txt')
    expect(corpus.documents[0].sizeBytes).toBe(3)
    expect(text(corpus.documents[1].read(1, 3))).toBe('ee')
  })

  test('takes one file', () => {
    const folder = temporaryFolder({ 'one.txt': 'alone' })
    expect(contents(readCorpus(join(folder, 'one.txt')))).toEqual({ 'one.txt': 'alone' })
  })

  test('takes one long file in pieces, each a document that may be held out', () => {
    const folder = temporaryFolder({ 'set.mm': 'a line of a long file\n'.repeat(5000), 'short.txt': 'x'.repeat(2 ** 16 - 1) })
    const { documents } = readCorpus(join(folder, 'set.mm'))
    expect(documents.length).toBe(20)
    expect(new Set(documents.map(({ group }) => group)).size).toBe(20)
    expect(documents.map((piece) => text(piece.read())).join('')).toBe('a line of a long file\n'.repeat(5000))
    expect(readCorpus(join(folder, 'short.txt')).documents.length).toBe(1)
    // Beside another file it is one document.
    expect(readCorpus(folder).documents.length).toBe(2)
  })

  test('follows links, and ends where they loop', () => {
    const folder = temporaryFolder({ 'a/x.txt': 'x', 'other/y.txt': 'y' })
    symlinkSync('..', join(folder, 'a', 'up'))
    symlinkSync(join(folder, 'other'), join(folder, 'a', 'linked'))
    symlinkSync('nowhere', join(folder, 'broken.txt'))
    expect(contents(readCorpus(folder))).toEqual({ 'a/x.txt': 'x', 'a/linked/y.txt': 'y' })
  })

  test('folders become documents, their files under headings', () => {
    const folder = temporaryFolder({ 'p/a.ts': 'one\n', 'p/q/b.ts': 'two\n', 'r.ts': 'three\n' })
    const corpus = readCorpus(folder, { documents: 'folders' })
    expect(contents(corpus)).toEqual({ p: '==> p/a.ts <==\none\n\n==> p/q/b.ts <==\ntwo\n', 'r.ts': 'three\n' })
    const whole = text(corpus.documents[0].read())
    for (let start = 0; start <= whole.length; start++)
      for (let end = start; end <= whole.length; end++) expect(text(corpus.documents[0].read(start, end))).toBe(whole.slice(start, end))
  })

  test('what is too long is divided at folders, files and lines, and nothing is lost', () => {
    const lines = (n: number): string => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('')
    const files = { 'p/a.ts': lines(20), 'p/b.ts': lines(20), 'p/long.ts': lines(100), 'p/q/c.ts': lines(10), 'p/q/d.ts': lines(10) }
    const folder = temporaryFolder(files)
    const corpus = readCorpus(folder, { documents: 'folders', maxDocumentBytes: 300 })
    expect(corpus.documents.map((d) => d.name)).toEqual(['p/', 'p/#2', 'p/long.ts#1', 'p/long.ts#2', 'p/long.ts#3', 'p/q'])
    for (const document of corpus.documents) {
      expect(document.sizeBytes).toBeLessThanOrEqual(300)
      expect(document.read().length).toBe(document.sizeBytes)
      expect(document.group).toBe('p')
      expect(text(document.read()).endsWith('\n')).toBe(true)
    }
    const bare = corpus.documents.map((d) => text(d.read()).replace(/(^|\n)==> .* <==\n/g, ''))
    expect(bare.join('')).toBe(Object.values(files).join(''))
  })

  test('is the same wherever the folder stands', () => {
    const files = { 'p/a.ts': 'one\n', 'b.ts': 'two\n' }
    expect(contents(readCorpus(temporaryFolder(files)))).toEqual(contents(readCorpus(temporaryFolder(files))))
  })
})

describe('errors of readCorpus', () => {
  const failure = async (path: string, options = {}): Promise<[string | undefined, string]> => {
    const error = await thrownBy(() => readCorpus(path, options))
    expect(error).toBeInstanceOf(DataError)
    expect(error.path).toBe(path)
    return [error.code, error.message]
  }

  test('a missing path names the nearest that exists', async () => {
    const folder = temporaryFolder({ 'proofs/a.txt': 'x' })
    const [code, message] = await failure(join(folder, 'prooves', 'sub'))
    expect(code).toBe('CORPUS_MISSING')
    expect(message).toContain(`no 'prooves' in ${folder}`)
    expect(message).toContain(`did you mean ${join(folder, 'proofs')}?`)
    expect((await failure(join(folder, 'xyzzyplugh')))[1]).not.toContain('did you mean')
    expect((await failure(join(folder, 'proofs', 'a.txt', 'deeper')))[0]).toBe('CORPUS_MISSING')
  })

  test('empty, binary, and of other extensions', async () => {
    const empty = temporaryFolder()
    expect(await failure(empty)).toEqual(['CORPUS_EMPTY', `corpus ${empty} has no files; point to a folder of text files`])
    const blank = temporaryFolder({ 'a.txt': '', 'b.md': 'text' })
    expect(await failure(blank, { extensions: ['txt'] })).toEqual([
      'CORPUS_EMPTY', `corpus ${blank} is empty: of 2 files, 1 empty, 1 without the extension .txt; point to a folder of text files`,
    ])
    const binary = temporaryFolder({ 'a.bin': Uint8Array.of(1, 0, 2), 'b.bin': Uint8Array.of(0) })
    expect(await failure(binary)).toEqual(['CORPUS_BINARY', `corpus ${binary} is binary: none of its 2 files is text (UTF-8); point to a folder of text files`])
    expect((await failure(join(binary, 'a.bin')))[0]).toBe('CORPUS_BINARY')
  })

  test('wrong options', async () => {
    const folder = temporaryFolder({ 'a.txt': 'x' })
    expect((await failure(folder, { maxDocumentBytes: -1 }))[0]).toBe('DATA_OPTIONS')
    expect((await failure(folder, { maxDocBytes: 1000 }))[1]).toContain('maxDocBytes')
  })

  test('a file that becomes shorter or goes away', async () => {
    const folder = temporaryFolder({ 'a.txt': 'long enough' })
    const [document] = readCorpus(folder).documents
    writeFileSync(join(folder, 'a.txt'), 'long')
    expect(await thrownBy(() => document.read())).toMatchObject({ name: 'DataError', code: 'CORPUS_CHANGED' })
    rmSync(join(folder, 'a.txt'))
    expect(await thrownBy(() => document.read())).toMatchObject({ code: 'CORPUS_UNREADABLE', path: join(folder, 'a.txt') })
    mkdirSync(join(folder, 'a.txt'))
    expect(await thrownBy(() => document.read())).toMatchObject({ code: 'CORPUS_UNREADABLE' })
  })
})

test('statistics count documents, bytes and lengths', () => {
  expect(corpusStatistics([5, 1, 6, 20].map((sizeBytes) => ({ sizeBytes })))).toEqual({
    documents: 4, bytes: 32, shortest: 1, median: 6, longest: 20,
    histogram: [
      { from: 0, to: 2, documents: 1, bytes: 1 },
      { from: 2, to: 4, documents: 0, bytes: 0 },
      { from: 4, to: 8, documents: 2, bytes: 11 },
      { from: 8, to: 16, documents: 0, bytes: 0 },
      { from: 16, to: 32, documents: 1, bytes: 20 },
    ],
  })
  expect(corpusStatistics([]).documents).toBe(0)
  expect(shardStatistics([{ tokenCount: 3, sizeBytes: 10 }, { tokenCount: 0, sizeBytes: 1 }])).toEqual({
    documents: 2, tokens: 3, bytes: 11, shortest: 0, median: 3, longest: 3, histogram: [{ from: 0, to: 2, documents: 1, tokens: 0 }, { from: 2, to: 4, documents: 1, tokens: 3 }],
  })
})
