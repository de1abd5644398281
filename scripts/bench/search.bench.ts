import type { BenchModule, BenchOptions, BenchResult } from './result.ts'
import { type TableRow, rowsOf, tableText } from './search-table.ts'
import * as attentionTpu from './attention-tpu.bench.ts'
import * as knnCpu from './knn-cpu.bench.ts'
import * as knnRecall from './knn-recall.bench.ts'
import * as knnTpu from './knn-tpu.bench.ts'
import * as stepTpu from './step-tpu.bench.ts'

export const description = 'knn-tpu, attention-tpu, step-tpu, knn-cpu and knn-recall in turn, as one table with limits; half an hour or more (--parts NAME,NAME for some)'

/** The benchmarks of the search, those that take longest last but for the recall, which needs no TPU compiler. */
const parts: Readonly<Record<string, BenchModule>> = { 'knn-cpu': knnCpu, 'knn-tpu': knnTpu, 'attention-tpu': attentionTpu, 'knn-recall': knnRecall, 'step-tpu': stepTpu }

/** `engram` is the number of rows of the table that meet their limit, of `peer` rows that have one; `details.table` has them, `details.parts` what each benchmark printed. */
export async function bench({ quick, args, log }: BenchOptions): Promise<BenchResult> {
  const names = wantedParts(args)
  const results: Record<string, BenchResult> = {}
  const table: TableRow[] = []
  for (const [i, name] of names.entries()) {
    const begin = performance.now()
    log(`[${i + 1}/${names.length}] ${name}: ${parts[name].description}`)
    results[name] = await parts[name].bench({ quick, args: [], log: (line) => log(`  ${line}`) })
    const own = rowsOf(results[name])
    table.push(...own)
    log(`[${i + 1}/${names.length}] ${name} took ${Math.round((performance.now() - begin) / 1000)} s: ${metOf(own)}`)
  }
  log(`\n${tableText(table)}\n`)
  const { met, limited } = counts(table)
  return { name: 'search', unit: 'rows met', engram: met, peer: limited, ratio: met / limited, details: { quick, table, parts: results } }
}

const counts = (rows: readonly TableRow[]) => ({ met: rows.filter(({ met }) => met).length, limited: rows.filter(({ limit }) => limit).length })
const metOf = (rows: readonly TableRow[]): string => `${counts(rows).met} of ${counts(rows).limited} limits met`

/** The parts that `--parts` names, or all. Throws `TypeError`. */
function wantedParts(args: readonly string[]): string[] {
  if (args.length === 0) return Object.keys(parts)
  const [flag, list = '', ...rest] = args
  const names = list.split(',')
  const unknown = names.find((name) => !(name in parts))
  if (flag !== '--parts' || rest.length > 0 || unknown !== undefined) throw new TypeError(`search takes --parts and some of ${Object.keys(parts).join(',')}; found ${args.join(' ')}`)
  return names
}
