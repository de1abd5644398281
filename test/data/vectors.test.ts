import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeFileAtomic } from '../../src/data/atomic-file.ts'
import { writeVecsRows } from '../../src/data/fvecs.ts'
import { writeNpy } from '../../src/data/npy.ts'
import { writeSafetensors } from '../../src/data/safetensors.ts'
import { datasetKinds } from '../../src/data/vector-datasets.ts'
import { type VectorSource, openVectors, readFiniteRows } from '../../src/data/vectors.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { findPython } from '../../src/runner/python.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const rows = HostArray.from('f32', [[1, 2, 3], [4, 5, 6], [-7, 0.5, 0], [1e-3, 8, 9]])

async function all(source: VectorSource): Promise<HostArray> {
  try {
    return await source.read(0, source.rows)
  } finally {
    await source.close()
  }
}

/** A file with rows of the given bytes, each behind its number of components. */
const vecs = (list: readonly (readonly [components: number, data: Uint8Array])[]): Buffer =>
  Buffer.concat(list.flatMap(([components, data]) => [Buffer.from(Int32Array.of(components).buffer), data]))
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)

describe('vectors of files', () => {
  it.each(['fvecs', 'npy', 'safetensors', 'safetensors#keys'])('are read row by row: %s', async (format) => {
    const path = join(temporaryFolder(), `x.${format.split('#')[0]}`)
    if (format === 'fvecs') await writeFileAtomic(path, async (writer) => {
      // In parts, as a long file is written.
      await writeVecsRows(writer, HostArray.of('f32', [1, 3], rows.data.slice(0, 3) as Float32Array))
      await writeVecsRows(writer, HostArray.of('f32', [3, 3], rows.data.slice(3) as Float32Array))
    })
    else if (format === 'npy') await writeNpy(path, rows)
    else await writeSafetensors(path, { keys: rows, ...(format.includes('#') ? { other: HostArray.zeros('i32', [5]) } : {}) })
    const source = await openVectors(format.includes('#') ? `${path}#keys` : path)
    expect([source.rows, source.size, source.dtype]).toEqual([4, 3, 'f32'])
    expect(await source.read(1, 2)).toEqual(HostArray.from('f32', [[4, 5, 6], [-7, 0.5, 0]]))
    expect(await all(source)).toEqual(rows)
  })

  it('are those that NumPy writes and reads', async () => {
    const folder = temporaryFolder()
    const [fvecs, bvecs, ivecs] = ['x.fvecs', 'x.bvecs', 'x.ivecs'].map((name) => join(folder, name))
    execFileSync(findPython().command, ['-c', `
import numpy, sys
def save(path, rows):
    with open(path, 'wb') as file:
        for row in rows:
            numpy.array([len(row)], '<i4').tofile(file)
            row.tofile(file)
save(sys.argv[1], numpy.array([[1.5, -2], [3, 1e-8]], '<f4'))
save(sys.argv[2], numpy.array([[0, 255, 3]], 'u1'))
`, fvecs, bvecs])
    expect(await all(await openVectors(fvecs))).toEqual(HostArray.from('f32', [[1.5, -2], [3, 1e-8]]))
    expect(await all(await openVectors(bvecs))).toEqual(HostArray.from('u8', [[0, 255, 3]]))
    await writeFileAtomic(ivecs, (writer) => writeVecsRows(writer, HostArray.from('i32', [[7, -1], [2, 3]])))
    expect(execFileSync(findPython().command, ['-c', 'import numpy, sys; print(numpy.fromfile(sys.argv[1], "<i4").reshape(-1, 3).tolist())', ivecs], { encoding: 'utf8' })).toBe('[[2, 7, -1], [2, 2, 3]]\n')
  })

  it('become f32, if they are finite in it', async () => {
    const path = join(temporaryFolder(), 'x.npy')
    await writeNpy(path, HostArray.from('u8', [[1, 255], [0, 3]]))
    const bytes = await openVectors(path)
    expect([...await readFiniteRows(bytes, 1, 1)]).toEqual([0, 3])
    await bytes.close()
    await writeNpy(path, HostArray.from('f64', [[1, 2], [3, 1e300]]))
    const wide = await openVectors(path)
    expect((await thrownBy(() => readFiniteRows(wide, 0, 2))).message).toBe(`${path}: row 1, component 1 is 1e+300, too large for f32; vectors must be finite`)
    await wide.close()
    await writeNpy(path, HostArray.from('f32', [[1, 2], [3, 4], [NaN, 6]]))
    const nan = await openVectors(path)
    expect([...await readFiniteRows(nan, 0, 2)]).toEqual([1, 2, 3, 4])
    expect(await thrownBy(() => readFiniteRows(nan, 1, 2))).toMatchObject({ code: 'VECTORS_VALUE', message: `${path}: row 2, component 0 is NaN; vectors must be finite` })
    await nan.close()
  })

  const files: readonly (readonly [string, string, Uint8Array, string])[] = [
    ['an empty file', 'x.fvecs', Buffer.alloc(0), 'x.fvecs is empty'],
    ['a file of three bytes', 'x.fvecs', Buffer.from([1, 0, 0]), 'x.fvecs is cut short: row 0 begins at byte 0'],
    ['a file that ends in a row', 'x.fvecs', vecs([[2, floats(1, 2)], [2, floats(1)]]), 'x.fvecs is cut short, or its rows differ in size: row 1 begins at byte 12 and takes 12 bytes as row 0 does, 8 are there'],
    ['a count that cannot be', 'x.bvecs', vecs([[-1, floats(1)]]), 'x.bvecs: row 0 at byte 0 states -1 components, expected 1 to 1000000; is this a .bvecs file?'],
    ['text under an ending of vectors', 'x.ivecs', Buffer.from('hello, this is text'), 'x.ivecs: row 0 at byte 0 states'],
    ['an unknown ending', 'x.csv', Buffer.from('1,2'), 'vectors are named as FILE.npy'],
  ]
  it.each(files)('are refused in %s', async (_what, name, content, message) => {
    const path = join(temporaryFolder({ [name]: content }), name)
    expect((await thrownBy(() => openVectors(path))).message).toContain(message)
  })

  it('are refused where a row has another size than the first', async () => {
    const path = join(temporaryFolder({ 'x.fvecs': vecs([[2, floats(1, 2)], [1, floats(3, 4)]]) }), 'x.fvecs')
    const source = await openVectors(path)
    expect(await thrownBy(() => source.read(0, 2))).toMatchObject({ code: 'VECTORS_FORMAT', message: `${path}: row 1 at byte 12 states 1 components, row 0 has 2` })
    await source.close()
  })

  it('are refused in arrays that are no rows', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.npy')
    await writeNpy(path, HostArray.zeros('f32', [8]))
    expect((await thrownBy(() => openVectors(path))).message).toBe(`${path} is f32[8], expected vectors [rows, components]`)
    await writeNpy(path, HostArray.zeros('f32', [0, 8]))
    expect(await thrownBy(() => openVectors(path))).toMatchObject({ code: 'VECTORS_EMPTY', message: `${path} is f32[0,8]: it holds no vectors` })
    await writeNpy(path, HostArray.zeros('bool', [2, 8]))
    expect((await thrownBy(() => openVectors(path))).message).toContain('has elements of type bool, vectors can have f32')
    const tensors = join(folder, 'x.safetensors')
    await writeSafetensors(tensors, { a: rows, b: rows })
    expect((await thrownBy(() => openVectors(`${tensors}#c`))).message).toBe(`${tensors} has no tensor 'c'; it has a, b`)
    expect((await thrownBy(() => openVectors(tensors))).message).toBe(`${tensors} has 2 tensors, say which: ${tensors}#a (it has a, b)`)
    expect((await thrownBy(() => openVectors(join(folder, 'none.fvecs')))).message).toContain('none.fvecs does not exist')
    writeFileSync(path, Buffer.alloc(0))
    expect((await thrownBy(() => openVectors(path))).message).toContain('not an npy file')
  })
})

describe('generated vectors', () => {
  const draw = async (reference: string, options: Parameters<typeof openVectors>[1] = {}) => all(await openVectors(reference, options))

  it.each(datasetKinds)('are a function of kind, seed and part: %s', async (kind) => {
    const name = `${kind}:64x4`
    const first = await draw(name)
    expect(first.shape).toEqual([64, 4])
    expect(await draw(name)).toEqual(first)
    expect(await draw(name, { seed: 1 })).not.toEqual(first)
    expect(await draw(name, { part: 'queries' })).not.toEqual(first)
    expect(await readFiniteRows(await openVectors(name), 3, 2)).toEqual(first.data.slice(12, 20))
  })

  it('have the structure that they are named for', async () => {
    const size = 8
    const rowsOf = ({ data }: HostArray) => Array.from({ length: data.length / size }, (_, row) => Array.from(data.slice(row * size, (row + 1) * size) as Float32Array))
    const distance = (a: number[], b: number[]) => Math.hypot(...a.map((value, i) => value - b[i]))

    const normal = (await draw('gaussian:4096x8')).data as Float32Array
    const mean = normal.reduce((sum, value) => sum + value, 0) / normal.length
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(normal.reduce((sum, value) => sum + value ** 2, 0) / normal.length).toBeCloseTo(1, 1)

    expect(new Set(rowsOf(await draw('duplicated:512x8')).map(String)).size).toBe(64)

    const periodic = rowsOf(await draw('periodic:3000x8'))
    expect(distance(periodic[5], periodic[5 + 1024])).toBeLessThan(2)
    expect(Math.min(...periodic.slice(6, 1029).map((row) => distance(row, periodic[5])))).toBeGreaterThan(0.5)

    const [query] = rowsOf(await draw('sorted:1x8', { part: 'queries' }))
    const products = rowsOf(await draw('sorted:1000x8')).map((row) => row.reduce((sum, value, i) => sum + value * query[i], 0))
    const best = [...products.keys()].sort((a, b) => products[b] - products[a]).slice(0, 10)
    expect(Math.min(...best)).toBeGreaterThan(800)

    const places = rowsOf(await draw('clustered:1000x8'))
    const [near] = rowsOf(await draw('clustered:1x8', { part: 'queries' }))
    expect(places.filter((row) => distance(row, near) < 1.5).length).toBeGreaterThan(3)
  })

  it.each([
    ['gausian:8x8', "there is no generated set 'gausian', there are gaussian, clustered, duplicated, sorted, periodic"],
    ['gaussian:8', 'expected rows and components, e.g. gaussian:65536x128'],
    ['gaussian:0x8', 'it holds no vectors'],
    ['gaussian:99999999x999', 'are more than the 2147483648 that can be generated'],
  ])('%s is refused', async (reference, message) => {
    expect((await thrownBy(() => openVectors(reference))).message).toContain(message)
  })
})
