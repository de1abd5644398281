import { readFile } from 'node:fs/promises'
import type { DType } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import { writeFileAtomic } from './atomic-file.ts'
import { DataError } from './errors.ts'

/** NumPy's letters for the element types that both sides have. */
const letters: Readonly<Record<string, DType>> = {
  b1: 'bool', i1: 'i8', i2: 'i16', i4: 'i32', i8: 'i64', u1: 'u8', u2: 'u16', u4: 'u32', u8: 'u64', f2: 'f16', f4: 'f32', f8: 'f64', c8: 'c64', c16: 'c128',
}
const lettersOf = new Map(Object.entries(letters).map(([letter, dtype]) => [dtype, letter]))

/** Reads a NumPy `.npy` file. Throws `DataError` naming the file if it cannot be read, is not such a file, or is in column order. */
export async function readNpy(path: string): Promise<HostArray> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw new DataError(`${path}: cannot be read: ${(error as Error).message}`, 'NPY_FORMAT')
  }
  if (bytes.length < 12 || bytes.toString('latin1', 0, 6) !== '\x93NUMPY')
    throw new DataError(`${path}: not an npy file: expected the magic bytes \\x93NUMPY, found ${JSON.stringify(bytes.toString('latin1', 0, 6))}`, 'NPY_FORMAT')
  try {
    return parseNpy(bytes)
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}`, 'NPY_FORMAT')
  }
}

/** Source: NumPy, "NPY format": magic, version, header length (2 bytes, or 4 from version 2), a Python dictionary, the data. */
function parseNpy(bytes: Buffer): HostArray {
  const wide = bytes[6] >= 2
  const start = wide ? 12 : 10
  const end = start + (wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8))
  if (end > bytes.length) throw new Error(`cut short: the header ends at byte ${end}, the file at ${bytes.length}`)
  const header = bytes.toString('utf8', start, end)
  const found = /'descr':\s*'([<>|=]?)(\w+)'/.exec(header)
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1]
  if (!found || !order || shape === undefined) throw new Error(`the header is not understood: ${header.trim().slice(0, 80)}`)
  const dtype = letters[found[2]]
  if (!dtype) throw new Error(`element type ${found[2]} is not supported, only ${Object.keys(letters).join(', ')}`)
  if (found[1] === '>') throw new Error('the array is big-endian: save it with a little-endian type')
  const sizes = shape.split(',').filter((size) => size.trim()).map(Number)
  if (order === 'True' && sizes.length > 1) throw new Error('the array is in column (Fortran) order: save it with numpy.ascontiguousarray')
  return HostArray.fromBytes(tensorType(dtype, sizes), new Uint8Array(bytes.subarray(end)))
}

/** Writes a NumPy `.npy` file, atomically. Types that NumPy has not (bf16 and narrower floats) are written as f32. */
export async function writeNpy(path: string, array: HostArray): Promise<void> {
  const letter = lettersOf.get(array.dtype)
  const wide = letter === undefined ? HostArray.of('f32', array.shape, Array.from(array.data as ArrayLike<number>)) : array
  const bytes = wide.toBytes()
  await writeFileAtomic(path, (writer) => writer.write(npyBytes(letter ?? 'f4', wide.shape, bytes)))
}

/** Header (version 1.0, padded to 64 bytes) and data. Source: NumPy, "NPY format". */
function npyBytes(letter: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const order = letter.endsWith('1') ? '|' : '<'
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${order}${letter}', 'fortran_order': False, 'shape': ${tuple}, }`
  const padded = text + ' '.repeat((64 - ((10 + text.length + 1) % 64)) % 64) + '\n'
  const file = new Uint8Array(10 + padded.length + data.length)
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 0xff, padded.length >> 8])
  file.set(new TextEncoder().encode(padded), 10)
  file.set(data, 10 + padded.length)
  return file
}
