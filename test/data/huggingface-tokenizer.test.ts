import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOfToken, characterOfByte, textRuns } from '../../src/data/byte-level.ts'
import { huggingFaceTokenizer } from '../../src/data/huggingface-tokenizer.ts'
import { readTokenizer, tokenizerFrom } from '../../src/data/tokenizers.ts'
import { temporaryFolder, thrownBy } from './temporary-folder.ts'

/** 271 ids: `<|endoftext|>`, the bytes, and 14 pairs. Written by the library `tokenizers`. */
const fixture = fileURLToPath(new URL('fixtures/byte-pairs.json', import.meta.url))
const json = (): any => JSON.parse(readFileSync(fixture, 'utf8'))
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('byte-level byte pairs', () => {
  const tokenizer = huggingFaceTokenizer(json())

  test('sizes and special ids are those of the file', () => {
    expect(tokenizer).toMatchObject({ kind: 'huggingface', vocabularySize: 271, endOfDocument: 0, padding: 0 })
    expect(tokenizer.tokenBytes[0]).toBe(0)
    expect(text(tokenizer.decode([...tokenizer.encode(utf8('the cat')), 0]))).toBe('the cat')
  })

  test('the pairs are merged as the library merges them', () => {
    // Made by tokenizers 0.23.3 in Python, on the same file.
    expect(Array.from(tokenizer.encode(utf8(' the cat and the dog')), (id) => text(tokenizer.decode([id])))).toEqual([' the', ' cat', ' and', ' the', ' ', 'd', 'o', 'g'])
  })

  test('any bytes go through, and every byte is counted', () => {
    const anything = fc.oneof(fc.uint8Array(), fc.string({ unit: 'grapheme' }).map(utf8), fc.string({ unit: fc.constantFrom('the', ' ', ' cat', '\n', '<|endoftext|>', '\u{1f600}', '\ufeff') }).map(utf8))
    fc.assert(
      fc.property(anything, fc.uint8Array(), (a, b) => {
        const bytes = Uint8Array.of(...a, ...b)
        const ids = tokenizer.encode(bytes)
        expect(tokenizer.decode(ids)).toEqual(bytes)
        expect(Array.from(ids).reduce((sum, id) => sum + tokenizer.tokenBytes[id], 0)).toBe(bytes.length)
        expect(Array.from(ids)).not.toContain(0)
      }),
      { numRuns: 500 },
    )
  })

  test('an id outside the vocabulary is refused', async () => {
    expect(await thrownBy(() => tokenizer.decode([271]))).toMatchObject({ code: 'TOKEN_RANGE', message: 'token 271 at place 0 is outside the vocabulary of this tokenizer (0 to 270)' })
  })

  test('what a checkpoint stores gives the same tokenizer again', () => {
    const again = tokenizerFrom(JSON.parse(JSON.stringify(tokenizer.describe())))
    expect(again.encode(utf8('the cat and'))).toEqual(tokenizer.encode(utf8('the cat and')))
    expect(again.tokenBytes).toEqual(tokenizer.tokenBytes)
  })
})

test('a file without an end of document gets one more id, tokens that were added count their bytes', () => {
  const changed = json()
  changed.added_tokens = [{ id: 280, content: '    ', special: false }, { id: 0, content: '<pad>', special: true }]
  changed.model.vocab['<pad>'] = 0
  delete changed.model.vocab['<|endoftext|>']
  const tokenizer = huggingFaceTokenizer(changed)
  expect(tokenizer).toMatchObject({ vocabularySize: 282, endOfDocument: 281 })
  expect(Array.from(tokenizer.encode(utf8('a    b')))).toContain(280)
  expect(tokenizer.tokenBytes[280]).toBe(4)
  expect(huggingFaceTokenizer(changed, { endOfDocument: '<pad>' })).toMatchObject({ vocabularySize: 281, endOfDocument: 0 })
})

test('text is not changed before it is divided', () => {
  const changed = { ...json(), normalizer: { type: 'NFC' } }
  changed.pre_tokenizer.add_prefix_space = true
  const tokenizer = huggingFaceTokenizer(changed)
  for (const each of ['the', 'e\u0301', '  ']) expect(text(tokenizer.decode(tokenizer.encode(utf8(each))))).toBe(each)
})

describe('what cannot be used is refused with the reason', () => {
  test.each<[string, (changed: any) => unknown, string]>([
    ['no tokenizer', () => ({ version: '1.0' }), 'tokenizer.json is no Hugging Face tokenizer: model'],
    ['another model', (it) => ({ ...it, model: { ...it.model, type: 'WordPiece' } }), 'its model is WordPiece, not BPE'],
    ['not byte-level', (it) => ({ ...it, pre_tokenizer: { type: 'Metaspace' }, decoder: { type: 'Metaspace' } }), 'it is not byte-level'],
    ['a normaliser that loses text', (it) => ({ ...it, normalizer: { type: 'Lowercase' } }), 'its normaliser Lowercase changes the text'],
    ['a byte without token', (it) => { delete it.model.vocab[characterOfByte(10)]; return it }, 'it has no token for the single byte 0x0a'],
    ['characters outside the alphabet', (it) => { it.model.vocab['\u4e2d'] = 280; return it }, 'token 280 "\u4e2d" has characters outside the byte-level alphabet'],
  ])('%s', async (_, change, message) => {
    expect(await thrownBy(() => huggingFaceTokenizer(change(json())))).toMatchObject({ name: 'DataError', code: 'TOKENIZER_UNKNOWN', message: expect.stringContaining(message) })
  })

  test('an end of document that is not there', async () => {
    expect((await thrownBy(() => huggingFaceTokenizer(json(), { endOfDocument: '<eot>' }))).message).toBe('tokenizer.json has no special token <eot> (special tokens: <|endoftext|>)')
  })

  test('files', async () => {
    const folder = temporaryFolder({ 'broken.json': '{', 'model/tokenizer.json': readFileSync(fixture) })
    expect((await readTokenizer(join(folder, 'model'))).vocabularySize).toBe(271)
    expect((await readTokenizer('bytes')).kind).toBe('bytes')
    expect(await thrownBy(() => readTokenizer(join(folder, 'broken.json')))).toMatchObject({ code: 'TOKENIZER_UNKNOWN', message: expect.stringContaining('is not JSON') })
    expect(await thrownBy(() => readTokenizer(join(folder, 'none.json')))).toMatchObject({ code: 'FILE_MISSING', message: expect.stringContaining("expected 'bytes' or a tokenizer.json") })
  })
})

test('the alphabet stands for every byte once', () => {
  expect(new Set(Array.from({ length: 256 }, (_, byte) => characterOfByte(byte))).size).toBe(256)
  expect(characterOfByte(0x20)).toBe('\u0120')
  for (let byte = 0; byte < 256; byte++) expect(bytesOfToken(characterOfByte(byte))).toEqual(Uint8Array.of(byte))
  expect(bytesOfToken('\u4e2d')).toBeUndefined()
})

test('runs of text and of bytes that are no UTF-8', () => {
  expect(textRuns(Uint8Array.of())).toEqual([])
  expect(textRuns(utf8('h\u00e9llo'))).toEqual([{ text: 'h\u00e9llo' }])
  // Too long, a surrogate, beyond U+10FFFF, cut short.
  expect(textRuns(Uint8Array.of(97, 0xc0, 0x80, 98, 0xed, 0xa0, 0x80, 99, 0xf4, 0x90, 0x80, 0x80, 0xe2, 0x82))).toEqual([
    { text: 'a' }, { invalid: Uint8Array.of(0xc0, 0x80) }, { text: 'b' }, { invalid: Uint8Array.of(0xed, 0xa0, 0x80) },
    { text: 'c' }, { invalid: Uint8Array.of(0xf4, 0x90, 0x80, 0x80, 0xe2, 0x82) },
  ])
})
