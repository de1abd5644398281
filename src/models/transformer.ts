import { z } from 'zod'
import { attentionKey, checkCommon, commonKeys, completeCommon, decoderMeaning } from './decoder-config.ts'
import { type DecoderParameters, type DecoderState, applyDecoder, initialDecoder, initialDecoderState } from './decoder.ts'
import type { LanguageModel } from './model.ts'

/** Configuration of `transformer`: causal attention inside the segment, and nothing beyond it. */
export const transformerSchema = z
  .strictObject({ model: z.literal('transformer').default('transformer'), ...commonKeys, ...attentionKey })
  .superRefine((config, context) => checkCommon(config, (path, message) => context.addIssue({ code: 'custom', path: [path], message })))
  .transform(completeCommon)

export type TransformerConfig = z.output<typeof transformerSchema>

const decoderConfig = (config: TransformerConfig) => ({ ...config, cacheLength: 0, positions: 't5' as const, tiedQueryBiases: true, memory: null })

/** Source: Vaswani et al. 2017, decoder; relative positions of Raffel et al. 2020. */
export const transformer: LanguageModel<TransformerConfig, DecoderParameters, DecoderState> = {
  name: 'transformer',
  description: 'causal attention inside the segment',
  schema: transformerSchema,
  meaning: (config) => decoderMeaning(decoderConfig(config)),
  initialParameters: (config, key) => initialDecoder(decoderConfig(config), key),
  initialState: (config, batchSize) => initialDecoderState(decoderConfig(config), batchSize),
  apply: (config, parameters, state, input, options) => applyDecoder(decoderConfig(config), parameters, state, input, options),
}
