import { Tensor } from '../ir/module.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { convert } from '../ops/convert.ts'
import { rsqrt, sqrt } from '../ops/elementwise-unary.ts'
import { type ReduceOptions, reduceSum } from '../ops/reduce.ts'
import { flatten } from '../trace/tree.ts'
import { failIn } from './library-error.ts'
import { mean } from './mean.ts'
import { inWideType, needFloat, wideType } from './wide.ts'

type Axes = number | readonly number[]

const squares = (x: Tensor): Tensor => multiply(x, x)

/** Euclidean length over axes (all if none are named): `sqrt(sum x^2)`, in f32 for narrower floats. Its gradient at 0 is not finite. Throws `OpError`. */
export function norm(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  needFloat('norm', x)
  return inWideType(x, (wide) => sqrt(reduceSum(squares(wide), axes, options)))
}

/** Euclidean length of all float tensors of a tree together, as gradient clipping needs it: a scalar, f32 or wider. Throws `OpError`, `TraceError`. */
export function globalNorm(tree: unknown): Tensor {
  const { leaves } = flatten(tree, (value): value is Tensor => value instanceof Tensor, 'the argument of globalNorm')
  if (leaves.length === 0) return failIn('globalNorm', 'the tree has no tensors')
  const widest = leaves.some((leaf) => leaf.dtype === 'f64') ? 'f64' : 'f32'
  const sums = leaves.map((leaf) => {
    needFloat('globalNorm', leaf)
    return convert(reduceSum(squares(convert(leaf, wideType(leaf.dtype)))), widest)
  })
  return sqrt(sums.reduce((total, sum) => add(total, sum)))
}

/**
 * `x / sqrt(sum x^2 + eps)` along `axis`, in f32 for narrower floats: length 1, and zero (with a finite gradient) for a zero row.
 * Throws `OpError`.
 */
export function l2Normalize(x: Tensor, axis = -1, eps = 1e-6): Tensor {
  needFloat('l2Normalize', x)
  return inWideType(x, (wide) => multiply(wide, rsqrt(add(reduceSum(squares(wide), axis, { keepDims: true }), eps))))
}

/**
 * The core of RMS norm: `x / sqrt(mean x^2 + eps)` along `axis`, without a scale; in f32 for narrower floats.
 * Source: Zhang and Sennrich 2019, equation 4. Throws `OpError`.
 */
export function rmsNormalize(x: Tensor, axis = -1, eps = 1e-6): Tensor {
  needFloat('rmsNormalize', x)
  return inWideType(x, (wide) => multiply(wide, rsqrt(add(mean(squares(wide), axis, { keepDims: true }), eps))))
}
