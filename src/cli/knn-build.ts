import { stat } from 'node:fs/promises'
import { openVectors } from '../data/vectors.ts'
import type { Distance } from '../knn/score.ts'
import { buildIndex } from '../search/build-index.ts'
import { type VectorIndex, writeIndex } from '../search/index-file.ts'
import { stoppable } from './interruption.ts'
import { duration } from './progress.ts'
import { ProgressLine } from './progress-line.ts'

export interface BuildFlags {
  readonly distance: Distance
  readonly dtype: 'f32' | 'bf16'
  readonly shuffle: boolean
  readonly seed: number
}

/** Reads vectors into an index in memory, telling on stderr how far it is. */
export async function buildFrom(reference: string, { distance, dtype, shuffle, seed }: BuildFlags, signal: AbortSignal): Promise<VectorIndex> {
  const source = await openVectors(reference, { seed })
  const progress = new ProgressLine()
  try {
    const onProgress = (rows: number) => progress.show(`${rows}/${source.rows} vectors`)
    return await buildIndex(source, { distance, dtype, shuffleSeed: shuffle ? seed : null, onProgress, signal })
  } finally {
    progress.end()
    await source.close()
  }
}

export const build = (reference: string, options: BuildFlags & { readonly output: string; readonly json?: boolean }): Promise<void> =>
  stoppable(async (signal) => {
    const begin = performance.now()
    const index = await buildFrom(reference, options, signal)
    await writeIndex(options.output, index, signal)
    const { rows, size, distance, dtype, source, shuffleSeed } = index
    const bytes = (await stat(options.output)).size
    const seconds = Math.round(performance.now() - begin) / 1000
    if (options.json) process.stdout.write(`${JSON.stringify({ index: options.output, source, rows, size, distance, dtype, shuffleSeed: shuffleSeed ?? null, bytes, seconds })}\n`)
    else
      process.stdout.write(`${options.output}: ${rows.toLocaleString('en')} vectors of ${size}, ${dtype}, ${distance}, ${shuffleSeed === undefined ? 'in their own order' : `in random order (seed ${shuffleSeed})`}; ` +
        `${(bytes / 1e6).toFixed(1)} MB in ${duration(seconds)}\n`)
  })
