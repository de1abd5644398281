import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { nearest } from '../../src/knn/nearest.ts'
import { lowerWith } from '../../src/program/lower.ts'
import { findPython, pythonEnvironment } from '../../src/runner/python.ts'
import { type BenchOptions, type BenchResult, compare } from './result.ts'

export const description = 'the exact search on a CPU, 256 queries in 8192 rows of 64, against JAX\'s product and top_k'

const [queries, rows, size, k] = [256, 8192, 64, 32]

/** Both run turn by turn in one Python process, with the same call into XLA around them. */
export async function bench({ quick }: BenchOptions): Promise<BenchResult> {
  const program = lowerWith({ name: 'search', target: 'cpu' }, (q: Tensor, database: Tensor) => nearest(q, database, { k }).indices, tensorType('f32', [queries, size]), tensorType('f32', [rows, size]))
  const folder = await mkdtemp(join(tmpdir(), 'engram-bench-'))
  try {
    const file = join(folder, 'search.mlir')
    await writeFile(file, program.text)
    const peer = fileURLToPath(new URL('./peers/knn.py', import.meta.url))
    const sizes = ['--queries', `${queries},${size}`, '--database', `${rows},${size}`, '--k', `${k}`]
    const { stdout } = await execa(findPython().command, [peer, 'time', file, ...sizes, '--exact', '--rounds', quick ? '10' : '200'], { env: pythonEnvironment() })
    const { engram, peer: theirs, same } = JSON.parse(stdout) as Record<string, number>
    return compare({ name: 'knn-cpu', unit: 'ms', engram, peer: theirs, details: { queries, rows, size, k, sameIndices: same } })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
