import { readdirSync } from 'node:fs'
import type { HostArray } from '../../../src/ir/host-array.ts'
import { type OpSample, arbitrary, seededRandom } from './sample.ts'

export { type OpSample, type Random, arbitrary, seededRandom } from './sample.ts'

const here = new URL('.', import.meta.url)
const families = readdirSync(here).filter((file) => file.endsWith('.ts') && file !== 'index.ts' && file !== 'sample.ts').sort()

/**
 * The samples of all families: every other file of this folder exports its own as `samples`. Those files import from `sample.ts`;
 * an import of this file, which waits for them, would never end.
 */
export const opSamples: readonly OpSample[] = (
  await Promise.all(families.map(async (file) => ((await import(new URL(file, here).href)) as { samples: readonly OpSample[] }).samples))
).flat()

/** Input values of a sample, always the same for one seed. */
export function sampleInputs(sample: OpSample, seed = 1): HostArray[] {
  const random = seededRandom(seed)
  return sample.values?.(random) ?? sample.inputs.map((type) => arbitrary(type, random))
}
