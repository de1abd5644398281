import { z } from 'zod'
import { DataError, issueText } from './errors.ts'
import { byCodeUnits, hashFraction } from './random.ts'

export const splitNames = ['train', 'validation', 'test'] as const
export type SplitName = (typeof splitNames)[number]

const fraction = z.number().min(0).max(1).default(0)
const splitOptionsSchema = z.strictObject({
  /** Shares; 0 for a part that is not wanted. They need not add up to 1: they are scaled. */
  fractions: z.strictObject({ train: fraction, validation: fraction, test: fraction }).default({ train: 0.9, validation: 0.05, test: 0.05 }),
  /** Another salt, another split. */
  salt: z.string().default(''),
  /** Keep documents of one group (sub-packages of one package) on one side, so that no near copy of a test text is trained on. */
  by: z.enum(['group', 'name']).default('group'),
  /**
   * What the fractions are shares of. By `documents` the side of a document never depends on the others. By `bytes` the
   * parts come out at their sizes also where a few groups hold most of the text, but a changed corpus may move documents.
   */
  measure: z.enum(['documents', 'bytes']).default('documents'),
})
export type SplitOptions = z.input<typeof splitOptionsSchema>

/** What a split needs to know of a document. */
export interface Splittable {
  readonly name: string
  readonly group?: string
  readonly sizeBytes?: number
}

/**
 * Divides documents into train, validation and test by a hash of their names (or groups), whatever their order. Each part
 * that is asked for gets at least one, by moving the groups nearest to its range; throws `DataError` when there are too few
 * for that. The order within a part is the given one.
 */
export function splitDocuments<D extends Splittable>(documents: readonly D[], options: SplitOptions = {}): Record<SplitName, D[]> {
  const checked = splitOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`split options: ${issueText(checked.error)}`, 'DATA_OPTIONS')
  const { fractions, salt, by, measure } = checked.data
  const asked = splitNames.filter((name) => fractions[name] > 0)
  const sum = asked.reduce((total, name) => total + fractions[name], 0)
  if (asked.length === 0) throw new DataError('split options: every fraction is 0, so no part is asked for', 'DATA_OPTIONS')

  const keyOf = (document: D): string => (by === 'group' ? (document.group ?? document.name) : document.name)
  const sizes = new Map<string, number>()
  for (const document of documents) sizes.set(keyOf(document), (sizes.get(keyOf(document)) ?? 0) + (document.sizeBytes ?? 1))
  const keys = [...sizes].map(([key, size]) => ({ key, size, at: hashFraction(`${salt}\0${key}`) }))
  keys.sort((a, b) => a.at - b.at || byCodeUnits(a.key, b.key))
  if (measure === 'bytes') placeBySize(keys)
  if (keys.length < asked.length)
    throw new DataError(
      `the corpus has ${keys.length} ${by === 'group' && keys.length < documents.length ? 'group' : 'document'}${keys.length === 1 ? '' : 's'}, ` +
        `but ${asked.join(', ')} need at least one each: add documents, divide them (maxDocumentBytes), or set the fraction of a part to 0`,
      'CORPUS_TOO_FEW_DOCUMENTS',
    )

  // Parts are ranges of the hash, so keys sorted by hash are cut at `ends`; a part without any takes over from a neighbour.
  const ends: number[] = []
  let reached = 0
  for (const name of asked) {
    reached += fractions[name] / sum
    const limit = reached
    const end = keys.findIndex(({ at }) => at >= limit)
    ends.push(name === asked[asked.length - 1] || end < 0 ? keys.length : end)
  }
  for (let i = 0; i < ends.length; i++) ends[i] = Math.max(ends[i], (ends[i - 1] ?? 0) + 1)
  for (let i = ends.length - 1, most = keys.length; i >= 0; i--, most--) ends[i] = Math.min(ends[i], most)

  const side = new Map<string, SplitName>()
  for (const [i, name] of asked.entries()) for (const { key } of keys.slice(ends[i - 1] ?? 0, ends[i])) side.set(key, name)
  const parts: Record<SplitName, D[]> = { train: [], validation: [], test: [] }
  for (const document of documents) parts[side.get(keyOf(document))!].push(document)
  return parts
}

/** Sets each key's place to the middle of its share of all bytes, in the order they are in. */
function placeBySize(keys: { at: number; size: number }[]): void {
  const total = keys.reduce((sum, { size }) => sum + size, 0)
  let before = 0
  for (const key of keys) {
    key.at = (before + key.size / 2) / total
    before += key.size
  }
}
