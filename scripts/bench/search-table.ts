import type { BenchResult } from './result.ts'

/** One figure of the search beside its peer's, and what it should be. */
export interface TableRow {
  readonly benchmark: string
  readonly work: string
  readonly unit: string
  readonly engram: number
  /** Null where the limit is a promise of ours and no peer's figure. */
  readonly peer: number | null
  readonly ratio: number | null
  /** Null for a row that is there to be seen. */
  readonly limit: Limit | null
  readonly met: boolean | null
}

/** A bound for our figure, or for its ratio to the peer's. */
export interface Limit {
  readonly of: 'engram' | 'ratio'
  readonly atMost?: number
  readonly atLeast?: number
}

/** The details of a benchmark's result, which the benchmark itself has made. */
type Details = Record<string, any>

function row(benchmark: string, work: string, unit: string, engram: number, peer: number | null, limit: Limit | null): TableRow {
  const ratio = peer === null || peer === 0 ? null : engram / peer
  if (!limit) return { benchmark, work, unit, engram, peer, ratio, limit, met: null }
  const figure = limit.of === 'ratio' ? ratio : engram
  const met = figure !== null && (limit.atMost === undefined || figure <= limit.atMost) && (limit.atLeast === undefined || figure >= limit.atLeast)
  return { benchmark, work, unit, engram, peer, ratio, limit, met }
}

const ours = (bound: Omit<Limit, 'of'>): Limit => ({ of: 'engram', ...bound })

const makers: Readonly<Record<string, (result: BenchResult) => TableRow[]>> = {
  'knn-tpu': ({ name, details }) => {
    const { search, memory, recall } = details as Details
    const one = '1024 queries, 65536 rows of 128, f32'
    const batched = '64 x 512 queries, 64 x 8192 rows of 128, bf16'
    return [
      row(name, one, 'us', 1e3 * search.mixed.ms, 1e3 * search.peer.ms, ours({ atMost: 125 })),
      row(name, `${one}: least recall measured`, 'recall', Math.min(...(Object.values(recall) as number[])), search.peer.expectedRecall, ours({ atLeast: 0.97 })),
      row(name, `${one}: score matrices in HBM`, 'count', Number(search.mixed.scoresInMemory), null, ours({ atMost: 0 })),
      row(name, `${one}: rows in any order, mixed by each search`, 'us', 1e3 * search.any.ms, 1e3 * search.peer.ms, null),
      row(name, batched, 'ms', memory.mixed.ms, memory.peer.ms, ours({ atMost: 1 })),
      row(name, `${batched}: temporaries`, 'MB', memory.mixed.temporariesMB, memory.peer.temporariesMB, ours({ atMost: 50 })),
      row(name, `${batched}, as a memory's ring with a mask`, 'ms', memory.ring.ms, memory.peer.ms, ours({ atMost: 1 })),
      row(name, `${batched}, as a memory's ring with a mask: temporaries`, 'MB', memory.ring.temporariesMB, memory.peer.temporariesMB, ours({ atMost: 50 })),
      row(name, `${batched}: rows in any order, mixed by each search`, 'ms', memory.any.ms, memory.peer.ms, null),
      row(name, `${batched}: rows in any order: temporaries`, 'MB', memory.any.temporariesMB, memory.peer.temporariesMB, null),
    ]
  },
  'attention-tpu': ({ name, engram, peer }) => [row(name, 'search and retrieved attention of the same, forward and backward', 'ms', engram, peer, { of: 'ratio', atMost: 0.5 })],
  'step-tpu': ({ name, engram, peer, details }) => {
    const { peakMB } = details as Details
    return [
      row(name, 'paper-200m train step', 'ms', engram, peer, ours({ atMost: 60 })),
      row(name, 'paper-200m train step: peak of memory', 'MB', peakMB.engram, peakMB.peer, ours({ atMost: 5500 })),
    ]
  },
  'knn-cpu': ({ name, engram, peer }) => [row(name, 'CPU: 256 queries, 8192 rows of 64, f32, exact', 'ms', engram, peer, { of: 'ratio', atMost: 1.1 })],
  'knn-recall': ({ name, engram }) => [row(name, 'every lowering and data set: least recall over the one wanted', 'recall', engram, null, ours({ atLeast: 0 }))],
}

/** The rows of the table that a benchmark's result fills. */
export const rowsOf = (result: BenchResult): TableRow[] => makers[result.name]?.(result) ?? []

const figure = (value: number | null): string => (value === null ? '-' : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3))

function limitText(limit: Limit | null): string {
  if (!limit) return 'none'
  const { of, atMost, atLeast } = limit
  return `${atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`}${of === 'ratio' ? ' x peer' : ''}`
}

/** The table for a person. */
export function tableText(rows: readonly TableRow[]): string {
  const cells = [['work', 'unit', 'engram', 'peer', 'ratio', 'limit', ''], ...rows.map(({ work, unit, engram, peer, ratio, limit, met }) => [work, unit, figure(engram), figure(peer), figure(ratio), limitText(limit), met === null ? '' : met ? 'met' : 'NOT MET'])]
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)))
  return cells.map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ').trimEnd()).join('\n')
}
