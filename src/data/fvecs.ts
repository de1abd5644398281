import { HostArray } from '../ir/host-array.ts'
import { tensorType } from '../ir/types.ts'
import { type FileWriter, openForReading, readFully } from './atomic-file.ts'
import { DataError } from './errors.ts'
import type { VectorSource } from './vectors.ts'

/**
 * The files in which collections of vectors for nearest-neighbour search are passed on: each row is its number of components (32 bits, little-endian)
 * and the components, floats (`.fvecs`), bytes (`.bvecs`) or 32-bit integers (`.ivecs`, also for the indices of true neighbours).
 * Source: Jégou et al., "Datasets for approximate nearest neighbor search", file formats.
 */
const endings = { '.fvecs': { dtype: 'f32', bytes: 4 }, '.bvecs': { dtype: 'u8', bytes: 1 }, '.ivecs': { dtype: 'i32', bytes: 4 } } as const
type VecsEnding = keyof typeof endings

/** A row wider than this is taken for a file of another kind. */
const maxComponents = 1_000_000

export const vecsEnding = (path: string): VecsEnding | undefined => (Object.keys(endings) as VecsEnding[]).find((ending) => path.endsWith(ending))

/**
 * Opens such a file and checks its first row and its length; each row's own count is checked when it is read. Throws `DataError`:
 * `FILE_MISSING`, `VECTORS_EMPTY`, `VECTORS_FORMAT`, `VECTORS_TRUNCATED` with the byte at which the unfinished row begins.
 */
export async function openVecs(path: string): Promise<VectorSource> {
  const { dtype, bytes: elementSize } = endings[vecsEnding(path)!]
  const file = await openForReading(path, 'the vectors')
  const fail = (what: string, code: DataError['code']): DataError => new DataError(`${path}${what}`, code, { path })
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw fail(' is a folder, expected a file of vectors', 'VECTORS_FORMAT')
    if (stat.size === 0) throw fail(' is empty', 'VECTORS_EMPTY')
    if (stat.size < 4) throw fail(` is cut short: row 0 begins at byte 0 with 4 bytes of its number of components, only ${stat.size} are there`, 'VECTORS_TRUNCATED')
    const size = new DataView((await readFully(file, 0, 4)).buffer).getInt32(0, true)
    if (size < 1 || size > maxComponents) throw fail(`: row 0 at byte 0 states ${size} components, expected 1 to ${maxComponents}; is this a ${vecsEnding(path)} file?`, 'VECTORS_FORMAT')
    const rowBytes = 4 + size * elementSize
    const rows = Math.floor(stat.size / rowBytes)
    const rest = stat.size - rows * rowBytes
    if (rest > 0)
      throw fail(` is cut short, or its rows differ in size: row ${rows} begins at byte ${rows * rowBytes} and takes ${rowBytes} bytes as row 0 does, ${rest} are there`, 'VECTORS_TRUNCATED')
    return {
      name: path,
      rows,
      size,
      dtype,
      read: async (first, count) => {
        const bytes = await readFully(file, first * rowBytes, count * rowBytes)
        if (bytes.length < count * rowBytes)
          throw fail(` is cut short: row ${first + Math.floor(bytes.length / rowBytes)} begins at byte ${(first + Math.floor(bytes.length / rowBytes)) * rowBytes} and is not whole`, 'VECTORS_TRUNCATED')
        const view = new DataView(bytes.buffer)
        const packed = new Uint8Array(count * size * elementSize)
        for (let i = 0; i < count; i++) {
          const stated = view.getInt32(i * rowBytes, true)
          if (stated !== size) throw fail(`: row ${first + i} at byte ${(first + i) * rowBytes} states ${stated} components, row 0 has ${size}`, 'VECTORS_FORMAT')
          packed.set(bytes.subarray(i * rowBytes + 4, (i + 1) * rowBytes), i * size * elementSize)
        }
        return HostArray.fromBytes(tensorType(dtype, [count, size]), packed)
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Appends rows to a file that is being written. `rows f32[n,d]` for `.fvecs`, `u8` for `.bvecs`, `i32` for `.ivecs`. */
export async function writeVecsRows(writer: FileWriter, rows: HostArray): Promise<void> {
  const [count, size] = rows.shape
  const data = rows.toBytes()
  const rowData = size === 0 ? 0 : data.length / count
  const bytes = new Uint8Array(count * (4 + rowData))
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < count; i++) {
    view.setInt32(i * (4 + rowData), size, true)
    bytes.set(data.subarray(i * rowData, (i + 1) * rowData), i * (4 + rowData) + 4)
  }
  await writer.write(bytes)
}
