/**
 * The data room: from folders of text to the batches that a train step takes. A corpus is a list of documents
 * (`corpus`, `installed`), divided by document (`split`), turned into ids (`tokenizer`, `token-documents`, or `shards` on
 * disk) and packed into batch slots (`packing`). Nothing here knows the compiler: batches are plain host arrays.
 */
import { basename } from 'node:path'
import { z } from 'zod'
import { buildDocuments } from './corpus-documents.ts'
import { DataError, issueText } from './errors.ts'
import { type FoundFile, looksLikeText, readRange, sniffBytes, statPath, walkFiles } from './text-files.ts'

/** One document of a corpus; its bytes are read when asked for. */
export interface CorpusDocument {
  /** Unique in the corpus, with `/`, without this machine's paths. */
  readonly name: string
  /** What belongs together: a split keeps one group on one side. The name itself where nothing else is known. */
  readonly group: string
  readonly sizeBytes: number
  /** Bytes `start` (0) to `end` (all), exclusive. Throws `DataError` when a file is gone or has become shorter. */
  read(start?: number, end?: number): Uint8Array
}

/** Files that were seen and not taken, by reason. */
export type SkippedFiles = Readonly<Record<string, number>>

export interface Corpus {
  readonly name: string
  /** Sorted by name in code units. */
  readonly documents: readonly CorpusDocument[]
  readonly skipped: SkippedFiles
}

const corpusOptionsSchema = z.strictObject({
  /** File name endings to take, with or without the dot; all text files without it. */
  extensions: z.array(z.string().min(1)).nonempty().optional(),
  /** `files`: a document per file. `folders`: a document per first-level folder, its files one after another under headings. */
  documents: z.enum(['files', 'folders']).default('files'),
  /** Longer documents are divided at folders, then files, then lines. A corpus of one file is divided without it, too. */
  maxDocumentBytes: z.int().min(256).optional(),
  /** Take hidden files and folders, `node_modules` and `__pycache__` too. */
  everything: z.boolean().default(false),
})
export type CorpusOptions = z.input<typeof corpusOptionsSchema>

/** Folders that hold no text of the user's own. */
const passedOver = new Set(['node_modules', '__pycache__'])

/**
 * The text files of a folder (all levels, sorted) or one file, as a corpus. Binary and empty files are left out and counted.
 * Throws `DataError`: `CORPUS_MISSING`, `CORPUS_UNREADABLE`, `CORPUS_EMPTY`, `CORPUS_BINARY`, `DATA_OPTIONS`.
 */
export function readCorpus(path: string, options: CorpusOptions = {}): Corpus {
  const checked = corpusOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`corpus options: ${issueText(checked.error)}`, 'DATA_OPTIONS', { path })
  const { extensions, documents: grouping, maxDocumentBytes, everything } = checked.data
  const endings = extensions?.map((ending) => (ending.startsWith('.') ? ending : `.${ending}`))
  const skipped = { binary: 0, empty: 0, otherExtension: 0 }

  const stat = statPath(path)
  const found = stat.isDirectory()
    ? walkFiles(path, { accept: (name, isFolder) => everything || !(name.startsWith('.') || (isFolder && passedOver.has(name))) })
    : [{ path, name: basename(path), sizeBytes: stat.size }]
  const files: FoundFile[] = []
  for (const file of found) {
    if (endings && !endings.some((ending) => file.name.endsWith(ending))) skipped.otherExtension++
    else if (file.sizeBytes === 0) skipped.empty++
    else if (!looksLikeText(readRange(file.path, 0, Math.min(file.sizeBytes, sniffBytes)))) skipped.binary++
    else files.push(file)
  }
  if (files.length === 0) noText(path, stat.isDirectory(), found.length, skipped, endings)

  const groups = new Map<string, FoundFile[]>()
  for (const file of files) {
    const slash = file.name.indexOf('/')
    const key = grouping === 'folders' && slash > 0 ? file.name.slice(0, slash) : file.name
    const group = groups.get(key)
    if (group) group.push(file)
    else groups.set(key, [file])
  }
  const documents = [...groups].flatMap(([name, members]) => buildDocuments({ name, group: name, files: members, maxDocumentBytes: maxDocumentBytes ?? defaultMaximum(files) }))
  // Pieces of the only file there is can be divided into train and test only if they count as documents of their own.
  return { name: basename(path) || path, documents: files.length === 1 ? documents.map((piece) => ({ ...piece, group: piece.name })) : documents, skipped }
}

/** A corpus of one long file is read in pieces, about twenty of them or more: as one document, nothing could be held out of it. */
function defaultMaximum(files: readonly FoundFile[]): number | undefined {
  if (files.length > 1) return undefined
  const [{ sizeBytes }] = files
  return sizeBytes < 2 ** 16 ? undefined : Math.min(2 ** 20, Math.ceil(sizeBytes / 20))
}

function noText(
  path: string,
  isFolder: boolean,
  seen: number,
  skipped: { binary: number; empty: number; otherExtension: number },
  endings: readonly string[] | undefined,
): never {
  const { binary, empty, otherExtension } = skipped
  const hint = 'point to a folder of text files'
  if (seen === 0) throw new DataError(`corpus ${path} has no files; ${hint}`, 'CORPUS_EMPTY', { path })
  if (binary > 0 && binary + empty === seen)
    throw new DataError(`corpus ${path} is binary: ${isFolder ? `none of its ${seen} files is` : 'it is not'} text (UTF-8); ${hint}`, 'CORPUS_BINARY', { path })
  const why = [
    empty ? `${empty} empty` : '',
    binary ? `${binary} binary` : '',
    otherExtension ? `${otherExtension} without the extension ${endings?.join(', ')}` : '',
  ].filter(Boolean)
  throw new DataError(`corpus ${path} is empty: of ${seen} file${seen === 1 ? '' : 's'}, ${why.join(', ')}; ${hint}`, 'CORPUS_EMPTY', { path })
}
