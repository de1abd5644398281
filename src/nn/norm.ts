import type { Tensor } from '../ir/module.ts'
import { mean } from '../lib/mean.ts'
import { rmsNormalize } from '../lib/norm.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { convert } from '../ops/convert.ts'
import { constantParameter } from './initial.ts'

export const normKinds = ['rms', 'layer'] as const
export type NormKind = (typeof normKinds)[number]

export interface NormParameters {
  /** `f32[D]` */
  readonly scale: Tensor
  /** `f32[D]`; layer norm alone has it. */
  readonly bias?: Tensor
}

const epsilon = 1e-6

export const initialNorm = (kind: NormKind, width: number): NormParameters => ({
  scale: constantParameter([width], 1),
  ...(kind === 'layer' ? { bias: constantParameter([width], 0) } : {}),
})

/** A vector along the last axis of `shape`, in the type of what it goes with. */
export const alongLastAxis = (vector: Tensor, like: Tensor): Tensor => broadcastInDim(convert(vector, like.dtype), like.shape, [like.rank - 1])

/**
 * Root-mean-square or layer norm over the last axis, with statistics in f32 and one rounding at the end:
 * `x [...,D]`, scale `f32[D]` -> `[...,D]` in the type of `x`.
 * Source: Zhang and Sennrich 2019, equation 4; Ba et al. 2016, equation 4.
 */
export function normalize(parameters: NormParameters, x: Tensor): Tensor {
  const wide = convert(x, wideType(x.dtype))
  if (!parameters.bias) return convert(multiply(rmsNormalize(wide, -1, epsilon), alongLastAxis(parameters.scale, wide)), x.dtype)
  // A centred row's mean square is the variance.
  const centred = subtract(wide, mean(wide, -1, { keepDims: true }))
  const scaled = multiply(rmsNormalize(centred, -1, epsilon), alongLastAxis(parameters.scale, wide))
  return convert(add(scaled, alongLastAxis(parameters.bias, wide)), x.dtype)
}
