import { type FileHandle } from 'node:fs/promises'
import { HostArray } from '../ir/host-array.ts'
import { type TensorType, sameType, shortType } from '../ir/types.ts'
import { openForReading, readFully, writeFileAtomic } from './atomic-file.ts'
import { DataError } from './errors.ts'
import { type TensorEntry, decodeHeader, encodeHeader, maxHeaderBytes } from './safetensors-header.ts'

/**
 * Tensors in files, in the safetensors format: a length, a JSON header and the tensors' bytes. Written one tensor at a time and
 * read by name, so that a file larger than memory is no trouble. Source: safetensors README, "Format".
 */

/** A tensor that is fetched when its turn to be written comes, e.g. from a device. */
export interface TensorSource {
  readonly type: TensorType
  read(): HostArray | Promise<HostArray>
}

export type TensorsToWrite = Iterable<readonly [name: string, tensor: HostArray | TensorSource]> | Readonly<Record<string, HostArray | TensorSource>>

/**
 * Writes tensors and metadata to `path`, atomically. Throws `DataError`: `SAFETENSORS_DTYPE` for a type that the format lacks,
 * `SAFETENSORS_NAME` for a name twice or reserved, `DISK_FULL`, `FILE_UNWRITABLE`.
 */
export async function writeSafetensors(path: string, tensors: TensorsToWrite, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  const sources = new Map<string, HostArray | TensorSource>()
  for (const [name, tensor] of Symbol.iterator in tensors ? tensors as Iterable<readonly [string, HostArray | TensorSource]> : Object.entries(tensors)) {
    if (sources.has(name)) throw new DataError(`cannot write ${path}: two tensors are named '${name}'`, 'SAFETENSORS_NAME', { path })
    sources.set(name, tensor)
  }
  const types = new Map([...sources].map(([name, source]) => [name, source.type]))
  const { bytes, order } = encodeHeader(types, metadata, path)
  await writeFileAtomic(path, async (writer) => {
    await writer.write(bytes)
    for (const name of order) {
      const source = sources.get(name)!
      const array = source instanceof HostArray ? source : await source.read()
      if (!sameType(array.type, source.type))
        throw new DataError(`cannot write ${path}: tensor '${name}' was announced as ${shortType(source.type)} and came as ${shortType(array.type)}`, 'SAFETENSORS_DTYPE', { path })
      await writer.write(array.toBytes())
    }
  })
}

/** An open file; close it when done. */
export class SafetensorsFile {
  readonly path: string
  /** Where each tensor stands, by name. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  /** For reading a part of a tensor. */
  readonly file: FileHandle

  private constructor(path: string, file: FileHandle, tensors: ReadonlyMap<string, TensorEntry>, metadata: Readonly<Record<string, string>>) {
    this.path = path
    this.file = file
    this.tensors = tensors
    this.metadata = metadata
  }

  /**
   * Opens a file and checks its header. Throws `DataError`: `FILE_MISSING`, `FILE_UNREADABLE`, `SAFETENSORS_CORRUPT`,
   * `SAFETENSORS_TRUNCATED`, `SAFETENSORS_DTYPE`.
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await openForReading(path, 'the safetensors file')
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw new DataError(`${path} is a folder, expected a safetensors file`, 'FILE_UNREADABLE', { path })
      const size = stat.size
      const short = (what: string): DataError => new DataError(`${path} is cut short: ${what}`, 'SAFETENSORS_TRUNCATED', { path })
      if (size < 8) throw short(`it has ${size} bytes, a safetensors file begins with 8 bytes of header length`)
      const length = new DataView((await readFully(file, 0, 8)).buffer).getBigUint64(0, true)
      if (length > BigInt(maxHeaderBytes) || length < 2n)
        throw new DataError(`${path} is not a safetensors file: it states a header of ${length} bytes, expected 2 to ${maxHeaderBytes}`, 'SAFETENSORS_CORRUPT', { path })
      if (Number(length) > size - 8) throw short(`its header should have ${length} bytes, only ${size - 8} are there`)
      const json = await readFully(file, 8, Number(length))
      const { tensors, metadata } = decodeHeader(json, size, path)
      return new SafetensorsFile(path, file, tensors, metadata)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Where a tensor stands. Throws `DataError` `SAFETENSORS_NAME` with the names that there are. */
  entry(name: string): TensorEntry {
    const entry = this.tensors.get(name)
    if (entry) return entry
    const names = [...this.tensors.keys()]
    throw new DataError(
      `${this.path} has no tensor '${name}'; it has ${names.slice(0, 8).join(', ') || 'none'}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`,
      'SAFETENSORS_NAME',
      { path: this.path },
    )
  }

  /** One tensor. Throws `DataError` if there is none of that name, or the file has become shorter. */
  async read(name: string): Promise<HostArray> {
    const entry = this.entry(name)
    const bytes = await readFully(this.file, entry.begin, entry.end - entry.begin)
    if (bytes.length < entry.end - entry.begin)
      throw new DataError(`${this.path} is cut short: tensor '${name}' needs ${entry.end - entry.begin} bytes, ${bytes.length} are there`, 'SAFETENSORS_TRUNCATED', { path: this.path })
    return HostArray.fromBytes(entry.type, bytes)
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

/** All tensors and the metadata of a file. Throws as `SafetensorsFile.open` does. */
export async function readSafetensors(path: string): Promise<{ tensors: Map<string, HostArray>; metadata: Readonly<Record<string, string>> }> {
  const file = await SafetensorsFile.open(path)
  try {
    const tensors = new Map<string, HostArray>()
    for (const name of file.tensors.keys()) tensors.set(name, await file.read(name))
    return { tensors, metadata: file.metadata }
  } finally {
    await file.close()
  }
}
