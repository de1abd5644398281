import { runPeer, runScript } from './child-process.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'

export const description = 'trace + differentiate + print the paper-200m train step, against plain JAX (trace + lower + print)'

/** Every run is a fresh process on both sides; loading modules is not counted on either. */
export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const rounds = quick ? 1 : 5
  const ours: Record<string, number>[] = []
  const theirs: Record<string, number>[] = []
  for (let round = 1; round <= rounds; round++) {
    ours.push(await runScript('./frontend-once.ts', ['paper-200m']))
    theirs.push(await runPeer(['lower']))
    log(`round ${round} of ${rounds}`)
  }
  const total = ours.map(({ traceMs, printMs }) => traceMs + printMs)
  const peer = theirs.map(({ trace_s, lower_s, as_text_s }) => 1e3 * (trace_s + lower_s + as_text_s))
  return compare({
    name: 'frontend',
    unit: 'ms',
    engram: median(total),
    peer: median(peer),
    details: {
      runs: { engram: total, peer },
      textBytes: { engram: ours[0].bytes, peer: theirs[0].stablehlo_bytes },
      operations: { engram: ours[0].operations, peer: theirs[0].stablehlo_ops },
    },
  })
}
