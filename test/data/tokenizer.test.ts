import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bitsPerByte, lossUnits, noLoss, addLoss } from '../../src/data/loss-units.ts'
import { encodeDocuments } from '../../src/data/token-documents.ts'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { tokenizerFrom } from '../../src/data/tokenizers.ts'
import { thrownBy } from './temporary-folder.ts'

test('bytes go through unchanged, special ids give none', () => {
  const tokenizer = byteTokenizer()
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const ids = tokenizer.encode(bytes)
      expect(tokenizer.decode(ids)).toEqual(bytes)
      expect(Array.from(ids).reduce((sum, id) => sum + tokenizer.tokenBytes[id], 0)).toBe(bytes.length)
      expect(ids.buffer).not.toBe(bytes.buffer)
    }),
  )
  expect(tokenizer.decode([104, 256, 105])).toEqual(Uint8Array.of(104, 105))
  expect(tokenizer.tokenBytes.length).toBe(tokenizer.vocabularySize)
  expect(tokenizer.tokenBytes[tokenizer.endOfDocument]).toBe(0)
})

test('encoding a Buffer copies it', () => {
  const buffer = Buffer.from('abc')
  const ids = byteTokenizer().encode(buffer)
  buffer[0] = 0
  expect(ids[0]).toBe(97)
})

test('documents get an end', () => {
  const bytes = new TextEncoder().encode('hi')
  const document = { name: 'd', group: 'd', sizeBytes: 2, read: () => bytes }
  const read = (end: boolean) => {
    const [d] = encodeDocuments([document], byteTokenizer(), end)
    return Array.from(d.read(0, d.tokenCount))
  }
  expect(read(true)).toEqual([104, 105, 256])
  expect(read(false)).toEqual([104, 105])
})

test('an id outside the vocabulary is refused', async () => {
  for (const id of [257, -1, 0.5, NaN])
    expect(await thrownBy(() => byteTokenizer().decode([1, id]))).toMatchObject({ name: 'DataError', code: 'TOKEN_RANGE' })
})

test('a description gives the same tokenizer, or a typed error', async () => {
  expect(tokenizerFrom(JSON.parse(JSON.stringify(byteTokenizer().describe()))).kind).toBe('bytes')
  for (const wrong of [null, {}, { kind: 'words', vocabularySize: 257 }, { kind: 'bytes', vocabularySize: 256 }, { kind: 'constructor', vocabularySize: 1 }])
    expect(await thrownBy(() => tokenizerFrom(wrong))).toMatchObject({ name: 'DataError', code: 'TOKENIZER_UNKNOWN' })
})

test('units of a loss', () => {
  const totals = addLoss(addLoss(noLoss, { nats: 10 * Math.LN2, tokens: 5, bytes: 20 }), { nats: 0, tokens: 5, bytes: 0 })
  expect(bitsPerByte(totals.nats, totals.bytes)).toBeCloseTo(0.5, 12)
  const units = lossUnits(totals)
  expect(units.bitsPerToken).toBeCloseTo(1, 12)
  expect(units.perplexity).toBeCloseTo(2, 12)
  expect(lossUnits(noLoss).bitsPerByte).toBeNaN()
})
