/** What a benchmark is told by the command line. */
export interface BenchOptions {
  /** Fewer repetitions and smaller sizes: to see that the benchmark works, not to quote its figures. */
  readonly quick: boolean
  /** Everything after the benchmark's name that the dispatcher does not know itself, for the benchmark's own flags. */
  readonly args: readonly string[]
  /** Progress for a person; goes to stderr, for stdout holds the JSON line alone. */
  readonly log: (line: string) => void
}

/** One figure of Engram beside the same figure of its peer, measured in the same run. */
export interface BenchResult {
  /** The benchmark's name, e.g. `frontend`. */
  readonly name: string
  /** Unit of `engram` and `peer`, e.g. `ms`. */
  readonly unit: string
  /** Engram's figure. */
  readonly engram: number
  /** The peer's figure; null when the peer could not be measured (`details` says why). */
  readonly peer: number | null
  /** `engram / peer`; null when there is no peer's figure. */
  readonly ratio: number | null
  /** Whatever else explains the figures: sizes, versions, spreads, single runs. */
  readonly details: Readonly<Record<string, unknown>>
}

/** What a file `scripts/bench/NAME.bench.ts` exports. */
export interface BenchModule {
  /** One line for `--help`. */
  readonly description: string
  bench(options: BenchOptions): Promise<BenchResult>
}

/** The middle of some measurements (the mean of the two middle ones when their number is even). */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of no measurements')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Completes a result: the ratio follows from the two figures. */
export function compare(result: Omit<BenchResult, 'ratio'>): BenchResult {
  return { ...result, ratio: result.peer === null || result.peer === 0 ? null : result.engram / result.peer }
}
