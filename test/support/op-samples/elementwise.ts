import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import * as arithmetic from '../../../src/ops/arithmetic.ts'
import * as bitwise from '../../../src/ops/bitwise.ts'
import { broadcastInDim } from '../../../src/ops/broadcast.ts'
import { compare } from '../../../src/ops/compare.ts'
import { complex } from '../../../src/ops/complex.ts'
import { constant } from '../../../src/ops/constant.ts'
import * as binary from '../../../src/ops/elementwise-binary.ts'
import * as unary from '../../../src/ops/elementwise-unary.ts'
import { clamp, select } from '../../../src/ops/select.ts'
import { type OpSample, type Random } from './sample.ts'

const shape = [2, 3]
const f64 = tensorType('f64', shape)
const i32 = tensorType('i32', shape)
const bool = tensorType('bool', shape)

/** Values between `low` and `high`, rounded to hundredths so that none lies on a kink by chance. */
const between = (low: number, high: number) => (random: Random) =>
  HostArray.of('f64', shape, Array.from({ length: 6 }, () => Math.round((low + random() * (high - low)) * 100) / 100 + 0.003))

const unarySample = (name: string, build: (x: Tensor) => Tensor, range?: [number, number], differentiable = true): OpSample => ({
  name: `stablehlo.${name}`,
  op: `stablehlo.${name}`,
  build,
  inputs: [f64],
  values: (random) => [between(...(range ?? [-2, 2]))(random)],
  differentiable,
})
const binarySample = (name: string, build: (a: Tensor, b: Tensor) => Tensor, range?: [number, number], differentiable: boolean | number[] = true): OpSample => ({
  name: `stablehlo.${name}`,
  op: `stablehlo.${name}`,
  build,
  inputs: [f64, f64],
  values: (random) => [between(...(range ?? [-2, 2]))(random), between(...(range ?? [-2, 2]))(random)],
  differentiable,
})
const integerSample = (name: string, build: (...inputs: Tensor[]) => Tensor, operands: number): OpSample => ({
  name: `stablehlo.${name}`,
  op: `stablehlo.${name}`,
  build,
  inputs: Array.from({ length: operands }, () => i32),
  differentiable: false,
})

export const samples: readonly OpSample[] = [
  binarySample('add', arithmetic.add),
  { name: 'stablehlo.add (bool)', op: 'stablehlo.add', build: arithmetic.add, inputs: [bool, bool], differentiable: false },
  binarySample('subtract', arithmetic.subtract),
  binarySample('multiply', arithmetic.multiply),
  binarySample('divide', arithmetic.divide, [0.5, 2]),
  { ...integerSample('divide', arithmetic.divide as (...inputs: Tensor[]) => Tensor, 2), name: 'stablehlo.divide (i32)' },
  unarySample('negate', arithmetic.negate),
  binarySample('maximum', binary.maximum),
  binarySample('minimum', binary.minimum),
  binarySample('power', binary.power, [0.5, 2]),
  binarySample('remainder', binary.remainder, [0.5, 3], [0]),
  binarySample('atan2', binary.atan2, [0.5, 2]),
  integerSample('and', bitwise.and as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('or', bitwise.or as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('xor', bitwise.xor as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('not', bitwise.not as (...inputs: Tensor[]) => Tensor, 1),
  integerSample('shift_left', bitwise.shiftLeft as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('shift_right_arithmetic', bitwise.shiftRightArithmetic as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('shift_right_logical', bitwise.shiftRightLogical as (...inputs: Tensor[]) => Tensor, 2),
  integerSample('popcnt', bitwise.popcnt as (...inputs: Tensor[]) => Tensor, 1),
  integerSample('count_leading_zeros', bitwise.countLeadingZeros as (...inputs: Tensor[]) => Tensor, 1),
  unarySample('abs', unary.abs),
  {
    name: 'stablehlo.abs (complex)',
    op: 'stablehlo.abs',
    build: (re, im) => unary.abs(complex(re, im)),
    inputs: [f64, f64],
    values: (random) => [between(-2, 2)(random), between(-2, 2)(random)],
    differentiable: true,
  },
  unarySample('sign', unary.sign),
  unarySample('ceil', unary.ceil),
  unarySample('floor', unary.floor),
  unarySample('round_nearest_afz', unary.roundNearestAfz),
  unarySample('round_nearest_even', unary.roundNearestEven),
  unarySample('exponential', unary.exponential),
  unarySample('exponential_minus_one', unary.exponentialMinusOne),
  unarySample('log', unary.log, [0.5, 3]),
  unarySample('log_plus_one', unary.logPlusOne, [-0.5, 3]),
  unarySample('logistic', unary.logistic),
  unarySample('tanh', unary.tanh),
  unarySample('sqrt', unary.sqrt, [0.5, 3]),
  unarySample('rsqrt', unary.rsqrt, [0.5, 3]),
  unarySample('cbrt', unary.cbrt, [0.5, 3]),
  unarySample('sine', unary.sine),
  unarySample('cosine', unary.cosine),
  unarySample('tan', unary.tan, [-1, 1]),
  unarySample('is_finite', unary.isFinite, undefined, false),
  { name: 'stablehlo.compare', op: 'stablehlo.compare', build: (a, b) => compare(a, b, 'LT'), inputs: [f64, f64], differentiable: false },
  { name: 'stablehlo.compare (total order)', op: 'stablehlo.compare', build: (a, b) => compare(a, b, 'GE', 'TOTALORDER'), inputs: [f64, f64], differentiable: false },
  { name: 'stablehlo.select', op: 'stablehlo.select', build: (p, a, b) => select(p, a, b), inputs: [bool, f64, f64], differentiable: true },
  { name: 'stablehlo.select (scalar)', op: 'stablehlo.select', build: (p, a, b) => select(p, a, b), inputs: [tensorType('bool', []), f64, f64], differentiable: true },
  {
    name: 'stablehlo.clamp',
    op: 'stablehlo.clamp',
    build: (low, x, high) => clamp(low, x, high),
    inputs: [tensorType('f64', []), f64, f64],
    values: (random) => [HostArray.from('f64', -0.9), between(-2, 2)(random), between(0.5, 1)(random)],
    differentiable: true,
  },
  { name: 'stablehlo.constant', op: 'stablehlo.constant', build: (x) => arithmetic.add(x, constant([[1, 2, 3], [4, 5, 6]], 'f64')), inputs: [f64], differentiable: true, fixedType: true },
  { name: 'stablehlo.broadcast_in_dim', op: 'stablehlo.broadcast_in_dim', build: (x) => broadcastInDim(x, [3, 4, 2], [2, 0]), inputs: [f64], differentiable: true },
  { name: 'stablehlo.broadcast_in_dim (stretch)', op: 'stablehlo.broadcast_in_dim', build: (x) => broadcastInDim(x, [3, 4, 2], [2, 1]), inputs: [tensorType('f64', [1, 4])], differentiable: true },
]
