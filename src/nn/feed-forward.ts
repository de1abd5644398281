import type { Tensor } from '../ir/module.ts'
import { gelu } from '../lib/activations.ts'
import { add } from '../ops/arithmetic.ts'
import { convert } from '../ops/convert.ts'
import { matmul } from '../ops/dot-general.ts'
import { relu } from '../ops/elementwise-unary.ts'
import { type ParameterDraw, constantParameter } from './initial.ts'
import { alongLastAxis } from './norm.ts'

export const activations = ['relu', 'gelu'] as const
export type Activation = (typeof activations)[number]

export interface FeedForwardParameters {
  /** `f32[D,F]` */
  readonly input: Tensor
  /** `f32[F]` */
  readonly inputBias: Tensor
  /** `f32[F,D]` */
  readonly output: Tensor
  /** `f32[D]` */
  readonly outputBias: Tensor
}

export const initialFeedForward = (draw: ParameterDraw, width: number, hidden: number): FeedForwardParameters => ({
  input: draw([width, hidden], width ** -0.5),
  inputBias: constantParameter([hidden], 0),
  output: draw([hidden, width], hidden ** -0.5),
  outputBias: constantParameter([width], 0),
})

/** `f(x W1 + b1) W2 + b2`: `x [b,s,D] -> [b,s,D]`. Source: Vaswani et al. 2017, equation 2. */
export function feedForward(parameters: FeedForwardParameters, x: Tensor, activation: Activation): Tensor {
  const hidden = matmul(x, convert(parameters.input, x.dtype))
  const biased = add(hidden, alongLastAxis(parameters.inputBias, hidden))
  const active = activation === 'relu' ? relu(biased) : gelu(biased)
  const out = matmul(active, convert(parameters.output, x.dtype))
  return add(out, alongLastAxis(parameters.outputBias, out))
}
