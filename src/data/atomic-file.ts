import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DataError, systemCode } from './errors.ts'

/** One system call takes less than 2 GiB; smaller pieces also keep the page cache calm. */
const pieceBytes = 64 * 2 ** 20

/** Writes a file from front to back; `patch` alone goes back. */
export class FileWriter {
  readonly #file: FileHandle
  #position = 0
  constructor(file: FileHandle) {
    this.#file = file
  }
  /** Bytes written so far. */
  get position(): number {
    return this.#position
  }
  async write(bytes: Uint8Array): Promise<void> {
    await this.patch(this.#position, bytes)
    this.#position += bytes.length
  }
  /** Overwrites at `position`, without moving the end. */
  async patch(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, Math.min(pieceBytes, bytes.length - done), position + done)
      done += bytesWritten
    }
  }
}

/**
 * Makes `path` with what `body` writes: into a temporary file beside it, flushed to the disk, then renamed, so that a reader
 * sees the old file or the whole new one, also after a crash. Whatever fails, the temporary file is removed and `path` left as it
 * was. Throws `DataError` `DISK_FULL` or `FILE_UNWRITABLE` for failures of the file system; errors of `body` pass through.
 */
export async function writeFileAtomic(path: string, body: (writer: FileWriter) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  let file: FileHandle | undefined
  try {
    await mkdir(folder, { recursive: true })
    file = await open(temporary, 'wx')
    await body(new FileWriter(file))
    await file.sync()
    await file.close()
    file = undefined
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (error) {
    await file?.close().catch(() => {})
    await unlink(temporary).catch(() => {})
    throw asWriteError(error, path)
  }
}

/** A rename is on the disk only when its folder is; where folders cannot be opened (Windows), this is left to the system. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

function asWriteError(error: unknown, path: string): unknown {
  const code = systemCode(error)
  if (code === undefined || error instanceof DataError) return error
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new DataError(
      `no room on the disk to write ${path} (${code}): nothing was changed; free some space, or choose another place`,
      'DISK_FULL',
      { path, cause: error },
    )
  if (/^E[A-Z0-9]+$/.test(code))
    return new DataError(`cannot write ${path}: ${(error as Error).message}`, 'FILE_UNWRITABLE', { path, cause: error })
  return error
}

/** Opens a file for reading; throws `DataError` `FILE_MISSING` or `FILE_UNREADABLE`. */
export async function openForReading(path: string, what: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new DataError(`${what} ${path} does not exist`, 'FILE_MISSING', { path, cause: error })
    throw new DataError(`cannot read ${what} ${path}: ${(error as Error).message}`, 'FILE_UNREADABLE', { path, cause: error })
  }
}

/** Reads `length` bytes at `position`, or fewer where the file ends. */
export async function readFully(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(pieceBytes, length - done), position + done)
    if (bytesRead === 0) return bytes.subarray(0, done)
    done += bytesRead
  }
  return bytes
}
