import { InputError } from '../ir/errors.ts'
import { nearest } from './configuration.ts'

/**
 * Sizes to start from, the same for every model so that they can be compared: `tiny` trains in seconds on a CPU, `small` in minutes; the
 * others are those of Wu et al. 2022. The models without memory normalise queries and keys too: they are the Memorizing Transformer
 * less its memory, and their checkpoints can be fine-tuned with one.
 */
const bytes = 256

const sizes = {
  tiny: { vocabularySize: bytes, segmentLength: 32, width: 32, layers: 2, heads: 2, headSize: 16, feedForwardSize: 128 },
  small: { vocabularySize: bytes, segmentLength: 128, width: 128, layers: 3, heads: 4, headSize: 32, feedForwardSize: 512 },
  'paper-200m': { vocabularySize: 32000, segmentLength: 512, width: 1024, layers: 12, heads: 8, headSize: 128, feedForwardSize: 4096, computeDtype: 'bf16' },
  'paper-1b': { vocabularySize: 32000, segmentLength: 512, width: 2048, layers: 8, heads: 32, headSize: 128, feedForwardSize: 16384, computeDtype: 'bf16' },
  'paper-8b': { vocabularySize: 32000, segmentLength: 512, width: 4096, layers: 16, heads: 64, headSize: 128, feedForwardSize: 32768, computeDtype: 'bf16' },
} as const

/** At paper sizes the rate and the length that Rae et al. 2020 used on books (PG-19), at smaller ones a longer reach for the same cost. */
const compressions = {
  tiny: { compressionRate: 4, compressedLength: 32 },
  small: { compressionRate: 4, compressedLength: 128 },
  'paper-200m': { compressionRate: 2, compressedLength: 512 },
  'paper-1b': { compressionRate: 2, compressedLength: 512 },
  'paper-8b': { compressionRate: 2, compressedLength: 512 },
} as const

const memories = {
  tiny: { memorySize: 128, neighbours: 8, memoryLayers: [2] },
  small: { memorySize: 4096, neighbours: 32, memoryLayers: [2] },
  'paper-200m': { memorySize: 8192, neighbours: 32, memoryLayers: [9], search: 'approximate' },
  'paper-1b': { memorySize: 8192, neighbours: 32, memoryLayers: [6], search: 'approximate' },
  'paper-8b': { memorySize: 8192, neighbours: 32, memoryLayers: [12], search: 'approximate' },
} as const

export type PresetName = keyof typeof sizes

export const presetNames = Object.keys(sizes) as PresetName[]

/** The plain configuration of a preset, without defaults. Throws `InputError` with the nearest name. */
export function presetOf(model: string, name: string): Record<string, unknown> {
  if (!Object.hasOwn(sizes, name)) {
    const near = nearest(name, presetNames)
    throw new InputError(`there is no preset ${name}${near ? `, did you mean ${near}?` : ''} (presets: ${presetNames.join(', ')})`, 'UNKNOWN_PRESET')
  }
  const known = name as PresetName
  const size = sizes[known]
  switch (model) {
    case 'transformer':
      return { model, attention: 'normalized', ...size }
    case 'transformer-xl':
      return { model, attention: 'normalized', ...size, cacheLength: size.segmentLength }
    case 'compressive-transformer':
      return { model, attention: 'normalized', ...size, cacheLength: size.segmentLength, ...compressions[known] }
    default:
      return { model, ...size, cacheLength: size.segmentLength, ...memories[known] }
  }
}
