import { type DType, dtypes, elementBytes } from './dtypes.ts'

/** The size of a dimension that is not known until the program runs; printed `?`. */
export const DYNAMIC = -1

/** How stored integers stand for real numbers: `real = (stored - zeroPoint) * scale`. Source: specification, "Quantization". */
export interface Quantization {
  readonly expressed: DType
  readonly storageMin?: bigint
  readonly storageMax?: bigint
  readonly scales: readonly number[]
  readonly zeroPoints: readonly bigint[]
  /** The axis that has a scale for each index; absent when one scale serves all. */
  readonly axis?: number
  /** Block size per axis for sub-channel quantization. */
  readonly blocks?: readonly { axis: number; size: number }[]
  /** Shape of `scales` and `zeroPoints` for sub-channel quantization; they are in row-major order. */
  readonly scaleShape?: readonly number[]
}

export interface TensorType {
  readonly kind: 'tensor'
  /** Element type; the storage type if `quantization` is there. */
  readonly dtype: DType
  /** Sizes in elements, outermost first; `DYNAMIC` where unknown. */
  readonly shape: readonly number[]
  readonly quantization?: Quantization
  /** Upper limits of dynamic dimensions (`#stablehlo.bounds`); `DYNAMIC` where there is none. */
  readonly bounds?: readonly number[]
  /** Any other encoding attribute, as its text. */
  readonly encoding?: string
  /** `tensor<*x...>`: even the rank is unknown; `shape` is then empty. */
  readonly unranked?: boolean
}
export interface TokenType { readonly kind: 'token' }
export interface TupleType { readonly kind: 'tuple'; readonly elements: readonly Type[] }
/** What an asynchronous op is to give. */
export interface FutureType { readonly kind: 'future'; readonly elements: readonly Type[] }
/** A type of another dialect, kept as text. */
export interface OpaqueType { readonly kind: 'opaque'; readonly text: string }
export type Type = TensorType | TokenType | TupleType | FutureType | OpaqueType

export const tokenType: TokenType = { kind: 'token' }

/** A tensor type; sizes are non-negative integers (or `DYNAMIC`). */
export const tensorType = (dtype: DType, shape: readonly number[]): TensorType => ({ kind: 'tensor', dtype, shape })

export const isTensorType = (type: Type): type is TensorType => type.kind === 'tensor'

/** Number of elements; -1 if a dimension is dynamic. */
export function elementCount(shape: readonly number[]): number {
  let count = 1
  for (const size of shape) {
    if (size < 0) return -1
    count *= size
  }
  return count
}

/** Bytes of a tensor in memory and on the wire. */
export const sizeBytes = (type: TensorType): number => elementCount(type.shape) * elementBytes(type.dtype)

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Shapes that could be equal when the program runs: same rank, and sizes equal where both are known. */
export function compatibleShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && a[i] !== DYNAMIC && b[i] !== DYNAMIC) return false
  return true
}

export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true
  if (a.kind === 'tensor' && b.kind === 'tensor' && !a.quantization && !b.quantization && !a.bounds && !b.bounds)
    return a.dtype === b.dtype && sameShape(a.shape, b.shape) && a.encoding === b.encoding && a.unranked === b.unranked
  return typeText(a) === typeText(b)
}

const dimensionText = (size: number): string => (size === DYNAMIC ? '?' : String(size))

/** A type in StableHLO text: `tensor<8x512xf32>`. */
export function typeText(type: Type): string {
  switch (type.kind) {
    case 'tensor': {
      let text = 'tensor<'
      if (type.unranked) text += '*x'
      for (const size of type.shape) text += (size === DYNAMIC ? '?' : size) + 'x'
      text += elementText(type)
      if (type.bounds) text += `, #stablehlo.bounds<${type.bounds.map(dimensionText).join(', ')}>`
      if (type.encoding !== undefined) text += `, ${type.encoding}`
      return text + '>'
    }
    case 'token':
      return '!stablehlo.token'
    case 'tuple':
      return `tuple<${type.elements.map(typeText).join(', ')}>`
    case 'future':
      return `!stablehlo.future<${type.elements.map(typeText).join(', ')}>`
    case 'opaque':
      return type.text
  }
}

/** A tensor type's element type in StableHLO text: `f32`, `!quant.uniform<i8:f32, 2.000000e+00:15>`. */
export const elementText = (type: TensorType): string =>
  type.quantization ? quantizedText(type.dtype, type.quantization) : dtypes[type.dtype].text

/** A type in an error message: `f32[8,512]`. */
export function shortType(type: Type): string {
  if (type.kind !== 'tensor') return typeText(type)
  if (type.quantization) return typeText(type)
  return `${type.dtype}[${type.unranked ? '*' : type.shape.map(dimensionText).join(',')}]`
}

export const shortTypes = (types: readonly Type[]): string => `(${types.map(shortType).join(', ')})`

function quantizedText(storage: DType, q: Quantization): string {
  const range = q.storageMin === undefined ? '' : `<${q.storageMin}:${q.storageMax}>`
  const axis = q.axis === undefined ? '' : `:${q.axis}`
  const blocks = q.blocks ? `:{${q.blocks.map((b) => `${b.axis}:${b.size}`).join(', ')}}` : ''
  const parameters = q.scales.map((scale, i) => {
    const zero = q.zeroPoints[i] ?? 0n
    return scaleText(scale) + (zero === 0n ? '' : `:${zero}`)
  })
  const shape = q.scaleShape ?? (q.axis === undefined && !q.blocks ? [] : [parameters.length])
  const nest = (axis: number, offset: number): string => {
    if (axis === shape.length) return parameters[offset]
    const step = elementCount(shape.slice(axis + 1))
    return `{${Array.from({ length: shape[axis] }, (_, i) => nest(axis + 1, offset + i * step)).join(axis === shape.length - 1 ? ',' : ', ')}}`
  }
  const body = nest(0, 0)
  return `!quant.uniform<${dtypes[storage].text.replace(/^ui/, 'u')}${range}:${dtypes[q.expressed].text}${axis}${blocks}, ${body}>`
}

/** A number as C prints it with six digits: `2.000000e+00`. */
export const sixDigits = (value: number): string => value.toExponential(6).replace(/e([+-])(\d)$/, 'e$10$2')

/** A scale as upstream prints it, with six digits, unless some would be lost. */
function scaleText(scale: number): string {
  const text = sixDigits(scale)
  return Number(text) === scale ? text : doubleText(scale)
}

/** A double in MLIR's spelling: always with a point or an exponent. */
export function doubleText(value: number): string {
  const text = String(value)
  if (/^-?\d+$/.test(text)) return text + '.0'
  // MLIR wants a point before an exponent: 1e-5 is written 1.0e-5.
  return text.replace(/^(-?\d+)e/, '$1.0e')
}
