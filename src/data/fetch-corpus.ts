import { cp, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import { DataError, issueText } from './errors.ts'
import { type KnownCorpus, fetchedFolder } from './known-corpora.ts'
import { walkFiles } from './text-files.ts'

/** Stands in a fetched folder; hidden, so that it is no part of the text. */
const noteName = '.engram-corpus.json'

const noteSchema = z.strictObject({
  name: z.string(),
  package: z.string(),
  version: z.string(),
  files: z.int().positive(),
  bytes: z.int().positive(),
})
/** What was fetched. */
export type FetchedCorpus = z.infer<typeof noteSchema>

export interface FetchOptions {
  /** Where corpora are put, each in a folder of its name. */
  readonly folder?: string
  readonly signal?: AbortSignal
  /** Told when a step begins. */
  readonly onStep?: (text: string) => void
}

export interface FetchResult extends FetchedCorpus {
  readonly path: string
  /** False if it lay there already. */
  readonly fetched: boolean
  /** Set where the package is of another version than the one that the corpus is described by. */
  readonly differs?: string
}

/**
 * Brings a corpus: downloads its Debian package with `apt-get`, unpacks it with `dpkg-deb` (neither needs root), keeps the text alone and
 * checks the number of files and bytes. The folder appears whole or not at all. Throws `DataError` `CORPUS_TOOL_MISSING`, `CORPUS_FETCH`.
 */
export async function fetchCorpus(known: KnownCorpus, { folder, signal, onStep = () => {} }: FetchOptions = {}): Promise<FetchResult> {
  const target = fetchedFolder(known.name, folder)
  const present = readNote(target)
  if (present) return { ...present, path: target, fetched: false }
  if (existsSync(target))
    throw new DataError(`${target} is there, but was not fetched by this command; move it away, or read it as it is (--corpus ${target})`, 'CORPUS_FETCH', { path: target })
  await mkdir(dirname(resolve(target)), { recursive: true })
  const work = await mkdtemp(join(dirname(resolve(target)), `.${known.name}-`))
  try {
    onStep(`downloading the Debian package ${known.debianPackage}`)
    await run('apt-get', ['download', known.debianPackage], known, work, signal)
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'))
    if (archive === undefined) throw failed(known, 'apt-get brought no package')
    onStep(`unpacking ${archive}`)
    await run('dpkg-deb', ['--extract', archive, 'package'], known, work, signal)
    const kept = join(work, 'text')
    const note = await keepText(known, join(work, 'package'), kept, basename(archive).split('_')[1] ?? 'unknown')
    await writeFile(join(kept, noteName), `${JSON.stringify(note, null, 2)}\n`)
    await rename(kept, target)
    return { ...note, path: target, fetched: true, ...(note.version === known.version ? {} : { differs: versionNote(known, note) }) }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const versionNote = (known: KnownCorpus, { version, files, bytes }: FetchedCorpus): string =>
  `version ${version} (${files} files, ${bytes} bytes) is not ${known.version} (${known.files} files, ${known.bytes} bytes): figures of models trained on the two do not compare`

/** What an earlier fetch left, if it was completed. */
export function readNote(folder: string): FetchedCorpus | undefined {
  const path = join(folder, noteName)
  if (!existsSync(path)) return undefined
  const parsed = noteSchema.safeParse(parseJson(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new DataError(`${path} is damaged (${issueText(parsed.error)}); remove ${folder} and fetch it again`, 'CORPUS_FETCH', { path })
  return parsed.data
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Copies the files of the corpus out of the unpacked package and counts them. */
async function keepText(known: KnownCorpus, unpacked: string, kept: string, version: string): Promise<FetchedCorpus> {
  const root = join(unpacked, known.folder)
  if (!(await stat(root).catch(() => undefined))?.isDirectory()) throw failed(known, `version ${version} of the package has no folder ${known.folder}`)
  const wanted = (name: string): boolean => known.extensions.some((ending) => name.endsWith(ending)) && (known.only?.includes(name) ?? true)
  const files = walkFiles(root, { accept: (name, isFolder) => isFolder || wanted(name) })
  for (const file of files) await cp(file.path, join(kept, file.name), { recursive: false })
  const note = { name: known.name, package: known.debianPackage, version, files: files.length, bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
  const same = note.files === known.files && note.bytes === known.bytes
  if (version === known.version ? !same : note.files * 2 < known.files)
    throw failed(known, `expected ${known.files} files of ${known.bytes} bytes, version ${version} of the package has ${note.files} of ${note.bytes}`)
  return note
}

const failed = (known: KnownCorpus, why: string, cause?: unknown): DataError =>
  new DataError(`cannot fetch the corpus ${known.name}: ${why}\n  ${otherWay(known)}`, 'CORPUS_FETCH', { cause })

const otherWay = ({ debianPackage, folder }: KnownCorpus): string =>
  `on a machine without apt: unpack the Debian package ${debianPackage} elsewhere and point --corpus to its ${folder}; any other folder of text files will do too`

async function run(tool: string, args: readonly string[], known: KnownCorpus, cwd: string, signal?: AbortSignal): Promise<void> {
  try {
    await execa(tool, args, { cwd, cancelSignal: signal, stdin: 'ignore' })
  } catch (error) {
    const { code, stderr, shortMessage } = error as { code?: string; stderr?: string; shortMessage?: string }
    if (signal?.aborted) throw failed(known, 'interrupted', error)
    if (code === 'ENOENT') throw new DataError(`cannot fetch the corpus ${known.name}: this machine has no ${tool}\n  ${otherWay(known)}`, 'CORPUS_TOOL_MISSING', { cause: error })
    const reason = (stderr ?? '').split('\n').filter((line) => /^E:|error|cannot/i.test(line)).join('; ') || shortMessage || String(error)
    throw failed(known, `${tool} failed: ${reason}`, error)
  }
}
