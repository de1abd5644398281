import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { wideType } from '../lib/wide.ts'
import { divide, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { convert } from '../ops/convert.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { reduceSum } from '../ops/reduce.ts'
import { expandDims, reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { zeros } from '../ops/constant.ts'
import { type AttentionParameters, type AttentionSizes, attentionWeights, mixValues, projectKeysAndValues, projectQueries } from './attention.ts'
import { type ConvolutionParameters, type OldMemories, restore } from './compression.ts'

/**
 * What a compression is trained for. Only its own parameters get a gradient: old memories, the layer's inputs and the attention's parameters
 * stand still. Squares are averaged over elements and over the memories (or queries) that count, so that a loss does not grow with the sizes;
 * where nothing was compressed it is 0. Source: Rae et al. 2020, section 3.3 and algorithm 2.
 */
export const auxiliaryLosses = ['none', 'auto-encoding', 'attention-reconstruction'] as const
export type AuxiliaryLoss = (typeof auxiliaryLosses)[number]

/** `||old - g(compressed)||^2`: how well the old memories come back. Old `[b,n,D]`, compressed `[b,n/c,D] -> f32[]`. */
export function autoEncodingLoss(parameters: ConvolutionParameters, { entries, filled }: OldMemories, compressed: Tensor): Tensor {
  return meanSquare(subtract(...wide(stopGradient(entries), restore(parameters, compressed))), filled)
}

/**
 * `||attn(h, old) - attn(h, compressed)||^2`: whether queries find in the compressed memories what they found in the old ones, by content
 * alone, without positions. `h [b,s,D]` is the attention's input; heads stand side by side, before the output projection. -> `f32[]`.
 */
export function attentionReconstructionLoss(parameters: AttentionParameters, sizes: AttentionSizes, h: Tensor, old: OldMemories, compressed: Tensor): Tensor {
  const fixed = stopGradient(parameters)
  const queries = projectQueries(fixed, stopGradient(h), sizes)
  const attended = (memories: Tensor, filled: Tensor): Tensor => {
    const { keys, values } = projectKeysAndValues(fixed, memories, sizes)
    return mixValues(attentionWeights(queries, keys, expandDims(filled, 1)), values)
  }
  const difference = subtract(...wide(attended(stopGradient(old.entries), old.filled), attended(compressed, old.filledBlocks)))
  // A slot has something to reconstruct if its first block counts.
  const some = reshape(sliceAxis(old.filledBlocks, 1, 0, 1), [difference.shape[0]])
  return meanSquare(difference, some)
}

const wide = (a: Tensor, b: Tensor): [Tensor, Tensor] => [convert(a, wideType(a.dtype)), convert(b, wideType(b.dtype))]

/** Mean of the squares of what counts: `x [b,n,...]`, counting `bool[b]` or `bool[b,n] -> f32[]`, 0 where nothing does. */
function meanSquare(x: Tensor, counting: Tensor): Tensor {
  const mask = broadcastInDim(counting, x.shape, counting.shape.map((_, axis) => axis))
  const squares = reduceSum(select(mask, multiply(x, x), zeros(x.type)))
  const perRow = x.shape.slice(counting.rank).reduce((product, size) => product * size, 1)
  return divide(squares, multiply(maximum(reduceSum(convert(counting, x.dtype)), 1), perRow))
}
