import { type DType, dtypes } from '../ir/dtypes.ts'
import { f64Bits, floatToBits } from '../ir/float-bits.ts'
import type { HostArray } from '../ir/host-array.ts'

/** How far two arrays may lie apart. */
export type Agreement =
  /** Equal as IEEE numbers: NaN equals nothing, the two zeros are equal. */
  | { readonly kind: 'exact' }
  /** Absolute difference of at most `tolerance`; NaN agrees with NaN, an infinity with itself. */
  | { readonly kind: 'absolute'; readonly tolerance: number }
  /** A number of representable values between them; NaN agrees with NaN, an infinity with itself. */
  | { readonly kind: 'ulp'; readonly min: number; readonly max: number }

/** The first elements that do not agree. */
export interface Disagreement {
  /** Position in row-major order, and as an index. */
  readonly position: number
  readonly index: readonly number[]
  readonly actual: unknown
  readonly expected: unknown
  /** How many elements do not agree. */
  readonly count: number
}

/** How many representable values of `dtype` lie from `a` to `b`: 0 if equal, `Infinity` if one is NaN or just one infinite. */
export function ulpDistance(dtype: DType, a: number, b: number): number {
  if (a === b) return 0
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity
  if (dtype === 'f64') {
    const distance = orderedF64(a) - orderedF64(b)
    return Number(distance < 0n ? -distance : distance)
  }
  return Math.abs(ordered(dtype, a) - ordered(dtype, b))
}

const orderedF64 = (value: number): bigint => (value < 0 || Object.is(value, -0) ? -f64Bits(-value) : f64Bits(value))
const ordered = (dtype: DType, value: number): number => (value < 0 ? -floatToBits(dtype, -value) : floatToBits(dtype, Math.abs(value)))

/** Where two arrays of one type disagree; undefined if they agree. */
export function findDisagreement(actual: HostArray, expected: HostArray, rule: Agreement): Disagreement | undefined {
  const info = dtypes[actual.dtype]
  const part: DType = info.kind === 'complex' ? info.part : actual.dtype
  const width = info.kind === 'complex' ? 2 : 1
  const floating = dtypes[part].kind === 'float'
  let first = -1
  let count = 0
  for (let i = 0; i < actual.data.length; i += width) {
    let same = true
    for (let k = i; k < i + width; k++) {
      const [a, b] = [actual.data[k], expected.data[k]]
      // Equal numbers agree under every rule but one that wants a distance.
      if (a === b && !(rule.kind === 'ulp' && rule.min > 0)) continue
      if (!floating || !agree(part, a as number, b as number, rule)) same = false
    }
    if (same) continue
    if (first < 0) first = i
    count++
  }
  if (first < 0) return undefined
  const position = Math.floor(first / width)
  return { position, index: indexOf(position, actual.shape), actual: actual.at(position), expected: expected.at(position), count }
}

function agree(dtype: DType, a: number, b: number, rule: Agreement): boolean {
  if (rule.kind === 'exact') return a === b
  if (a !== a || b !== b) return a !== a && b !== b
  if (rule.kind === 'ulp') {
    const distance = ulpDistance(dtype, a, b)
    return distance >= rule.min && distance <= rule.max
  }
  return a === b || Math.abs(a - b) <= rule.tolerance
}

function indexOf(position: number, shape: readonly number[]): number[] {
  const index: number[] = []
  let rest = position
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % shape[axis])
    rest = Math.floor(rest / shape[axis])
  }
  return index
}
