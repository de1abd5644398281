import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { memoryDocument } from '../../src/data/token-documents.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import type { DecoderParameters } from '../../src/models/decoder.ts'
import { type ConfiguredModel, configure } from '../../src/models/registry.ts'
import { findDefinitions, findReferences, rulesFor } from '../../src/inspect/definitions.ts'
import { Inspector } from '../../src/inspect/inspector.ts'
import { DocumentCollector, documentTotals } from '../../src/inspect/inspected-document.ts'
import { addCounts, countReferences, emptyCounts, totalTally } from '../../src/inspect/references.ts'
import { surveyDocuments } from '../../src/inspect/survey.ts'
import type { InspectedSegment } from '../../src/inspect/segment.ts'
import { tokenText } from '../../src/inspect/token-text.ts'
import { evaluate } from '../../src/program/evaluate.ts'
import type { HostOf } from '../../src/program/evaluate.ts'
import type { Session } from '../../src/program/session.ts'
import { startSession } from '../../src/program/start.ts'
import { unflatten } from '../../src/trace/tree.ts'
import { Evaluator } from '../../src/train/evaluator.ts'
import { initProgram, seedKey } from '../../src/train/programs.ts'
import { tinyModel, tinyRun } from '../train/tiny-run.ts'

type HostParameters = HostOf<DecoderParameters>

const tokenizer = byteTokenizer()
const encode = (text: string) => tokenizer.encode(new TextEncoder().encode(text)) as Uint8Array
const text = encode('let ADD_COMM = prove(`m + n = n + m`);; and a good deal later by ADD_COMM again, as is often done with ADD_COMM')

const drawn = (trained: ConfiguredModel, seed = 3) => evaluate((key: Tensor) => trained.model.initialParameters(trained.config, key), seedKey(seed)) as HostParameters
const typesOf = (trained: ConfiguredModel) => {
  const init = initProgram(trained, tinyRun())
  return (unflatten(init.outputStructure, init.outputs) as { parameters: unknown }).parameters
}

async function inspected(session: Session, trained: ConfiguredModel, parameters: unknown, documents: readonly (Uint8Array | Int32Array)[], slots = 1) {
  const inspector = await Inspector.create(session, trained, typesOf(trained), { slots })
  const segments: InspectedSegment[] = []
  for await (const segment of inspector.segments(session.put(parameters), documents.map((ids, i) => memoryDocument(`d${i}`, ids)), tokenizer)) segments.push(segment)
  await inspector.release()
  return { segments, gates: inspector.gates, memory: inspector.memory }
}

const evaluated = async (session: Session, trained: ConfiguredModel, parameters: unknown, ids: Uint8Array) => {
  const evaluator = await Evaluator.create(session, trained, 1, typesOf(trained))
  return evaluator.evaluate(session.put(parameters), [memoryDocument('d', ids)], { tokenizer })
}

const gathered = (segments: readonly InspectedSegment[], ids: Uint8Array | Int32Array, kept = 4) => {
  const collector = new DocumentCollector(tokenText(ids, tokenizer), kept)
  for (const segment of segments) collector.add(segment)
  return collector.document
}

describe('inspection', () => {
  let interpreter: Session
  beforeAll(async () => {
    interpreter = await startSession('interpreter')
  })
  afterAll(() => interpreter.close())

  it('gives the loss of every token, which sum up to what an evaluation says', async () => {
    const trained = tinyModel({ dropout: 0 })
    const parameters = drawn(trained)
    const { segments } = await inspected(interpreter, trained, parameters, [text])
    const totals = documentTotals(gathered(segments, text), tokenizer.tokenBytes)
    const evaluation = await evaluated(interpreter, trained, parameters, text)
    expect(totals.with.nats).toBeCloseTo(evaluation.nats, 3)
    expect(totals.with.bitsPerByte).toBeCloseTo(evaluation.bitsPerByte, 5)
    expect(totals.with.tokens).toBe(text.length - 1)
  })

  it('hides the memory so that the local attention alone is left, as if all gates were shut', async () => {
    const trained = tinyModel({ dropout: 0, gateBias: 2 })
    const parameters = drawn(trained)
    const { segments } = await inspected(interpreter, trained, parameters, [text])
    const totals = documentTotals(gathered(segments, text), tokenizer.tokenBytes)
    const shut = { ...parameters, layers: parameters.layers.map((layer) => (layer.memoryGate ? { ...layer, memoryGate: HostArray.of('f32', [2], [-1e4, -1e4]) } : layer)) }
    const evaluation = await evaluated(interpreter, trained, shut, text)
    expect(totals.without!.nats).toBeCloseTo(evaluation.nats, 3)
    expect(Math.abs(totals.without!.nats - totals.with.nats)).toBeGreaterThan(0.01)
  })

  // A ring of 20 places stores its rows in order, one of 128 mixed.
  for (const memorySize of [20, 128])
    it(`says which places of the document were retrieved from a ring of ${memorySize}`, async () => {
      const trained = tinyModel({ dropout: 0, memoryLayers: [1], memorySize, neighbours: 1 })
      const parameters = drawn(trained)
      // Keys of the first layer know their token alone; queries that are projected like keys then find their own token.
      const [first, ...others] = parameters.layers
      const same = { ...parameters, layers: [{ ...first, attention: { ...first.attention, query: first.attention.key } }, ...others] }
      const ids = Uint8Array.from({ length: 150 }, (_, i) => 40 + ((i * 5) % 13))
      const { segments } = await inspected(interpreter, trained, same, [ids])
      expect(segments.map(({ offset }) => offset)).toEqual(Array.from({ length: 19 }, (_, i) => 8 * i))
      let found = 0
      for (const { offset, length, layers, readable } of segments)
        for (const { heads, queries, neighbours, places, weights } of layers) {
          expect([heads, queries, neighbours]).toEqual([2, 8, 1])
          expect(readable).toEqual({ from: Math.max(0, offset - memorySize), to: offset })
          for (let head = 0; head < heads; head++)
            for (let i = 0; i < length; i++) {
              const place = places[head * queries + i]
              expect(place >= 0).toBe(offset > 0)
              expect(weights[head * queries + i]).toBe(offset > 0 ? 1 : 0)
              if (offset < 13) continue
              expect(place).toBeGreaterThanOrEqual(readable.from)
              expect(place).toBeLessThan(readable.to)
              expect(ids[place]).toBe(ids[offset + i])
              found++
            }
        }
      expect(found).toBe(2 * (149 - 16))
    })

  it('reads several documents side by side, each as if it were alone', async () => {
    const trained = tinyModel({ dropout: 0 })
    const parameters = drawn(trained)
    const documents = [text, encode('another document, which is shorter'), encode('and a third')]
    const together = (await inspected(interpreter, trained, parameters, documents, 2)).segments
    for (const [i, ids] of documents.entries()) {
      const alone = (await inspected(interpreter, trained, parameters, [ids])).segments
      const own = together.filter(({ document }) => document === i)
      expect(own.map(({ offset }) => offset)).toEqual(alone.map(({ offset }) => offset))
      own.forEach((segment, at) => {
        segment.loss.forEach((loss, token) => expect(loss).toBeCloseTo(alone[at].loss[token], 4))
        // What padding retrieves means nothing.
        const places = ({ layers: [{ places, heads, neighbours, queries }], length }: InspectedSegment) =>
          Array.from({ length: heads }, (_, head) => Array.from(places.subarray(head * queries * neighbours, (head * queries + length) * neighbours)))
        expect(places(segment)).toEqual(places(alone[at]))
      })
    }
  })

  it('sums up over many documents', async () => {
    const trained = tinyModel({ dropout: 0, memorySize: 64 })
    const parameters = drawn(trained)
    const documents = [text, encode('let LONG_NAME = prove;; LONG_NAME, and so on, LONG_NAME'), encode('nothing here')]
    const rules = rulesFor('x.ml', '')
    const inspector = await Inspector.create(interpreter, trained, typesOf(trained), { slots: 2 })
    const survey = await surveyDocuments(inspector, interpreter.put(parameters), documents.map((ids, i) => memoryDocument(`${i}.ml`, ids)), tokenizer)
    await inspector.release()
    const sum = emptyCounts()
    let [nats, natsWithout] = [0, 0]
    for (const ids of documents) {
      const { segments } = await inspected(interpreter, trained, parameters, [ids])
      const of = tokenText(ids, tokenizer)
      addCounts(sum, countReferences(of, findReferences(of.text, findDefinitions(of.text, { rules }), { rules }), segments))
      const totals = documentTotals(gathered(segments, ids), tokenizer.tokenBytes)
      nats += totals.with.nats
      natsWithout += totals.without!.nats
    }
    expect(survey.references.references).toBe(4)
    expect(totalTally(survey.references.byKind.within).queries).toBe(totalTally(sum.byKind.within).queries)
    expect(totalTally(survey.references.byKind.within).definition).toBe(totalTally(sum.byKind.within).definition)
    expect(survey.with.nats).toBeCloseTo(nats, 2)
    expect(survey.without!.nats).toBeCloseTo(natsWithout, 2)
    expect([survey.documents, survey.with.tokens]).toEqual([3, documents.reduce((total, ids) => total + ids.length - 1, 0)])
  })

  it('agrees between interpreter and XLA', { timeout: 120_000 }, async () => {
    const trained = tinyModel({ dropout: 0, memorySize: 128 })
    const parameters = drawn(trained)
    const cpu = await startSession('cpu')
    try {
      const [a, b] = [await inspected(interpreter, trained, parameters, [text]), await inspected(cpu, trained, parameters, [text])]
      expect(a.segments.length).toBe(b.segments.length)
      a.segments.forEach((segment, i) => {
        segment.loss.forEach((loss, token) => expect(loss).toBeCloseTo(b.segments[i].loss[token], 4))
        segment.lossWithout!.forEach((loss, token) => expect(loss).toBeCloseTo(b.segments[i].lossWithout![token], 4))
        segment.layers[0].weights.forEach((weight, at) => expect(weight).toBeCloseTo(b.segments[i].layers[0].weights[at], 3))
      })
      expect(a.gates.map((layer) => Array.from(layer))).toEqual(b.gates.map((layer) => Array.from(layer)))
    } finally {
      await cpu.close()
    }
  })

  const memoryless = { 'without memory': { model: 'transformer-xl' }, 'whose memory has no places': { model: 'memorizing-transformer', memorySize: 0, memoryLayers: [1] } }
  it.each(Object.entries(memoryless))('says of a model %s its losses alone', async (_, model) => {
    const trained = configure({ ...model, vocabularySize: 257, segmentLength: 8, width: 16, layers: 1, heads: 2 })
    const { segments, memory, gates } = await inspected(interpreter, trained, drawn(trained), [text])
    expect(memory).toBeUndefined()
    expect(gates).toEqual([])
    const document = gathered(segments, text)
    expect(document.lossWithout).toBeUndefined()
    expect(document.layers).toEqual([])
    expect(document.loss.slice(1).every((loss) => loss > 0)).toBe(true)
  })
})
