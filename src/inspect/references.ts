import type { Reference } from './definitions.ts'
import type { InspectedSegment, LayerRetrieval } from './segment.ts'
import { type TokenText, tokenAt } from './token-text.ts'

/**
 * How often the use of a name makes a model retrieve the place where it was defined. A name in use asks the memory several times, and the
 * queries are counted apart by what they know of it:
 *
 * - `before`: the token before the name, which predicts its first token: what is asked for is a name that has not begun.
 * - `within`: the tokens of the name but for the last, each of which predicts the next one.
 * - `after`: the last token of the name, which has read all of it.
 *
 * A query has retrieved the *definition* if one of its places lies from the token before the defined name to `after` tokens behind it. It has
 * retrieved the *answer* if one of them is, in the defined name, the very token to be predicted (for `after`: the token behind the
 * name). Values know what stands up to their own place, so the place that can tell a token is that token's own, not the one before it.
 * `earlier` counts those that retrieved any earlier place of the same name, be it the definition or a use.
 */
export const queryKinds = ['before', 'within', 'after'] as const
export type QueryKind = (typeof queryKinds)[number]

/** Sums over queries whose definition was in the memory. */
export interface Tally {
  queries: number
  definition: number
  answer: number
  earlier: number
  /** Sum of the attention that went to the definition, as a mean over heads. */
  weight: number
  /** Sum of the probabilities that as many places drawn at random, head by head, would have hit the definition; */
  chance: number
  /** and the same of the answer. */
  answerChance: number
}

/** Queries by the distance, in tokens, from the defined name's first token to the query. */
export interface DistanceTally extends Tally {
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

export interface ReferenceCounts {
  /** Uses of names whose definition stands before them. */
  references: number
  definitions: number
  readonly byKind: Readonly<Record<QueryKind, DistanceTally[]>>
  /** Of the kind `within`, by layer and head: the same sums. */
  readonly byHead: { readonly layer: number; readonly heads: Tally[] }[]
  /** Queries of which nothing can be said: the definition had not been written yet, or the memory had lost it. */
  readonly unreachable: Record<QueryKind, { notYet: number; lost: number }>
}

export interface ReferenceOptions {
  /** Tokens behind a defined name that still count as its definition. */
  readonly after?: number
}

/** One query about a name. All numbers are tokens. */
interface Query {
  readonly kind: QueryKind
  readonly place: number
  readonly first: number
  readonly last: number
  readonly name: number
}

const emptyTally = (): Tally => ({ queries: 0, definition: 0, answer: 0, earlier: 0, weight: 0, chance: 0, answerChance: 0 })

/** Nothing counted yet. Distances are divided at powers of two from 64 on. */
export function emptyCounts(): ReferenceCounts {
  const bins = (): DistanceTally[] => Array.from({ length: 16 }, (_, i) => ({ from: i === 0 ? 0 : 2 ** (i + 5), to: i === 15 ? Infinity : 2 ** (i + 6), ...emptyTally() }))
  return {
    references: 0,
    definitions: 0,
    byKind: { before: bins(), within: bins(), after: bins() },
    byHead: [],
    unreachable: { before: { notYet: 0, lost: 0 }, within: { notYet: 0, lost: 0 }, after: { notYet: 0, lost: 0 } },
  }
}

function addTally(into: Tally, from: Tally): void {
  for (const key of ['queries', 'definition', 'answer', 'earlier', 'weight', 'chance', 'answerChance'] as const) into[key] += from[key]
}

/** The tallies of all distances as one. */
export function totalTally(tallies: readonly Tally[]): Tally {
  const sum = emptyTally()
  for (const tally of tallies) addTally(sum, tally)
  return sum
}

/** Adds the counts of one document, or of one run over several, to `into`. */
export function addCounts(into: ReferenceCounts, from: ReferenceCounts): void {
  into.references += from.references
  into.definitions += from.definitions
  for (const kind of queryKinds) {
    from.byKind[kind].forEach((tally, i) => addTally(into.byKind[kind][i], tally))
    into.unreachable[kind].notYet += from.unreachable[kind].notYet
    into.unreachable[kind].lost += from.unreachable[kind].lost
  }
  from.byHead.forEach(({ layer, heads }, i) => {
    into.byHead[i] ??= { layer, heads: heads.map(emptyTally) }
    heads.forEach((tally, head) => addTally(into.byHead[i].heads[head], tally))
  })
}

/** Counts one document, segment by segment in any order. */
export class ReferenceCounter {
  readonly counts = emptyCounts()
  readonly #ids: ArrayLike<number>
  readonly #after: number
  readonly #queries: readonly Query[]
  /** For each token the name that it is part of, by number from 1; 0 for none. */
  readonly #nameOf: Int32Array

  constructor(text: TokenText, references: readonly Reference[], { after = 16 }: ReferenceOptions = {}) {
    this.#ids = text.ids
    this.#after = after
    const tokens = (start: number, end: number) => ({ first: tokenAt(text, start), last: tokenAt(text, end - 1) })
    this.#nameOf = new Int32Array(text.ids.length)
    const numbers = new Map<string, number>()
    const queries: Query[] = []
    for (const { name, start, end, definition } of references) {
      const number = numbers.get(name) ?? numbers.size + 1
      numbers.set(name, number)
      const used = tokens(start, end)
      const { first, last } = tokens(definition.start, definition.end)
      this.#nameOf.fill(number, first, last + 1)
      this.#nameOf.fill(number, used.first, used.last + 1)
      for (let place = Math.max(0, used.first - 1); place <= used.last; place++)
        queries.push({ kind: place < used.first ? 'before' : place < used.last ? 'within' : 'after', place, first, last, name: number })
    }
    this.#queries = queries.sort((a, b) => a.place - b.place)
    this.counts.references = references.length
    this.counts.definitions = new Set(references.map(({ definition }) => definition.start)).size
  }

  /** Counts the queries that a segment has made. */
  add(segment: InspectedSegment): void {
    const end = segment.offset + segment.length
    let low = 0
    for (let high = this.#queries.length; low < high; ) {
      const middle = (low + high) >> 1
      if (this.#queries[middle].place < segment.offset) low = middle + 1
      else high = middle
    }
    for (; low < this.#queries.length && this.#queries[low].place < end; low++) this.#count(this.#queries[low], segment)
  }

  #count(query: Query, { layers, readable, offset }: InspectedSegment): void {
    if (layers.length === 0) return
    const window = { from: query.first - 1, to: Math.min(query.last + this.#after, query.place - 1) }
    const reachable = Math.min(window.to + 1, readable.to) - Math.max(window.from, readable.from)
    if (query.first >= readable.to) return void this.counts.unreachable[query.kind].notYet++
    if (reachable <= 0 || query.last < readable.from) return void this.counts.unreachable[query.kind].lost++
    const found = { ...emptyTally(), queries: 1 }
    const answers = this.#answers(query).filter((place) => place >= readable.from && place < readable.to)
    const all = readable.to - readable.from
    let [miss, answerMiss, heads] = [1, 1, 0]
    layers.forEach((layer, index) => {
      const tallies = (this.counts.byHead[index] ??= { layer: layer.layer, heads: Array.from({ length: layer.heads }, emptyTally) }).heads
      for (let head = 0; head < layer.heads; head++, heads++) {
        const { tally, drawn } = this.#look(query, window, answers, layer, (head * layer.queries + query.place - offset) * layer.neighbours)
        tally.chance = chanceOfHit(all, reachable, drawn)
        tally.answerChance = chanceOfHit(all, answers.length, drawn)
        miss *= 1 - tally.chance
        answerMiss *= 1 - tally.answerChance
        if (query.kind === 'within') addTally(tallies[head], tally)
        for (const key of ['definition', 'answer', 'earlier'] as const) found[key] = Math.max(found[key], tally[key])
        found.weight += tally.weight
      }
    })
    found.weight /= heads
    found.chance = 1 - miss
    found.answerChance = 1 - answerMiss
    const distance = query.place - query.first
    addTally(this.counts.byKind[query.kind].find(({ to }) => distance < to)!, found)
  }

  /** The places of the definition that can tell a query the token that it should predict. */
  #answers({ kind, place, first, last }: Query): number[] {
    const [from, to] = kind === 'after' ? [last + 1, last + 1] : [first, last]
    return Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((each) => this.#ids[each] === this.#ids[place + 1])
  }

  /** What one head retrieved for a query, and how many places. */
  #look(query: Query, window: { from: number; to: number }, answers: readonly number[], { places, weights, neighbours }: LayerRetrieval, row: number): { tally: Tally; drawn: number } {
    const tally = { ...emptyTally(), queries: 1 }
    let drawn = 0
    for (let i = row; i < row + neighbours; i++) {
      const place = places[i]
      if (place < 0) continue
      drawn++
      if (this.#nameOf[place] === query.name) tally.earlier = 1
      if (answers.includes(place)) tally.answer = 1
      if (place < window.from || place > window.to) continue
      tally.definition = 1
      tally.weight += weights[i]
    }
    return { tally, drawn }
  }
}

/** The probability that `drawn` of `all` places, drawn at random, have at least one of `wanted`. */
export function chanceOfHit(all: number, wanted: number, drawn: number): number {
  let miss = 1
  for (let i = 0; i < drawn; i++) miss *= Math.max(0, all - wanted - i) / Math.max(1, all - i)
  return 1 - miss
}

/** Counts the references of one document from all its segments. */
export function countReferences(text: TokenText, references: readonly Reference[], segments: Iterable<InspectedSegment>, options?: ReferenceOptions): ReferenceCounts {
  const counter = new ReferenceCounter(text, references, options)
  for (const segment of segments) counter.add(segment)
  return counter.counts
}
