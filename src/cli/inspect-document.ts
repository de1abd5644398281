import { basename } from 'node:path'
import { writeFileAtomic } from '../data/atomic-file.ts'
import { DataError } from '../data/errors.ts'
import { memoryDocument } from '../data/token-documents.ts'
import { type DefinitionRule, type Reference, findDefinitions, findReferences, ruleFromPattern, rulesFor } from '../inspect/definitions.ts'
import { DocumentCollector, type InspectedDocument, documentTotals, mostChanged, placesThatFit } from '../inspect/inspected-document.ts'
import { Inspector } from '../inspect/inspector.ts'
import { type Inspection, renderInspection } from '../inspect/page.ts'
import { ReferenceCounter, type ReferenceCounts, totalTally } from '../inspect/references.ts'
import { type TokenText, tokenText } from '../inspect/token-text.ts'
import { InputError } from '../ir/errors.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { type Session, isDeviceBuffer } from '../program/session.ts'
import { flatten } from '../trace/tree.ts'
import { type CheckpointModel, readCheckpointModel } from './checkpoint-model.ts'
import { type FoundDocument, findDocument } from './document-to-inspect.ts'
import { stoppable } from './interruption.ts'
import { changesText } from './options.ts'
import { ProgressLine } from './progress-line.ts'
import { TimeLimitError, withTimeLimit } from './time-limit.ts'
import { packageVersion } from './version.ts'

export interface InspectFlags {
  readonly out?: string
  readonly json?: string
  readonly tokens?: number
  readonly neighbours?: number
  readonly definition?: readonly string[]
  readonly set: Readonly<Record<string, unknown>>
  readonly backend: BackendName
}

/** Bytes of places that a page holds unless it is told how many to keep; as text they take a third more. */
const placesBudgetBytes = 24e6
/** What a search with the user's own expressions may take. */
const patternLimitMs = 30_000

/** What was read of a document. */
interface Reading {
  readonly inspector: Pick<Inspector, 'memory' | 'gates'>
  readonly document: InspectedDocument
  readonly references: { readonly counts: ReferenceCounts; readonly rules: readonly DefinitionRule[] } | undefined
}

/** Reads a document with the checkpoint that `path` means and writes the page. Throws `TrainError`, `DataError`, `InputError`. */
export const inspect = (path: string, name: string, flags: InspectFlags): Promise<void> =>
  stoppable(async (signal) => {
    const own = flags.definition?.map(ruleFromPattern)
    const model = await readCheckpointModel(path, { set: flags.set })
    const found = await findDocument(name, model.run.data, model.tokenizer)
    const ids = Array.from({ length: Math.min(found.ids.length, flags.tokens ?? Infinity) }, (_, i) => found.ids[i])
    checkTokens(found.name, ids, model)
    const text = tokenText(ids, model.tokenizer)
    const rules = own ?? rulesFor(found.name, text.text)
    const session = await startSession(flags.backend)
    try {
      const reading = await read(session, model, text, rules, flags, signal)
      if (signal.aborted) throw new Error('interrupted')
      const inspection = inspectionOf(model, found, reading, session, flags.set)
      const out = flags.out ?? `${basename(found.name).replace(/[^\w.-]+/g, '-')}.inspect.html`
      await writeText(out, renderInspection(inspection))
      const figures = figuresOf(model, found, reading, flags.set)
      if (flags.json !== undefined && flags.json !== '-') await writeText(flags.json, `${JSON.stringify(figures, null, 2)}\n`)
      process.stdout.write(flags.json === '-' ? `${JSON.stringify(figures)}\n` : `${summary(figures)}\npage: ${out}\n`)
    } finally {
      await session.close()
    }
  })

const writeText = (path: string, text: string): Promise<void> => writeFileAtomic(path, (writer) => writer.write(new TextEncoder().encode(text)))

function checkTokens(name: string, ids: readonly number[], { trained, checkpoint }: CheckpointModel): void {
  const { vocabularySize } = trained.config as { vocabularySize: number }
  if (ids.length < 2) throw new DataError(`${name} has ${ids.length} token${ids.length === 1 ? '' : 's'}: two are needed, for something to be predicted`, 'CORPUS_TOO_SHORT', { path: name })
  const foreign = ids.findIndex((id) => id >= vocabularySize)
  if (foreign >= 0)
    throw new DataError(`${name} has token ${ids[foreign]} at place ${foreign}, but the model in ${checkpoint} knows ${vocabularySize} tokens alone: it was trained with another tokenizer`, 'TOKEN_RANGE', { path: name })
}

async function read(session: Session, { trained, tokenizer, spec, parameters: arrays }: CheckpointModel, text: TokenText, rules: readonly DefinitionRule[], flags: InspectFlags, signal: AbortSignal): Promise<Reading> {
  const references = referencesOf(text.text, rules)
  const parameters = session.put(arrays)
  const inspector = await Inspector.create(session, trained, spec)
  const { heads = 1 } = trained.config as { heads?: number }
  const kept = flags.neighbours ?? placesThatFit(text.ids.length, heads * (inspector.memory?.layers.length ?? 1), placesBudgetBytes)
  const collector = new DocumentCollector(text, kept)
  const counter = new ReferenceCounter(text, references)
  const progress = new ProgressLine()
  for await (const segment of inspector.segments(parameters, [memoryDocument('document', Uint32Array.from(text.ids))], tokenizer)) {
    collector.add(segment)
    counter.add(segment)
    progress.show(`reading: ${segment.offset + segment.length + 1} of ${text.ids.length} tokens`)
    if (signal.aborted) break
  }
  progress.end()
  for (const leaf of flatten(parameters, isDeviceBuffer, 'the parameters').leaves) leaf.release()
  return { inspector, document: collector.document, references: inspector.memory && references.length > 0 ? { counts: counter.counts, rules } : undefined }
}

/** The uses of defined names. Throws `InputError` `DEFINITION_PATTERN` where a pattern takes too long. */
function referencesOf(text: string, rules: readonly DefinitionRule[]): Reference[] {
  try {
    return withTimeLimit(patternLimitMs, () => findReferences(text, findDefinitions(text, { rules }), { rules }))
  } catch (error) {
    if (!(error instanceof TimeLimitError)) throw error
    throw new InputError(`the search for definitions by ${rules.map(({ title }) => title).join(' and ')} ${error.message}: give a simpler --definition`, 'DEFINITION_PATTERN', error)
  }
}

function inspectionOf({ trained, tokenizer, manifest, run, checkpoint }: CheckpointModel, found: FoundDocument, { inspector: { memory, gates }, document, references }: Reading, session: Session, set: InspectFlags['set']): Inspection {
  const { segmentLength, neighbours = 0, layers, width } = trained.config as { segmentLength: number; neighbours?: number; layers: number; width: number }
  const of = found.split === undefined ? '' : `, a ${found.split} document`
  return {
    title: found.name,
    subtitle: `${trained.model.name} of ${layers} layers and width ${width} after ${manifest.step} steps on ${basename(run.data.corpus)}${of}${Object.keys(set).length > 0 ? `, read with${changesText(set).slice(1)}` : ''}`,
    document,
    tokenBytes: tokenizer.tokenBytes,
    ended: document.text.ids[document.text.ids.length - 1] === tokenizer.endOfDocument,
    segment: segmentLength,
    ...(memory ? { memory: { ...memory, neighbours, gates } } : {}),
    ...(references ? { references } : {}),
    generated: { date: new Date().toISOString(), versions: { engram: packageVersion, ...session.backend.versions }, command: `engram inspect ${checkpoint} ${found.name}${setFlags(set)}`, seeds: [run.seed] },
  }
}

const setFlags = (set: InspectFlags['set']): string =>
  Object.keys(set).length > 0 ? ` --set ${Object.entries(set).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')}` : ''

type Figures = ReturnType<typeof figuresOf>

function figuresOf({ manifest, trained, tokenizer, checkpoint }: CheckpointModel, found: FoundDocument, { inspector: { memory, gates }, document, references }: Reading, set: InspectFlags['set']) {
  const token = (i: number) => ({ token: i, text: document.text.text.slice(document.text.starts[i], document.text.starts[i + 1]), loss: document.loss[i], lossWithout: document.lossWithout![i] })
  return {
    checkpoint,
    step: manifest.step,
    set,
    model: trained.model.name,
    document: found.name,
    ...(found.split ? { split: found.split } : {}),
    ...documentTotals(document, tokenizer.tokenBytes),
    memory: memory ? { ...memory, gates: gates.map((layer) => Array.from(layer)) } : null,
    mostGained: mostChanged(document, 100, 1).map(token),
    mostLost: mostChanged(document, 100, -1).map(token),
    references: references?.counts ?? null,
  }
}

/** The figures in a few lines. */
function summary({ document, model, with: seen, without, gained, references }: Figures): string {
  const tokens = `${document}: ${(seen.tokens + 1).toLocaleString('en')} tokens`
  if (!without) return `${tokens}, ${seen.bitsPerByte.toFixed(4)} bits per byte; ${model} has no external memory, so the page shows the losses alone`
  const lines = [`${tokens}, bits per byte ${seen.bitsPerByte.toFixed(4)} with memory, ${without.bitsPerByte.toFixed(4)} without; ${(100 * gained!).toFixed(0)} % of the tokens gained`]
  const within = totalTally(references?.byKind.within ?? [])
  if (within.queries > 0)
    lines.push(`within names, ${((100 * within.definition) / within.queries).toFixed(1)} % of ${within.queries.toLocaleString('en')} queries retrieved the definition (by chance ${((100 * within.chance) / within.queries).toFixed(1)} %)`)
  return lines.join('\n')
}
