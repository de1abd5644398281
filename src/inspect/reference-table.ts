import type { Table } from '../report/report.ts'
import { formatNumber } from '../report/text.ts'
import type { DefinitionRule } from './definitions.ts'
import { type DistanceTally, type QueryKind, type ReferenceCounts, type Tally, queryKinds, totalTally } from './references.ts'

/** A part of what is said of references: a title, paragraphs, and a table where there is something to count. */
export interface ReferencePart {
  readonly title: string
  readonly text: readonly string[]
  readonly table?: Table
}

const explanations: Readonly<Record<QueryKind, { title: string; text: string }>> = {
  within: { title: 'Within a name', text: 'The tokens of a name that is used, but for the last: each predicts the next token of the name.' },
  before: { title: 'Before a name', text: 'The token before a name that is used: it predicts the first token of the name, and cannot know which name comes.' },
  after: { title: 'At the end of a name', text: 'The last token of a name that is used: it has read the whole name.' },
}

const distanceText = ({ from, to }: DistanceTally): string => (to === Infinity ? `${formatNumber(from)} and more` : `${formatNumber(from)} to ${formatNumber(to - 1)}`)
const share = (count: number, queries: number): number | null => (queries === 0 ? null : Math.round((1000 * count) / queries) / 10)

const cells = ({ queries, definition, answer, earlier, weight, chance, answerChance }: Tally): (number | null)[] =>
  [queries, share(definition, queries), share(chance, queries), share(answer, queries), share(answerChance, queries), share(earlier, queries), share(weight, queries)]

/** What the counts say, as tables: for each kind of query by distance, and head by head. */
export function referenceTables(counts: ReferenceCounts, rules: readonly DefinitionRule[]): ReferencePart[] {
  const columns = ['queries', 'definition %', 'by chance %', 'answer %', 'by chance %', 'any earlier %', 'weight %']
  const parts: ReferencePart[] = [
    {
      title: 'Definitions and their uses',
      text: [
        `${formatNumber(counts.references)} uses of ${formatNumber(counts.definitions)} names that the document defines before. Definitions are ${rules.map(({ title }) => title).join('; ') || 'of no language that is known'}. A use means the last definition before it.`,
        'Definition: some head retrieved a place from the token before the defined name to 16 tokens behind it. By chance: how often as many places drawn at random would have done so. Answer: some head retrieved, in the definition, the very token to be predicted; again with what chance would do. Any earlier: some head retrieved an earlier place of the name, definition or use. Weight: the attention to the memory that went to the definition, as a mean over heads.',
      ],
    },
  ]
  for (const kind of (['within', 'before', 'after'] as const) satisfies readonly (typeof queryKinds)[number][]) {
    const { title, text } = explanations[kind]
    const { notYet, lost } = counts.unreachable[kind]
    const seen = counts.byKind[kind].filter(({ queries }) => queries > 0)
    const left = notYet + lost > 0 ? ` Left out: ${formatNumber(notYet)} queries whose definition was not in the memory yet, ${formatNumber(lost)} whose definition it had lost.` : ''
    parts.push({
      title,
      text: [text + left],
      ...(seen.length > 0 ? { table: { columns: ['distance in tokens', ...columns], rows: [...seen.map((tally) => [distanceText(tally), ...cells(tally)]), ['all', ...cells(totalTally(seen))]], highlight: [seen.length] } } : {}),
    })
  }
  const heads = counts.byHead.flatMap(({ layer, heads: tallies }) => tallies.map((tally, head) => [`layer ${layer}, head ${head + 1}`, ...cells(tally)]))
  if (heads.length > 0) parts.push({ title: 'Head by head', text: ['Within a name, each head by itself.'], table: { columns: ['head', ...columns], rows: heads } })
  return parts
}
