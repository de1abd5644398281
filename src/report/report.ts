import { InputError } from '../ir/errors.ts'

/**
 * Reports: what a run has found, as one HTML file that opens offline and can be sent by mail. A report is plain data (this
 * file); `render.ts` makes the page of it and `write.ts` puts it on the disk. The page asks no server for anything: its style,
 * its script (uPlot, for the curves) and its figures are inside. The same report gives the same bytes.
 */
export interface Report {
  readonly title: string
  /** One or two sentences under the title: what was found. */
  readonly subtitle?: string
  readonly sections: readonly ReportSection[]
  readonly generated: Generated
}

/** How a report came to be: enough to make it again. */
export interface Generated {
  /** ISO 8601, given by the caller: a report reads no clock. */
  readonly date: string
  /** Names and versions, e.g. `{ engram: '0.1.0', jax: '0.10.2' }`. */
  readonly versions: Readonly<Record<string, string>>
  /** The command line that made it. */
  readonly command: string
  readonly seeds: readonly number[]
}

/** One part of a report; what is present is shown in the order cards, text, chart, table, code. */
export interface ReportSection {
  readonly title: string
  /** Plain text: blank lines part paragraphs, `backticks` set code. */
  readonly text?: string
  readonly cards?: readonly Card[]
  readonly chart?: Chart
  readonly table?: Table
  readonly code?: Code
}

/** One figure that should be seen first. */
export interface Card {
  readonly label: string
  readonly value: string | number
  /** Small print under the value, e.g. the unit or the spread over seeds. */
  readonly note?: string
  /** `good` and `bad` colour the value; the words must say it too, for those who do not see the colour. */
  readonly tone?: 'plain' | 'good' | 'bad'
}

/** A table; numbers are set right and shortened, `null` is a dash. */
export interface Table {
  readonly caption?: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
  /** Rows to be set bold, by index. */
  readonly highlight?: readonly number[]
}

/** Curves over a common axis. */
export interface Chart {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly yScale?: 'linear' | 'log'
  readonly series: readonly Series[]
  /**
   * Weight of the past in a moving mean, from 0 (none) to below 1: the mean is drawn strong, the values themselves faint.
   */
  readonly smoothing?: number
}

/** One curve. Curves of one name have one colour; their seeds differ by the dash. */
export interface Series {
  readonly name: string
  readonly seed?: number
  /** Ascending. */
  readonly x: readonly number[]
  /** As long as `x`. NaN and the infinities are shown as gaps and counted under the chart. */
  readonly y: readonly number[]
}

/** Text to be read as it is: a configuration, a program. */
export interface Code {
  readonly caption?: string
  readonly text: string
}

/** Throws an InputError where the parts of a report do not fit each other. */
export function checkReport(report: Report): void {
  for (const [index, section] of report.sections.entries()) {
    const where = `report section ${index + 1} "${section.title}"`
    const { table, chart } = section
    for (const [row, cells] of (table?.rows ?? []).entries()) {
      if (cells.length !== table!.columns.length) {
        throw new InputError(`${where}: table row ${row + 1} has ${cells.length} cells, expected ${table!.columns.length} (one for each column)`, 'INVALID_REPORT')
      }
    }
    if (chart === undefined) continue
    if (chart.smoothing !== undefined && !(chart.smoothing >= 0 && chart.smoothing < 1)) {
      throw new InputError(`${where}: smoothing is ${chart.smoothing}, expected a number from 0 to below 1`, 'INVALID_REPORT')
    }
    for (const series of chart.series) {
      if (series.x.length !== series.y.length) {
        throw new InputError(`${where}: series "${series.name}" has ${series.x.length} x and ${series.y.length} y values, expected as many`, 'INVALID_REPORT')
      }
      const bad = series.x.findIndex((x, at) => !Number.isFinite(x) || (at > 0 && x <= series.x[at - 1]))
      if (bad >= 0) {
        throw new InputError(`${where}: series "${series.name}": x[${bad}] is ${series.x[bad]}, expected finite and ascending values`, 'INVALID_REPORT')
      }
    }
  }
}
