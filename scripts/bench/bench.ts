/**
 * `npm run -s bench -- NAME`: runs one benchmark, `scripts/bench/NAME.bench.ts`, and prints its result as one JSON line.
 * stdout holds that line and nothing else; everything for a person goes to stderr.
 */
import fs from 'node:fs'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import path from 'node:path'
import type { BenchModule, BenchResult } from './result.ts'

const ending = '.bench.ts'

/** The benchmarks in a folder by name, in alphabetical order. */
function listBenchmarks(folder: string): string[] {
  return fs.readdirSync(folder).filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length)).sort()
}

async function load(folder: string, name: string): Promise<BenchModule> {
  const module = (await import(pathToFileURL(path.join(folder, name + ending)).href)) as Partial<BenchModule>
  if (typeof module.bench !== 'function' || typeof module.description !== 'string') {
    throw new TypeError(`${name}${ending} must export a function "bench" and a string "description"`)
  }
  return module as BenchModule
}

/** Number of single-letter changes that make one word of the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}

async function help(folder: string, names: readonly string[]): Promise<string> {
  const described = await Promise.all(names.map(async (name) => {
    const text = await load(folder, name).then((module) => module.description, (error: Error) => `(does not load: ${error.message})`)
    return `  ${name.padEnd(16)} ${text}`
  }))
  return [
    'usage: npm run -s bench -- NAME [--quick] [the benchmark\'s own flags]',
    '',
    'Runs one benchmark and prints one JSON line: { name, unit, engram, peer, ratio, details }.',
    '',
    'benchmarks:',
    ...(described.length > 0 ? described : ['  (none)']),
    '',
    'flags:',
    '  --quick          fewer repetitions: to see that it works, not to quote its figures',
    '  --help           this text',
  ].join('\n')
}

/** Refuses a result that a reader of the JSON line could not use: NaN would silently become null. */
function checkResult(name: string, result: BenchResult): void {
  for (const [key, value] of Object.entries({ engram: result.engram, peer: result.peer, ratio: result.ratio })) {
    if (value === null && key !== 'engram') continue
    if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`benchmark ${name}: "${key}" is ${value}, a finite number is expected`)
  }
}

/** Runs the command; answers the exit code: 0, 1 when the benchmark failed, 2 when the command line was wrong. */
export async function main(args: readonly string[], folder = path.dirname(fileURLToPath(import.meta.url))): Promise<number> {
  const names = listBenchmarks(folder)
  const [name, ...rest] = args
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${await help(folder, names)}\n`)
    return 0
  }
  if (name === undefined || name.startsWith('-')) {
    process.stderr.write(`${name === undefined ? 'which benchmark?' : `the benchmark's name comes first, found ${name}`}\n\n${await help(folder, names)}\n`)
    return 2
  }
  if (!names.includes(name)) {
    const nearest = [...names].sort((a, b) => editDistance(name, a) - editDistance(name, b))[0]
    const hint = nearest === undefined ? 'there are no benchmarks' : `did you mean "${nearest}"? There are: ${names.join(', ')}`
    process.stderr.write(`unknown benchmark "${name}": ${hint}\n`)
    return 2
  }
  const log = (line: string) => process.stderr.write(`${line}\n`)
  // A stray console.log of code under measurement must not break the one line on stdout.
  console.log = console.info = console.error
  try {
    const module = await load(folder, name)
    const startedAt = performance.now()
    const result = await module.bench({ quick: rest.includes('--quick'), args: rest.filter((arg) => arg !== '--quick'), log })
    checkResult(name, result)
    const { unit, engram, peer, ratio } = result
    const against = peer === null || ratio === null ? 'no peer' : `peer ${peer.toPrecision(4)} ${unit}, ratio ${ratio.toPrecision(3)}`
    log(`${name}: engram ${engram.toPrecision(4)} ${unit}, ${against} (${((performance.now() - startedAt) / 1000).toFixed(1)} s in all)`)
    process.stdout.write(`${JSON.stringify({ name: result.name, unit, engram, peer, ratio, details: result.details })}\n`)
    return 0
  } catch (error) {
    log(`benchmark ${name} failed: ${error instanceof Error ? error.stack : error}`)
    return 1
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const code = await main(process.argv.slice(2))
  // What a benchmark may have left open (a runner, a timer) must not keep the process; stdout is written first.
  process.stdout.write('', () => process.exit(code))
}
