import { createHash } from 'node:crypto'
import { join, basename } from 'node:path'
import { statSync } from 'node:fs'
import { z } from 'zod'
import type { Corpus, CorpusDocument } from './corpus.ts'
import { buildDocuments } from './corpus-documents.ts'
import { DataError, issueText } from './errors.ts'
import { byCodeUnits, hashFraction } from './random.ts'
import { type FoundFile, listFolder, looksLikeText, readWhole, walkFiles } from './text-files.ts'

const installedOptionsSchema = z.strictObject({
  /** Longer packages are divided at their folders, then files. */
  maxDocumentBytes: z.int().min(256).default(2 ** 20),
  /** The whole corpus; packages are left out by chance (the same on every machine) until it fits. */
  maxTotalBytes: z.int().positive().optional(),
  /** Larger files are bundles or tables, and left out. */
  maxFileBytes: z.int().positive().default(2 ** 19),
  /** Smaller documents are left out: they hold no long-range references. */
  minDocumentBytes: z.int().nonnegative().default(4096),
  /** Where the Python packages are, if not in the project's `.venv`. */
  sitePackages: z.string().optional(),
})
export type InstalledOptions = z.input<typeof installedOptionsSchema>

const npmEndings = ['.js', '.mjs', '.ts']
const pythonEndings = ['.py']
/** What a virtual environment brings by itself, in a version of the machine's Python, not of ours. */
const bootstrapPackages = new Set(['pip', 'setuptools', 'pkg_resources', '_distutils_hack', 'wheel'])
/** Second copies of the same code for other module systems, passed over where one of `originalBuilds` stands beside. */
const secondBuilds = new Set(['cjs', 'commonjs', 'umd', 'iife'])
const originalBuilds = ['esm', 'es', 'mjs', 'module', 'src']

interface Package {
  /** `npm/zod`, `python/jax`. */
  readonly name: string
  readonly files: readonly FoundFile[]
}

/**
 * The sources that the set-up itself installed, whole packages as documents: `.js`, `.mjs` and `.ts` of `node_modules`, `.py`
 * of the virtual environment. Left out are minified and generated files, second copies, bundles, packages made for one
 * platform, and what Python itself brings, so that every machine with the same lock files gets the same corpus. Names hold no
 * path of this machine. Throws `DataError` if nothing is installed.
 */
export function installedSources(projectRoot: string, options: InstalledOptions = {}): Corpus {
  const checked = installedOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`options of the installed sources: ${issueText(checked.error)}`, 'DATA_OPTIONS')
  const { maxDocumentBytes, maxTotalBytes, maxFileBytes, minDocumentBytes } = checked.data
  const sitePackages = checked.data.sitePackages ?? findSitePackages(join(projectRoot, '.venv'))
  const packages = [
    ...npmPackages(join(projectRoot, 'node_modules')),
    ...(sitePackages ? pythonPackages(sitePackages) : []),
  ].sort((a, b) => byCodeUnits(a.name, b.name))
  if (packages.length === 0)
    throw new DataError(`nothing is installed in ${projectRoot} (no packages in node_modules or .venv); run 'npm run setup' first`, 'CORPUS_EMPTY', { path: projectRoot })

  const skipped = { binary: 0, empty: 0, large: 0, minified: 0, generated: 0, duplicate: 0, small: 0, overTotal: 0 }
  const seen = new Set<string>()
  const keep = (file: FoundFile): boolean => {
    const reason = file.sizeBytes === 0 ? 'empty' : file.sizeBytes > maxFileBytes ? 'large' : refusal(readWhole(file.path), seen)
    if (reason) skipped[reason]++
    return !reason
  }
  let documents: CorpusDocument[] = []
  for (const { name, files } of packages) {
    const kept = files.filter(keep)
    if (kept.length === 0) continue
    for (const document of buildDocuments({ name, group: packageGroup(name), files: kept, maxDocumentBytes }))
      if (document.sizeBytes < minDocumentBytes) skipped.small++
      else documents.push(document)
  }
  if (maxTotalBytes !== undefined) {
    const all = documents.length
    documents = withinTotal(documents, maxTotalBytes)
    skipped.overTotal = all - documents.length
  }
  if (documents.length === 0)
    throw new DataError(`the sources installed in ${projectRoot} give no document within the given limits`, 'CORPUS_EMPTY', { path: projectRoot })
  return { name: 'installed', documents, skipped }
}

/** One group for all versions and copies of a package: `npm/@a/b/node_modules/typescript` goes with `npm/typescript`. */
const packageGroup = (name: string): string => name.replace(/^npm\/.*\/node_modules\//, 'npm/')

/** Documents in an order that chance, not the alphabet, gives, as long as they fit; then sorted by name again. */
function withinTotal(documents: readonly CorpusDocument[], maxTotalBytes: number): CorpusDocument[] {
  let total = 0
  return documents
    .map((document) => ({ document, key: hashFraction(document.name) }))
    .sort((a, b) => a.key - b.key)
    .filter(({ document }) => {
      if (total + document.sizeBytes > maxTotalBytes) return false
      total += document.sizeBytes
      return true
    })
    .map(({ document }) => document)
    .sort((a, b) => byCodeUnits(a.name, b.name))
}

const text = new TextDecoder('latin1')

/** Why a file is not source that a person wrote, or undefined. Remembers what it saw, to find second copies. */
function refusal(bytes: Uint8Array, seen: Set<string>): 'binary' | 'minified' | 'generated' | 'duplicate' | undefined {
  if (!looksLikeText(bytes)) return 'binary'
  let lines = 1
  let longest = 0
  let digits = 0
  for (let i = 0, lineStart = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === 0x0a) {
      lines++
      lineStart = i + 1
    } else if (byte >= 0x30 && byte <= 0x39) digits++
    if (i - lineStart >= longest) longest = i - lineStart + 1
  }
  if (longest > 1000 || bytes.length / lines > 200) return 'minified'
  if (digits * 4 > bytes.length) return 'generated'
  if (/@generated|DO NOT EDIT|auto-?generated|generated by/i.test(text.decode(bytes.subarray(0, 1024)))) return 'generated'
  const hash = createHash('sha256').update(bytes).digest('base64')
  if (seen.has(hash)) return 'duplicate'
  seen.add(hash)
  return undefined
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

function npmPackages(modules: string, prefix = 'npm/'): Package[] {
  if (!isFolder(modules)) return []
  const packages: Package[] = []
  const take = (folder: string, name: string): void => {
    const manifest = readManifest(folder)
    if (!manifest) return
    // A package for one platform is another one elsewhere.
    if (!manifest.os && !manifest.cpu) packages.push({ name, files: packageFiles(folder, name, npmEndings) })
    packages.push(...npmPackages(join(folder, 'node_modules'), `${name}/node_modules/`))
  }
  for (const entry of listFolder(modules).sort(byCodeUnits)) {
    const folder = join(modules, entry)
    if (entry.startsWith('.') || !isFolder(folder)) continue
    if (!entry.startsWith('@')) take(folder, prefix + entry)
    else for (const name of listFolder(folder).sort(byCodeUnits)) take(join(folder, name), `${prefix}${entry}/${name}`)
  }
  return packages
}

const manifestSchema = z.looseObject({ os: z.unknown().optional(), cpu: z.unknown().optional() })
function readManifest(folder: string): z.infer<typeof manifestSchema> | undefined {
  const path = join(folder, 'package.json')
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined
  try {
    return manifestSchema.parse(JSON.parse(new TextDecoder().decode(readWhole(path))))
  } catch {
    // A broken manifest makes no package, and is not this corpus's business.
    return undefined
  }
}

function pythonPackages(sitePackages: string): Package[] {
  const packages: Package[] = []
  for (const entry of listFolder(sitePackages).sort(byCodeUnits)) {
    const path = join(sitePackages, entry)
    if (bootstrapPackages.has(entry) || entry.startsWith('.') || /\.(dist-info|egg-info|libs|data)$/.test(entry) || entry === '__pycache__') continue
    if (isFolder(path)) packages.push({ name: `python/${entry}`, files: packageFiles(path, `python/${entry}`, pythonEndings) })
    else if (entry.endsWith('.py')) packages.push({ name: `python/${entry}`, files: [{ path, name: `python/${entry}`, sizeBytes: statSync(path).size }] })
  }
  return packages
}

function packageFiles(folder: string, name: string, endings: readonly string[]): FoundFile[] {
  const files = walkFiles(folder, {
    accept: (entry, folderEntry) =>
      folderEntry
        ? !entry.startsWith('.') && entry !== 'node_modules' && entry !== '__pycache__'
        : endings.some((ending) => entry.endsWith(ending)) && !/\.min\.m?js$/.test(entry) && !entry.startsWith('.'),
  })
  const folders = new Set(files.flatMap((file) => file.name.split('/').slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join('/'))))
  const isSecondBuild = (path: string): boolean =>
    path.split('/').slice(0, -1).some((part, i, parts) => {
      const beside = parts.slice(0, i).concat('').join('/')
      return secondBuilds.has(part) && originalBuilds.some((other) => folders.has(beside + other))
    })
  return files.filter((file) => !isSecondBuild(file.name)).map((file) => ({ ...file, name: `${name}/${file.name}` }))
}

/** `site-packages` of a virtual environment, on any platform; undefined if there is none. */
export function findSitePackages(environment: string): string | undefined {
  const windows = join(environment, 'Lib', 'site-packages')
  if (isFolder(windows)) return windows
  const lib = join(environment, 'lib')
  if (!isFolder(lib)) return undefined
  const python = listFolder(lib).filter((entry) => basename(entry).startsWith('python')).sort(byCodeUnits)
  return python.map((entry) => join(lib, entry, 'site-packages')).find(isFolder)
}
