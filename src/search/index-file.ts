import { createHash } from 'node:crypto'
import { z } from 'zod'
import { DataError, issueText } from '../data/errors.ts'
import { SafetensorsFile, type TensorSource, writeSafetensors } from '../data/safetensors.ts'
import { HostArray } from '../ir/host-array.ts'
import { shortType } from '../ir/types.ts'
import { type Distance, distances } from '../knn/score.ts'

/**
 * This room is nearest-neighbour search as a tool: an index is made of vectors (`build-index`), kept in a file, and searched in batches on a
 * session (`searcher`); `measure` says how right and how fast that is. What is traced for it is in the room `knn`.
 */

export interface IndexFacts {
  readonly rows: number
  /** Components of a vector. */
  readonly size: number
  readonly distance: Distance
  readonly dtype: 'f32' | 'bf16'
  /** What the vectors were read from. */
  readonly source: string
  /** Draws the order in which the rows are kept; undefined if it is the source's. */
  readonly shuffleSeed?: number
}

/** Vectors ready to be searched. */
export interface VectorIndex extends IndexFacts {
  /** `[rows, size]`; of length 1 for `cosine`. */
  readonly vectors: HostArray
  /** `i32[rows]`, the source's row that stands at each place; absent if they stand in the source's order. */
  readonly sourceRows?: HostArray
}

const FORMAT = 'engram-vector-index'
const VERSION = 1

/** Metadata of safetensors files are texts. */
const factsSchema = z.object({
  format: z.literal(FORMAT),
  version: z.string(),
  rows: z.coerce.number().int().positive(),
  size: z.coerce.number().int().positive(),
  distance: z.enum(distances),
  dtype: z.enum(['f32', 'bf16']),
  source: z.string(),
  shuffleSeed: z.coerce.number().int().optional(),
})

/** The names of an index's tensors, in the order in which they are hashed. */
const tensorNames = ['vectors', 'sourceRows'] as const

const tensorsOf = (index: Pick<VectorIndex, (typeof tensorNames)[number]>): (readonly [string, HostArray])[] =>
  tensorNames.flatMap((name) => (index[name] ? [[name, index[name]] as const] : []))

function checksum(metadata: Readonly<Record<string, string>>, tensors: readonly (readonly [string, HostArray])[]): HostArray {
  const hash = createHash('sha256').update(JSON.stringify(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))))
  for (const [name, tensor] of tensors) hash.update(`${name} ${shortType(tensor.type)}`).update(tensor.toBytes())
  return HostArray.of('u8', [32], hash.digest())
}

/**
 * Writes an index, atomically, as a safetensors file with a checksum. An aborted signal stops it between two tensors, and nothing is left.
 * Throws `DataError` `DISK_FULL` or `FILE_UNWRITABLE`.
 */
export async function writeIndex(path: string, index: VectorIndex, signal?: AbortSignal): Promise<void> {
  const { rows, size, distance, dtype, source, shuffleSeed } = index
  const metadata: Record<string, string> = { format: FORMAT, version: String(VERSION), rows: String(rows), size: String(size), distance, dtype, source }
  if (shuffleSeed !== undefined) metadata.shuffleSeed = String(shuffleSeed)
  const tensors = tensorsOf(index)
  const all = [...tensors, ['checksum', checksum(metadata, tensors)] as const]
  const unlessAborted = (tensor: HostArray): TensorSource => ({
    type: tensor.type,
    read: () => {
      signal?.throwIfAborted()
      return tensor
    },
  })
  await writeSafetensors(path, all.map(([name, tensor]) => [name, unlessAborted(tensor)] as const), metadata)
}

/** Whether a file is an index, or something else: other vectors, or not there. */
export async function isIndexFile(path: string): Promise<boolean> {
  const file = await SafetensorsFile.open(path).catch(() => undefined)
  await file?.close()
  return file?.metadata.format === FORMAT
}

/** Reads an index and checks it. Throws `DataError`: `INDEX_CORRUPT`, `INDEX_VERSION`, and what safetensors files throw. */
export async function readIndex(path: string): Promise<VectorIndex> {
  const corrupt = (what: string): DataError => new DataError(`${path} ${what}`, 'INDEX_CORRUPT', { path })
  const file = await SafetensorsFile.open(path)
  try {
    const { metadata } = file
    if (metadata.format !== FORMAT) throw corrupt('is a safetensors file, but no index of vectors; make one with `engram knn build`')
    if (metadata.version !== String(VERSION))
      throw new DataError(`${path} is an index of version ${metadata.version}, this program reads version ${VERSION}; build it again`, 'INDEX_VERSION', { path })
    const parsed = factsSchema.safeParse(metadata)
    if (!parsed.success) throw corrupt(`is not a sound index: ${issueText(parsed.error)}`)
    const { format: _format, version: _version, ...facts } = parsed.data
    const tensors: Partial<Record<(typeof tensorNames)[number], HostArray>> = {}
    for (const name of tensorNames) if (file.tensors.has(name)) tensors[name] = await file.read(name)
    const expected: readonly (readonly [(typeof tensorNames)[number], string])[] = [
      ['vectors', `${facts.dtype}[${facts.rows},${facts.size}]`],
      ...(facts.shuffleSeed === undefined ? [] : [['sourceRows', `i32[${facts.rows}]`] as const]),
    ]
    for (const [name, type] of expected) {
      const tensor = tensors[name]
      if (!tensor || shortType(tensor.type) !== type) throw corrupt(`is not a sound index: ${name} should be ${type}, ${tensor ? `it is ${shortType(tensor.type)}` : 'it is missing'}`)
    }
    const index = { ...facts, ...tensors, vectors: tensors.vectors! }
    const stored = await file.read('checksum')
    if (!Buffer.from(stored.toBytes()).equals(Buffer.from(checksum(metadata, tensorsOf(index)).toBytes()))) throw corrupt('is damaged: its checksum differs')
    return index
  } finally {
    await file.close()
  }
}
