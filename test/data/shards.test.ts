import { copyFileSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { CorpusDocument } from '../../src/data/corpus.ts'
import { createBatchStream } from '../../src/data/packing.ts'
import { blockBytes, encodeManifest, headerBytes } from '../../src/data/shard-format.ts'
import { TokenShards, hasShards, writeShards } from '../../src/data/shards.ts'
import { encodeDocuments } from '../../src/data/token-documents.ts'
import { type Tokenizer, byteTokenizer } from '../../src/data/tokenizer.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const tokenizer = byteTokenizer()
const documentOf = (name: string, bytes: Uint8Array): CorpusDocument => ({ name, group: `of ${name}`, sizeBytes: bytes.length, read: () => bytes })
const fill = (length: number, salt: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + salt * 7 + (i >> 8)) & 255)
const all = (document: { tokenCount: number; read(a: number, b: number): ArrayLike<number> }): number[] => Array.from(document.read(0, document.tokenCount))

describe('token shards', () => {
  test('hold what was encoded, in any number of shards', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }), fc.integer({ min: 1, max: 120 }), fc.boolean(), async (texts, shardTokens, end) => {
        const folder = temporaryFolder()
        const documents = texts.map((bytes, i) => documentOf(`d${i}`, bytes))
        await writeShards(folder, documents, { tokenizer, shardTokens, end })
        const shards = TokenShards.open(folder)
        expect(shards.documents.map(all)).toEqual(encodeDocuments(documents, tokenizer, end).map(all))
        expect(shards.documents.map(({ name, group, sizeBytes }) => ({ name, group, sizeBytes }))).toEqual(documents.map(({ name, group, sizeBytes }) => ({ name, group, sizeBytes })))
        shards.verify()
        shards.close()
      }),
      { numRuns: 30 },
    )
  })

  test('ranges across blocks, and more blocks than are kept', async () => {
    const folder = temporaryFolder()
    const documents = [documentOf('long', fill(300 * (blockBytes / 2) + 17, 1)), documentOf('short', fill(999, 2))]
    await writeShards(folder, documents, { tokenizer })
    const shards = TokenShards.open(folder)
    const [long] = shards.documents
    const bytes = documents[0].read()
    for (const [start, end] of [[0, 5], [blockBytes / 2 - 2, blockBytes / 2 + 3], [5, 5], [bytes.length - 3, bytes.length], [100, blockBytes * 2]])
      expect(Array.from(long.read(start, end))).toEqual(Array.from(bytes.subarray(start, end)))
    for (let at = 0; at < bytes.length; at += blockBytes / 4) expect(long.read(at, at + 1)[0]).toBe(bytes[at])
    expect(long.read(7, 8)[0]).toBe(bytes[7])
    shards.close()
  })

  test('are as wide as the vocabulary needs', async () => {
    for (const [vocabularySize, width] of [[256, 1], [65536, 2], [65537, 4]]) {
      const wide: Tokenizer = { ...tokenizer, vocabularySize, encode: (bytes) => Uint32Array.from(bytes, (b) => (b === 9 ? vocabularySize - 1 : b)) }
      const folder = temporaryFolder()
      await writeShards(folder, [documentOf('d', Uint8Array.of(1, 9, 3))], { tokenizer: wide, end: false })
      const file = readFileSync(join(folder, 'tokens-00000.bin'))
      expect(file.length).toBe(headerBytes + 3 * width)
      expect(file.readUIntLE(headerBytes + width, width)).toBe(vocabularySize - 1)
    }
  })

  test('pack like documents in memory, and resume', async () => {
    const folder = temporaryFolder()
    const documents = [1, 2, 3, 4].map((i) => documentOf(`d${i}`, fill(40 * i, i)))
    await writeShards(folder, documents, { tokenizer, shardTokens: 100 })
    const shards = TokenShards.open(folder)
    const options = { slots: 2, segment: 8, tokenizer, seed: 3 }
    const inMemory = createBatchStream(encodeDocuments(documents, tokenizer), options)
    const onDisk = createBatchStream(shards.documents, options)
    for (let i = 0; i < 40; i++) {
      const resumed = createBatchStream(shards.documents, options, inMemory.position()).next()
      const expected = inMemory.next()
      expect(onDisk.next()).toEqual(expected)
      expect(resumed).toEqual(expected)
    }
    shards.close()
  })

  test('writing again replaces what was there', async () => {
    const folder = temporaryFolder({ 'notes.txt': 'mine' })
    await writeShards(folder, [1, 2, 3].map((i) => documentOf(`d${i}`, fill(50, i))), { tokenizer, shardTokens: 10 })
    expect(readdirSync(folder).filter((name) => name.endsWith('.bin'))).toHaveLength(3)
    await writeShards(folder, [documentOf('new', fill(50, 9))], { tokenizer })
    expect(readdirSync(folder).sort()).toEqual(['manifest.json', 'notes.txt', 'tokens-00000.bin'])
  })

  test('progress is told', async () => {
    const onProgress = vi.fn<(done: number, total: number) => void>()
    await writeShards(temporaryFolder(), [documentOf('a', fill(5, 1)), documentOf('b', fill(5, 1))], { tokenizer, onProgress })
    expect(onProgress.mock.calls).toEqual([[1, 2], [2, 2]])
  })
})

describe('damage to token shards', () => {
  const written = async (): Promise<string> => {
    const folder = temporaryFolder()
    await writeShards(folder, [documentOf('a', fill(150, 1)), documentOf('b', fill(90, 2))], { tokenizer })
    return folder
  }
  const openAndVerify = (folder: string) => () => {
    const shards = TokenShards.open(folder)
    try {
      shards.verify()
    } finally {
      shards.close()
    }
  }

  test.each(['tokens-00000.bin', 'manifest.json'])('any changed byte of %s is found', async (name) => {
    const folder = await written()
    const path = join(folder, name)
    const good = readFileSync(path)
    openAndVerify(folder)()
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad[at] ^= 1 << at % 8
      writeFileSync(path, bad)
      const error = await thrownBy(openAndVerify(folder))
      expect({ at, name: error.name, known: ['SHARD_CORRUPT', 'SHARD_VERSION'].includes(error.code!) }).toEqual({ at, name: 'DataError', known: true })
    }
  })

  test.each(['tokens-00000.bin', 'manifest.json'])('%s cut short anywhere is found', async (name) => {
    const folder = await written()
    const path = join(folder, name)
    const length = readFileSync(path).length
    for (let keep = length - 1; keep >= 0; keep -= keep > 80 ? 13 : 1) {
      truncateSync(path, keep)
      const error = await thrownBy(openAndVerify(folder))
      expect(error).toMatchObject({ name: 'DataError', code: 'SHARD_CORRUPT' })
      expect(error.message).toMatch(/cut short|not a token shard/)
    }
  })

  test('an interrupted writing is told from a damaged one', async () => {
    const folder = await written()
    rmSync(join(folder, 'manifest.json'))
    const error = await thrownBy(() => TokenShards.open(folder))
    expect(error).toMatchObject({ name: 'DataError', code: 'SHARD_INCOMPLETE' })
    expect(error.message).toContain('interrupted')
    // Not a folder of text: a run that is given it says the same.
    expect(hasShards(folder)).toBe(true)
    rmSync(join(folder, 'tokens-00000.bin'))
    writeFileSync(join(folder, '.tokens-00000.bin.0123456789ab.tmp'), '')
    expect(hasShards(folder)).toBe(true)
    expect(hasShards(join(folder, 'nothing'))).toBe(false)

    // A second writing that fails leaves no manifest of the first.
    const other = await written()
    const broken = { ...documentOf('c', fill(5, 1)), read: () => { throw new Error('gone') } }
    expect((await thrownBy(() => writeShards(other, [documentOf('a', fill(5, 1)), broken], { tokenizer }))).message).toBe('gone')
    expect(readdirSync(other)).toEqual([])
    expect((await thrownBy(() => TokenShards.open(other))).code).toBe('SHARD_INCOMPLETE')
  })

  test('a missing shard, a shard of another writing, a file that shrinks while open', async () => {
    const folder = await written()
    const path = join(folder, 'tokens-00000.bin')
    const other = temporaryFolder()
    await writeShards(other, [documentOf('a', fill(241, 3))], { tokenizer })
    copyFileSync(join(other, 'tokens-00000.bin'), path)
    expect((await thrownBy(() => TokenShards.open(folder))).message).toContain('is not the one that its manifest names')
    rmSync(path)
    expect(await thrownBy(() => TokenShards.open(folder))).toMatchObject({ code: 'SHARD_INCOMPLETE' })
    const open = TokenShards.open(other)
    truncateSync(join(other, 'tokens-00000.bin'), 100)
    expect(await thrownBy(() => open.documents[0].read(0, 3))).toMatchObject({ name: 'DataError', code: 'SHARD_CORRUPT' })
    open.close()
  })

  test('another version and an unknown tokenizer are named', async () => {
    const folder = await written()
    const path = join(folder, 'tokens-00000.bin')
    const bytes = readFileSync(path)
    bytes.writeUInt32LE(7, 8)
    writeFileSync(path, bytes)
    expect(await thrownBy(() => TokenShards.open(folder))).toMatchObject({ code: 'SHARD_VERSION', path })
    const manifestPath = join(folder, 'manifest.json')
    const { hash: _hash, ...manifest } = JSON.parse(readFileSync(manifestPath, 'utf8'))
    writeFileSync(manifestPath, encodeManifest({ ...manifest, version: 7 }))
    expect(await thrownBy(() => TokenShards.open(folder))).toMatchObject({ code: 'SHARD_VERSION' })
    const words = await written()
    writeFileSync(join(words, 'manifest.json'), encodeManifest({ ...manifest, tokenizer: { kind: 'words', vocabularySize: 9 } }))
    expect(await thrownBy(() => TokenShards.open(words))).toMatchObject({ code: 'TOKENIZER_UNKNOWN' })
    writeFileSync(join(words, 'manifest.json'), encodeManifest({ ...manifest, documents: [{ name: 'x', group: 'x', shard: 0, offset: 200, tokens: 99, bytes: 0 }] }))
    expect((await thrownBy(() => TokenShards.open(words))).message).toContain("document 'x' lies outside its shard")
  })

  test('a disk that fills up leaves nothing behind', async () => {
    const folder = temporaryFolder()
    const { open } = await import('node:fs/promises')
    const handle = await open(join(folder, 'probe'), 'w')
    const write = vi.spyOn(Object.getPrototypeOf(handle), 'write').mockRejectedValue(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
    try {
      const error = await thrownBy(() => writeShards(folder, [documentOf('a', fill(5, 1))], { tokenizer }))
      expect(error).toMatchObject({ name: 'DataError', code: 'DISK_FULL' })
    } finally {
      write.mockRestore()
      await handle.close()
    }
    expect(readdirSync(folder)).toEqual(['probe'])
  })
})
