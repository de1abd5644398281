/** Pictures of results: lines with their spread over seeds, readable on light and dark ground, the same for the same figures. */
export interface Plot {
  readonly title: string
  readonly x: Axis & { readonly scale: 'linear' | 'log' }
  readonly y: Axis
  readonly series: readonly Series[]
}

export interface Axis {
  readonly label: string
  /** Places that are marked, with their text. */
  readonly ticks?: readonly (readonly [number, string])[]
}

export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number; readonly deviation?: number }[]
  /** A level to compare with, drawn across. */
  readonly level?: boolean
}

const [left, top, width, height] = [72, 40, 560, 300]
const colours = [['#2f5fd0', '#86a8ff'], ['#d9560b', '#ff9d5c'], ['#1f8a4c', '#63d397'], ['#8b3fc4', '#c793f2'], ['#a1790a', '#e0be55'], ['#5b6678', '#98a3b5']] as const
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const at = (value: number): string => String(Number(value.toFixed(1)))

/** An SVG file. Throws `RangeError` for a plot without points. */
export function plotSvg(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points)
  if (points.length === 0) throw new RangeError(`the plot "${plot.title}" has no points`)
  const across = plot.series.filter(({ level }) => !level).flatMap((series) => series.points.map(({ x }) => x))
  const x = placed(across, plot.x.scale, left, left + width)
  const heights = points.flatMap(({ y, deviation = 0 }) => [y - deviation, y + deviation])
  const [lowest, highest] = padded(Math.min(...heights), Math.max(...heights))
  const y = (value: number): number => top + (height * (highest - value)) / (highest - lowest)
  const yTicks = plot.y.ticks ?? niceTicks(lowest, highest)
  const xTicks = plot.x.ticks ?? [...new Set(across)].sort((a, b) => a - b).map((value) => [value, value.toLocaleString('en')] as const)
  const rows = Math.ceil(plot.series.length / 2)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 24} ${top + height + 64 + 22 * rows}" role="img" aria-labelledby="title">
<title id="title">${escaped(plot.title)}</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #5b6678; } .head { font-size: 15px; font-weight: 600; }
.rule { stroke: #d5dae2; stroke-width: 1; } polyline, .whisker { fill: none; stroke-width: 2; } .level { stroke-dasharray: 6 5; }
${colours.map(([light], i) => `.s${i} { stroke: ${light}; } .s${i} circle { fill: ${light}; }`).join(' ')}
@media (prefers-color-scheme: dark) { text { fill: #98a3b5; } .rule { stroke: #2a3240; }
${colours.map(([, dark], i) => `.s${i} { stroke: ${dark}; } .s${i} circle { fill: ${dark}; }`).join(' ')} }
</style>
<text class="head" x="${left}" y="22">${escaped(plot.title)}</text>
${yTicks.map(([value, text]) => `<line class="rule" x1="${left}" x2="${left + width}" y1="${at(y(value))}" y2="${at(y(value))}"/><text x="${left - 10}" y="${at(y(value) + 4)}" text-anchor="end">${escaped(text)}</text>`).join('\n')}
${xTicks.map(([value, text]) => `<text x="${at(x(value))}" y="${top + height + 20}" text-anchor="middle">${escaped(text)}</text>`).join('\n')}
<text x="${left + width / 2}" y="${top + height + 42}" text-anchor="middle">${escaped(plot.x.label)}</text>
<text x="18" y="${top + height / 2}" text-anchor="middle" transform="rotate(-90 18 ${top + height / 2})">${escaped(plot.y.label)}</text>
${plot.series.map((series, i) => drawn(series, i % colours.length, x, y)).join('\n')}
${plot.series.map(({ name, level }, i) => legend(name, level ?? false, i)).join('\n')}
</svg>
`
}

function drawn({ points, level }: Series, colour: number, x: (value: number) => number, y: (value: number) => number): string {
  if (level) return `<g class="s${colour}"><polyline class="level" points="${left},${at(y(points[0].y))} ${left + width},${at(y(points[0].y))}"/></g>`
  const line = points.map((point) => `${at(x(point.x))},${at(y(point.y))}`).join(' ')
  const marks = points.map(({ x: place, y: value, deviation = 0 }) => {
    const whisker = deviation > 0 ? `<line class="whisker" x1="${at(x(place))}" x2="${at(x(place))}" y1="${at(y(value - deviation))}" y2="${at(y(value + deviation))}"/>` : ''
    return `${whisker}<circle cx="${at(x(place))}" cy="${at(y(value))}" r="4"/>`
  })
  return `<g class="s${colour}"><polyline points="${line}"/>${marks.join('')}</g>`
}

function legend(name: string, level: boolean, i: number): string {
  const [column, row] = [left + (i % 2) * (width / 2), top + height + 64 + 22 * Math.floor(i / 2)]
  return `<g class="s${i % colours.length}"><polyline class="${level ? 'level' : ''}" points="${column},${row} ${column + 26},${row}"/></g><text x="${column + 34}" y="${row + 4}">${escaped(name)}</text>`
}

function placed(values: readonly number[], scale: 'linear' | 'log', from: number, to: number): (value: number) => number {
  const ruler = scale === 'log' ? Math.log2 : (value: number) => value
  const [low, high] = [ruler(Math.min(...values)), ruler(Math.max(...values))]
  return (value) => (high === low ? (from + to) / 2 : from + 12 + ((to - from - 24) * (ruler(value) - low)) / (high - low))
}

const padded = (low: number, high: number): [number, number] => {
  const room = (high - low || Math.abs(high) || 1) * 0.08
  return [low - room, high + room]
}

/** About five round places of a range. */
function niceTicks(low: number, high: number): [number, string][] {
  const rough = (high - low) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  return Array.from({ length: 12 }, (_, i) => (Math.ceil(low / step) + i) * step).filter((value) => value <= high).map((value) => [value, value.toFixed(digits)])
}
