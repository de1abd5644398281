import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeNpy } from '../../src/data/npy.ts'
import { writeSafetensors } from '../../src/data/safetensors.ts'
import { openVectors } from '../../src/data/vectors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { type BuildOptions, buildIndex } from '../../src/search/build-index.ts'
import { isIndexFile, readIndex, writeIndex } from '../../src/search/index-file.ts'
import { temporaryFolder, thrownBy } from '../data/temporary-folder.ts'

const vectors = HostArray.from('f32', [[3, 4], [0, 0], [1e30, 1e30], [-2, 0.1]])

async function indexOf(array: HostArray, options: BuildOptions) {
  const path = join(temporaryFolder(), 'x.npy')
  await writeNpy(path, array)
  const source = await openVectors(path)
  try {
    return await buildIndex(source, options)
  } finally {
    await source.close()
  }
}

describe('buildIndex', () => {
  it('divides by the length for cosines; what has none stays', async () => {
    const { vectors: rows } = await indexOf(vectors, { distance: 'cosine', shuffleSeed: null })
    expect(Array.from(rows.data as Float32Array, (value) => Number(value.toFixed(4)))).toEqual([0.6, 0.8, 0, 0, 0.7071, 0.7071, -0.9988, 0.0499])
  })

  it('rounds to bf16, and refuses for l2 what has no squared length in f32', async () => {
    const small = HostArray.from('f32', [[3, 4], [0.1, 0]])
    const narrow = await indexOf(small, { distance: 'l2', dtype: 'bf16', shuffleSeed: null })
    expect(narrow.vectors.toNested()).toEqual([[3, 4], [0.10009765625, 0]])
    expect(await thrownBy(() => indexOf(vectors, { distance: 'l2' }))).toMatchObject({ code: 'VECTORS_VALUE', message: expect.stringContaining('x.npy: row 2 has a squared length of 2.00e+60') as string })
  })

  it('keeps the rows in a random order that the seed draws, and knows where they were', async () => {
    const many = HostArray.of('f32', [50, 1], Array.from({ length: 50 }, (_, i) => i))
    const first = await indexOf(many, { distance: 'innerProduct' })
    expect([...first.vectors.data]).toEqual([...first.sourceRows!.data])
    expect([...first.vectors.data].sort((a, b) => Number(a) - Number(b))).toEqual([...many.data])
    expect(first.vectors).not.toEqual(many)
    expect((await indexOf(many, { distance: 'innerProduct', shuffleSeed: 1 })).vectors).not.toEqual(first.vectors)
    const kept = await indexOf(many, { distance: 'innerProduct', shuffleSeed: null })
    expect([kept.vectors, kept.sourceRows, kept.shuffleSeed]).toEqual([many, undefined, undefined])
  })

  it('stops between two parts', async () => {
    const stop = new AbortController()
    const source = await openVectors('gaussian:2000000x2')
    let parts = 0
    const options: BuildOptions = { distance: 'l2', signal: stop.signal, onProgress: () => { parts++; stop.abort() } }
    expect((await thrownBy(() => buildIndex(source, options))).name).toBe('AbortError')
    expect(parts).toBe(1)
  })
})

describe('index files', () => {
  it.each([{ distance: 'l2' }, { distance: 'cosine', dtype: 'bf16' }, { distance: 'innerProduct', shuffleSeed: null }] as const)('come back as they were written: %j', async (options) => {
    const path = join(temporaryFolder(), 'x.index')
    const index = await indexOf(HostArray.from('f32', [[3, 4], [0.5, 0], [-1, 7]]), options)
    await writeIndex(path, index)
    expect(await readIndex(path)).toEqual(index)
    expect(await isIndexFile(path)).toBe(true)
  })

  it('leave nothing when they are stopped', async () => {
    const folder = temporaryFolder()
    const stop = new AbortController()
    stop.abort()
    const index = await indexOf(HostArray.from('f32', [[3, 4]]), { distance: 'l2' })
    expect((await thrownBy(() => writeIndex(join(folder, 'x.index'), index, stop.signal))).name).toBe('AbortError')
    expect(readdirSync(folder)).toEqual([])
  })

  it('are checked when they are read', async () => {
    const path = join(temporaryFolder(), 'x.index')
    const index = await indexOf(HostArray.from('f32', [[3, 4], [5, 6]]), { distance: 'l2' })
    await writeIndex(path, index)
    const bytes = readFileSync(path)
    const at = bytes.indexOf(Buffer.from(Float32Array.of(5, 6).buffer))
    const changed = Buffer.from(bytes)
    changed[at + 1] ^= 1
    writeFileSync(path, changed)
    expect(await thrownBy(() => readIndex(path))).toMatchObject({ code: 'INDEX_CORRUPT', message: `${path} is damaged: its checksum differs` })
    writeFileSync(path, Buffer.from(bytes.toString('latin1').replace('"version":"1"', '"version":"2"'), 'latin1'))
    expect(await thrownBy(() => readIndex(path))).toMatchObject({ code: 'INDEX_VERSION' })
    writeFileSync(path, bytes.subarray(0, bytes.length - 1))
    expect(await thrownBy(() => readIndex(path))).toMatchObject({ code: 'SAFETENSORS_TRUNCATED' })
    await writeSafetensors(path, { x: vectors })
    expect((await thrownBy(() => readIndex(path))).message).toBe(`${path} is a safetensors file, but no index of vectors; make one with \`engram knn build\``)
    expect(await isIndexFile(path)).toBe(false)
    await writeSafetensors(path, { vectors }, { format: 'engram-vector-index', version: '1', rows: '4', size: '2', distance: 'l2', dtype: 'f32', source: 'x', shuffleSeed: '0' })
    expect((await thrownBy(() => readIndex(path))).message).toBe(`${path} is not a sound index: sourceRows should be i32[4], it is missing`)
    await writeSafetensors(path, { vectors }, { format: 'engram-vector-index', version: '1', rows: '3', size: '2', distance: 'l2', dtype: 'f32', source: 'x' })
    expect((await thrownBy(() => readIndex(path))).message).toBe(`${path} is not a sound index: vectors should be f32[3,2], it is f32[4,2]`)
    await writeSafetensors(path, { vectors }, { format: 'engram-vector-index', version: '1', rows: 'four', size: '2', distance: 'l3', dtype: 'f32', source: 'x' })
    expect((await thrownBy(() => readIndex(path))).message).toMatch(/is not a sound index: rows: .*; distance: /)
  })
})
