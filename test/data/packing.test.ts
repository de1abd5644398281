import fc from 'fast-check'
import { assert, describe, expect, test } from 'vitest'
import { type Batch, createBatchStream, createEvaluationStream } from '../../src/data/packing.ts'
import { type TokenDocument, memoryDocument } from '../../src/data/token-documents.ts'
import { thrownBy } from './temporary-folder.ts'

const PADDING = 0xffff
/** Ids tell document and place: `document * 256 + place`, so that a test sees where each token came from. */
const makeDocuments = (lengths: readonly number[]): TokenDocument[] =>
  lengths.map((length, d) => memoryDocument(`d${d}`, Uint16Array.from({ length }, (_, i) => d * 256 + i)))
const units = { padding: PADDING, tokenBytes: Uint32Array.from({ length: 65536 }, (_, id) => (id % 3) + 1) }

const corpora = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 }).filter((lengths) => lengths.some((n) => n >= 2))
const sizes = fc.record({
  slots: fc.integer({ min: 1, max: 4 }),
  segment: fc.integer({ min: 1, max: 9 }),
  seed: fc.integer({ min: 0, max: 5 }),
  shuffle: fc.boolean(),
  maxDocumentTokens: fc.option(fc.integer({ min: 2, max: 20 }), { nil: undefined }),
})

interface Row { tokens: number[]; targets: number[]; weights: number[]; start: boolean }
const rows = (batch: Batch): Row[] => {
  const [b, s] = batch.tokens.shape
  const row = (array: { data: ArrayLike<unknown> }, i: number): number[] => Array.from(array.data as ArrayLike<number>).slice(i * s, (i + 1) * s)
  return Array.from({ length: b }, (_, i) => ({
    tokens: row(batch.tokens, i), targets: row(batch.targets, i), weights: row(batch.weights, i), start: batch.start.data[i] === 1,
  }))
}
const plain = (batch: Batch | undefined): unknown => batch && { rows: rows(batch), counts: batch.counts, sources: batch.sources }

describe('packing', () => {
  test('dtypes and shapes are what the step takes', () => {
    const batch = createBatchStream(makeDocuments([9]), { slots: 3, segment: 4, tokenizer: units }).next()
    expect([batch.tokens, batch.targets, batch.weights, batch.start].map((a) => [a.dtype, ...a.shape])).toEqual([
      ['i32', 3, 4], ['i32', 3, 4], ['f32', 3, 4], ['bool', 3],
    ])
  })

  test('a document of nine tokens in segments of four', () => {
    const stream = createEvaluationStream(makeDocuments([9, 2]), { slots: 1, segment: 4, tokenizer: units, shuffle: false })
    expect([...stream].map((batch) => rows(batch)[0])).toEqual([
      { tokens: [0, 1, 2, 3], targets: [1, 2, 3, 4], weights: [1, 1, 1, 1], start: true },
      { tokens: [4, 5, 6, 7], targets: [5, 6, 7, 8], weights: [1, 1, 1, 1], start: false },
      { tokens: [256, PADDING, PADDING, PADDING], targets: [257, PADDING, PADDING, PADDING], weights: [1, 0, 0, 0], start: true },
    ])
  })

  test('one pass: every token but the first of a document (or piece) is a target once, in order, after its predecessor', () => {
    fc.assert(
      fc.property(corpora, sizes, (lengths, options) => {
        const stream = createEvaluationStream(makeDocuments(lengths), { ...options, tokenizer: units })
        const seen = new Map<number, number>()
        const running: (number | undefined)[] = Array.from({ length: options.slots }, () => undefined)
        let tokens = 0
        let bytes = 0
        for (const batch of stream) {
          let counted = 0
          for (const [slot, row] of rows(batch).entries()) {
            const source = batch.sources[slot]
            if (!source) {
              assert.isFalse(row.start)
              assert.isTrue(row.weights.every((w) => w === 0) && row.tokens.every((t) => t === PADDING))
              continue
            }
            // The segment goes on exactly where the slot stopped, or begins a document.
            expect(row.start).toBe(running[slot] === undefined || row.tokens[0] !== running[slot])
            expect(`d${row.tokens[0] >> 8}`).toBe(source.document)
            expect(row.tokens[0] & 255).toBe(source.offset)
            for (let i = 0; i < options.segment; i++) {
              if (i >= source.length) {
                assert.deepEqual([row.tokens[i], row.targets[i], row.weights[i]], [PADDING, PADDING, 0])
                continue
              }
              counted++
              expect(row.weights[i]).toBe(1)
              expect(row.targets[i]).toBe(row.tokens[i] + 1)
              if (i > 0) assert.equal(row.tokens[i], row.targets[i - 1])
              seen.set(row.targets[i], (seen.get(row.targets[i]) ?? 0) + 1)
              bytes += units.tokenBytes[row.targets[i]]
            }
            running[slot] = row.targets[source.length - 1]
          }
          expect(batch.counts.tokens).toBe(counted)
          expect(batch.counts.weight).toBe(counted)
          tokens += batch.counts.tokens
          bytes -= batch.counts.bytes
        }
        expect(bytes).toBe(0)
        expect(tokens).toBe(seen.size)
        for (const [d, length] of lengths.entries()) {
          const max = options.maxDocumentTokens ?? Infinity
          const pieces = Math.max(1, Math.ceil(length / max))
          const begins = new Set(Array.from({ length: pieces }, (_, i) => Math.floor((i * length) / pieces)))
          for (let place = 0; place < length; place++) expect(seen.get(d * 256 + place)).toBe(begins.has(place) ? undefined : 1)
        }
      }),
    )
  })

  test('each epoch of the endless stream holds every document once, and slots never idle', () => {
    fc.assert(
      fc.property(corpora, sizes, (lengths, options) => {
        const documents = makeDocuments(lengths)
        const stream = createBatchStream(documents, { ...options, tokenizer: units })
        const begun: string[] = []
        while (begun.length < 3 * stream.piecesPerEpoch) {
          const batch = stream.next()
          for (const [slot, row] of rows(batch).entries()) {
            const source = batch.sources[slot]!
            expect(source.length).toBeGreaterThan(0)
            if (row.start) begun.push(`${source.document}@${source.offset}`)
          }
        }
        const epoch = (i: number): string[] => begun.slice(i * stream.piecesPerEpoch, (i + 1) * stream.piecesPerEpoch)
        expect(new Set(epoch(0)).size).toBe(stream.piecesPerEpoch)
        expect(epoch(1).sort()).toEqual(epoch(0).sort())
        expect(epoch(2).sort()).toEqual(epoch(0).sort())
      }),
    )
  })

  test('resumed at any position, through JSON, the stream goes on bit for bit', () => {
    fc.assert(
      fc.property(corpora, sizes, fc.integer({ min: 0, max: 60 }), (lengths, options, steps) => {
        const all = { ...options, tokenizer: units }
        const stream = createBatchStream(makeDocuments(lengths), all)
        for (let i = 0; i < steps; i++) stream.next()
        const saved = JSON.parse(JSON.stringify(stream.position()))
        const expected = Array.from({ length: 30 }, () => plain(stream.next()))
        const resumed = createBatchStream(makeDocuments(lengths), all, saved)
        expect(resumed.position()).toEqual(saved)
        expect(Array.from({ length: 30 }, () => plain(resumed.next()))).toEqual(expected)
        expect(resumed.position()).toEqual(stream.position())
      }),
    )
  })

  test('a position is not changed by the stream it came from', () => {
    const stream = createBatchStream(makeDocuments([30, 30]), { slots: 2, segment: 4, tokenizer: units })
    stream.next()
    const position = stream.position()
    const text = JSON.stringify(position)
    stream.next()
    expect(JSON.stringify(position)).toBe(text)
  })

  test('seed and epoch give other orders; without shuffling it is the given one', () => {
    const order = (options: object, epochs: number): string[] => {
      const stream = createBatchStream(makeDocuments(Array.from({ length: 20 }, () => 3)), { slots: 1, segment: 4, tokenizer: units, ...options })
      return Array.from({ length: 20 * epochs }, () => stream.next().sources[0]!.document)
    }
    const names = Array.from({ length: 20 }, (_, i) => `d${i}`)
    expect(order({ shuffle: false }, 1)).toEqual(names)
    const two = order({ seed: 1 }, 2)
    expect(two.slice(0, 20)).not.toEqual(two.slice(20))
    expect(two.slice(0, 20)).not.toEqual(order({ seed: 2 }, 1))
    expect(two).toEqual(order({ seed: 1 }, 2))
  })

  test('slots are kept busy: no slot reads more than one document longer than another', () => {
    const lengths = [200, 7, 9, 30, 90, 14, 3, 60, 45, 100]
    const batches = [...createEvaluationStream(makeDocuments(lengths), { slots: 4, segment: 10, tokenizer: units })]
    const least = Math.ceil(lengths.reduce((sum, n) => sum + Math.ceil((n - 1) / 10), 0) / 4)
    expect(batches.length).toBeLessThanOrEqual(least + 20)
  })

  test('weights of a document decide what counts', () => {
    const weighted = memoryDocument('w', Uint16Array.of(1, 2, 3, 4, 5), Float32Array.of(9, 0, 0.5, 1, 0))
    const [batch] = createEvaluationStream([weighted], { slots: 1, segment: 8, tokenizer: units })
    expect(rows(batch)[0].weights).toEqual([0, 0.5, 1, 0, 0, 0, 0, 0])
    expect(batch.counts).toEqual({ tokens: 2, bytes: units.tokenBytes[3] + units.tokenBytes[4], weight: 1.5 })
  })

  test('evaluation ends at its budget', () => {
    const options = { slots: 2, segment: 4, tokenizer: units }
    const count = (tokenBudget?: number): number => [...createEvaluationStream(makeDocuments([100, 100]), { ...options, tokenBudget })].reduce((sum, b) => sum + b.counts.tokens, 0)
    expect(count()).toBe(198)
    expect(count(20)).toBe(24)
    expect(count(24)).toBe(24)
    expect(count(1e6)).toBe(198)
  })
})

describe('errors of packing', () => {
  const options = { slots: 2, segment: 4, tokenizer: units }
  test('options and documents', async () => {
    for (const wrong of [{ slots: 0 }, { segment: 1.5 }, { maxDocumentTokens: 1 }, { slotz: 3 }, { tokenizer: {} }])
      expect(await thrownBy(() => createBatchStream(makeDocuments([9]), { ...options, ...wrong } as never))).toMatchObject({ name: 'DataError', code: 'DATA_OPTIONS' })
    expect(await thrownBy(() => createEvaluationStream(makeDocuments([9]), { ...options, tokenBudget: 0 }))).toMatchObject({ code: 'DATA_OPTIONS' })
    expect(await thrownBy(() => createBatchStream(makeDocuments([0, 1]), options))).toMatchObject({ name: 'DataError', code: 'CORPUS_TOO_SHORT' })
  })

  test('a position of another stream says what differs; a damaged one is refused', async () => {
    const stream = createBatchStream(makeDocuments([9, 30]), options)
    stream.next()
    const position = stream.position()
    const resume = (documents: TokenDocument[], more: object, value: unknown = position) => thrownBy(() => createBatchStream(documents, { ...options, ...more }, value))
    const same = makeDocuments([9, 30])
    expect((await resume(same, { slots: 3 })).message).toBe('the saved position was made with slots 2, this stream has 3')
    expect((await resume(same, { maxDocumentTokens: 8 })).message).toBe('the saved position was made with maxDocumentTokens unset, this stream has 8')
    expect(await resume(makeDocuments([9, 31]), {})).toMatchObject({ name: 'DataError', code: 'POSITION_MISMATCH' })
    const reading = [{ epoch: 0, piece: 0, offset: 8 }, null]
    for (const damage of [null, 'x', {}, { ...position, step: -1 }, { ...position, version: 2 }, { ...position, extra: 1 }, { ...position, taken: 3 }, { ...position, reading: [] }, { ...position, reading }, { ...position, reading: [{ epoch: 0, piece: 2, offset: 0 }, null] }])
      expect(await resume(same, {}, damage)).toMatchObject({ name: 'DataError', code: 'POSITION_INVALID' })
  })
})
