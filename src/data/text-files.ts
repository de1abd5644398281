import { closeSync, openSync, readFileSync, readSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { DataError, systemCode } from './errors.ts'
import { byCodeUnits } from './random.ts'

/** A file found on disk. */
export interface FoundFile {
  /** Where to read it. */
  readonly path: string
  /** Its path below the place that was walked, with `/`. */
  readonly name: string
  readonly sizeBytes: number
}

export interface WalkOptions {
  /** Whether to go into a folder or take a file, by its name alone. */
  readonly accept: (name: string, isFolder: boolean) => boolean
}

/**
 * All files below `root`, sorted by name in code units. Links are followed, but each real folder is entered once, so that
 * loops end. Throws `DataError` for a folder that cannot be read; a broken link is passed over.
 */
export function walkFiles(root: string, { accept }: WalkOptions): FoundFile[] {
  const files: FoundFile[] = []
  const entered = new Set<string>()
  const enter = (folder: string, prefix: string): void => {
    const real = realpathSync(folder)
    if (entered.has(real)) return
    entered.add(real)
    for (const name of listFolder(folder).sort(byCodeUnits)) {
      const path = join(folder, name)
      const stat = statSync(path, { throwIfNoEntry: false })
      if (stat?.isDirectory() && accept(name, true)) enter(path, `${prefix}${name}/`)
      else if (stat?.isFile() && accept(name, false)) files.push({ path, name: prefix + name, sizeBytes: stat.size })
    }
  }
  enter(root, '')
  return files.sort((a, b) => byCodeUnits(a.name, b.name))
}

/** Names in a folder, unsorted; throws `DataError` when it cannot be read. */
export function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    throw new DataError(`cannot read the folder ${folder}: ${(error as Error).message}`, 'CORPUS_UNREADABLE', { path: folder, cause: error })
  }
}

/** The whole content of a file; throws `DataError` when it cannot be read. */
export function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new DataError(`cannot read ${path}: ${(error as Error).message}`, 'CORPUS_UNREADABLE', { path, cause: error })
  }
}

/** Bytes `start` to `end` (exclusive) of a file; throws `DataError` when it cannot be read or has become shorter. */
export function readRange(path: string, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start)
  try {
    const file = openSync(path, 'r')
    try {
      for (let done = 0; done < bytes.length; ) {
        const got = readSync(file, bytes, done, bytes.length - done, start + done)
        if (got === 0) throw new DataError(`${path} has become shorter since the corpus was listed`, 'CORPUS_CHANGED', { path })
        done += got
      }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(`cannot read ${path}: ${(error as Error).message}`, 'CORPUS_UNREADABLE', { path, cause: error })
  }
  return bytes
}

/** How much of a file is looked at to tell text from binary. */
export const sniffBytes = 64 * 1024
const decoder = new TextDecoder('utf-8')

/** Whether bytes are text: no NUL, and at most a tenth of the characters not UTF-8 (so that Latin-1 prose still passes). */
export function looksLikeText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, sniffBytes)
  if (head.includes(0)) return false
  const text = decoder.decode(head)
  let wrong = 0
  for (let i = text.indexOf('\ufffd'); i >= 0; i = text.indexOf('\ufffd', i + 1)) wrong++
  return wrong * 10 <= text.length
}

/** Throws the `DataError` for a path that does not exist, with the nearest name that does. */
export function missingPath(path: string): never {
  const full = resolve(path)
  // The deepest folder that exists, and the first part of the path that does not.
  let folder = dirname(full)
  let wanted = basename(full)
  while (!statSync(folder, { throwIfNoEntry: false })?.isDirectory() && dirname(folder) !== folder) {
    wanted = basename(folder)
    folder = dirname(folder)
  }
  let near: string | undefined
  try {
    near = nearestName(wanted, readdirSync(folder))
  } catch {
    // The folder cannot be listed: then there is nothing to suggest.
  }
  const hint = near === undefined ? '' : `; did you mean ${join(folder, near)}?`
  throw new DataError(`corpus ${path} does not exist (no '${wanted}' in ${folder})${hint}`, 'CORPUS_MISSING', { path })
}

/** `statSync` with typed errors: missing (with the nearest name) or unreadable. */
export function statPath(path: string) {
  try {
    return statSync(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') missingPath(path)
    throw new DataError(`cannot read ${path}: ${(error as Error).message}`, 'CORPUS_UNREADABLE', { path, cause: error })
  }
}

/** The candidate with the fewest edits from `wanted`, if that is under half its length. */
export function nearestName(wanted: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, wanted.length / 2)
  for (const candidate of [...candidates].sort(byCodeUnits)) {
    const distance = editDistance(wanted.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance || (distance === bestDistance && best === undefined && distance <= 1)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    previous = row
  }
  return previous[b.length]
}
