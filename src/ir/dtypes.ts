/**
 * The element types of StableHLO, by the short names that JAX users know (`f32`, `u8`, `bool`), with everything that
 * other rooms need to know about one: its spelling in StableHLO text, its width and, for floats, its bit layout.
 *
 * Source: StableHLO specification, "Types".
 */

export interface FloatFormat {
  readonly exponentBits: number
  readonly mantissaBits: number
  readonly bias: number
  /** What the largest exponent means: IEEE infinities and NaNs, or finite values with few or no special codes. */
  readonly special: 'ieee' | 'finite-nan-all-ones' | 'finite-nan-negative-zero' | 'finite-only' | 'exponent-only'
}

interface DTypeInfoBase {
  /** Spelling inside `tensor<...>`. */
  readonly text: string
  /** Bits of one element; a complex element counts both parts. */
  readonly bits: number
}
export interface BoolInfo extends DTypeInfoBase { readonly kind: 'bool' }
export interface IntegerInfo extends DTypeInfoBase { readonly kind: 'signed' | 'unsigned' }
export interface FloatInfo extends DTypeInfoBase { readonly kind: 'float'; readonly float: FloatFormat }
export interface ComplexInfo extends DTypeInfoBase { readonly kind: 'complex'; readonly part: 'f32' | 'f64' }
export type DTypeInfo = BoolInfo | IntegerInfo | FloatInfo | ComplexInfo

const signed = (bits: number): IntegerInfo => ({ kind: 'signed', text: `i${bits}`, bits })
const unsigned = (bits: number): IntegerInfo => ({ kind: 'unsigned', text: `ui${bits}`, bits })
const float = (
  text: string,
  exponentBits: number,
  mantissaBits: number,
  bias: number,
  special: FloatFormat['special'] = 'ieee',
): FloatInfo => ({
  kind: 'float',
  text,
  bits: exponentBits + mantissaBits + (special === 'exponent-only' ? 0 : 1),
  float: { exponentBits, mantissaBits, bias, special },
})

const table = {
  bool: { kind: 'bool', text: 'i1', bits: 1 } as BoolInfo,
  i2: signed(2),
  i4: signed(4),
  i8: signed(8),
  i16: signed(16),
  i32: signed(32),
  i64: signed(64),
  /** MLIR's own integer for sizes: in shape operands and layouts of imported programs, not in StableHLO's values. */
  index: { kind: 'signed', text: 'index', bits: 64 } as IntegerInfo,
  u2: unsigned(2),
  u4: unsigned(4),
  u8: unsigned(8),
  u16: unsigned(16),
  u32: unsigned(32),
  u64: unsigned(64),
  f4E2M1FN: float('f4E2M1FN', 2, 1, 1, 'finite-only'),
  f6E2M3FN: float('f6E2M3FN', 2, 3, 1, 'finite-only'),
  f6E3M2FN: float('f6E3M2FN', 3, 2, 3, 'finite-only'),
  f8E3M4: float('f8E3M4', 3, 4, 3),
  f8E4M3: float('f8E4M3', 4, 3, 7),
  f8E4M3FN: float('f8E4M3FN', 4, 3, 7, 'finite-nan-all-ones'),
  f8E4M3FNUZ: float('f8E4M3FNUZ', 4, 3, 8, 'finite-nan-negative-zero'),
  f8E4M3B11FNUZ: float('f8E4M3B11FNUZ', 4, 3, 11, 'finite-nan-negative-zero'),
  f8E5M2: float('f8E5M2', 5, 2, 15),
  f8E5M2FNUZ: float('f8E5M2FNUZ', 5, 2, 16, 'finite-nan-negative-zero'),
  f8E8M0FNU: float('f8E8M0FNU', 8, 0, 127, 'exponent-only'),
  bf16: float('bf16', 8, 7, 127),
  f16: float('f16', 5, 10, 15),
  f32: float('f32', 8, 23, 127),
  f64: float('f64', 11, 52, 1023),
  c64: { kind: 'complex', text: 'complex<f32>', bits: 64, part: 'f32' } as ComplexInfo,
  c128: { kind: 'complex', text: 'complex<f64>', bits: 128, part: 'f64' } as ComplexInfo,
} as const

export type DType = keyof typeof table

/** Facts about every element type. */
export const dtypes: Readonly<Record<DType, DTypeInfo>> = table

export const dtypeNames = Object.keys(table) as DType[]

const byText = new Map<string, DType>(dtypeNames.map((name) => [dtypes[name].text, name]))

/** The element type spelled `text` inside `tensor<...>`, or undefined. */
export const dtypeFromText = (text: string): DType | undefined => byText.get(text)

export const isDType = (name: string): name is DType => Object.hasOwn(table, name)
export const isBool = (dtype: DType): boolean => dtype === 'bool'
export const isFloat = (dtype: DType): boolean => dtypes[dtype].kind === 'float'
export const isComplex = (dtype: DType): boolean => dtypes[dtype].kind === 'complex'
export const isSigned = (dtype: DType): boolean => dtypes[dtype].kind === 'signed'
export const isUnsigned = (dtype: DType): boolean => dtypes[dtype].kind === 'unsigned'
/** Signed or unsigned; `bool` is not an integer here, as in the specification. */
export const isInteger = (dtype: DType): boolean => isSigned(dtype) || isUnsigned(dtype)
/** Whether a value of this type can carry a gradient. */
export const isDifferentiable = (dtype: DType): boolean => isFloat(dtype) || isComplex(dtype)

/** Inclusive range of an integer type. */
export function integerRange(dtype: DType): { min: bigint; max: bigint } {
  const { kind, bits } = dtypes[dtype]
  if (kind === 'signed') return { min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n }
  if (kind === 'unsigned') return { min: 0n, max: (1n << BigInt(bits)) - 1n }
  throw new TypeError(`${dtype} is not an integer type`)
}

/** Bytes of one element in memory and on the wire: sub-byte types and `bool` take a whole byte, as in NumPy and XLA literals. */
export const elementBytes = (dtype: DType): number => Math.max(1, Math.ceil(dtypes[dtype].bits / 8))
