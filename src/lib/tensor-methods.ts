import type { DType } from '../ir/dtypes.ts'
import { Tensor } from '../ir/module.ts'
import { add, divide, multiply, negate, subtract } from '../ops/arithmetic.ts'
import { and, not, or, xor } from '../ops/bitwise.ts'
import { type TensorLike, broadcastTo } from '../ops/broadcast.ts'
import { equal, greater, greaterEqual, less, lessEqual, notEqual } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { type DotOptions, matmul } from '../ops/dot-general.ts'
import { maximum, minimum, power, remainder } from '../ops/elementwise-binary.ts'
import { abs, exponential, log, logistic, rsqrt, sign, sqrt, tanh } from '../ops/elementwise-unary.ts'
import { type ReduceOptions, reduceMax, reduceMin, reduceProd, reduceSum } from '../ops/reduce.ts'
import { expandDims, reshape, squeeze } from '../ops/reshape.ts'
import { clamp, select } from '../ops/select.ts'
import { transpose } from '../ops/transpose.ts'
import { argMax, argMin } from './arg-extreme.ts'
import { mean } from './mean.ts'
import { type SliceRange, sliceRanges } from './rearrange.ts'
import { softmax } from './softmax.ts'

/** Axes to reduce: one, several, or all if absent; negative axes count from the end. */
export type Axes = number | readonly number[]

/**
 * Arithmetic as methods: `x.mul(2).add(y)` is `add(multiply(x, 2), y)`. Numbers stand for constants of the tensor's type; rank 0 and axes of
 * size 1 are stretched, nothing else is implied. Errors are those of the function of the same meaning.
 */
export interface TensorMethods {
  add(other: TensorLike): Tensor
  sub(other: TensorLike): Tensor
  mul(other: TensorLike): Tensor
  div(other: TensorLike): Tensor
  pow(other: TensorLike): Tensor
  /** Remainder with the sign of this tensor. */
  rem(other: TensorLike): Tensor
  maximum(other: TensorLike): Tensor
  minimum(other: TensorLike): Tensor
  eq(other: TensorLike): Tensor
  ne(other: TensorLike): Tensor
  lt(other: TensorLike): Tensor
  le(other: TensorLike): Tensor
  gt(other: TensorLike): Tensor
  ge(other: TensorLike): Tensor
  /** Logical for `bool`, bitwise for integers. */
  and(other: TensorLike): Tensor
  or(other: TensorLike): Tensor
  xor(other: TensorLike): Tensor
  not(): Tensor
  neg(): Tensor
  exp(): Tensor
  log(): Tensor
  sqrt(): Tensor
  rsqrt(): Tensor
  tanh(): Tensor
  sigmoid(): Tensor
  abs(): Tensor
  sign(): Tensor
  square(): Tensor
  clamp(min: TensorLike, max: TensorLike): Tensor
  /** Where this `bool` tensor is true `onTrue`, else `onFalse`. */
  select(onTrue: TensorLike, onFalse: TensorLike): Tensor
  /** Matrix product over the last two axes. */
  matmul(other: Tensor, options?: DotOptions): Tensor
  /** Sizes one by one or as one array; one may be -1. */
  reshape(...shape: readonly number[] | readonly [readonly number[]]): Tensor
  /** Axes one by one or as one array; reversed if there are none. */
  transpose(...permutation: readonly number[] | readonly [readonly number[]]): Tensor
  expandDims(axes: Axes): Tensor
  squeeze(axes?: Axes): Tensor
  broadcastTo(...shape: readonly number[] | readonly [readonly number[]]): Tensor
  /** One range per axis: `[start, stop]`, `[start, stop, step]`, a position, or `null` for all. */
  slice(...ranges: readonly SliceRange[]): Tensor
  /** Another element type for the same values. */
  convert(dtype: DType): Tensor
  sum(axes?: Axes, options?: ReduceOptions): Tensor
  prod(axes?: Axes, options?: ReduceOptions): Tensor
  mean(axes?: Axes, options?: ReduceOptions): Tensor
  max(axes?: Axes, options?: ReduceOptions): Tensor
  min(axes?: Axes, options?: ReduceOptions): Tensor
  argMax(axis?: number, options?: ReduceOptions): Tensor
  argMin(axis?: number, options?: ReduceOptions): Tensor
  softmax(axis?: number): Tensor
}

declare module '../ir/module.ts' {
  interface Tensor extends TensorMethods {}
}

const list = (values: readonly number[] | readonly [readonly number[]]): readonly number[] =>
  (Array.isArray(values[0]) ? values[0] : values) as readonly number[]

const methods: TensorMethods & ThisType<Tensor> = {
  add(other) { return add(this, other) },
  sub(other) { return subtract(this, other) },
  mul(other) { return multiply(this, other) },
  div(other) { return divide(this, other) },
  pow(other) { return power(this, other) },
  rem(other) { return remainder(this, other) },
  maximum(other) { return maximum(this, other) },
  minimum(other) { return minimum(this, other) },
  eq(other) { return equal(this, other) },
  ne(other) { return notEqual(this, other) },
  lt(other) { return less(this, other) },
  le(other) { return lessEqual(this, other) },
  gt(other) { return greater(this, other) },
  ge(other) { return greaterEqual(this, other) },
  and(other) { return and(this, other) },
  or(other) { return or(this, other) },
  xor(other) { return xor(this, other) },
  not() { return not(this) },
  neg() { return negate(this) },
  exp() { return exponential(this) },
  log() { return log(this) },
  sqrt() { return sqrt(this) },
  rsqrt() { return rsqrt(this) },
  tanh() { return tanh(this) },
  sigmoid() { return logistic(this) },
  abs() { return abs(this) },
  sign() { return sign(this) },
  square() { return multiply(this, this) },
  clamp(min, max) { return clamp(min, this, max) },
  select(onTrue, onFalse) { return select(this, onTrue, onFalse) },
  matmul(other, options) { return matmul(this, other, options) },
  reshape(...shape) { return reshape(this, list(shape)) },
  transpose(...permutation) { return transpose(this, permutation.length ? list(permutation) : undefined) },
  expandDims(axes) { return expandDims(this, axes) },
  squeeze(axes) { return squeeze(this, axes) },
  broadcastTo(...shape) { return broadcastTo(this, list(shape)) },
  slice(...ranges) { return sliceRanges(this, ...ranges) },
  convert(dtype) { return convert(this, dtype) },
  sum(axes, options) { return reduceSum(this, axes, options) },
  prod(axes, options) { return reduceProd(this, axes, options) },
  mean(axes, options) { return mean(this, axes, options) },
  max(axes, options) { return reduceMax(this, axes, options) },
  min(axes, options) { return reduceMin(this, axes, options) },
  argMax(axis, options) { return argMax(this, axis, options) },
  argMin(axis, options) { return argMin(this, axis, options) },
  softmax(axis) { return softmax(this, axis) },
}

for (const [name, value] of Object.entries(methods))
  Object.defineProperty(Tensor.prototype, name, { value, enumerable: false, configurable: true, writable: true })
