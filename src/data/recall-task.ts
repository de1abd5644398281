import { z } from 'zod'
import { DataError, issueText } from './errors.ts'
import type { TokenUnits } from './packing.ts'
import { SeededRandom } from './random.ts'
import type { TokenDocument } from './token-documents.ts'

/**
 * The recall task: a document binds random names to random values, goes on long enough that no cache reaches back, and
 * asks for each name again; only a memory can answer. A binding and a question look alike, `name value`, so
 * that what has to be learnt is one rule: on meeting a name, find what followed it before.
 *
 *     | bindings              | filler: practice pairs, noise          | questions             |
 *     | a 7  k 3  c 9  ...    | m 4 . . m 4  p 1 . p 1  .  .           | c 9  a 7  k 3  ...    |
 *
 * No gradient flows into a memory, so far answers alone teach nothing: its keys and values would never learn. The filler
 * therefore holds *practice*: pairs of other names, bound and asked again within a few tokens, which the local attention of
 * the memory's layer can answer. The memory holds that layer's keys and searches with its queries, so it profits at
 * once. It has to be in the layer that learns to look up: the second, since the first must bring each name to its value.
 */
const recallOptionsSchema = z.strictObject({
  /** Pairs that are bound and asked for far away. */
  pairs: z.int().min(1).default(16),
  /** Every answer is more than so many tokens behind its question. See `localReach`. */
  minimumDistance: z.int().min(0),
  /** Pairs in the filler that are bound and asked again near by. */
  practicePairs: z.int().min(0).default(16),
  /** Most other practice pairs between a practice binding and its question. */
  practiceSpread: z.int().min(0).default(4),
  /** Tokens of a name and of a value. */
  nameLength: z.int().min(1).max(4).default(1),
  valueLength: z.int().min(1).max(4).default(1),
  /** How many different tokens names, values and noise are made of. */
  nameTokens: z.int().min(2).default(64),
  valueTokens: z.int().min(2).default(16),
  noiseTokens: z.int().min(1).default(4),
  seed: z.int().default(0),
})
export type RecallOptions = z.input<typeof recallOptionsSchema>
type Checked = z.output<typeof recallOptionsSchema>

/** What a token is for. */
export const recallRole = { other: 0, practice: 1, answer: 2 } as const

export interface RecallDocument {
  /** Ids, `[length]`. */
  readonly tokens: Uint16Array
  /** For each token `recallRole`: `answer` has to be recalled from far, `practice` from near, `other` cannot be known. */
  readonly roles: Uint8Array
  /** For each token with a role, how many tokens back the same token of its binding stands; 0 elsewhere. */
  readonly distances: Uint32Array
}

export interface RecallTask {
  readonly vocabularySize: number
  /** Padding (id 0), and a byte for every token, so that it packs like a tokenizer's. */
  readonly units: TokenUnits
  /** Tokens of each document, the same for all. */
  readonly documentTokens: number
  /** Tokens of each document that have to be recalled from far. */
  readonly answersPerDocument: number
  /** Accuracy of the best guess per answer token, without recall: values are drawn independently and evenly. */
  readonly chance: number
  /** Document number `index`, a function of seed and index alone. */
  document(index: number): RecallDocument
  /**
   * Documents `first` to `first + count - 1` for packing, made when read. `weights` says what counts as a target: the far
   * answers alone (to measure), answers and practice (to train; the default), or every token.
   */
  documents(first: number, count: number, weights?: 'answers' | 'answers-and-practice' | 'all'): TokenDocument[]
}

/**
 * How far back, in tokens, anything can reach without a memory: each layer attends at most over its segment and cache,
 * and what it sees there was made by the layer below in the same way. A recall task with this `minimumDistance` cannot
 * be solved by a Transformer-XL of these sizes, whatever it learns.
 */
export const localReach = ({ layers, segment, cache }: { layers: number; segment: number; cache: number }): number => layers * (segment + cache)

/** A recall task with these parameters. Throws `DataError` when they cannot be. */
export function recallTask(options: RecallOptions): RecallTask {
  const checked = recallOptionsSchema.safeParse(options)
  if (!checked.success) throw new DataError(`recall task: ${issueText(checked.error)}`, 'DATA_OPTIONS')
  const given = checked.data
  const names = given.nameTokens ** given.nameLength
  if (given.pairs + given.practicePairs > names)
    throw new DataError(
      `recall task: ${given.pairs} pairs and ${given.practicePairs} practice pairs need as many names, but ${given.nameTokens} tokens in names of ${given.nameLength} give ${names}`,
      'DATA_OPTIONS',
    )
  const vocabularySize = 1 + given.nameTokens + given.valueTokens + given.noiseTokens
  if (vocabularySize > 2 ** 16) throw new DataError(`recall task: ${vocabularySize} different tokens, at most ${2 ** 16} are possible`, 'DATA_OPTIONS')
  const pairTokens = given.nameLength + given.valueLength
  // The last pair bound may be the first asked: the filler alone has to be long enough for that one.
  const fillerTokens = Math.max(given.practicePairs * 2 * pairTokens, given.minimumDistance - pairTokens + 1, 0)
  const documentTokens = 2 * given.pairs * pairTokens + fillerTokens
  const document = (index: number): RecallDocument => makeDocument(given, index, fillerTokens, documentTokens)
  return {
    vocabularySize,
    units: { padding: 0, tokenBytes: new Uint32Array(vocabularySize).fill(1, 1) },
    documentTokens,
    answersPerDocument: given.pairs * given.valueLength,
    chance: 1 / given.valueTokens,
    document,
    documents: (first, count, weights = 'answers-and-practice') =>
      Array.from({ length: count }, (_, i) => packable(document, first + i, documentTokens, weights)),
  }
}

/** The task's document as one for packing; made anew when read, kept while it is being read. */
function packable(make: (index: number) => RecallDocument, index: number, tokenCount: number, weights: 'answers' | 'answers-and-practice' | 'all'): TokenDocument {
  const least = weights === 'answers' ? recallRole.answer : weights === 'all' ? recallRole.other : recallRole.practice
  let made: RecallDocument | undefined
  const part = (end: number): RecallDocument => {
    const document = (made ??= make(index))
    // Read to its end, it is not needed for a while: a stream of many documents holds few of them.
    if (end >= tokenCount) made = undefined
    return document
  }
  return {
    name: `recall/${index}`,
    tokenCount,
    read: (start, end) => part(0).tokens.subarray(start, end),
    weights: (start, end) => Float32Array.from(part(end).roles.subarray(start, end), (role) => (role >= least ? 1 : 0)),
  }
}

interface Pair {
  readonly name: readonly number[]
  readonly value: readonly number[]
}

function makeDocument(options: Checked, index: number, fillerTokens: number, documentTokens: number): RecallDocument {
  const { pairs, practicePairs, nameLength, valueLength, nameTokens, valueTokens, noiseTokens, practiceSpread } = options
  const random = new SeededRandom('recall', options.seed, index)
  const firstName = 1
  const firstValue = firstName + nameTokens
  const firstNoise = firstValue + valueTokens
  const all = random.distinct(pairs + practicePairs, nameTokens ** nameLength).map((code): Pair => ({
    name: Array.from({ length: nameLength }, (_, i) => firstName + (Math.floor(code / nameTokens ** i) % nameTokens)),
    value: Array.from({ length: valueLength }, () => firstValue + random.below(valueTokens)),
  }))
  const far = all.slice(0, pairs)

  const tokens = new Uint16Array(documentTokens)
  const roles = new Uint8Array(documentTokens)
  const distances = new Uint32Array(documentTokens)
  const boundAt = new Map<Pair, number>()
  let at = 0
  const put = (pair: Pair, role: number): void => {
    tokens.set(pair.name, at)
    at += nameLength
    tokens.set(pair.value, at)
    const bound = boundAt.get(pair)
    if (bound === undefined) boundAt.set(pair, at)
    else {
      roles.fill(role, at, at + valueLength)
      distances.fill(at - bound, at, at + valueLength)
    }
    at += valueLength
  }

  for (const pair of far) put(pair, recallRole.other)
  const fillerEnd = at + fillerTokens
  const practice = practiceOrder(all.slice(pairs), practiceSpread, random)
  for (const [i, pair] of practice.entries()) {
    // Noise between the pairs, spread over what the filler has to spare.
    const spare = fillerEnd - at - (practice.length - i) * (nameLength + valueLength)
    const noise = random.below(Math.min(spare, Math.ceil((2 * spare) / (practice.length - i))) + 1)
    for (const end = at + noise; at < end; at++) tokens[at] = firstNoise + random.below(noiseTokens)
    put(pair, recallRole.practice)
  }
  for (; at < fillerEnd; at++) tokens[at] = firstNoise + random.below(noiseTokens)
  for (const pair of random.shuffle(far.slice())) put(pair, recallRole.answer)
  return { tokens, roles, distances }
}

/** Every pair twice, the second time at most `spread` other pairs' first times after its own. */
function practiceOrder(pairs: readonly Pair[], spread: number, random: SeededRandom): Pair[] {
  const order: Pair[] = []
  const open: { pair: Pair; due: number }[] = []
  for (const [i, pair] of pairs.entries()) {
    order.push(pair)
    open.push({ pair, due: i + random.below(spread + 1) })
    for (const ready of random.shuffle(open.filter(({ due }) => due <= i))) {
      order.push(ready.pair)
      open.splice(open.indexOf(ready), 1)
    }
  }
  return [...order, ...random.shuffle(open.map(({ pair }) => pair))]
}
