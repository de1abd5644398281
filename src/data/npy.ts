import type { FileHandle } from 'node:fs/promises'
import type { DType } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, shortType, sizeBytes, tensorType } from '../ir/types.ts'
import { openForReading, readFully, writeFileAtomic } from './atomic-file.ts'
import { DataError, systemCode } from './errors.ts'

/** NumPy's letters for the element types that both sides have. */
const letters: Readonly<Record<string, DType>> = {
  b1: 'bool', i1: 'i8', i2: 'i16', i4: 'i32', i8: 'i64', u1: 'u8', u2: 'u16', u4: 'u32', u8: 'u64', f2: 'f16', f4: 'f32', f8: 'f64', c8: 'c64', c16: 'c128',
}
const lettersOf = new Map(Object.entries(letters).map(([letter, dtype]) => [dtype, letter]))

/** What the header says of the array, and where its bytes begin. */
interface NpyLayout {
  readonly type: TensorType
  readonly begin: number
}

/** Longer headers are refused, so that a damaged length does not become a huge allocation. */
const maxHeaderBytes = 1 << 20

const formatError = (path: string, what: string): DataError => new DataError(`${path}: ${what}`, 'NPY_FORMAT', { path })

/** Source: NumPy, "NPY format": magic, version, header length (2 bytes, or 4 from version 2), a Python dictionary, the data. */
async function readLayout(file: FileHandle, path: string): Promise<NpyLayout> {
  const bytes = Buffer.from((await readFully(file, 0, 12)).buffer)
  if (bytes.length < 12 || bytes.toString('latin1', 0, 6) !== '\x93NUMPY')
    throw formatError(path, `not an npy file: expected the magic bytes \\x93NUMPY, found ${JSON.stringify(bytes.toString('latin1', 0, 6))}`)
  const wide = bytes[6] >= 2
  const start = wide ? 12 : 10
  const begin = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8))
  const { size } = await file.stat()
  if (begin > size || begin > maxHeaderBytes) throw formatError(path, `cut short: the header ends at byte ${begin}, the file at ${size}`)
  const header = new TextDecoder().decode(await readFully(file, start, begin - start))
  const type = parseHeader(header, path)
  const want = sizeBytes(type)
  if (size - begin !== want)
    throw formatError(path, `${size - begin < want ? 'cut short' : 'too long'}: ${shortType(type)} takes ${want} bytes after the header, which ends at byte ${begin}; ${size - begin} are there`)
  return { type, begin }
}

function parseHeader(header: string, path: string): TensorType {
  const found = /'descr':\s*'([<>|=]?)(\w+)'/.exec(header)
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1]
  if (!found || !order || shape === undefined) throw formatError(path, `the header is not understood: ${header.trim().slice(0, 80)}`)
  const dtype = letters[found[2]]
  if (!dtype) throw formatError(path, `element type ${found[2]} is not supported, only ${Object.keys(letters).join(', ')}`)
  if (found[1] === '>') throw formatError(path, 'the array is big-endian: save it with a little-endian type')
  const sizes = shape.split(',').filter((size) => size.trim()).map(Number)
  if (order === 'True' && sizes.length > 1) throw formatError(path, 'the array is in column (Fortran) order: save it with numpy.ascontiguousarray')
  return tensorType(dtype, sizes)
}

/** An open `.npy` file, of which parts can be read; close it when done. */
export interface NpyFile extends NpyLayout {
  readonly file: FileHandle
}

/** Opens a NumPy `.npy` file and checks its header. Throws `DataError` `FILE_MISSING`, `FILE_UNREADABLE`, `NPY_FORMAT`. */
export async function openNpy(path: string): Promise<NpyFile> {
  const file = await openForReading(path, 'the npy file')
  try {
    return { file, ...(await readLayout(file, path)) }
  } catch (error) {
    await file.close()
    throw systemCode(error) === undefined ? error : formatError(path, `cannot be read: ${(error as Error).message}`)
  }
}

/** Reads a NumPy `.npy` file. Throws `DataError` naming the file if it cannot be read, is not such a file, or is in column order. */
export async function readNpy(path: string): Promise<HostArray> {
  const { file, type, begin } = await openNpy(path)
  try {
    return HostArray.fromBytes(type, await readFully(file, begin, sizeBytes(type)))
  } finally {
    await file.close()
  }
}

/** Writes a NumPy `.npy` file, atomically. Types that NumPy has not (bf16 and narrower floats) are written as f32. */
export async function writeNpy(path: string, array: HostArray): Promise<void> {
  const wide = lettersOf.has(array.dtype) ? array : HostArray.of('f32', array.shape, Array.from(array.data as ArrayLike<number>))
  await writeFileAtomic(path, async (writer) => {
    await writer.write(npyHeader(wide.type))
    await writer.write(wide.toBytes())
  })
}

/**
 * The bytes in front of an array's data, for files that are written part by part: version 1.0, padded to 64 bytes. Throws `DataError` for
 * a type that NumPy has not. Source: NumPy, "NPY format".
 */
export function npyHeader(type: TensorType): Uint8Array {
  const letter = lettersOf.get(type.dtype)
  if (letter === undefined) throw new DataError(`NumPy has no element type for ${shortType(type)}, only ${[...lettersOf.keys()].join(', ')}`, 'NPY_FORMAT')
  const order = letter.endsWith('1') ? '|' : '<'
  const tuple = type.shape.length === 1 ? `(${type.shape[0]},)` : `(${type.shape.join(', ')})`
  const text = `{'descr': '${order}${letter}', 'fortran_order': False, 'shape': ${tuple}, }`
  const padded = text + ' '.repeat((64 - ((10 + text.length + 1) % 64)) % 64) + '\n'
  const header = new Uint8Array(10 + padded.length)
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 0xff, padded.length >> 8])
  header.set(new TextEncoder().encode(padded), 10)
  return header
}
