import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { scope } from '../trace/frame.ts'
import type { AttentionParameters, AttentionSizes } from './attention.ts'
import { type CompressedLayer, type CompressedMemorySizes, type CompressionStep, nextCompressedLayer, oldMemories } from './compressed-memory.ts'
import { type AuxiliaryLoss, attentionReconstructionLoss, autoEncodingLoss } from './compression-loss.ts'
import { type Compression, type CompressionParameters, type OldMemories, compress } from './compression.ts'

/** How a model compresses, and what for. */
export interface CompressionConfig extends CompressedMemorySizes {
  readonly compression: Compression
  readonly auxiliaryLoss: AuxiliaryLoss
}

/** What the compression of a layer has before it in a step. */
export interface LayerToCompress {
  readonly memories: CompressedLayer
  /** `[b,s,D]`: what the layer's attention read of the segment. */
  readonly x: Tensor
  /** `f32[b,h,s,n_c+w+s]`: the attention's weights; most-used alone needs them. */
  readonly weights: Tensor | undefined
  readonly attention: AttentionParameters
  readonly sizes: AttentionSizes
}

/**
 * The end of a layer's step: what leaves the cache is compressed, and both memories move on. `loss f32[]` is what the compression is to be trained
 * by; it has a gradient by `parameters` alone, and nothing else has one by them.
 */
export function compressLayer(config: CompressionConfig, parameters: CompressionParameters, step: CompressionStep, layer: LayerToCompress): { next: CompressedLayer; loss: Tensor | undefined } {
  return scope('compression', () => {
    const { memories, weights } = layer
    const x = stopGradient(layer.x)
    const { allUsage, ...old } = oldMemories(step, memories, x, weights)
    const fresh = compress(config.compression, parameters, old, config.compressionRate)
    return { next: nextCompressedLayer(step, memories, x, fresh, allUsage), loss: lossOf(config.auxiliaryLoss, parameters, old, fresh, { ...layer, x }) }
  })
}

function lossOf(kind: AuxiliaryLoss, parameters: CompressionParameters, old: OldMemories, fresh: Tensor, { attention, sizes, x }: LayerToCompress): Tensor | undefined {
  switch (kind) {
    case 'none':
      return undefined
    case 'auto-encoding':
      return autoEncodingLoss(parameters.restore!, old, fresh)
    case 'attention-reconstruction':
      return attentionReconstructionLoss(attention, sizes, x, old, fresh)
  }
}
