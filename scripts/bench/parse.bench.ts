import { parseModule } from '../../src/text/parse.ts'
import { type BenchOptions, type BenchResult, compare, median } from './result.ts'

export const description = 'reading StableHLO text: 50 MB of hexadecimal constants, 1 MB of ops, lists of numbers'

const megabyte = 1e6

/** Constants as JAX writes large ones. */
function constants(bytes: number): string {
  const block = Buffer.from(Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)).buffer).toString('hex').toUpperCase()
  const repeats = Math.max(1, Math.floor(bytes / 4 / block.length))
  const type = `tensor<${repeats * 4096}xf32>`
  const lines = Array.from({ length: 4 }, (_, i) => `  %${i} = stablehlo.constant dense<"0x${block.repeat(repeats)}"> : ${type}\n`)
  return `func.func public @main() -> ${type} {\n${lines.join('')}  return %0 : ${type}\n}\n`
}

/** Ops in their own form and in generic form, some with locations. */
function operations(bytes: number): string {
  const type = 'tensor<8x128xf32>'
  const lines: string[] = []
  let last = '%arg0'
  for (let size = 0, i = 0; size < bytes; i += 5) {
    const group =
      `    %${i} = stablehlo.add ${last}, %arg1 : ${type}\n` +
      `    %${i + 1} = stablehlo.transpose %${i}, dims = [1, 0] : (${type}) -> tensor<128x8xf32>\n` +
      `    %${i + 2} = "stablehlo.transpose"(%${i + 1}) <{permutation = array<i64: 1, 0>}> : (tensor<128x8xf32>) -> ${type} loc("jit(main)/transpose"("a.py":1:2))\n` +
      `    %${i + 3} = stablehlo.compare LT, %${i + 2}, %arg1, FLOAT : (${type}, ${type}) -> tensor<8x128xi1>\n` +
      `    %${i + 4} = stablehlo.constant dense<1.0> : ${type}\n`
    last = `%${i + 2}`
    size += group.length
    lines.push(group)
  }
  return `func.func public @main(%arg0: ${type}, %arg1: ${type}) -> ${type} {\n${lines.join('')}  return ${last} : ${type}\n}\n`
}

/** Small constants as people write them. */
function numbers(count: number): string {
  const type = `tensor<${count}xf32>`
  return `func.func @main() {\n %0 = stablehlo.constant dense<[${Array.from({ length: count }, (_, i) => Math.sin(i + 1)).join(', ')}]> : ${type}\n return\n}\n`
}

/** Milliseconds of each run, the first (before the engine has compiled anything) apart. */
function time(text: string, runs: number): { firstMs: number; ms: number } {
  const times = Array.from({ length: runs + 1 }, () => {
    const started = performance.now()
    parseModule(text)
    return performance.now() - started
  })
  return { firstMs: times[0], ms: median(times.slice(1)) }
}

/** Megabytes of hexadecimal constants read in a second; the other figures are in `details`. */
export async function bench({ quick, log }: BenchOptions): Promise<BenchResult> {
  const runs = quick ? 1 : 7
  const measure = (what: string, text: string) => {
    log(`${what}: ${(text.length / megabyte).toFixed(1)} MB`)
    const { firstMs, ms } = time(text, runs)
    return { megabytes: text.length / megabyte, firstMs, ms, megabytesPerSecond: text.length / megabyte / (ms / 1000) }
  }
  // The ops first: their first run is what a command line that reads one program pays.
  const ops = measure('ops', operations(quick ? 0.1 * megabyte : megabyte))
  const hex = measure('constants', constants(quick ? 5 * megabyte : 50 * megabyte))
  const lists = measure('lists of numbers', numbers(quick ? 50_000 : 500_000))
  return compare({
    name: 'parse',
    unit: 'MB/s',
    engram: hex.megabytesPerSecond,
    peer: null,
    details: { peer: 'none measured: MLIR reads the same text in jaxlib, behind the start of Python', constants: hex, ops, lists },
  })
}
