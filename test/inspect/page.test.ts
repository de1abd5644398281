import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { byteTokenizer } from '../../src/data/tokenizer.ts'
import { SeededRandom } from '../../src/data/random.ts'
import { DocumentCollector, type InspectedDocument, mostChanged, placesThatFit } from '../../src/inspect/inspected-document.ts'
import { type Inspection, renderInspection } from '../../src/inspect/page.ts'
import { ReferenceCounter } from '../../src/inspect/references.ts'
import { definitionRules, findDefinitions, findReferences } from '../../src/inspect/definitions.ts'
import { documentScript } from '../../src/inspect/script-document.ts'
import { tokenText } from '../../src/inspect/token-text.ts'
import { describeBrowser, launchChromium, openFile } from '../support/browser.ts'

const tokenizer = byteTokenizer()
const generated = { date: '2026-11-24T00:00:00.000Z', versions: { engram: '0.1.0' }, command: 'engram inspect runs/x notes.ml', seeds: [0] }
const bytes = (text: string) => Uint16Array.from([...new TextEncoder().encode(text), 256])

/** A document as a model with so many heads might have read it: token `i` retrieves places 10, 20, ... tokens before the query, where there are such. */
function inspectedDocument(ids: Uint16Array, heads: number, kept: number, segment = 64): InspectedDocument {
  const random = new SeededRandom('page', 1)
  const collector = new DocumentCollector(tokenText(ids, tokenizer), kept)
  const neighbours = Math.max(kept, 2)
  for (let offset = 0; offset + 1 < ids.length; offset += segment) {
    const length = Math.min(segment, ids.length - 1 - offset)
    const places = new Int32Array(heads * segment * neighbours).fill(-1)
    const weights = new Float32Array(places.length)
    for (let head = 0; head < heads; head++)
      for (let i = 0; i < length; i++)
        for (let n = 0; n < neighbours; n++) {
          const place = offset + i - 100 * (n + 1) - head
          if (place < 0 || place >= offset) continue
          places[(head * segment + i) * neighbours + n] = place
          weights[(head * segment + i) * neighbours + n] = 0.6 / (n + 1)
        }
    const loss = Float32Array.from({ length }, () => 3 * (random.uint32() / 2 ** 32))
    const lossWithout = loss.map((nats) => Math.max(0, nats + 2 * (random.uint32() / 2 ** 32) - 0.8))
    collector.add({ document: 0, offset, length, loss, lossWithout, readable: { from: 0, to: offset }, layers: [{ layer: 2, heads, neighbours, queries: segment, places, weights }] })
  }
  return collector.document
}

const inspection = (document: InspectedDocument, heads: number, changes: Partial<Inspection> = {}): Inspection => ({
  title: 'notes.ml',
  subtitle: 'memorizing-transformer after 100 steps',
  document,
  tokenBytes: tokenizer.tokenBytes,
  ended: true,
  segment: 64,
  memory: { layers: [2], size: 8192, neighbours: 32, gates: [Float32Array.from({ length: heads }, (_, i) => (i + 1) / (heads + 1))] },
  generated,
  ...changes,
})

/** The page's own functions that set rows, over a document given as facts. */
function rowsOf(ids: Uint16Array, columns: number): string[][] {
  const text = tokenText(ids, tokenizer)
  const blocks: Record<string, string> = {
    facts: JSON.stringify({ text: text.text, tokens: ids.length, chunk: 4096, layers: [], hasMemory: false, end: true }),
    lengths: Buffer.from(Uint16Array.from(ids, (_, i) => text.starts[i + 1] - text.starts[i]).buffer).toString('base64'),
    loss: Buffer.alloc(2 * ids.length).toString('base64'),
  }
  const run = new Function('document', 'columns', 'token', `${documentScript}
    const set = setRows(columns)
    return { rows: Array.from(set.rowToken, (_, row) => partsOf(set, row)), rowOf: Array.from({ length: tokens }, (_, token) => rowOf(set, token)) }`)
  const { rows, rowOf } = run({ getElementById: (id: string) => ({ textContent: blocks[id] }) }, columns) as { rows: [number, string][][]; rowOf: number[] }
  // Every token begins in the row that the page scrolls to for it.
  rowOf.forEach((row, token) => expect(rows[row].some(([part]) => part === token)).toBe(true))
  return rows.map((row) => row.map(([, shown]) => shown))
}

describe('rows of the page', () => {
  it('break at line ends and before the token that no longer fits', () => {
    expect(rowsOf(bytes('let x\n= 12345\n'), 6).map((row) => row.join(''))).toEqual(['let x↵', '= 1234', '5↵', '⟨end⟩'])
  })

  it('hold every token once, in order, in all widths and texts', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom('\n', '\t', 'é', '語', '\r\n', '\u0007', ' '), fc.string({ unit: 'binary', maxLength: 12 })), { maxLength: 30 }), fc.integer({ min: 5, max: 40 }), (parts, columns) => {
        const ids = bytes(parts.join(''))
        const { text, starts } = tokenText(ids, tokenizer)
        const expected = Array.from(ids, (_, i) => text.slice(starts[i], starts[i + 1])).map((piece, i) => (piece === '' ? (i === ids.length - 1 ? '⟨end⟩' : '·') : piece.replaceAll('\n', '↵').replace(/[\0-\x08\x0b-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0))).replaceAll('\x7f', '␡'))).join('')
        expect(rowsOf(ids, columns).flat().join('')).toBe(expected)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the page as text', () => {
  it('says the totals, and holds a document of 200,000 tokens in less than 40 MB', { timeout: 60_000 }, () => {
    const ids = Uint16Array.from({ length: 200_000 }, (_, i) => (i % 73 === 72 ? 10 : 97 + (i % 26)))
    const kept = placesThatFit(ids.length, 8, 24e6)
    expect(kept).toBe(3)
    const html = renderInspection(inspection(inspectedDocument(ids, 8, kept), 8))
    expect(Buffer.byteLength(html)).toBeLessThan(40e6)
    expect(html).toMatch(/bits per byte without memory<\/div><div class="value">\d\.\d{4}/)
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org)/)
  })

  it('is the same for the same inspection', () => {
    const document = inspectedDocument(bytes('let x = 1\n'.repeat(30)), 2, 2)
    expect(renderInspection(inspection(document, 2))).toBe(renderInspection(inspection(document, 2)))
  })
})

describeBrowser('the page in a browser', () => {
  let browser: Browser
  let folder: string
  const write = (name: string, html: string): string => {
    const file = path.join(folder, name)
    fs.writeFileSync(file, html)
    return file
  }
  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'engram-page-'))
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  /** Elements of the document that are in the page. */
  const counted = `({ rows: document.querySelectorAll('#space > .row').length, all: document.querySelectorAll('*').length })`

  it('scrolls through 200,000 tokens with only the rows in view as elements', { timeout: 120_000 }, async () => {
    const line = 'let THEOREM = prove(`x + y`);; (* é and 語 *) '
    const long = bytes(`${Array.from({ length: 2000 }, (_, i) => line.repeat(1 + (i % 3)) + '\n').join('')}${'x'.repeat(9000)}`)
    const ids = long.length > 200_000 ? Uint16Array.from([...long.subarray(0, 199_999), 256]) : long
    expect(ids.length).toBeGreaterThan(190_000)
    const { page, faults } = await openFile(browser, write('long.html', renderInspection(inspection(inspectedDocument(ids, 2, 4), 2))))
    await page.waitForSelector('.chosen')
    const height = await page.evaluate(`document.getElementById('document').scrollHeight`) as number
    const inView = Math.ceil(800 / 20) + 2 * 12 + 2
    const seen = new Set<string>()
    for (let step = 0; step <= 30; step++) {
      await page.evaluate(`new Promise((done) => { document.getElementById('document').scrollTop = ${Math.round((height * step) / 30)}; requestAnimationFrame(() => requestAnimationFrame(done)) })`)
      const { rows, all } = await page.evaluate(counted) as { rows: number; all: number }
      expect(rows).toBeGreaterThan(20)
      expect(rows).toBeLessThanOrEqual(inView)
      expect(all).toBeLessThan(12_000)
      seen.add(await page.evaluate(`document.querySelector('#space > .row').dataset.place`) as string)
    }
    expect(seen.size).toBeGreaterThan(25)
    expect(await page.locator('#space > .row').last().textContent()).toContain('⟨end⟩')
    expect(faults).toEqual({ errors: [], requests: [] })
    await page.close()
  })

  it('shows on a click what was retrieved, head by head, and jumps there and back', async () => {
    const ids = bytes(Array.from({ length: 60 }, (_, i) => `let NAME_${i} = prove(x);;\n`).join(''))
    const { page, faults } = await openFile(browser, write('click.html', renderInspection(inspection(inspectedDocument(ids, 2, 2), 2))))
    await page.locator('#document [data-token="640"]').first().scrollIntoViewIfNeeded().catch(() => {})
    await page.fill('#find', '#640')
    await page.press('#find', 'Enter')
    await page.locator('#document [data-token="645"]').click()
    expect(await page.locator('#panel-token h2').textContent()).toContain('at 645')
    // Token 645 is asked for by 644, in the segment from 640 on; head 1 found 100 and 200 tokens before, head 2 one more.
    const heads = page.locator('#panel-token h3')
    expect(await heads.allTextContents()).toEqual(['All heads togetherweight × gate, mean over heads', 'Layer 2, head 1gate 0.33 · 2 of 32 places kept', 'Layer 2, head 2gate 0.67 · 2 of 32 places kept'])
    const lists = page.locator('#panel-token .places')
    const facts = (list: number) => lists.nth(list).locator('.facts').allTextContents()
    expect(await facts(1)).toEqual(['60.0 %100 tokens back', '30.2 %200 tokens back'].map((text, i) => text + (ids[645] === ids[544 - 100 * i] ? ' · same token' : '')))
    expect((await facts(2)).map((text) => /(\d+) tokens/.exec(text)![1])).toEqual(['101', '201'])
    // Altogether, a place counts by weight and gate.
    expect((await facts(0)).map((text) => /(\d+) tokens/.exec(text)![1])).toEqual(['101', '201', '100', '200'])
    await page.getByRole('button', { name: 'head 2', exact: true }).click()
    expect(await heads.allTextContents()).toHaveLength(2)
    await page.locator('#panel-token .places').nth(1).locator('button').first().click()
    expect(await page.locator('#panel-token h2').textContent()).toContain('at 543')
    expect(await page.locator('.chosen').getAttribute('data-token')).toBe('543')
    await page.getByRole('button', { name: 'back to token 645' }).click()
    expect(await page.locator('#panel-token h2').textContent()).toContain('at 645')
    expect(await page.evaluate('location.hash')).toBe('#645')
    // Before anything was written there is nothing to retrieve.
    await page.fill('#find', '#9')
    await page.press('#find', 'Enter')
    expect(await page.locator('#panel-token').textContent()).toContain('The memory was empty')
    expect(faults).toEqual({ errors: [], requests: [] })
    await page.close()
  })

  it('goes by the keyboard: tokens, rows, changes, places, tabs, and back', async () => {
    const document = inspectedDocument(bytes(Array.from({ length: 40 }, (_, i) => `let NAME_${i} = prove(x);;\n`).join('')), 2, 2)
    const { page, faults } = await openFile(browser, write('keys.html', renderInspection(inspection(document, 2))))
    const at = async () => Number(await page.locator('.chosen').first().getAttribute('data-token'))
    expect(await at()).toBe(mostChanged(document, 1, 1)[0])
    await page.fill('#find', '#500')
    await page.press('#find', 'Enter')
    await page.focus('#document')
    await page.keyboard.press('ArrowRight')
    expect(await at()).toBe(501)
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowLeft')
    expect(await at()).toBe(499)
    await page.keyboard.press('n')
    const changed = await at()
    expect(changed).toBeGreaterThan(499)
    expect(Math.abs(document.lossWithout![changed] - document.loss[changed]) / Math.LN2).toBeGreaterThan(0.99)
    await page.keyboard.press('ArrowDown')
    expect(await at()).toBeGreaterThan(changed + 10)
    expect(await page.locator('#said').textContent()).toMatch(/^token \d+ .*bits (gained|lost)$/)
    await page.keyboard.press('Enter')
    expect(await page.evaluate(`document.activeElement.closest('.places') !== null`)).toBe(true)
    const from = await at()
    const place = Number(await page.evaluate('document.activeElement.dataset.place'))
    await page.keyboard.press('Enter')
    expect(await at()).toBe(place)
    await page.focus('#tab-token')
    await page.keyboard.press('ArrowRight')
    expect(await page.evaluate('document.activeElement.id')).toBe('tab-gained')
    expect(await page.locator('#panel-gained').isVisible()).toBe(true)
    expect(await page.locator('#gained li').count()).toBe(100)
    await page.keyboard.press('Escape')
    expect(await page.evaluate('document.activeElement.id')).toBe('document')
    await page.keyboard.press('b')
    expect(await at()).toBe(from)
    expect(faults).toEqual({ errors: [], requests: [] })
    await page.close()
  })

  it('shows text as text, finds it, and colours by what is chosen', async () => {
    const ids = bytes(`</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> & "quotes"\n${'plain text\n'.repeat(30)}needle here\n`)
    const { page, faults } = await openFile(browser, write('text.html', renderInspection(inspection(inspectedDocument(ids, 1, 1), 1, { title: '<b>notes</b>' }))))
    expect(await page.evaluate('window.hacked')).toBeUndefined()
    expect(await page.locator('h1').textContent()).toBe('<b>notes</b>')
    expect(await page.locator('#space > .row').first().textContent()).toBe('</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> & "quotes"↵'.slice(0, (await page.locator('#space > .row').first().textContent())!.length))
    await page.fill('#find', 'needle')
    await page.press('#find', 'Enter')
    expect(await page.locator('.chosen').textContent()).toBe('n')
    await page.fill('#find', 'nowhere at all')
    await page.press('#find', 'Enter')
    expect(await page.locator('#find-said').textContent()).toBe('not found')
    const classes = () => page.evaluate(`[...new Set([...document.querySelectorAll('#space .t')].flatMap((span) => [...span.classList]))].filter((name) => /^[gln]\\d$/.test(name)).map((name) => name[0])`) as Promise<string[]>
    expect(new Set(await classes())).toEqual(new Set(['g', 'l']))
    await page.selectOption('#mode', 'loss')
    expect(new Set(await classes())).toEqual(new Set(['n']))
    expect(faults).toEqual({ errors: [], requests: [] })
    await page.close()
  })

  it('fits a narrow window, in the dark, and a model without memory', async () => {
    const document = inspectedDocument(bytes('let NAME = prove(x);;\n'.repeat(40)), 1, 1)
    const { lossWithout: _, ...losses } = document
    const { memory: _memory, ...without } = inspection({ ...losses, layers: [] }, 1)
    const narrow = await openFile(browser, write('narrow.html', renderInspection(without)), { width: 480, height: 900 }, 'dark')
    await narrow.page.waitForSelector('.chosen')
    expect(await narrow.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    expect(await narrow.page.locator('#panel-token').textContent()).toContain('This model has no external memory')
    expect(await narrow.page.getByRole('tab').allTextContents()).toEqual(['Token', 'About'])
    expect(narrow.faults).toEqual({ errors: [], requests: [] })
    await narrow.page.close()
  })

  it('lists references in a table', async () => {
    const text = tokenText(bytes(`let THE_NAME = prove(x);;\n${'filling\n'.repeat(30)}THE_NAME\n`), tokenizer)
    const rules = definitionRules.filter(({ language }) => language === 'hol-light')
    const references = findReferences(text.text, findDefinitions(text.text, { rules }), { rules })
    const counter = new ReferenceCounter(text, references)
    const length = text.ids.length - 1
    counter.add({ document: 0, offset: 0, length, loss: new Float32Array(length), readable: { from: 0, to: 200 }, layers: [{ layer: 2, heads: 1, neighbours: 1, queries: length, places: new Int32Array(length).fill(6), weights: new Float32Array(length).fill(1) }] })
    const { page, faults } = await openFile(browser, write('references.html', renderInspection(inspection(inspectedDocument(Uint16Array.from(text.ids), 1, 1), 1, { references: { counts: counter.counts, rules } }))))
    // Of 200 places 25 are the definition's; place 6 is an E, and two of the seven tokens predicted are; the seven have nine places in the name.
    await page.click('#tab-references')
    expect(await page.locator('#panel-references p').first().textContent()).toContain('1 uses of 1 names')
    expect(await page.locator('#panel-references table').first().locator('tbody tr').first().locator('td').allTextContents()).toEqual(['7', '100', '12.5', '28.6', '0.6', '100', '100'])
    expect(faults).toEqual({ errors: [], requests: [] })
    await page.close()
  })
})
