import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { byScope } from '../../src/cli/compiled-report.ts'
import { type CompiledFor, compileFor } from '../../src/program/compile-for.ts'
import type { Program } from '../../src/program/program.ts'
import { findPython } from '../../src/runner/python.ts'
import type { TpuCompiler } from '../../src/runner/tpu-compiler.ts'

/** The chip that all estimates are for. */
export const chip = 'tpu:v5e:2x2'

/** What XLA's TPU compiler makes of a program, of which nothing was run. */
export interface TpuFigures {
  /** An estimate. */
  readonly ms: number
  readonly peakMB: number
  readonly temporariesMB: number
  readonly hbmMB: number
  readonly compileSeconds: number
  /** Milliseconds by scope, the most first; of layers that are alike together. */
  readonly scopes: Readonly<Record<string, number>>
  /** Milliseconds of the slowest kinds of ops, by what each makes. */
  readonly ops: Readonly<Record<string, number>>
}

/** Estimates one side of a comparison: a program of ours, or the text of a peer. */
export async function estimateOnTpu(program: Program<any, any> | { name: string; text: string }, compiler: TpuCompiler): Promise<TpuFigures> {
  const compiled = await compileFor(program, chip, { compiler })
  const { estimate, memory, compileSeconds } = compiled
  if (!estimate || !memory) throw new TypeError(`no estimate for ${chip}`)
  return {
    ms: 1e3 * estimate.seconds,
    peakMB: memory.peak / 1e6,
    temporariesMB: memory.temporaries / 1e6,
    hbmMB: estimate.hbmBytes / 1e6,
    compileSeconds,
    scopes: largest(byScope(estimate.ops).map(({ scope, seconds }) => [scope.replaceAll(/\blayer\d+\b/g, 'layers') || '(none)', seconds])),
    ops: largest(estimate.ops.map((op) => [`${op.opcode} -> ${resultType(compiled, op.name)}`, op.seconds])),
  }
}

/** Sums seconds by name and gives the twenty largest in milliseconds. */
function largest(rows: readonly (readonly [string, number])[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const [name, seconds] of rows) sums.set(name, (sums.get(name) ?? 0) + seconds)
  return Object.fromEntries([...sums].toSorted((a, b) => b[1] - a[1]).slice(0, 20).map(([name, seconds]) => [name, Number((1e3 * seconds).toFixed(3))]))
}

/** The result type of an op, without layouts: `bf16[8,512,1024]`. */
function resultType({ hlo }: CompiledFor, op: string): string {
  const at = hlo.indexOf(`%${op} = `)
  if (at < 0) return '?'
  const line = hlo.slice(at + op.length + 4, hlo.indexOf('\n', at))
  const tuple = line.startsWith('(')
  const text = tuple ? line.slice(0, line.indexOf(') ') + 1) : line.slice(0, line.indexOf(' '))
  return text.replaceAll(/\{[^{}]*\}/g, '')
}

/** Has a peer of `peers/` write its StableHLO text, lowered for TPU: `PEER lower --out FILE` and its own flags. */
export async function peerText(peer: string, args: readonly string[]): Promise<{ name: string; text: string }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'engram-bench-'))
  try {
    const file = path.join(folder, 'peer.mlir')
    await execa(findPython().command, [peer, 'lower', '--out', file, ...args])
    return { name: 'peer', text: await fs.readFile(file, 'utf8') }
  } finally {
    await fs.rm(folder, { recursive: true })
  }
}
