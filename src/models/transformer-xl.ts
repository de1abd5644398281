import { z } from 'zod'
import { attentionKey, cacheKeys, checkCommon, commonKeys, completeCommon, decoderMeaning } from './decoder-config.ts'
import { type DecoderParameters, type DecoderState, applyDecoder, initialDecoder, initialDecoderState } from './decoder.ts'
import type { LanguageModel } from './model.ts'

/** Configuration of `transformer-xl`: attention to the segment and to a cache of what came before it. */
export const transformerXlSchema = z
  .strictObject({ model: z.literal('transformer-xl').default('transformer-xl'), ...commonKeys, ...attentionKey, ...cacheKeys })
  .superRefine((config, context) => checkCommon(config, (path, message) => context.addIssue({ code: 'custom', path: [path], message })))
  .transform((config) => completeCommon({ ...config, cacheLength: config.cacheLength ?? config.segmentLength }))

export type TransformerXlConfig = z.output<typeof transformerXlSchema>

const decoderConfig = (config: TransformerXlConfig) => ({ ...config, memory: null })

/** Source: Dai et al. 2019, with the relative positions of Raffel et al. 2020 over cache and segment. */
export const transformerXl: LanguageModel<TransformerXlConfig, DecoderParameters, DecoderState> = {
  name: 'transformer-xl',
  description: 'attention to the segment and to a cache of earlier segments',
  schema: transformerXlSchema,
  meaning: (config) => decoderMeaning(decoderConfig(config)),
  initialParameters: (config, key) => initialDecoder(decoderConfig(config), key),
  initialState: (config, batchSize) => initialDecoderState(decoderConfig(config), batchSize),
  apply: (config, parameters, state, input, options) => applyDecoder(decoderConfig(config), parameters, state, input, options),
}
