import { dtypes, integerRange } from '../../../src/ir/dtypes.ts'
import type { HostArray } from '../../../src/ir/host-array.ts'
import type { Operation } from '../../../src/ir/module.ts'
import { type TensorType, sameShape } from '../../../src/ir/types.ts'
import { compareOp } from '../../../src/ops/compare.ts'
import { reductionKinds } from '../../../src/ops/reducer.ts'
import { smallestNormal } from './agreement-rules.ts'

/**
 * Where the specification does not say what a result is, so that a difference is no defect. Each entry gives, for an operation and its
 * operands, which elements of the results are open: all of them, or those for which a function of the position says so.
 */

type OpenElements = 'all' | ((position: number) => boolean) | undefined
type OpenCase = (operation: Operation, operands: readonly HostArray[]) => OpenElements

export const hasNaN = ({ dtype, data }: HostArray): boolean => {
  const { kind } = dtypes[dtype]
  return (kind === 'float' || kind === 'complex') && (data as Float64Array).some((value) => value !== value)
}

const isFinite = ({ data }: HostArray): boolean => typeof data[0] !== 'number' || (data as Float64Array).every(Number.isFinite)

const resultDType = (operation: Operation) => (operation.results[0].type as TensorType).dtype

/** In one order of multiplying them a product may overflow or vanish on the way, and in another not. */
const extremeProduct = ({ regions: [body] }: Operation, operands: readonly HostArray[]): boolean =>
  reductionKinds(body)?.includes('multiply') === true &&
  operands.some(({ data }) => (data as Float64Array).some((value) => typeof value === 'number' && value !== 0 && !(Math.abs(value) < 1e6 && Math.abs(value) > 1e-6)))

const cases: Readonly<Record<string, OpenCase>> = {
  // "If the value cannot be represented exactly [...] floating-point to integer: behavior is TBD (#180)": out of range and NaN.
  'stablehlo.convert': (operation, [operand]) => {
    const to = dtypes[resultDType(operation)]
    if (to.kind !== 'signed' && to.kind !== 'unsigned') return undefined
    const from = dtypes[operand.dtype].kind
    if (from !== 'float' && from !== 'complex') return undefined
    const width = from === 'complex' ? 2 : 1
    const { min, max } = integerRange(resultDType(operation))
    return (position) => {
      const value = Math.trunc(operand.data[position * width] as number)
      return !(value >= Number(min) && value <= Number(max) && value < 2 ** (to.kind === 'signed' ? to.bits - 1 : to.bits))
    }
  },
  // Zero to a negative power is a division by zero, of which the specification says nothing for integers.
  'stablehlo.power': (_, [base, exponent]) => {
    const { kind } = dtypes[base.dtype]
    if (kind !== 'signed' && kind !== 'unsigned') return undefined
    // XLA takes large unsigned exponents for negative ones, gives 0 for any negative power of -1, and drops bits of the exponent:
    // xla-bugs/power-exponents.
    const limit = 2 ** Math.min(dtypes[base.dtype].bits - 1, 6)
    return (position) => Number(exponent.data[position]) < 0 || Number(exponent.data[position]) >= limit
  },
  // XLA on the CPU takes denormals for zeros, and then divides zero by zero.
  'stablehlo.atan2': (_, operands) => {
    if (dtypes[operands[0].dtype].kind !== 'float') return undefined
    return (position) => operands.some(({ dtype, data }) => data[position] !== 0 && Math.abs(data[position] as number) < smallestNormal(dtype))
  },
  // Which NaN an operation gives is open, and the interpreter keeps one NaN per type: its bits and its sign are not the program's to see.
  'stablehlo.bitcast_convert': (_, [operand]) => {
    if (!hasNaN(operand)) return undefined
    return 'all'
  },
  // Without mantissa bits NaN becomes an infinity with the NaN's sign.
  'stablehlo.reduce_precision': (_, [operand]) => (position) => operand.data[position] !== operand.data[position],
  // The total order knows the sign of a NaN.
  'stablehlo.compare': (operation, operands) => {
    if (operation.attributes.compare_type !== 'TOTALORDER') return undefined
    return (position) => operands.some(({ data }) => data[position] !== data[position])
  },
  // XLA fills groups and dilations with zeros, and zero times infinity is NaN.
  'stablehlo.convolution': (_, operands) => (operands.every(isFinite) ? undefined : 'all'),
  // With NaN among the keys the comparison of floats is no strict weak order; in total order the sign of the NaN decides.
  'stablehlo.sort': (_, operands) => (operands.some(hasNaN) ? 'all' : undefined),
  // The region compares with NaN, and windows are combined in an order that is left to the implementation.
  'stablehlo.select_and_scatter': (_, operands) => (operands.some(hasNaN) ? 'all' : undefined),
  'stablehlo.reduce_window': (operation, operands) => (extremeProduct(operation, operands) ? 'all' : undefined),
  'stablehlo.scatter': (operation, operands) => (extremeProduct(operation, operands) ? 'all' : undefined),
  'stablehlo.reduce': (operation, operands) => (extremeProduct(operation, operands) || (operation.regions[0].block.operations.some(({ definition }) => definition === compareOp) && operands.some(hasNaN)) ? 'all' : undefined),
}

/**
 * Of functions of complex numbers the specification gives the value where it is finite, not what infinities, NaN and zeros of either sign in
 * one part make of the other; on the branch cuts the sign of a zero decides.
 */
const complexOpen: OpenCase = (operation, operands) => {
  const complex = operands.filter(({ dtype }) => dtypes[dtype].kind === 'complex')
  if (complex.length === 0 || exactOnComplex.has(operation.name)) return undefined
  const special = (value: number): boolean => !Number.isFinite(value) || Math.abs(value) < 1e-30 || Math.abs(value) > 80
  return (position) => complex.some(({ data, size }) => size > position && (special(data[2 * position] as number) || special(data[2 * position + 1] as number)))
}
const exactOnComplex = new Set(['add', 'subtract', 'negate', 'real', 'imag', 'complex', 'select', 'compare', 'convert'].map((name) => `stablehlo.${name}`))

const isElementwise = ({ operands, results, regions }: Operation): boolean =>
  regions.length === 0 && results.length === 1 && operands.every(({ type }) => type.kind === 'tensor' && sameShape(type.shape, (results[0].type as TensorType).shape))

/** Which elements of the operation's results the specification leaves open. */
export function openElements(operation: Operation, operands: readonly HostArray[]): OpenElements {
  const known = cases[operation.name]?.(operation, operands)
  return known ?? (isElementwise(operation) ? complexOpen(operation, operands) : undefined)
}
