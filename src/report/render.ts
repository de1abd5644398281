import type { ChartData, CurveFacts } from './chart.ts'
import { chartData, curveFacts } from './chart.ts'
import { pageHead } from './page-head.ts'
import { pageScript } from './page-script.ts'
import type { Card, Chart, Code, Generated, Report, ReportSection, Table } from './report.ts'
import { checkReport } from './report.ts'
import { pageStyle } from './style.ts'
import { escapeHtml, formatColumn, formatNumber, paragraphs, scriptSafeJson } from './text.ts'
import { readUplot } from './uplot.ts'

/** Collects the charts of a page; the script finds each by its index. */
interface Page {
  readonly charts: ChartData[]
}

const asText = (value: string | number | null) => (value === null ? '–' : typeof value === 'number' ? formatNumber(value) : value)

function renderCards(cards: readonly Card[]): string {
  const items = cards.map(({ label, value, note, tone = 'plain' }) => [
    `<li class="card ${tone}">`,
    `<div class="label">${escapeHtml(label)}</div>`,
    `<div class="value">${escapeHtml(asText(value))}</div>`,
    ...(note === undefined ? [] : [`<div class="note">${escapeHtml(note)}</div>`]),
    '</li>',
  ].join(''))
  return `<ul class="cards">\n${items.join('\n')}\n</ul>`
}

/** A table, as HTML, whose first column heads its rows; a column whose cells are all numbers (or dashes) is set right. `label` names a table without caption. */
export function renderTable({ caption, columns, rows, highlight = [] }: Table, label: string): string {
  const isNumeric = columns.map((_, at) => rows.some((row) => typeof row[at] === 'number') && rows.every((row) => typeof row[at] !== 'string'))
  const texts = rows.map((row) => row.map(asText))
  for (const at of columns.keys()) {
    if (!isNumeric[at]) continue
    const numbered = rows.flatMap((row, index) => (typeof row[at] === 'number' ? [{ index, value: row[at] }] : []))
    for (const [order, text] of formatColumn(numbered.map(({ value }) => value)).entries()) texts[numbered[order].index][at] = text
  }
  const mark = (at: number) => (isNumeric[at] ? ' class="number"' : '')
  const head = columns.map((column, at) => `<th scope="col"${mark(at)}>${escapeHtml(column)}</th>`).join('')
  const body = texts.map((row, index) => {
    const cells = row.map((cell, at) => (at === 0 ? `<th scope="row"${mark(at)}>${escapeHtml(cell)}</th>` : `<td${mark(at)}>${escapeHtml(cell)}</td>`))
    return `<tr${highlight.includes(index) ? ' class="strong"' : ''}>${cells.join('')}</tr>`
  })
  const none = rows.length === 0 ? [`<tr><td colspan="${columns.length}">no rows</td></tr>`] : []
  return [
    // Focusable, so that a table wider than the window can be scrolled from the keyboard.
    `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption ?? label)}"><table class="figures">`,
    ...(caption === undefined ? [] : [`<caption>${escapeHtml(caption)}</caption>`]),
    `<thead><tr>${head}</tr></thead>`,
    `<tbody>\n${[...body, ...none].join('\n')}\n</tbody></table></div>`,
  ].join('\n')
}

function factsTable(facts: readonly CurveFacts[], xLabel: string): string {
  const at = (point: { readonly x: number; readonly y: number } | undefined) => (point === undefined ? null : `${formatNumber(point.y)} (at ${formatNumber(point.x)})`)
  return renderTable({
    columns: ['curve', 'points', 'first', 'last', 'lowest', 'highest'],
    rows: facts.map((fact) => [fact.label, fact.points, at(fact.first), at(fact.last), at(fact.lowest), at(fact.highest)]),
  }, `values of the curves by ${xLabel}`)
}

function renderChart(chart: Chart, id: string, page: Page): string {
  const data = chartData(chart)
  const facts = data.curves.map(curveFacts)
  const gaps = facts.filter((fact) => fact.gaps > 0)
  const hasPoints = facts.some((fact) => fact.first !== undefined)
  const spoken = facts.map(({ label, first, last }) =>
    (first && last ? `${label}: from ${formatNumber(first.y)} to ${formatNumber(last.y)}` : `${label}: no values`)).join('; ')
  const lines = [`<figure aria-labelledby="${id}">`, `<figcaption id="${id}">${escapeHtml(chart.title)}</figcaption>`]
  if (hasPoints) {
    const spokenLabel = `${chart.title}. ${chart.yLabel} over ${chart.xLabel}. ${spoken}`
    lines.push(`<div class="plot" data-chart="${page.charts.length}" role="group" aria-label="${escapeHtml(spokenLabel)}"><noscript>The curves need JavaScript; the figures are below.</noscript></div>`)
    page.charts.push(data)
  } else {
    lines.push('<p class="empty">no values to draw</p>')
  }
  if (gaps.length > 0) {
    const why = data.log ? 'NaN, infinite or not positive on a logarithmic axis' : 'NaN or infinite'
    const list = gaps.map((fact) => `${fact.label}: ${formatNumber(fact.gaps)} of ${formatNumber(fact.points)}`).join('; ')
    lines.push(`<p class="gaps">Values left out (${why}): ${escapeHtml(list)}</p>`)
  }
  if (facts.length > 0) lines.push(`<details><summary>the curves in figures</summary>\n${factsTable(facts, chart.xLabel)}\n</details>`)
  return [...lines, '</figure>'].join('\n')
}

function renderCode({ caption, text }: Code): string {
  const label = caption ?? 'code'
  const head = caption === undefined ? '' : `<figcaption>${escapeHtml(caption)}</figcaption>`
  return `<figure>${head}<pre tabindex="0" role="region" aria-label="${escapeHtml(label)}"><code>${escapeHtml(text)}</code></pre></figure>`
}

function renderSection(section: ReportSection, index: number, page: Page): string {
  const id = `section-${index + 1}`
  return [
    `<section aria-labelledby="${id}">`,
    `<h2 id="${id}">${escapeHtml(section.title)}</h2>`,
    ...(section.cards?.length ? [renderCards(section.cards)] : []),
    ...(section.text === undefined ? [] : [paragraphs(section.text)]),
    ...(section.chart === undefined ? [] : [renderChart(section.chart, `${id}-chart`, page)]),
    ...(section.table === undefined ? [] : [renderTable(section.table, section.title)]),
    ...(section.code === undefined ? [] : [renderCode(section.code)]),
    '</section>',
  ].join('\n')
}

/** How a page came to be, as HTML. */
export function renderFooter({ date, versions, command, seeds }: Generated): string {
  const listed = Object.entries(versions).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, version]) => `${name} ${version}`).join(', ')
  const rows: [string, string][] = [
    ['Made', escapeHtml(date)],
    ['Command', `<code>${escapeHtml(command)}</code>`],
    ['Seeds', escapeHtml(seeds.length === 0 ? 'none' : seeds.join(', '))],
    ['Versions', escapeHtml(listed)],
  ]
  return `<footer><dl>\n${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('\n')}\n</dl></footer>`
}

/** The report as one HTML page, complete in itself. Throws an InputError where its parts do not fit each other. */
export function renderReport(report: Report): string {
  checkReport(report)
  const page: Page = { charts: [] }
  const sections = report.sections.map((section, index) => renderSection(section, index, page))
  const hasCharts = page.charts.length > 0
  const uplot = hasCharts ? readUplot() : { script: '', style: '' }
  return [
    ...pageHead(report.title, `${hasCharts ? `${uplot.style}\n` : ''}${pageStyle}`),
    '</head>',
    '<body>',
    '<main>',
    `<header><h1>${escapeHtml(report.title)}</h1>${report.subtitle === undefined ? '' : paragraphs(report.subtitle)}</header>`,
    ...sections,
    renderFooter(report.generated),
    '</main>',
    ...(hasCharts
      ? [`<script type="application/json" id="report-data">${scriptSafeJson(page.charts)}</script>`, `<script>\n${uplot.script}\n</script>`, `<script>\n${pageScript}\n</script>`]
      : []),
    '</body>',
    '</html>',
    '',
  ].join('\n')
}
