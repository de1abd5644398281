import { grad } from '../../src/autodiff/grad.ts'
import { HostArray } from '../../src/ir/host-array.ts'
import type { Tensor } from '../../src/ir/module.ts'
import { tensorType } from '../../src/ir/types.ts'
import { mean } from '../../src/lib/mean.ts'
import { softmax } from '../../src/lib/softmax.ts'
import { multiply } from '../../src/ops/arithmetic.ts'
import { matmul } from '../../src/ops/dot-general.ts'
import { transpose } from '../../src/ops/transpose.ts'
import { lower } from '../../src/program/lower.ts'

/** The weights of one self-attention layer, each f32[d, d]. */
interface Layer {
  readonly query: Tensor
  readonly key: Tensor
  readonly value: Tensor
  readonly output: Tensor
}

function attention({ query, key, value, output }: Layer, x: Tensor): Tensor {
  const scores = matmul(matmul(x, query), transpose(matmul(x, key)))
  return matmul(matmul(softmax(multiply(scores, x.shape[1] ** -0.5)), matmul(x, value)), output)
}

function loss(layers: readonly [Layer, Layer], x: Tensor): Tensor {
  const y = layers.reduce((each, layer) => attention(layer, each), x)
  return mean(multiply(y, y))
}

/** The gradient of the mean square of two layers of self-attention, by all their weights: `x f32[size, size] -> eight f32[size, size]`. */
export function attentionGradient(size: number) {
  const matrix = tensorType('f32', [size, size])
  const layer = { query: matrix, key: matrix, value: matrix, output: matrix }
  return lower(grad(loss), [layer, layer], matrix)
}

/** Weights and input of `attentionGradient`, the same in every run. */
export function attentionInputs(size: number) {
  const matrix = (seed: number, scale: number) =>
    HostArray.of('f32', [size, size], Array.from({ length: size * size }, (_, i) => Math.sin(i * (0.7 + seed / 31) + seed) * scale))
  const layer = (seed: number) => {
    const [query, key, value, output] = [0, 1, 2, 3].map((i) => matrix(seed + i, size ** -0.5))
    return { query, key, value, output }
  }
  return [[layer(1), layer(5)] as const, matrix(9, 1)] as const
}
