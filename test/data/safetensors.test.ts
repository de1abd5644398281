import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { SafetensorsFile, readSafetensors, writeSafetensors } from '../../src/data/safetensors.ts'
import { type DType, elementBytes } from '../../src/ir/dtypes.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import { elementCount, tensorType } from '../../src/ir/types.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

const dtypes: DType[] = [
  'bool', 'u8', 'i8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64', 'f16', 'bf16', 'f32', 'f64', 'f8E4M3FN', 'f8E5M2', 'f8E8M0FNU', 'f8E4M3FNUZ', 'f8E5M2FNUZ', 'c64',
]
/** An array with the given bytes repeated over it; bytes that are no canonical NaN of a narrow float become one. */
const arrayOf = (dtype: DType, shape: number[], bytes: Uint8Array): HostArray => {
  const count = elementCount(shape) * elementBytes(dtype)
  const filled = Uint8Array.from({ length: count }, (_, i) => (bytes.length === 0 ? 0 : bytes[i % bytes.length]) & (dtype === 'bool' ? 1 : 255))
  return HostArray.fromBytes(tensorType(dtype, shape), filled)
}

describe('safetensors', () => {
  test('what is written is read, for every type, name and shape', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x.safetensors')
    const name = fc.string({ unit: 'binary', maxLength: 8 }).filter((s) => s !== '__metadata__')
    const tensor = fc.record({ dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), bytes: fc.uint8Array({ maxLength: 16 }) })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.tuple(name, tensor), { selector: ([n]) => n, maxLength: 6 }), fc.dictionary(fc.string({ minLength: 1 }), fc.string()), async (list, metadata) => {
        const tensors = list.map(([n, { dtype, shape, bytes }]) => [n, arrayOf(dtype, shape, bytes)] as const)
        await writeSafetensors(path, tensors, metadata)
        const back = await readSafetensors(path)
        expect([...back.tensors.keys()].sort()).toEqual(tensors.map(([n]) => n).sort())
        for (const [n, array] of tensors) {
          const other = back.tensors.get(n)!
          expect(other.type).toEqual(array.type)
          expect(other.toBytes()).toEqual(array.toBytes())
        }
        expect(back.metadata).toEqual(Object.fromEntries(Object.entries(metadata)))
      }),
      { numRuns: 60 },
    )
    expect(readdirSync(folder)).toEqual(['x.safetensors'])
  })

  test('the same tensors give the same bytes, aligned to their elements', async () => {
    const folder = temporaryFolder()
    const a = HostArray.of('u8', [3], [1, 2, 3])
    const b = HostArray.of('f64', [2], [1, 2])
    const c = HostArray.of('bf16', [1], [0.5])
    await writeSafetensors(join(folder, 'one'), { a, b, c })
    await writeSafetensors(join(folder, 'two'), { c, b, a })
    expect(readFileSync(join(folder, 'one'))).toEqual(readFileSync(join(folder, 'two')))
    const file = await SafetensorsFile.open(join(folder, 'one'))
    for (const { type, begin } of file.tensors.values()) expect(begin % elementBytes(type.dtype)).toBe(0)
    expect((await file.read('c')).toNested()).toEqual([0.5])
    await file.close()
  })

  test('tensors are fetched one at a time, when their turn comes', async () => {
    const folder = temporaryFolder()
    let held = 0
    let most = 0
    const source = (value: number) => ({
      type: tensorType('f32', [2]),
      read: async () => {
        most = Math.max(most, ++held)
        await new Promise((resolve) => setTimeout(resolve, 1))
        held--
        return HostArray.of('f32', [2], [value, value])
      },
    })
    const path = join(folder, 'deep', 'x.safetensors')
    await writeSafetensors(path, { a: source(1), b: source(2), c: source(3) })
    expect(most).toBe(1)
    expect((await readSafetensors(path)).tensors.get('b')!.toNested()).toEqual([2, 2])
  })
})

describe('errors of safetensors', () => {
  const sound = async (): Promise<string> => {
    const path = join(temporaryFolder(), 'x.safetensors')
    await writeSafetensors(path, { a: HostArray.of('f32', [2, 2], [1, 2, 3, 4]), b: HostArray.of('i32', [1], [5]) }, { step: '7' })
    return path
  }
  const fileWith = (header: string | object, dataBytes: number): string => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    return join(temporaryFolder({ 'x.safetensors': Buffer.concat([length, json, Buffer.alloc(dataBytes)]) }), 'x.safetensors')
  }
  const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })

  test('cut short anywhere', async () => {
    const path = await sound()
    for (let keep = readFileSync(path).length - 1; keep >= 0; keep--) {
      truncateSync(path, keep)
      const error = await thrownBy(() => readSafetensors(path))
      expect(error).toMatchObject({ name: 'DataError', code: 'SAFETENSORS_TRUNCATED', path })
      expect(error.message).toContain('cut short')
    }
  })

  test.each([
    ['no JSON', '{"a":', 0, 'its header is not JSON'],
    ['no object', '[1]', 0, 'its header is not a JSON object'],
    ['no entry', { a: 3 }, 0, "tensor 'a': Invalid input"],
    ['an unknown key', { a: { ...f32(0, 4), extra: 1 } }, 4, "tensor 'a'"],
    ['an unknown type', { a: { ...f32(0, 4), dtype: 'Q8' } }, 4, "tensor 'a' has the unknown type Q8"],
    ['a type of Object.prototype', { a: { ...f32(0, 4), dtype: 'toString' } }, 4, 'has the unknown type toString'],
    ['a negative size', { a: { ...f32(0, 4), shape: [-1] } }, 4, "tensor 'a': shape.0"],
    ['another size than the shape', { a: f32(0, 8, [3]) }, 8, "tensor 'a' is f32[3], 12 bytes, but its data_offsets [0, 8] hold 8"],
    ['an overlap', { a: f32(0, 8), b: f32(4, 12) }, 12, "tensor 'b' overlaps tensor 'a': it begins at byte 4, expected 8"],
    ['a gap', { a: f32(0, 4), b: f32(8, 12) }, 12, "4 bytes between tensor 'a' and tensor 'b' belong to no tensor"],
    ['bytes left over', { a: f32(0, 4) }, 7, '3 bytes after the last tensor belong to none'],
    ['metadata that is no text', { __metadata__: { step: 3 }, a: f32(0, 4) }, 4, '__metadata__ should map names to texts'],
  ])('%s', async (_, header, dataBytes, message) => {
    const path = fileWith(header, dataBytes)
    const error = await thrownBy(() => readSafetensors(path))
    expect(error).toMatchObject({ name: 'DataError', code: 'SAFETENSORS_CORRUPT', path })
    expect(error.message).toContain(message)
  })

  test('an absurd header size, a file of another kind, a missing file, a folder', async () => {
    const absurd = join(temporaryFolder({ x: Buffer.alloc(100, 255) }), 'x')
    expect(await thrownBy(() => readSafetensors(absurd))).toMatchObject({ code: 'SAFETENSORS_CORRUPT', message: `${absurd} is not a safetensors file: it states a header of 18446744073709551615 bytes, expected 2 to 100000000` })
    const packed = fileWith({ a: { dtype: 'F4', shape: [2], data_offsets: [0, 1] } }, 1)
    expect(await thrownBy(() => readSafetensors(packed))).toMatchObject({ code: 'SAFETENSORS_DTYPE' })
    const missing = join(temporaryFolder(), 'none')
    expect(await thrownBy(() => readSafetensors(missing))).toMatchObject({ code: 'FILE_MISSING', path: missing })
    expect(await thrownBy(() => readSafetensors(temporaryFolder()))).toMatchObject({ name: 'DataError', code: 'FILE_UNREADABLE' })
  })

  test('an unknown name lists the known ones; a file that shrinks while open', async () => {
    const path = await sound()
    const file = await SafetensorsFile.open(path)
    expect((await thrownBy(() => file.read('c'))).message).toBe(`${path} has no tensor 'c'; it has a, b`)
    truncateSync(path, readFileSync(path).length - 1)
    expect(await thrownBy(() => file.read('b'))).toMatchObject({ code: 'SAFETENSORS_TRUNCATED' })
    await file.close()
  })

  test('what cannot be written', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'x')
    const one = HostArray.of('f32', [1], [1])
    expect(await thrownBy(() => writeSafetensors(path, { a: HostArray.zeros('i4', [2]) }))).toMatchObject({ name: 'DataError', code: 'SAFETENSORS_DTYPE' })
    expect(await thrownBy(() => writeSafetensors(path, { __metadata__: one }))).toMatchObject({ code: 'SAFETENSORS_NAME' })
    expect(await thrownBy(() => writeSafetensors(path, [['a', one], ['a', one]]))).toMatchObject({ code: 'SAFETENSORS_NAME' })
    const liar = { type: tensorType('f32', [2]), read: () => one }
    expect((await thrownBy(() => writeSafetensors(path, { a: liar }))).message).toContain("tensor 'a' was announced as f32[2] and came as f32[1]")
    expect(readdirSync(folder)).toEqual([])
  })

  test('a full disk, a failing source and a path that is a folder leave the old file and nothing else', async () => {
    const path = await sound()
    const folder = join(path, '..')
    const before = readFileSync(path)
    const one = HostArray.of('f32', [1], [1])
    const handle = await open(path)
    const prototype = Object.getPrototypeOf(handle)
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    for (const method of ['write', 'sync']) {
      const spy = vi.spyOn(prototype, method).mockRejectedValueOnce(full)
      const error = await thrownBy(() => writeSafetensors(path, { a: one }))
      spy.mockRestore()
      expect(error).toMatchObject({ name: 'DataError', code: 'DISK_FULL', path })
      expect(error.message).toBe(`no room on the disk to write ${path} (ENOSPC): nothing was changed; free some space, or choose another place`)
    }
    await handle.close()
    const failing = { type: one.type, read: () => Promise.reject(new Error('the device is gone')) }
    expect((await thrownBy(() => writeSafetensors(path, { a: failing }))).message).toBe('the device is gone')
    expect(readFileSync(path)).toEqual(before)
    mkdirSync(join(folder, 'taken'))
    expect(await thrownBy(() => writeSafetensors(join(folder, 'taken'), { a: one }))).toMatchObject({ name: 'DataError', code: 'FILE_UNWRITABLE' })
    expect(await thrownBy(() => writeSafetensors(join(path, 'below'), { a: one }))).toMatchObject({ name: 'DataError', code: 'FILE_UNWRITABLE' })
    expect(readdirSync(folder).sort()).toEqual(['taken', 'x.safetensors'])
  })

  test('a file size limit of the system counts as a full disk', () => {
    const folder = temporaryFolder()
    const program = join(folder, 'write.mts')
    const source = (file: string): string => JSON.stringify(join(import.meta.dirname, '..', '..', 'src', file))
    writeFileSync(program, `
      import { writeSafetensors } from ${source('data/safetensors.ts')}
      import { HostArray } from ${source('ir/host-array.ts')}
      try {
        await writeSafetensors(${JSON.stringify(join(folder, 'out', 'x'))}, { a: HostArray.zeros('f32', [1_000_000]) })
        console.log('written')
      } catch (error) {
        console.log(error.code)
      }
    `)
    const tsx = join(import.meta.dirname, '..', '..', 'node_modules', 'tsx', 'dist', 'cli.mjs')
    // The shell counts in blocks of 512 or 1024 bytes: half a megabyte or one, and 4 MB are to be written.
    const command = `ulimit -f 1024 && exec "${process.execPath}" "${tsx}" "${program}"`
    const output = execFileSync('sh', ['-c', command], { encoding: 'utf8', env: { ...process.env, TSX_DISABLE_CACHE: '1' } })
    expect(output.trim()).toBe('DISK_FULL')
    expect(readdirSync(join(folder, 'out'))).toEqual([])
  })
})

describe('against the Python package', () => {
  const python = process.env.ENGRAM_PYTHON ?? join(import.meta.dirname, '..', '..', '.venv', 'bin', 'python')
  const run = (script: string, ...args: string[]): string => {
    if (!existsSync(python)) throw new Error(`no Python at ${python}: run 'npm run setup', or set ENGRAM_PYTHON`)
    return execFileSync(python, ['-c', script, ...args], { encoding: 'utf8' })
  }
  const numpyNames: Partial<Record<DType, string>> = {
    bool: 'bool', u8: 'uint8', i8: 'int8', i16: 'int16', u16: 'uint16', i32: 'int32', u32: 'uint32', i64: 'int64', u64: 'uint64', f16: 'float16',
    bf16: 'bfloat16', f32: 'float32', f64: 'float64', f8E4M3FN: 'float8_e4m3fn', f8E5M2: 'float8_e5m2', f8E8M0FNU: 'float8_e8m0fnu',
    f8E4M3FNUZ: 'float8_e4m3fnuz', f8E5M2FNUZ: 'float8_e5m2fnuz', c64: 'complex64',
  }
  const values = (dtype: DType): number[] =>
    dtype === 'bool' ? [0, 1, 1] : dtype === 'f8E8M0FNU' ? [0.5, 1, 4] : /^[ui]/.test(dtype) ? [0, 3, 100] : [-1.5, 0.25, 3]

  test('it reads what we write: types, shapes, values, metadata', async () => {
    const path = join(temporaryFolder(), 'ours.safetensors')
    const tensors = dtypes.map((dtype) => [`x.${dtype}`, HostArray.of(dtype, [3, 1], values(dtype))] as const)
    await writeSafetensors(path, [...tensors, ['scalar', HostArray.of('f32', [], [7])], ['none', HostArray.zeros('bf16', [0, 5])]], { note: 'grüß "dich"' })
    const output = JSON.parse(run(`
import json, sys, numpy, ml_dtypes, safetensors
names = json.loads(sys.argv[2])
data = open(sys.argv[1], 'rb').read()
out = {}
for name, view in safetensors.deserialize(data):
    kind = view['dtype']
    dtype = names[name[2:]] if name.startswith('x.') else 'float32' if name == 'scalar' else 'bfloat16'
    dtype = numpy.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    values = numpy.frombuffer(view['data'], dtype).reshape(view['shape'])
    real = values.real if dtype.kind == 'c' else values
    out[name] = [kind, list(values.shape), real.astype('float64').ravel().tolist()]
with safetensors.safe_open(sys.argv[1], 'np') as f:
    out['metadata'] = f.metadata()
    out['bf16'] = f.get_tensor('x.bf16').astype('float32').ravel().tolist()
print(json.dumps(out))`, path, JSON.stringify(numpyNames)))
    expect(output.metadata).toEqual({ note: 'grüß "dich"' })
    expect(output.bf16).toEqual(values('bf16'))
    expect(output.scalar).toEqual(['F32', [], [7]])
    expect(output.none).toEqual(['BF16', [0, 5], []])
    for (const dtype of dtypes) expect(output[`x.${dtype}`].slice(1)).toEqual([[3, 1], values(dtype)])
  })

  test('we read what it writes: types, shapes, values, metadata', async () => {
    const path = join(temporaryFolder(), 'theirs.safetensors')
    run(`
import json, sys, numpy, ml_dtypes, safetensors
cases = json.loads(sys.argv[2])
keep, specs = [], {}
for name, (dtype, values) in cases.items():
    array = numpy.array(values).astype(numpy.dtype(getattr(ml_dtypes, dtype, None) or dtype)).reshape(3, 1)
    keep.append(array)
    specs[name] = safetensors.TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
open(sys.argv[1], 'wb').write(bytes(safetensors.serialize(specs, metadata={'by': 'python'})))`, path, JSON.stringify(Object.fromEntries(dtypes.map((d) => [d, [numpyNames[d], values(d)]]))))
    const { tensors, metadata } = await readSafetensors(path)
    expect(metadata).toEqual({ by: 'python' })
    for (const dtype of dtypes) {
      const array = tensors.get(dtype)!
      expect([array.dtype, ...array.shape]).toEqual([dtype, 3, 1])
      expect(array.toBytes()).toEqual(HostArray.of(dtype, [3, 1], values(dtype)).toBytes())
    }
  })
})
