import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { definitionRules, findDefinitions, findReferences, ruleFromPattern, rulesFor } from '../../src/inspect/definitions.ts'
import { addCounts, chanceOfHit, countReferences, emptyCounts, totalTally } from '../../src/inspect/references.ts'
import type { InspectedSegment } from '../../src/inspect/segment.ts'
import { tokenAt, tokenText } from '../../src/inspect/token-text.ts'

const tokenizer = byteTokenizer()
const tokens = (text: string) => tokenText(tokenizer.encode(new TextEncoder().encode(text)), tokenizer)
const rule = (language: string) => definitionRules.filter((each) => each.language === language)
const defined = (language: string, text: string) => findDefinitions(text, { rules: rule(language) }).map(({ name }) => name)

describe('the text of tokens', () => {
  it('gives a character to the last of the tokens that make it, and keeps what is not UTF-8 apart', () => {
    const { text, starts } = tokens('aé€b')
    expect(text).toBe('aé€b')
    expect(Array.from(starts)).toEqual([0, 1, 1, 2, 2, 2, 3, 4])
    const broken = tokenText(Uint8Array.of(97, 0xff, 98, 0xc3), tokenizer)
    expect(broken.text).toBe('a\ufffdb\ufffd')
    expect(broken.starts.at(-1)).toBe(4)
  })

  it('finds the token of every place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), (given) => {
        const of = tokens(given)
        const places = Array.from({ length: of.text.length }, (_, place) => place)
        expect(places.filter((place) => !(of.starts[tokenAt(of, place)] <= place && of.starts[tokenAt(of, place) + 1] > place))).toEqual([])
      }),
      { numRuns: 40 },
    )
  })

  it('refuses ids that the tokenizer does not have', () => {
    expect(() => tokenText([1, 300], tokenizer)).toThrow('token 300 at place 1 is outside the vocabulary of the tokenizer (0 to 256)')
  })
})

describe('definitions', () => {
  it('are found in HOL Light', () => {
    const text = "let ADD_COMM = prove\n (`m + n`);;\nlet rec iter_n = f;;\nlet SUB_0' =\n  prove(`x`);;\n let EVEN_DEF = new_recursive_definition num;;\nlet local = 3 in\nlet AB = prove;;"
    expect(defined('hol-light', text)).toEqual(['ADD_COMM', "SUB_0'", 'EVEN_DEF'])
  })
  it('are found in Go', () => {
    expect(defined('go', 'func Sort(x []int) {\n}\nfunc (s *Set[T]) Insert(x T) {}\nfunc Map[K any](k K) {}\n\tfuncs(x)\n// func Notes(x)\n')).toEqual(['Sort', 'Insert'])
  })
  it('are found in TypeScript and JavaScript', () => {
    const text = 'export async function readAll(x) {}\nfunction* walk<T>() {}\nexport const double = (x: number): number => 2 * x\nconst plain = 3\nconst later = async x => x\nconst called = work(x => x)\n'
    expect(defined('typescript', text)).toEqual(['readAll', 'walk', 'double', 'later'])
  })
  it('are found in Python', () => {
    expect(defined('python', 'def first(x):\n    pass\nclass A:\n    async def second (self): pass\nundef third(x)\n')).toEqual(['first', 'second'])
  })
  it('are found by a pattern of the user', () => {
    const text = 'macro foo-bar {\nmacro twelve {\nuse foo-bar; use foo-bars; use twelve; twelve2'
    const own = ruleFromPattern('^macro ([\\w-]+)')
    const definitions = findDefinitions(text, { rules: [own] })
    expect(definitions.map(({ name }) => name)).toEqual(['foo-bar', 'twelve'])
    expect(findReferences(text, definitions, { rules: [own] }).map(({ name, start }) => [name, start])).toEqual([['foo-bar', text.indexOf('foo-bar;')], ['twelve', text.indexOf('twelve;')]])
    expect(findDefinitions('xx', { rules: [ruleFromPattern('')] })).toEqual([])
    expect(() => ruleFromPattern('(')).toThrow('/(/ is not a regular expression')
  })
  it('are looked for by the ending of the file, or of the files that a document was joined from', () => {
    const languages = (name: string, text = '') => rulesFor(name, text).map(({ language }) => language)
    expect(languages('Library/analysis.ml')).toEqual(['hol-light'])
    expect(languages('big.go#3')).toEqual(['go'])
    expect(languages('some-package', '==> some-package/index.js <==\nx\n\n==> some-package/tool.py <==\n')).toEqual(['typescript', 'python'])
    expect(languages('notes.txt')).toEqual([])
  })
})

describe('references', () => {
  it('mean the last definition before them, and are whole words', () => {
    const text = "let ADDS = prove a;; ADDS; SADDS ADDS' ADDS_X\nlet ADDS = prove b;; (ADDS)"
    const rules = rule('hol-light')
    const references = findReferences(text, findDefinitions(text, { rules }), { rules })
    expect(references.map(({ start, definition }) => [start, definition.start])).toEqual([[21, 4], [text.lastIndexOf('ADDS'), text.indexOf('ADDS', 46)]])
  })

  // Ten tokens before each name, so that places are easy to say.
  const head = 'func Name() '
  const text = tokens(`${head}${'.'.repeat(88)}Name  ${'.'.repeat(194)}Name `)
  const references = findReferences(text.text, findDefinitions(text.text, { rules: rule('go') }), { rules: rule('go') })
  /** Two heads of which the first retrieves `places(query)`, the second nothing. */
  const segment = (offset: number, length: number, readable: InspectedSegment['readable'], places: (query: number) => number[], neighbours = 2): InspectedSegment => {
    const all = new Int32Array(2 * length * neighbours).fill(-1)
    const weights = new Float32Array(all.length)
    for (let i = 0; i < length; i++) places(offset + i).forEach((place, n) => { all[i * neighbours + n] = place; weights[i * neighbours + n] = 0.25 })
    return { document: 0, offset, length, loss: new Float32Array(length), readable, layers: [{ layer: 2, heads: 2, neighbours, queries: length, places: all, weights }] }
  }

  it('are counted by what a query knows of the name', () => {
    expect(references.map(({ start }) => start)).toEqual([100, 300])
    // The name is tokens 5 to 8, the uses 100 to 103 and 300 to 303. Each query retrieves the token that it should predict.
    const counts = countReferences(text, references, [segment(0, 304, { from: 0, to: 99 }, (query) => (query < 99 ? [] : [5 + ((query + 1) % 100), 90]))])
    const { before, within, after } = counts.byKind
    expect(totalTally(before)).toMatchObject({ queries: 2, definition: 2, answer: 2, earlier: 2, weight: 0.25 })
    expect(totalTally(within)).toMatchObject({ queries: 6, definition: 6, answer: 6, earlier: 6, weight: 0.75 })
    // What is behind the name is no token of the name: `(` against a space.
    expect(totalTally(after)).toMatchObject({ queries: 2, definition: 2, answer: 0, earlier: 0 })
    expect(within.filter(({ queries }) => queries > 0).map(({ from, to, queries }) => [from, to, queries])).toEqual([[64, 128, 3], [256, 512, 3]])
    expect(counts.byHead).toHaveLength(1)
    expect(counts.byHead[0].heads.map(({ queries, answer }) => [queries, answer])).toEqual([[6, 6], [6, 0]])
    expect([counts.references, counts.definitions]).toEqual([2, 1])
  })

  it('count the place behind the name as the answer of its last token', () => {
    const counts = countReferences(tokens(`func Name() {} ${'.'.repeat(70)} Name()`), findReferences(`func Name() {} ${'.'.repeat(70)} Name()`, [{ name: 'Name', start: 5, end: 9 }], { rules: rule('go') }),
      [segment(80, 12, { from: 0, to: 80 }, () => [9])])
    expect(totalTally(counts.byKind.after)).toMatchObject({ queries: 1, definition: 1, answer: 1 })
  })

  it('retrieve an earlier use apart from the definition', () => {
    const counts = countReferences(text, references, [segment(299, 5, { from: 0, to: 290 }, () => [101])])
    expect(totalTally(counts.byKind.within)).toMatchObject({ queries: 3, definition: 0, answer: 0, earlier: 3, weight: 0 })
  })

  it('are told apart where the definition is not yet in the memory, or no longer', () => {
    const none = () => []
    const counts = countReferences(text, references, [segment(99, 5, { from: 0, to: 4 }, none), segment(299, 5, { from: 200, to: 290 }, none)])
    expect(totalTally(counts.byKind.within).queries).toBe(0)
    expect(counts.unreachable).toEqual({ before: { notYet: 1, lost: 1 }, within: { notYet: 3, lost: 3 }, after: { notYet: 1, lost: 1 } })
  })

  it('are hit by chance as often as drawing places says', () => {
    // Places drawn at random from the readable ones, many times.
    let state = 1
    const draw = (below: number) => (state = (state * 48271) % 2147483647) % below
    const sum = emptyCounts()
    for (let i = 0; i < 2000; i++) addCounts(sum, countReferences(text, references, [segment(99, 5, { from: 0, to: 99 }, () => {
      const first = draw(99)
      const second = (first + 1 + draw(98)) % 99
      return [first, second]
    })]))
    const { queries, definition, chance, answer, answerChance } = totalTally(sum.byKind.within)
    expect(queries).toBe(6000)
    expect(Math.abs(definition / queries - chance / queries)).toBeLessThan(0.03)
    expect(chance / queries).toBeCloseTo(chanceOfHit(99, 21, 2), 6)
    expect(Math.abs(answer - answerChance)).toBeLessThan(50)
    expect(answerChance / queries).toBeCloseTo(2 / 99, 6)
    expect(chanceOfHit(10, 3, 10)).toBe(1)
    expect(chanceOfHit(10, 3, 0)).toBe(0)
  })

  it('sum up over documents', () => {
    const one = countReferences(text, references, [segment(99, 5, { from: 0, to: 99 }, () => [5])])
    const sum = emptyCounts()
    addCounts(sum, one)
    addCounts(sum, one)
    expect(totalTally(sum.byKind.within).queries).toBe(2 * totalTally(one.byKind.within).queries)
    expect(sum.byHead[0].heads[0].definition).toBe(2 * one.byHead[0].heads[0].definition)
    expect(sum.references).toBe(4)
  })
})
