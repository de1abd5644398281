import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import { everyDType } from './builder.ts'

/**
 * What the generator leaves out, each with its reason. What XLA computes wrongly has a reproduction in `test/property/xla-bugs`, named here.
 * What the specification leaves open, or what XLA cannot run, has none.
 */
export interface Exclusion {
  readonly ops: readonly string[]
  readonly dtypes: readonly DType[]
  readonly reason: string
  /** The file in `test/property/xla-bugs`, without its ending. */
  readonly bug?: string
}

const fourBits: readonly DType[] = ['i4', 'u4']

export const exclusions: readonly Exclusion[] = [
  { ops: ['chlo.zeta', 'chlo.polygamma'], dtypes: everyDType, reason: 'XLA gives NaN at poles and for large orders, where the functions are infinite' },
  { ops: ['chlo.bessel_i1e', 'chlo.erfc'], dtypes: everyDType, reason: 'XLA does not lower them in programs that it is given as text' },
  { ops: ['stablehlo.remainder'], dtypes: ['c64', 'c128'], reason: 'neither XLA nor the interpreter has a remainder of complex numbers' },
  { ops: ['stablehlo.maximum', 'stablehlo.minimum', 'stablehlo.cbrt'], dtypes: ['c64', 'c128'], reason: 'XLA has none of complex numbers' },
  { ops: ['chlo.mulhi'], dtypes: fourBits, reason: 'XLA gives another half of the product', bug: 'mulhi-four-bits' },
  { ops: ['stablehlo.popcnt'], dtypes: fourBits, reason: 'XLA counts 8 bits of -1 and gives what is no i4', bug: 'popcnt-four-bits' },
  { ops: ['stablehlo.sort'], dtypes: fourBits, reason: 'XLA refuses to sort narrow integers beside others' },
  { ops: ['stablehlo.convolution'], dtypes: fourBits, reason: 'XLA has no convolution of them' },
]

/** What operands an element-wise op does not get, for XLA joins it wrongly with what computes them. */
export const operandExclusions: Readonly<Record<string, { readonly notOf?: readonly string[]; readonly freshDivisor?: boolean }>> = {
  // A square that overflows may be negative, and XLA leaves it so: xla-bugs/abs-of-square.
  'stablehlo.abs': { notOf: ['stablehlo.multiply', 'chlo.square', 'func.call', 'stablehlo.map', 'stablehlo.composite'] },
  // A divisor that is known to be zero when the program is compiled ends XLA: xla-bugs/divide-by-known-zero.
  'stablehlo.divide': { freshDivisor: true },
  'stablehlo.remainder': { freshDivisor: true },
}

/** Element types that are generated for an op, by its own name or that of a group. */
export function dtypesFor(...ops: readonly string[]): DType[] {
  const excluded = new Set(exclusions.filter((entry) => entry.ops.some((op) => ops.includes(op))).flatMap((entry) => entry.dtypes))
  return everyDType.filter((dtype) => !excluded.has(dtype))
}

/** Of `dtypesFor`, those of some kinds. */
export const numbersFor = (kinds: readonly string[], ...ops: readonly string[]): DType[] => dtypesFor(...ops).filter((dtype) => kinds.includes(dtypes[dtype].kind))
