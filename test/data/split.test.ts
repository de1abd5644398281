import fc from 'fast-check'
import { assert, describe, expect, test } from 'vitest'
import { splitDocuments, splitNames } from '../../src/data/split.ts'
import { thrownBy } from './temporary-folder.ts'

const documents = (n: number) => Array.from({ length: n }, (_, i) => ({ name: `d${i}`, group: `g${i >> 1}`, sizeBytes: 1 + i }))

describe('splitDocuments', () => {
  test('every document is on one side, groups stay together, order of the input does not matter, no part is empty', () => {
    const fraction = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 40 }), fraction, fraction, fraction, fc.string(), fc.constantFrom('group' as const, 'name' as const),
        fc.constantFrom('documents' as const, 'bytes' as const),
        (n, train, validation, test, salt, by, measure) => {
          fc.pre(train + validation + test > 0)
          const options = { fractions: { train, validation, test }, salt, by, measure }
          const given = documents(n)
          const parts = splitDocuments(given, options)
          expect(splitNames.flatMap((p) => parts[p]).map((d) => d.name).sort()).toEqual(given.map((d) => d.name).sort())
          for (const p of splitNames) expect(parts[p].length > 0).toBe(options.fractions[p] > 0)
          const again = splitDocuments([...given].reverse(), options)
          for (const p of splitNames) expect(again[p].map((d) => d.name).reverse()).toEqual(parts[p].map((d) => d.name))
          if (by === 'group')
            for (const a of splitNames) for (const b of splitNames)
              if (a !== b) assert.isFalse(parts[a].some((d) => parts[b].some((e) => e.group === d.group)))
        },
      ),
    )
  })

  test('the fractions are met, by documents or by bytes', () => {
    const many = documents(4000)
    const fractions = { train: 0.8, validation: 0.1, test: 0.1 }
    const bytes = (part: typeof many): number => part.reduce((sum, d) => sum + d.sizeBytes, 0)
    const counted = splitDocuments(many, { fractions })
    const weighed = splitDocuments(many, { fractions, measure: 'bytes' })
    for (const p of splitNames) {
      expect(counted[p].length / 4000).toBeCloseTo(fractions[p], 1)
      expect(bytes(weighed[p]) / bytes(many)).toBeCloseTo(fractions[p], 2)
    }
  })

  test('a document keeps its side when others come', () => {
    const few = splitDocuments(documents(200), { by: 'name' })
    const more = splitDocuments(documents(400), { by: 'name' })
    for (const p of splitNames) expect(more[p].map((d) => d.name)).toEqual(expect.arrayContaining(few[p].map((d) => d.name)))
  })

  test('too few documents: what to do is said', async () => {
    const error = await thrownBy(() => splitDocuments([{ name: 'only' }]))
    expect(error).toMatchObject({ name: 'DataError', code: 'CORPUS_TOO_FEW_DOCUMENTS' })
    expect(error.message).toMatchInlineSnapshot(`"the corpus has 1 document, but train, validation, test need at least one each: add documents, divide them (maxDocumentBytes), or set the fraction of a part to 0"`)
    expect(splitDocuments([{ name: 'only' }], { fractions: { train: 1 } }).train).toHaveLength(1)
    expect((await thrownBy(() => splitDocuments(documents(2)))).message).toContain('1 group,')
    expect((await thrownBy(() => splitDocuments(documents(2), { fractions: {} }))).code).toBe('DATA_OPTIONS')
  })
})
