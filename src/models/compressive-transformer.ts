import { z } from 'zod'
import type { AuxiliaryLoss } from '../nn/compression-loss.ts'
import type { Compression } from '../nn/compression.ts'
import { type DecoderConfig, attentionKey, cacheKeys, checkCommon, commonKeys, completeCommon, decoderMeaning, compressionKeys } from './decoder-config.ts'
import { type DecoderParameters, type DecoderState, applyDecoder, initialDecoder, initialDecoderState } from './decoder.ts'
import type { LanguageModel } from './model.ts'

type Issue = (path: string, message: string) => void

/** Configuration of `compressive-transformer`: a Transformer-XL whose cache is followed by a memory of what left it, compressed. */
export const compressiveTransformerSchema = z
  .strictObject({ model: z.literal('compressive-transformer').default('compressive-transformer'), ...commonKeys, ...attentionKey, ...cacheKeys, ...compressionKeys })
  .transform((config) => ({ ...config, ...lengthsOf(config), auxiliaryLoss: config.auxiliaryLoss ?? usualLoss(config.compression) }))
  .superRefine((config, context) => {
    const issue: Issue = (path, message) => context.addIssue({ code: 'custom', path: [path], message })
    checkCommon(config, issue)
    checkCompression(config, issue)
  })
  .transform(completeCommon)

function lengthsOf({ segmentLength, cacheLength = segmentLength, compressedLength = Math.max(1, cacheLength) }: { segmentLength: number; cacheLength?: number | undefined; compressedLength?: number | undefined }) {
  return { cacheLength, compressedLength }
}

const usualLoss = (compression: Compression): AuxiliaryLoss =>
  compression === 'convolution' || compression === 'dilated-convolution' ? 'attention-reconstruction' : 'none'

function checkCompression(config: { segmentLength: number; cacheLength: number; compressedLength: number; compressionRate: number }, issue: Issue): void {
  const { segmentLength, cacheLength, compressedLength, compressionRate } = config
  if (cacheLength < 1) issue('cacheLength', `${cacheLength} leaves nothing to compress: it must be 1 or more`)
  const fresh = Math.ceil(segmentLength / compressionRate)
  if (compressedLength < fresh)
    issue('compressedLength', `${compressedLength} places are fewer than one step fills: a segment of ${segmentLength} at a compressionRate of ${compressionRate} makes ${fresh}`)
}

export type CompressiveTransformerConfig = z.output<typeof compressiveTransformerSchema>

function decoderConfig(config: CompressiveTransformerConfig): DecoderConfig {
  const { compressionRate, compressedLength, compression, auxiliaryLoss, ...rest } = config
  const { cacheLength } = rest
  return { ...rest, memory: null, compression: { cacheLength, compressionRate, compressedLength, compression, auxiliaryLoss } }
}

/**
 * Attention reads compressed memory, cache and segment; what leaves the cache is compressed. Positions count places, one for `compressionRate` tokens
 * in the compressed memory, as in the paper. Source: Rae et al. 2020.
 */
export const compressiveTransformer: LanguageModel<CompressiveTransformerConfig, DecoderParameters, DecoderState> = {
  name: 'compressive-transformer',
  description: 'a Transformer-XL that compresses what leaves its cache',
  schema: compressiveTransformerSchema,
  meaning: (config) => decoderMeaning(decoderConfig(config)),
  initialParameters: (config, key) => initialDecoder(decoderConfig(config), key),
  initialState: (config, batchSize) => initialDecoderState(decoderConfig(config), batchSize),
  apply: (config, parameters, state, input, options) => applyDecoder(decoderConfig(config), parameters, state, input, options),
}
