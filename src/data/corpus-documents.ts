import type { CorpusDocument } from './corpus.ts'
import { type FoundFile, readRange } from './text-files.ts'

/** What becomes one document, or several if it is longer than `maxDocumentBytes`. */
export interface DocumentPlan {
  readonly name: string
  readonly group: string
  /** Sorted; names start with `name` and a `/`, unless there is just one file. */
  readonly files: readonly FoundFile[]
  readonly maxDocumentBytes?: number | undefined
}

/** A run of bytes: of a file, or a heading in memory. */
type Part = { readonly sizeBytes: number } & ({ readonly bytes: Uint8Array } | { readonly path: string; readonly offset: number })

/**
 * The documents of a plan. A file alone is a document as it is; several are put one after another, each under a line that
 * names it. What is too long is divided where it hurts least: at folders, then between files, then at ends of lines.
 */
export function buildDocuments(plan: DocumentPlan): CorpusDocument[] {
  const { name, group, files, maxDocumentBytes: max } = plan
  if (files.length === 1 && files[0].name === name)
    return max !== undefined && files[0].sizeBytes > max ? cutFile(plan, files[0], max) : [document(name, group, [whole(files[0])])]
  return divide(plan, name, files)
}

function divide(plan: DocumentPlan, name: string, files: readonly FoundFile[]): CorpusDocument[] {
  const max = plan.maxDocumentBytes ?? Infinity
  const parts = files.map((file, i) => [heading(file.name, i === 0), whole(file)])
  if (totalBytes(parts.flat()) <= max) return [document(name, plan.group, parts.flat())]

  // Files directly in this folder stay together; each sub-folder is divided by itself.
  const direct: FoundFile[] = []
  const folders = new Map<string, FoundFile[]>()
  for (const file of files) {
    const rest = file.name.slice(name.length + 1)
    const slash = rest.indexOf('/')
    if (slash < 0) direct.push(file)
    else {
      const key = `${name}/${rest.slice(0, slash)}`
      folders.set(key, [...(folders.get(key) ?? []), file])
    }
  }
  const documents = directDocuments(plan, name, direct, max)
  for (const [folder, members] of folders) documents.push(...divide(plan, folder, members))
  return documents
}

/** Files of one folder, in order, as many to a document as fit. */
function directDocuments(plan: DocumentPlan, name: string, files: readonly FoundFile[], max: number): CorpusDocument[] {
  const documents: CorpusDocument[] = []
  let open: Part[] = []
  const close = (): void => {
    if (open.length > 0) documents.push(document(documents.length === 0 ? `${name}/` : `${name}/#${documents.length + 1}`, plan.group, open))
    open = []
  }
  for (const file of files) {
    if (file.sizeBytes > max) {
      close()
      documents.push(...cutFile(plan, file, max))
      continue
    }
    if (open.length > 0 && totalBytes(open) + headingBytes(file.name) + file.sizeBytes > max) close()
    open.push(heading(file.name, open.length === 0), whole(file))
  }
  close()
  return documents
}

/** One file as pieces of at most `max` bytes, each ending after a line end where there is one. */
function cutFile(plan: DocumentPlan, file: FoundFile, max: number): CorpusDocument[] {
  const pieces: CorpusDocument[] = []
  for (let start = 0; start < file.sizeBytes; ) {
    let end = Math.min(start + max, file.sizeBytes)
    if (end < file.sizeBytes) {
      const newline = readRange(file.path, start, end).lastIndexOf(0x0a)
      if (newline >= 0) end = start + newline + 1
    }
    pieces.push(document(`${file.name}#${pieces.length + 1}`, plan.group, [{ path: file.path, offset: start, sizeBytes: end - start }]))
    start = end
  }
  return pieces
}

const encoder = new TextEncoder()
const whole = (file: FoundFile): Part => ({ path: file.path, offset: 0, sizeBytes: file.sizeBytes })
const totalBytes = (parts: readonly Part[]): number => parts.reduce((sum, part) => sum + part.sizeBytes, 0)

function heading(name: string, first: boolean): Part {
  const bytes = encoder.encode(`${first ? '' : '\n'}==> ${name} <==\n`)
  return { bytes, sizeBytes: bytes.length }
}
const headingBytes = (name: string): number => heading(name, false).sizeBytes

function document(name: string, group: string, parts: readonly Part[]): CorpusDocument {
  const sizeBytes = totalBytes(parts)
  return {
    name,
    group,
    sizeBytes,
    read(start = 0, end = sizeBytes) {
      const result = new Uint8Array(Math.max(0, Math.min(end, sizeBytes) - start))
      let position = 0
      for (const part of parts) {
        const from = Math.max(0, start - position)
        const to = Math.min(part.sizeBytes, end - position)
        if (from < to) {
          const bytes = 'bytes' in part ? part.bytes.subarray(from, to) : readRange(part.path, part.offset + from, part.offset + to)
          result.set(bytes, position + from - start)
        }
        position += part.sizeBytes
      }
      return result
    },
  }
}
