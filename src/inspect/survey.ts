import { type LossTotals, addLoss, noLoss } from '../data/loss-units.ts'
import type { TokenDocument } from '../data/token-documents.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { type DefinitionRule, type ReferenceRules, findDefinitions, findReferences, rulesFor } from './definitions.ts'
import type { Inspector } from './inspector.ts'
import { type ReferenceCounts, ReferenceCounter, type ReferenceOptions, addCounts, emptyCounts } from './references.ts'
import { tokenText } from './token-text.ts'

export interface SurveyOptions extends ReferenceOptions, Partial<Pick<ReferenceRules, 'shortestName'>> {
  /** Without them those that fit each document's name. */
  readonly rules?: readonly DefinitionRule[]
  /** Told after each segment how many tokens were read. */
  readonly onProgress?: (tokens: number, all: number) => void
}

/** What was found in many documents. */
export interface Survey {
  readonly documents: number
  readonly references: ReferenceCounts
  readonly with: LossTotals
  /** Absent for a model without memory. */
  readonly without?: LossTotals
}

/**
 * Reads many documents and sums up: the losses with and without the memory, and how often the use of a name retrieved its definition. Nothing is kept of
 * a document that was read. The parameters stay the caller's. Throws as `Inspector.segments`.
 */
export async function surveyDocuments(inspector: Inspector, parameters: unknown, documents: readonly TokenDocument[], tokenizer: Tokenizer, options: SurveyOptions = {}): Promise<Survey> {
  const references = emptyCounts()
  let [seen, blind] = [noLoss, noLoss]
  const open = new Map<number, { readonly ids: ArrayLike<number>; readonly counter: ReferenceCounter }>()
  const all = documents.reduce((sum, { tokenCount }) => sum + tokenCount, 0)
  let read = 0
  for await (const segment of inspector.segments(parameters, documents, tokenizer)) {
    const document = documents[segment.document]
    const reading = open.get(segment.document) ?? begin(document, tokenizer, options)
    open.set(segment.document, reading)
    reading.counter.add(segment)
    const { offset, length, loss, lossWithout } = segment
    let bytes = 0
    for (let i = offset + 1; i <= offset + length; i++) bytes += tokenizer.tokenBytes[reading.ids[i]]
    const totals = (losses: Float32Array): LossTotals => ({ nats: losses.reduce((sum, nats) => sum + nats, 0), tokens: length, bytes })
    seen = addLoss(seen, totals(loss))
    if (lossWithout) blind = addLoss(blind, totals(lossWithout))
    read += length
    options.onProgress?.(read, all)
    if (offset + length + 1 < document.tokenCount) continue
    addCounts(references, reading.counter.counts)
    open.delete(segment.document)
  }
  return { documents: documents.length, references, with: seen, ...(inspector.memory ? { without: blind } : {}) }
}

function begin(document: TokenDocument, tokenizer: Tokenizer, { rules, shortestName, after }: SurveyOptions) {
  const { name } = document
  const ids = document.read(0, document.tokenCount)
  const text = tokenText(ids, tokenizer)
  const chosen = rules ?? rulesFor(name, text.text)
  const definitions = findDefinitions(text.text, { rules: chosen, ...(shortestName === undefined ? {} : { shortestName }) })
  return { ids, counter: new ReferenceCounter(text, findReferences(text.text, definitions, { rules: chosen }), after === undefined ? {} : { after }) }
}
