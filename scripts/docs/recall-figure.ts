/**
 * `npx tsx scripts/docs/recall-figure.ts`: writes `docs/concepts/recall.svg`, recall against the number of bins, as theory has it and as the search's own
 * ops give it on Gaussian scores. The same every time. With `--check` it writes nothing and fails if the picture is not current.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { datasetVectors } from '../../src/data/vector-datasets.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { bestPacked } from '../../src/knn/packed.ts'
import { expectedRecallOfBest } from '../../src/knn/recall.ts'
import { evaluate } from '../../src/program/evaluate.ts'

const figureFile = fileURLToPath(new URL('../../docs/concepts/recall.svg', import.meta.url))

const [size, k, queries] = [8192, 32, 32]
const binCounts = [32, 64, 128, 256, 512, 1024, 2048]
const kept = [1, 2] as const

interface Point {
  readonly bins: number
  readonly recall: number
}

/** The share of the true best k of rows of scores that are among the survivors of the partial reduction. */
function measured(scores: HostArray, bins: number, perBin: 1 | 2): number {
  const view = HostArray.of('f32', [queries, size / bins, bins], scores.data as Float32Array)
  const places = evaluate((x: Tensor) => bestPacked(x, perBin).places, view)
  const survivors = places.size / queries
  let right = 0
  for (let query = 0; query < queries; query++) {
    const own = scores.data.slice(query * size, (query + 1) * size) as Float32Array
    const best = new Set([...own.keys()].sort((a, b) => own[b] - own[a]).slice(0, k))
    right += (places.data.slice(query * survivors, (query + 1) * survivors) as Int32Array).filter((place) => best.has(place)).length
  }
  return right / (queries * k)
}

const [left, top, width, height] = [64, 24, 560, 300]
const lowest = 0.6
const x = (bins: number): number => left + (width * Math.log2(bins / binCounts[0])) / Math.log2(binCounts.at(-1)! / binCounts[0])
const y = (recall: number): number => top + (height * (1 - recall)) / (1 - lowest)
const at = (value: number): string => String(Number(value.toFixed(1)))

/** The picture, readable on light and dark ground. */
export async function recallFigure(): Promise<string> {
  const source = datasetVectors({ kind: 'gaussian', rows: queries, size }, 0, 'database')
  const { data } = await source.read(0, queries)
  const scores = new HostArray(tensorType('f32', [queries, size]), data)
  const series = kept.map((perBin) => {
    const usable = binCounts.filter((bins) => bins * perBin >= k)
    return {
      perBin,
      predicted: usable.map((bins): Point => ({ bins, recall: expectedRecallOfBest({ size, bins, keptPerBin: perBin, k }) })),
      measured: usable.map((bins): Point => ({ bins, recall: measured(scores, bins, perBin) })),
    }
  })
  const rules = [0.6, 0.7, 0.8, 0.9, 1].map((recall) =>
    `<line class="rule" x1="${left}" x2="${left + width}" y1="${at(y(recall))}" y2="${at(y(recall))}"/><text x="${left - 10}" y="${at(y(recall) + 4)}" text-anchor="end">${recall.toFixed(1)}</text>`)
  const ticks = binCounts.map((bins) => `<text x="${at(x(bins))}" y="${top + height + 22}" text-anchor="middle">${bins}</text>`)
  const curves = series.map(({ perBin, predicted, measured: points }) => {
    const line = predicted.map(({ bins, recall }) => `${at(x(bins))},${at(y(recall))}`).join(' ')
    const dots = points.map(({ bins, recall }) => `<circle cx="${at(x(bins))}" cy="${at(y(recall))}" r="4.5"><title>${bins} bins: measured ${recall.toFixed(3)}</title></circle>`)
    return `<g class="series-${perBin}"><polyline points="${line}"/>${dots.join('')}</g>`
  })
  const names = ['best one of each bin', 'best two of each bin']
  const legend = kept.map((perBin, i) => {
    const row = top + height - 62 + 24 * i
    return `<g class="series-${perBin}"><polyline points="${left + 300},${row} ${left + 330},${row}"/><circle cx="${left + 315}" cy="${row}" r="4.5"/></g><text x="${left + 340}" y="${row + 4}">${names[i]}</text>`
  })
  const facts = series.map(({ perBin, measured: points }) => `keeping ${perBin}: ${points.map(({ bins, recall }) => `${bins} bins ${recall.toFixed(3)}`).join(', ')}`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 24} ${top + height + 60}" role="img" aria-labelledby="title facts">
<title id="title">Recall of the best ${k} of ${size} scores, by the number of bins</title>
<desc id="facts">Measured on ${queries} rows of Gaussian scores; ${facts.join('; ')}. The lines are what theory expects.</desc>
<style>
text { font: 13px system-ui, sans-serif; fill: #5b6678; }
.rule { stroke: #d5dae2; stroke-width: 1; }
polyline { fill: none; stroke-width: 2; }
circle { stroke: #fff; stroke-width: 1.5; }
.series-1 polyline { stroke: #2f5fd0; } .series-1 circle { fill: #2f5fd0; }
.series-2 polyline { stroke: #d9560b; } .series-2 circle { fill: #d9560b; }
@media (prefers-color-scheme: dark) {
text { fill: #98a3b5; } .rule { stroke: #2a3240; } circle { stroke: #181d26; }
.series-1 polyline { stroke: #86a8ff; } .series-1 circle { fill: #86a8ff; }
.series-2 polyline { stroke: #ff9d5c; } .series-2 circle { fill: #ff9d5c; }
}
</style>
${rules.join('\n')}
${ticks.join('\n')}
<text x="${left + width / 2}" y="${top + height + 48}" text-anchor="middle">bins (k = ${k}, n = ${size}; lines: expected, dots: measured)</text>
<text x="16" y="${top + height / 2}" text-anchor="middle" transform="rotate(-90 16 ${top + height / 2})">recall</text>
${curves.join('\n')}
${legend.join('\n')}
</svg>
`
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const figure = await recallFigure()
  const current = fs.existsSync(figureFile) ? fs.readFileSync(figureFile, 'utf8') : ''
  if (!process.argv.includes('--check')) fs.writeFileSync(figureFile, figure)
  else if (current !== figure) {
    process.stderr.write(`${path.basename(figureFile)} is not current: run \`npx tsx scripts/docs/recall-figure.ts\`\n`)
    process.exitCode = 1
  }
}
