import { join } from 'node:path'
import { DataError } from './errors.ts'
import { nearestName } from './text-files.ts'

/** A corpus that `engram corpus fetch` can bring: part of a Debian package. */
export interface KnownCorpus {
  readonly name: string
  /** What it is, in a few words. */
  readonly title: string
  readonly debianPackage: string
  /** The package's version that the counts below are of. */
  readonly version: string
  /** Where the text lies in the unpacked package. */
  readonly folder: string
  /** File name endings that belong to the corpus. */
  readonly extensions: readonly [string, ...string[]]
  /** Names of files, where not all with these endings belong to it. */
  readonly only?: readonly string[]
  readonly files: number
  readonly bytes: number
}

/** Corpora with real references over long ranges. */
export const knownCorpora: readonly KnownCorpus[] = [
  {
    name: 'hol-light',
    title: 'HOL Light proofs: lemmas are named once and used far on',
    debianPackage: 'hol-light',
    version: '20230128-1+b1',
    folder: 'usr/share/hol-light',
    extensions: ['.ml'],
    files: 502,
    bytes: 34_805_112,
  },
  {
    name: 'go',
    title: 'sources of Go and its library',
    debianPackage: 'golang-1.19-src',
    version: '1.19.8-2',
    folder: 'usr/share/go-1.19',
    extensions: ['.go'],
    files: 8906,
    bytes: 70_227_224,
  },
  {
    name: 'metamath',
    title: 'the Metamath proof database set.mm: one file, most references over a megabyte back',
    debianPackage: 'metamath-databases',
    version: '0.0.0~20210101.git55fe226-2',
    folder: 'usr/share/metamath/databases',
    extensions: ['.mm'],
    only: ['set.mm'],
    files: 1,
    bytes: 41_013_180,
  },
]

/** The corpus of that name. Throws `DataError` `CORPUS_UNKNOWN` with the nearest name. */
export function knownCorpus(name: string): KnownCorpus {
  const found = knownCorpora.find((corpus) => corpus.name === name)
  if (found) return found
  const names = knownCorpora.map((corpus) => corpus.name)
  const near = nearestName(name, names)
  throw new DataError(`there is no corpus ${name} to fetch${near ? `, did you mean ${near}?` : ''} (corpora: ${names.join(', ')}, installed)`, 'CORPUS_UNKNOWN')
}

/** Where fetched corpora lie, beside the runs. */
export const corporaFolder = 'corpora'

/** The folder of a known corpus, under `folder`. */
export const fetchedFolder = (name: string, folder = corporaFolder): string => join(folder, name)
