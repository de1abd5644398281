import { pageHead } from '../report/page-head.ts'
import { renderFooter, renderTable } from '../report/render.ts'
import type { Generated } from '../report/report.ts'
import { pageStyle } from '../report/style.ts'
import { escapeHtml, formatNumber, paragraphs, scriptSafeJson } from '../report/text.ts'
import type { DefinitionRule } from './definitions.ts'
import { type DocumentTotals, type InspectedDocument, documentTotals, mostChanged } from './inspected-document.ts'
import type { InspectedMemory } from './inspection-step.ts'
import { inspectionStyle } from './page-style.ts'
import { referenceTables } from './reference-table.ts'
import type { ReferenceCounts } from './references.ts'
import { documentScript } from './script-document.ts'
import { panelScript } from './script-panel.ts'
import { viewScript } from './script-view.ts'

/** All that the page of an inspection shows. */
export interface Inspection {
  readonly title: string
  /** Which model, checkpoint and step. */
  readonly subtitle: string
  readonly document: InspectedDocument
  /** Bytes that each id stands for. */
  readonly tokenBytes: ArrayLike<number>
  /** The document's last token is the one that ends it. */
  readonly ended: boolean
  /** Tokens that a step reads. */
  readonly segment: number
  readonly memory?: InspectedMemory & {
    /** Places that each query retrieves. */
    readonly neighbours: number
    /** Of each layer, the share of the memory in what each head gives. */
    readonly gates: readonly ArrayLike<number>[]
  }
  readonly references?: { readonly counts: ReferenceCounts; readonly rules: readonly DefinitionRule[] }
  readonly generated: Generated
}

/** Tokens of which the places stand in one block of the page. */
const chunk = 4096
/** Tokens that gained or lost most, listed. */
const listed = 100

/**
 * The inspection as one HTML page, complete in itself: it opens offline and asks no server for anything. Text and losses are in it for the
 * whole document, and the places in blocks that are decoded when a token is looked at; of the text only the rows in view are elements.
 */
export function renderInspection(inspection: Inspection): string {
  const { title, subtitle, document, memory } = inspection
  const totals = documentTotals(document, inspection.tokenBytes)
  return [
    ...pageHead(title, `${pageStyle}\n${inspectionStyle}`),
    '</head>',
    '<body>',
    `<header class="top"><div><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></div>${totalsRow(totals)}</header>`,
    '<noscript><p>This page needs JavaScript to show the document; the totals are above.</p></noscript>',
    tools(memory !== undefined),
    '<main class="panes">',
    '<div class="reader">',
    '<div id="document" tabindex="0" role="region" aria-label="the document, token by token" aria-describedby="keys"><div id="space"></div></div>',
    '<canvas id="overview" aria-hidden="true"></canvas>',
    '</div>',
    panel(inspection, totals),
    '</main>',
    '<div id="said" class="said" role="status" aria-live="polite"></div>',
    ...blocks(inspection),
    `<script>\n(function () {\n'use strict'\n${documentScript}\n${viewScript}\n${panelScript}\n})()\n</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function totalsRow({ with: seen, without, gained }: DocumentTotals): string {
  const figure = (label: string, value: string, tone = ''): string => `<li><div class="label">${label}</div><div class="value${tone}">${value}</div></li>`
  const figures = [figure('tokens', formatNumber(seen.tokens + 1))]
  if (without) {
    const saved = 1 - seen.bitsPerByte / without.bitsPerByte
    figures.push(
      figure('bits per byte without memory', without.bitsPerByte.toFixed(4)),
      figure('with memory', seen.bitsPerByte.toFixed(4)),
      figure(saved >= 0 ? 'saved by the memory' : 'lost by the memory', `${(100 * Math.abs(saved)).toFixed(2)} %`, saved >= 0 ? ' good' : ' bad'),
      figure('tokens that gained', `${(100 * gained!).toFixed(0)} %`),
    )
  } else figures.push(figure('bits per byte', seen.bitsPerByte.toFixed(4)))
  return `<ul class="figures-row">${figures.join('')}</ul>`
}

function tools(hasMemory: boolean): string {
  const modes = hasMemory ? [['gain', 'what the memory changed'], ['loss', 'loss with memory'], ['without', 'loss without memory']] : [['loss', 'loss']]
  return [
    '<div class="tools">',
    `<label>colour <select id="mode">${modes.map(([value, label]) => `<option value="${value}">${label}</option>`).join('')}</select></label>`,
    '<div class="legend" id="legend"></div>',
    '<label>find <input id="find" type="search" placeholder="text, or #token; then Enter" autocomplete="off" spellcheck="false"></label><span id="find-said" role="status"></span>',
    '</div>',
  ].join('\n')
}

function panel(inspection: Inspection, totals: DocumentTotals): string {
  const { memory, references } = inspection
  const parts = [
    { id: 'token', label: 'Token', html: '<p class="soft">Choose a token of the document.</p>' },
    ...(memory
      ? [
          { id: 'gained', label: 'Gained', html: '<h2>Tokens that gained most</h2><ol class="places" id="gained"></ol>' },
          { id: 'lost', label: 'Lost', html: '<h2>Tokens that lost most</h2><ol class="places" id="lost"></ol>' },
          { id: 'gates', label: 'Gates', html: gatesHtml(memory) },
        ]
      : []),
    ...(references ? [{ id: 'references', label: 'References', html: referenceTables(references.counts, references.rules).map(({ title, text, table }) => [
      `<h2>${escapeHtml(title)}</h2>`,
      ...text.map(paragraphs),
      ...(table ? [renderTable(table, title)] : []),
    ].join('\n')).join('\n') }] : []),
    { id: 'about', label: 'About', html: aboutHtml(inspection, totals) },
  ]
  const tab = ({ id, label }: { id: string; label: string }): string => `<button type="button" role="tab" id="tab-${id}" aria-controls="panel-${id}" aria-selected="false">${label}</button>`
  return [
    '<aside class="panel" aria-label="what is known of the document">',
    `<div role="tablist" aria-label="views">${parts.map(tab).join('')}</div>`,
    ...parts.map(({ id, html }) => `<div role="tabpanel" id="panel-${id}" aria-labelledby="tab-${id}" tabindex="0" hidden>\n${html}\n</div>`),
    '</aside>',
  ].join('\n')
}

function gatesHtml({ layers, gates }: NonNullable<Inspection['memory']>): string {
  const row = (gate: number, head: number): string =>
    `<tr><th scope="row">head ${head + 1}</th><td style="width:100%"><span class="bar"><i style="width:${(100 * gate).toFixed(1)}%"></i></span></td><td>${gate.toFixed(3)}</td></tr>`
  return [
    '<h2>Gates</h2>',
    '<p>The share of what each head gives that comes from the memory; the rest is attention to the segment and the cache.</p>',
    ...layers.map((layer, i) => `<h3>Layer ${layer}</h3>\n<table class="gates"><tbody>\n${Array.from(gates[i], row).join('\n')}\n</tbody></table>`),
  ].join('\n')
}

function aboutHtml({ memory, segment, generated }: Inspection, totals: DocumentTotals): string {
  const terms: [string, string][] = memory
    ? [
        ['Colours', 'How much the memory changed the loss of each token: the loss without the memory less the loss with it, in bits. Green gained, orange lost.'],
        ['Without memory', 'The same parameters read the document a second time with the memory hidden, so that every layer has its attention to the segment and the cache alone. Its caches are its own. The model was not trained to do without, so the difference says what the memory does in this model, not what a model trained without one would lose.'],
        ['What a token shows', 'The places that the token before it retrieved, for that is the query that predicts it. A share is a place\'s part of the attention to all places that its head retrieved.'],
        ['The memory', `${formatNumber(memory.size)} tokens, of which each head takes the ${memory.neighbours} nearest. A step reads ${segment} tokens and writes them to the memory when it is done, so the memory holds what stands before the segment.`],
      ]
    : [['No memory', noMemory], ['Colours', 'The loss of each token in bits.']]
  terms.push(['Losses', `${formatNumber(totals.with.tokens)} tokens that stand for ${formatNumber(totals.with.bytes)} bytes are predicted; nothing predicts the first one.`])
  return [
    '<h2>How to read this page</h2>',
    '<p id="keys">Click a token, or go with the keys when the document has the focus: <kbd>←</kbd> <kbd>→</kbd> token, <kbd>↑</kbd> <kbd>↓</kbd> row, <kbd>n</kbd> <kbd>p</kbd> next and previous token that changed by a bit or more, <kbd>Enter</kbd> to the places retrieved, <kbd>Esc</kbd> back to the document, <kbd>b</kbd> back to the token before.</p>',
    `<dl>${terms.map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`).join('\n')}</dl>`,
    renderFooter(generated),
  ].join('\n')
}

const noMemory = 'This model has no external memory, so there is nothing that it could have retrieved: the page shows the loss of each token alone.'

/** The data of the page: facts as JSON, arrays as base64. */
function blocks({ document, memory, segment, ended }: Inspection): string[] {
  const { text, loss, lossWithout, layers } = document
  const tokens = text.ids.length
  const facts = {
    text: text.text,
    tokens,
    chunk,
    segment,
    end: ended,
    hasMemory: memory !== undefined,
    noMemory,
    layers: layers.map(({ layer, heads, kept }, i) => ({ layer, heads, kept, neighbours: memory!.neighbours, gates: Array.from(memory!.gates[i], (gate) => Number(gate.toFixed(4))) })),
    gained: mostChanged(document, listed, 1),
    lost: mostChanged(document, listed, -1),
  }
  const lengths = Uint16Array.from({ length: tokens }, (_, i) => text.starts[i + 1] - text.starts[i])
  return [
    `<script type="application/json" id="facts">${scriptSafeJson(facts)}</script>`,
    block('lengths', lengths),
    block('loss', lossSteps(loss)),
    ...(memory && lossWithout ? [block('without', lossSteps(lossWithout))] : []),
    ...layers.flatMap(({ heads, kept, places }, layer) =>
      Array.from({ length: Math.ceil(tokens / chunk) }, (_, i) => block(`places-${layer}-${i}`, places.subarray(i * chunk * heads * kept, (i + 1) * chunk * heads * kept))),
    ),
  ]
}

/** Losses in steps of 1/2048 nat, up to 32 nats. */
const lossSteps = (loss: Float32Array): Uint16Array => Uint16Array.from(loss, (nats) => Math.max(0, Math.min(65535, Math.round(2048 * nats))))

const block = (id: string, { buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): string =>
  `<script type="application/octet-stream" id="${id}">${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}</script>`
