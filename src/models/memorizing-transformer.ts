import { z } from 'zod'
import { type DecoderConfig, type MemoryConfig, cacheKeys, checkCommon, commonKeys, completeCommon, decoderMeaning, memoryKeys } from './decoder-config.ts'
import { type DecoderParameters, type DecoderState, applyDecoder, initialDecoder, initialDecoderState } from './decoder.ts'
import type { LanguageModel } from './model.ts'

type Issue = (path: string, message: string) => void

/** Configuration of `memorizing-transformer`: a Transformer-XL of which some layers read an external memory too. */
export const memorizingTransformerSchema = z
  .strictObject({ model: z.literal('memorizing-transformer').default('memorizing-transformer'), ...commonKeys, ...cacheKeys, ...memoryKeys })
  .superRefine((config, context) => {
    const issue: Issue = (path, message) => context.addIssue({ code: 'custom', path: [path], message })
    checkCommon(config, issue)
    checkMemory(config, issue)
  })
  .transform((config) =>
    completeCommon({
      ...config,
      cacheLength: config.cacheLength ?? config.segmentLength,
      memoryDtype: config.memoryDtype ?? config.computeDtype,
      memoryLayers: config.memoryLayers.toSorted((a, b) => a - b),
    }),
  )

interface MemoryInput extends Pick<MemoryConfig, 'neighbours' | 'memorySize' | 'memoryLayers' | 'search' | 'searchLowering'> {
  readonly layers: number
}

function checkMemory(config: MemoryInput, issue: Issue): void {
  const { neighbours, memorySize, memoryLayers, layers, search, searchLowering } = config
  if (search === 'exact' && searchLowering !== 'auto' && searchLowering !== 'exact')
    issue('searchLowering', `"${searchLowering}" is a way of the approximate search, but search is "exact": set search to "approximate"`)
  if (memorySize > 0 && neighbours > memorySize) issue('neighbours', `${neighbours} neighbours are more than the memorySize of ${memorySize}`)
  for (const layer of memoryLayers)
    if (layer > layers) issue('memoryLayers', `there is no layer ${layer}: the model has layers 1 to ${layers}`)
  if (new Set(memoryLayers).size !== memoryLayers.length) issue('memoryLayers', `[${memoryLayers}] names a layer twice`)
}

export type MemorizingTransformerConfig = z.output<typeof memorizingTransformerSchema>

function decoderConfig(config: MemorizingTransformerConfig): DecoderConfig {
  const { memorySize, neighbours, memoryLayers, memoryDtype, search, recallTarget, searchLowering, retrieval, gateBias, ...rest } = config
  return { ...rest, attention: 'normalized', memory: { memorySize, neighbours, memoryLayers, memoryDtype, search, recallTarget, searchLowering, retrieval, gateBias } }
}

/**
 * Queries and keys of all layers are L2-normalised, so that old keys keep their length. A step resets the memory of slots that begin a document,
 * queries, attends, gates, and then writes the segment. Source: Wu et al. 2022.
 */
export const memorizingTransformer: LanguageModel<MemorizingTransformerConfig, DecoderParameters, DecoderState> = {
  name: 'memorizing-transformer',
  description: 'a Transformer-XL with nearest-neighbour attention to an external memory',
  schema: memorizingTransformerSchema,
  quiet: { gateBias: -6 },
  meaning: (config) => decoderMeaning(decoderConfig(config)),
  initialParameters: (config, key) => initialDecoder(decoderConfig(config), key),
  initialState: (config, batchSize) => initialDecoderState(decoderConfig(config), batchSize),
  withoutMemory: (state) => ({ ...state, memory: null }),
  apply: (config, parameters, state, input, options) => applyDecoder(decoderConfig(config), parameters, state, input, options),
}
