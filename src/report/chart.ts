import type { Chart, Series } from './report.ts'

/** One curve as the page draws it; `null` is a gap. */
export interface Curve {
  readonly label: string
  /** Which colour of the palette; curves of one name share it. */
  readonly color: number
  /** Which dash; 0 is a full line. */
  readonly dash: number
  readonly x: readonly number[]
  readonly y: readonly (number | null)[]
  /** The moving mean, when the chart asks for one. */
  readonly smooth?: readonly (number | null)[]
}

/** A chart as the page draws it. */
export interface ChartData {
  readonly xLabel: string
  readonly yLabel: string
  readonly log: boolean
  readonly curves: readonly Curve[]
}

/** What can be said of a curve in words, for those who cannot see it; `undefined` where no value is finite. */
export interface CurveFacts {
  readonly label: string
  readonly points: number
  /** Values that are NaN or infinite or, on a logarithmic axis, not positive. */
  readonly gaps: number
  readonly first?: { readonly x: number; readonly y: number }
  readonly last?: { readonly x: number; readonly y: number }
  readonly lowest?: { readonly x: number; readonly y: number }
  readonly highest?: { readonly x: number; readonly y: number }
}

/** The name of a curve in legend and table. */
export function seriesLabel(series: Series): string {
  return series.seed === undefined ? series.name : `${series.name}, seed ${series.seed}`
}

/**
 * Moving mean with exponential weights, started without a bias to zero; a gap stays a gap and does not enter the mean.
 * Source: Kingma and Ba 2015 (Adam), section 3, the correction of the initial bias.
 */
export function movingMean(values: readonly (number | null)[], weight: number): (number | null)[] {
  let mean = 0
  let mass = 0
  return values.map((value) => {
    if (value === null) return null
    mean = weight * mean + (1 - weight) * value
    mass = weight * mass + (1 - weight)
    return Number((mean / mass).toPrecision(7))
  })
}

/** What the page needs to draw a chart: gaps for what cannot be drawn, colours by name, dashes by seed. */
export function chartData(chart: Chart): ChartData {
  const log = chart.yScale === 'log'
  const names = [...new Set(chart.series.map((series) => series.name))]
  const drawn = new Map<string, number>()
  const curves = chart.series.map((series): Curve => {
    const dash = drawn.get(series.name) ?? 0
    drawn.set(series.name, dash + 1)
    const y = series.y.map((value) => (Number.isFinite(value) && (!log || value > 0) ? value : null))
    const curve = { label: seriesLabel(series), color: names.indexOf(series.name), dash, x: series.x, y }
    return chart.smoothing ? { ...curve, smooth: movingMean(y, chart.smoothing) } : curve
  })
  return { xLabel: chart.xLabel, yLabel: chart.yLabel, log, curves }
}

/** The facts of one curve. */
export function curveFacts(curve: Curve): CurveFacts {
  const points = curve.x.flatMap((x, at) => (curve.y[at] === null ? [] : [{ x, y: curve.y[at] }]))
  const facts = { label: curve.label, points: curve.x.length, gaps: curve.x.length - points.length }
  if (points.length === 0) return facts
  return {
    ...facts,
    first: points[0],
    last: points[points.length - 1],
    lowest: points.reduce((best, point) => (point.y < best.y ? point : best)),
    highest: points.reduce((best, point) => (point.y > best.y ? point : best)),
  }
}
