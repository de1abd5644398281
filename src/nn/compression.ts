import type { Tensor } from '../ir/module.ts'
import { topK } from '../knn/top-k.ts'
import { mean } from '../lib/mean.ts'
import { add } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { concatenate } from '../ops/concatenate.ts'
import { zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { matmul } from '../ops/dot-general.ts'
import { relu } from '../ops/elementwise-unary.ts'
import { reduceMax } from '../ops/reduce.ts'
import { reshape } from '../ops/reshape.ts'
import { select } from '../ops/select.ts'
import { pad, sliceAxis } from '../ops/slice-pad.ts'
import { sortAscending } from '../ops/sort.ts'
import { transpose } from '../ops/transpose.ts'
import { type ParameterDraw, constantParameter } from './initial.ts'
import { alongLastAxis } from './norm.ts'
import { rowsOfEach } from './slot-rows.ts'

/**
 * How old memories become fewer: `n` vectors of a layer in, `n / c` out. Pooling and most-used have nothing to learn; the convolutions are
 * trained by an auxiliary loss (`compression-loss.ts`) and by nothing else.
 *
 * Letters: `b` slots, `n` old memories, `c` compression rate, `D` width. Source: Rae et al. 2020, section 3.2.
 */
export const compressions = ['max-pooling', 'mean-pooling', 'convolution', 'dilated-convolution', 'most-used'] as const
export type Compression = (typeof compressions)[number]

/** Spacing of the kernel's three places in the layers of `dilated-convolution` that come before the one that compresses. */
const dilations = [1, 2] as const

export interface ConvolutionParameters {
  /** `f32[places,D,D]` */
  readonly kernel: Tensor
  /** `f32[D]` */
  readonly bias: Tensor
}

/** What a compression learns; empty for pooling and most-used without auto-encoding. */
export interface CompressionParameters {
  /** Kernel of `c` places. */
  readonly compress?: ConvolutionParameters
  /** Of `dilated-convolution`: kernels of three places, one layer for each of its spacings. */
  readonly context?: readonly ConvolutionParameters[]
  /** Of the auto-encoding loss: `c` vectors from one. */
  readonly restore?: ConvolutionParameters
}

/** Parameters of one layer's compression, and of the way back where a loss needs it (`restoring`). */
export function initialCompression(
  draw: ParameterDraw,
  { compression: kind, compressionRate: rate }: { readonly compression: Compression; readonly compressionRate: number },
  width: number,
  restoring: boolean,
): CompressionParameters {
  const convolution = (places: number, inputs: number): ConvolutionParameters =>
    ({ kernel: draw([places, width, width], inputs ** -0.5), bias: constantParameter([width], 0) })
  return {
    ...(kind === 'dilated-convolution' ? { context: dilations.map(() => convolution(3, 3 * width)) } : {}),
    ...(kind === 'convolution' || kind === 'dilated-convolution' ? { compress: convolution(rate, rate * width) } : {}),
    ...(restoring ? { restore: convolution(rate, width) } : {}),
  }
}

/** Memories on their way out of the cache, the oldest first. Of each slot the first so many count, a multiple of the rate. */
export interface OldMemories {
  /** `[b,n,D]`, `n` a multiple of the rate. */
  readonly entries: Tensor
  /** `bool[b,n]`: which of them count. */
  readonly filled: Tensor
  /** `bool[b,n/c]`: which of the compressed count. */
  readonly filledBlocks: Tensor
  /** `f32[b,n]`: average attention to each; most-used alone has it. */
  readonly usage?: Tensor
}

/** Old memories `[b,n,D] -> [b,n/c,D]`, oldest first; what stands where `filledBlocks` is false is open. Throws `OpError`. */
export function compress(kind: Compression, parameters: CompressionParameters, old: OldMemories, rate: number): Tensor {
  const { entries } = old
  const [slots, count, width] = entries.shape
  switch (kind) {
    case 'max-pooling':
      return reduceMax(reshape(entries, [slots, count / rate, rate, width]), 2)
    case 'mean-pooling':
      return mean(reshape(entries, [slots, count / rate, rate, width]), 2)
    case 'convolution':
      return convolveBlocks(parameters.compress!, entries, rate)
    case 'dilated-convolution':
      return convolveBlocks(parameters.compress!, withContext(parameters.context!, old), rate)
    case 'most-used':
      return mostUsed(old, count / rate)
  }
}

/** Kernel and stride of `c`: each vector of the result comes from `c` of its own, by one product. */
function convolveBlocks({ kernel, bias }: ConvolutionParameters, x: Tensor, rate: number): Tensor {
  const [slots, count, width] = x.shape
  const blocks = reshape(x, [slots, count / rate, rate * width])
  const out = matmul(blocks, reshape(convert(kernel, x.dtype), [rate * width, width]))
  return add(out, alongLastAxis(bias, out))
}

/**
 * `x + relu(convolution(x))` for each spacing in turn, with zeros around what counts. The paper names dilated convolutions and says no more:
 * this is the usual stack of growing spacing, put before the convolution that compresses.
 */
function withContext(layers: readonly ConvolutionParameters[], { entries, filled }: OldMemories): Tensor {
  const counting = (x: Tensor): Tensor => select(broadcastInDim(filled, x.shape, [0, 1]), x, zeros(x.type))
  return layers.reduce((x, layer, i) => counting(add(x, relu(convolveThree(layer, x, dilations[i])))), counting(entries))
}

/** A kernel of three places, `spacing` apart, on `x [b,n,D]` with zeros around it, by one product. */
function convolveThree({ kernel, bias }: ConvolutionParameters, x: Tensor, spacing: number): Tensor {
  const [, count, width] = x.shape
  const around = pad(x, 0, [0, spacing, 0], [0, spacing, 0])
  const places = concatenate([0, 1, 2].map((i) => sliceAxis(around, 1, i * spacing, i * spacing + count)), 2)
  const out = matmul(places, reshape(convert(kernel, x.dtype), [3 * width, width]))
  return add(out, alongLastAxis(bias, out))
}

/** As many as there are blocks to fill, those of highest usage, in their old order; of equal ones the oldest. */
function mostUsed({ entries, filled, filledBlocks, usage }: OldMemories, blocks: number): Tensor {
  const best = topK(select(filled, usage!, -1), blocks, 1).indices
  // Places that do not count go to the end, so that the others close up.
  const chosen = select(filledBlocks, best, entries.shape[1])
  return rowsOfEach(entries, sortAscending(chosen, 1))
}

/** `g`: `c` vectors for each compressed one, `[b,n/c,D] -> [b,n,D]`, a convolution the other way round (its kernel is read place by place). */
export function restore({ kernel, bias }: ConvolutionParameters, compressed: Tensor): Tensor {
  const [slots, blocks, width] = compressed.shape
  const rate = kernel.shape[0]
  const out = matmul(compressed, sideBySide(convert(kernel, compressed.dtype)))
  const places = reshape(out, [slots, blocks * rate, width])
  return add(places, alongLastAxis(bias, places))
}

/** Matrices one beside the other: `[c,D,E] -> [D,c*E]`. */
const sideBySide = (matrices: Tensor): Tensor => {
  const [count, rows, columns] = matrices.shape
  return reshape(transpose(matrices, [1, 0, 2]), [rows, count * columns])
}
