import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import { floatFromBits } from '../../../src/ir/float-bits.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { Operation } from '../../../src/ir/module.ts'
import type { TensorType } from '../../../src/ir/types.ts'
import { reductionKinds } from '../../../src/ops/reducer.ts'

/**
 * How near XLA's result of one op must be to the interpreter's on the same operands, and where the specification leaves the result open.
 * Integers, booleans and moved data must be equal. What rounds once must be the rounded value; functions that XLA approximates may be some
 * units in the last place off; sums may differ by the order in which they are made, in proportion to the sum of the magnitudes.
 */
export type Rule =
  /** Equal; any NaN equals any NaN. */
  | { readonly kind: 'exact' }
  /**
   * Representable values between them, for complex numbers units of the modulus. `absolute` also passes: near a zero of the function, units
   * of the result say nothing.
   */
  | { readonly kind: 'ulp'; readonly units: number; readonly units64: number; readonly absolute?: number }
  /** Units of rounding of the same op on the operands' magnitudes. */
  | { readonly kind: 'magnitude'; readonly units: number }
  /** Units of rounding of the largest number among operands and result: for transforms, whose elements depend on all others. */
  | { readonly kind: 'norm'; readonly units: number }

const exact: Rule = { kind: 'exact' }
const ulp = (units: number, units64 = units, absolute = 0): Rule => ({ kind: 'ulp', units, units64, absolute })
const norm = (units: number): Rule => ({ kind: 'norm', units })
const magnitude = (units: number): Rule => ({ kind: 'magnitude', units })

/** Rules by op, or by op and element type of the result; an op that is not here is exact. The units are what XLA on the CPU was seen to need, with a little room. */
const rules: Readonly<Record<string, Rule>> = {
  // XLA makes a / (b * c) of (a / b) / c.
  'stablehlo.divide': ulp(2),
  'stablehlo.exponential': ulp(16, 16),
  'stablehlo.exponential_minus_one': ulp(8, 8),
  'stablehlo.log': ulp(4, 4),
  'stablehlo.log_plus_one': ulp(64, 256),
  'stablehlo.logistic': ulp(8),
  // In f16 the exponential overflows before its inverse is zero.
  'stablehlo.logistic f16': ulp(8, 8, 2e-5),
  'stablehlo.tanh': ulp(8, 8),
  'stablehlo.sine': ulp(4, 4),
  'stablehlo.cosine': ulp(4, 4),
  'stablehlo.tan': ulp(8, 8),
  'stablehlo.sqrt': ulp(1, 1),
  'stablehlo.rsqrt': ulp(2, 2),
  'stablehlo.cbrt': ulp(16, 256),
  'stablehlo.power': ulp(16, 16),
  'stablehlo.atan2': ulp(8, 8),
  'stablehlo.fft': norm(64),
  'stablehlo.cholesky': norm(64),
  'stablehlo.triangular_solve': norm(256),
  'stablehlo.dot_general': magnitude(8),
  'stablehlo.convolution': magnitude(8),
  'stablehlo.batch_norm_inference': norm(64),
  // XLA takes the mean square less the square of the mean, which cancels where the variance is small.
  'stablehlo.batch_norm_training': norm(4096),
  'stablehlo.batch_norm_grad': norm(256),
  'stablehlo.scatter': magnitude(8),
  'stablehlo.select_and_scatter': magnitude(8),
}

const sumsOrProducts = new Set(['add', 'multiply'])

/** The rule for one result of an operation. */
export function ruleFor(operation: Operation, result: number): Rule {
  const { dtype } = operation.results[result].type as TensorType
  const { kind } = dtypes[dtype]
  if (kind !== 'float' && kind !== 'complex') return exact
  const kinds = operation.regions.length === 1 ? reductionKinds(operation.regions[0]) : undefined
  if (operation.name === 'stablehlo.reduce' || operation.name === 'stablehlo.reduce_window' || operation.name === 'stablehlo.scatter')
    return kinds && sumsOrProducts.has(kinds[result]) ? magnitude(8) : exact
  const rule = rules[`${operation.name} ${dtype}`] ?? rules[operation.name]
  const complex = operation.operands.some(({ type }) => type.kind === 'tensor' && dtypes[type.dtype].kind === 'complex')
  // A function of a complex number is several of real numbers, with cancellation between them.
  if (rule) return complex && rule.kind === 'ulp' ? ulp(16 * rule.units, 512 * rule.units64) : rule
  if (operation.name.startsWith('chlo.')) return complex ? ulp(1024, 65536, 32 * unitRoundoff(dtype)) : ulp(64, 4096, 32 * unitRoundoff(dtype))
  // Complex arithmetic is several roundings.
  return complex && !/\.(select|real|imag|complex|if|while|case|call|map|sort)$/.test(operation.name) ? ulp(16, 16) : exact
}

/** The distance from 1 to the next number. */
export function unitRoundoff(dtype: DType): number {
  const info = dtypes[dtype]
  if (info.kind === 'complex') return unitRoundoff(info.part)
  return info.kind === 'float' ? 2 ** -info.float.mantissaBits : 0
}

/** The smallest normal number of the type in which XLA on the CPU computes, below which it takes and gives zeros. */
export function smallestNormal(dtype: DType): number {
  const info = dtypes[dtype]
  if (info.kind === 'complex') return smallestNormal(info.part)
  if (dtype === 'f64') return 2.2250738585072014e-308
  return floatFromBits('f32', 2 ** 23)
}

/** The array with zeros (of the same sign) for denormals of f32 and f64. */
export function flushed(array: HostArray): HostArray {
  const { kind } = dtypes[array.dtype]
  if (kind !== 'float' && kind !== 'complex') return array
  const limit = smallestNormal(array.dtype)
  const { data } = array
  let out: Float64Array | undefined
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number
    if (value === 0 || Math.abs(value) >= limit || value !== value) continue
    out ??= data.slice() as Float64Array
    out[i] = value < 0 ? -0 : 0
  }
  return out ? new HostArray(array.type, out) : array
}

/** The array of absolute values; NaN and infinities as they are. */
export function magnitudes(array: HostArray): HostArray {
  const { kind } = dtypes[array.dtype]
  if (kind !== 'float' && kind !== 'complex') return array
  return new HostArray(array.type, (array.data as Float64Array).map(Math.abs))
}
