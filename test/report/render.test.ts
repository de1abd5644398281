import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/ir/errors.ts'
import { pageScript } from '../../src/report/page-script.ts'
import { renderReport } from '../../src/report/render.ts'
import type { Chart, Report, ReportSection } from '../../src/report/report.ts'
import { readUplot } from '../../src/report/uplot.ts'

const generated = { date: '2026-01-02T03:04:05Z', versions: { jax: '0.10.2', engram: '0.1.0' }, command: 'npm run demo', seeds: [0, 1] }
const report = (...sections: ReportSection[]): Report => ({ title: 'A report', sections, generated })
const chart: Chart = {
  title: 'Loss', xLabel: 'step', yLabel: 'bits per byte',
  series: [
    { name: 'Transformer-XL', seed: 0, x: [1, 2, 3], y: [3, 2.5, 2] },
    { name: 'Transformer-XL', seed: 1, x: [1, 2, 3], y: [3.1, Number.NaN, 2.1] },
    { name: 'Memorizing Transformer', x: [2, 4], y: [2.4, 1.9] },
  ],
}

/** The figures that a page carries for its script. */
function embedded(html: string): unknown {
  return JSON.parse(/<script type="application\/json" id="report-data">([\s\S]*?)<\/script>/.exec(html)![1])
}

describe('renderReport', () => {
  it('gives the same bytes for the same report', () => {
    const make = () => renderReport(report({ title: 'Training', chart, cards: [{ label: 'Best', value: 1.9 }] }))
    expect(make()).toBe(make())
  })

  it('asks no server for anything', () => {
    const html = renderReport(report({ title: 'Training', chart }))
    expect(html).toContain("default-src 'none'")
    const withoutComments = html.replace(/\/\*[\s\S]*?\*\//g, '')
    expect(withoutComments).not.toMatch(/https?:\/\/|<link|<img|<iframe|@import|\bsrc=|\bhref=|url\(/)
    expect(html).toContain('MIT License')
  })

  it('shows title, cards, text, table, code and how it was made', () => {
    const html = renderReport({
      ...report({
        title: 'Result',
        text: 'First `code`.\n\nSecond.',
        cards: [{ label: 'Bits per byte', value: 2.31, note: 'two seeds', tone: 'good' }],
        table: { caption: 'Per document', columns: ['document', 'bytes', 'bits'], rows: [['a.py', 123456, 2.4], ['b.py', null, 2.105]], highlight: [1] },
        code: { caption: 'tiny.json', text: '{ "a": 1 }' },
      }),
      subtitle: 'What was found.',
    })
    for (const part of [
      '<h1>A report</h1><p>What was found.</p>',
      '<p>First <code>code</code>.</p>\n<p>Second.</p>',
      '<li class="card good"><div class="label">Bits per byte</div><div class="value">2.31</div><div class="note">two seeds</div></li>',
      '<tr><th scope="row">a.py</th><td class="number">123\u202f456</td><td class="number">2.400</td></tr>',
      '<tr class="strong"><th scope="row">b.py</th><td class="number">–</td><td class="number">2.105</td></tr>',
      '<code>{ &#34;a&#34;: 1 }</code>',
      '<dt>Seeds</dt><dd>0, 1</dd>',
      '<dt>Versions</dt><dd>engram 0.1.0, jax 0.10.2</dd>',
    ]) expect(html).toContain(part)
    expect(html).not.toContain('<script')
  })

  it('gives every section and chart a title that is read out', () => {
    const html = renderReport(report({ title: 'Training', chart }))
    expect(html).toContain('<section aria-labelledby="section-1">')
    expect(html).toContain('<figure aria-labelledby="section-1-chart">\n<figcaption id="section-1-chart">Loss</figcaption>')
    expect(html).toContain('Loss. bits per byte over step. Transformer-XL, seed 0: from 3 to 2; Transformer-XL, seed 1: from 3.1 to 2.1; Memorizing Transformer: from 2.4 to 1.9')
  })

  it('cannot be broken out of by what a report says', () => {
    const evil = '</script><script>alert(1)</script><!--<b onload="x">\u2028'
    const html = renderReport({
      title: evil, subtitle: evil,
      sections: [{
        title: evil, text: evil,
        cards: [{ label: evil, value: evil, note: evil }],
        chart: { ...chart, title: evil, xLabel: evil, yLabel: evil, series: [{ name: evil, x: [1], y: [2] }] },
        table: { caption: evil, columns: [evil], rows: [[evil]] },
        code: { caption: evil, text: evil },
      }],
      generated: { date: evil, versions: { [evil]: evil }, command: evil, seeds: [1] },
    })
    expect(html.match(/<script/g)).toHaveLength(3)
    expect(html.match(/<\/script>/g)).toHaveLength(3)
    expect(html).not.toMatch(/<b |<!--|alert\(1\)<\/script>\s*<script>\s*alert/)
    expect(embedded(html)).toMatchObject([{ xLabel: evil, curves: [{ label: evil }] }])
  })

  it('keeps gaps for what is not finite and says how many there are', () => {
    const html = renderReport(report({
      title: 'Training',
      chart: { ...chart, series: [{ name: 'a', x: [1, 2, 3, 4], y: [1, Number.NaN, Number.POSITIVE_INFINITY, 2] }] },
    }))
    expect(embedded(html)).toMatchObject([{ curves: [{ y: [1, null, null, 2] }] }])
    expect(html).toContain('Values left out (NaN or infinite): a: 2 of 4')
  })

  it('leaves out what a logarithmic axis has no place for', () => {
    const html = renderReport(report({ title: 'T', chart: { ...chart, yScale: 'log', series: [{ name: 'a', x: [1, 2, 3], y: [1, 0, -1] }] } }))
    expect(embedded(html)).toMatchObject([{ log: true, curves: [{ y: [1, null, null] }] }])
    expect(html).toContain('a: 2 of 3')
  })

  it('says so when there is nothing to draw or to list', () => {
    const html = renderReport(report(
      { title: 'Empty', chart: { ...chart, series: [{ name: 'a', x: [], y: [] }] }, table: { columns: ['x', 'y'], rows: [] } },
      { title: 'None', chart: { ...chart, series: [] } },
      { title: 'NaN', chart: { ...chart, series: [{ name: 'a', x: [1], y: [Number.NaN] }] } },
    ))
    expect(html.match(/no values to draw/g)).toHaveLength(3)
    expect(html).toContain('<td colspan="2">no rows</td>')
    expect(html).not.toContain('<script')
  })

  it('draws the curves that have values beside one that has none', () => {
    const html = renderReport(report({ title: 'T', chart: { ...chart, series: [{ name: 'empty', x: [], y: [] }, ...chart.series] } }))
    expect(embedded(html)).toMatchObject([{ curves: [{ label: 'empty', x: [], y: [] }, { color: 1, dash: 0 }, { color: 1, dash: 1 }, { color: 2, dash: 0 }] }])
  })

  it('refuses parts that do not fit each other', () => {
    const message = (section: ReportSection) => {
      try {
        renderReport(report(section))
      } catch (error) {
        return error instanceof InputError ? error.message : `not an InputError: ${error}`
      }
      return 'no error'
    }
    expect(message({ title: 'T', table: { columns: ['a', 'b'], rows: [[1, 2], [3]] } })).toMatchInlineSnapshot(
      `"report section 1 "T": table row 2 has 1 cells, expected 2 (one for each column)"`)
    expect(message({ title: 'T', chart: { ...chart, series: [{ name: 's', x: [1], y: [] }] } })).toMatchInlineSnapshot(
      `"report section 1 "T": series "s" has 1 x and 0 y values, expected as many"`)
    expect(message({ title: 'T', chart: { ...chart, series: [{ name: 's', x: [2, 1], y: [0, 0] }] } })).toMatchInlineSnapshot(
      `"report section 1 "T": series "s": x[1] is 1, expected finite and ascending values"`)
    expect(message({ title: 'T', chart: { ...chart, smoothing: 1 } })).toMatchInlineSnapshot(
      `"report section 1 "T": smoothing is 1, expected a number from 0 to below 1"`)
  })
})

/** What the page's script asks of uPlot for one chart, run without a browser: a few elements that only count what is done to them. */
function runPage(html: string): { options: UplotOptions; data: (number | null | undefined)[][] }[] {
  const made: { options: UplotOptions; data: (number | null | undefined)[][] }[] = []
  const charts = JSON.stringify(embedded(html))
  const places = (embedded(html) as unknown[]).map((_, index) => ({ dataset: { chart: String(index) }, clientWidth: 900, querySelectorAll: () => [] }))
  const context: Record<string, unknown> = {
    document: { documentElement: {}, getElementById: () => ({ textContent: charts }), querySelectorAll: () => places },
    getComputedStyle: () => ({ getPropertyValue: (name: string) => ` color(${name})` }),
    ResizeObserver: class { observe() {} },
    matchMedia: () => ({ addEventListener() {} }),
    made,
  }
  // The page's functions may use uPlot's real join, but there is no canvas to draw on.
  const script = `${readUplot().script}\nconst realJoin = uPlot.join\nuPlot = function (options, data) { made.push({ options, data }) }\nuPlot.join = realJoin;\n${pageScript}`
  vm.runInNewContext(script, context)
  return made
}

interface UplotOptions {
  readonly width: number
  readonly series: readonly { readonly label: string; readonly class?: string; readonly dash?: readonly number[]; stroke?(): string }[]
  readonly scales: { readonly y: { readonly distr?: number } }
}

describe('the page script', () => {
  it('draws each chart from the data in the page', () => {
    const [first, second] = runPage(renderReport(report({ title: 'A', chart }, { title: 'B', chart: { ...chart, yScale: 'log' } })))
    expect(first.options.width).toBe(900)
    expect(first.options.series.map(({ label }) => label)).toEqual(['step', 'Transformer-XL, seed 0', 'Transformer-XL, seed 1', 'Memorizing Transformer'])
    expect(first.options.series.slice(1).map((series) => `${series.stroke!()} ${series.dash!.length > 0 ? 'dashed' : 'full'}`)).toEqual([
      'color(--series-0) full', 'color(--series-0) dashed', 'color(--series-1) full',
    ])
    expect(second.options.scales.y.distr).toBe(3)
  })

  it('joins curves of different steps, so that only a value that is not finite makes a gap', () => {
    const [{ data }] = runPage(renderReport(report({ title: 'A', chart })))
    expect(JSON.parse(JSON.stringify(data.map((values) => values.map((value) => (value === undefined ? 'open' : value)))))).toEqual([
      [1, 2, 3, 4],
      [3, 2.5, 2, 'open'],
      [3.1, null, 2.1, 'open'],
      ['open', 2.4, 'open', 1.9],
    ])
  })

  it('draws the moving mean over the faint values', () => {
    const [{ options, data }] = runPage(renderReport(report({ title: 'A', chart: { ...chart, smoothing: 0.5, series: chart.series.slice(0, 1) } })))
    expect(options.series.map((series) => series.class ?? 'strong')).toEqual(['strong', 'faint', 'strong'])
    expect(data[2][0]).toBe(3)
    expect(data[2][1]).toBeCloseTo((0.5 * 0.5 * 3 + 0.5 * 2.5) / 0.75, 5)
  })
})
