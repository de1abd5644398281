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

/** How far two floats may lie apart: they agree within any of the limits that are given. Integers and booleans have to be equal. */
export interface Tolerance {
  /** Representable values of the element type from one to the other. */
  readonly ulp?: number
  /** Difference over the magnitude of the expected element. */
  readonly relative?: number
  readonly absolute?: number
  /** Difference over the largest finite magnitude of the expected array: right for sums, whose terms may cancel. */
  readonly ofLargest?: number
}

/** The element that is farthest off. */
export interface ElementError {
  /** Position in row-major order, and as an index. */
  readonly position: number
  readonly index: readonly number[]
  readonly actual: unknown
  readonly expected: unknown
  /** Of the worse part if complex; `Infinity` for NaN on one side. */
  readonly ulp: number
  readonly relative: number
  readonly absolute: number
  /** The error in units of what is allowed: more than 1 does not agree. */
  readonly excess: number
  /** How many elements do not agree. */
  readonly count: number
}

/**
 * The element of two arrays of one type that is farthest off, measured by the tolerance; undefined if all are equal. NaN is equal to NaN, an
 * infinity to itself, the two zeros to each other.
 */
export function worstElement(actual: HostArray, expected: HostArray, tolerance: Tolerance): ElementError | undefined {
  const info = dtypes[actual.dtype]
  const part: DType = info.kind === 'complex' ? info.part : actual.dtype
  const width = info.kind === 'complex' ? 2 : 1
  const excessOf = excessMeasure(part, expected, tolerance)
  let worst = -1
  let excess = 0
  const apart = new Set<number>()
  for (let i = 0; i < actual.data.length; i++) {
    const error = excessOf(actual.data[i], expected.data[i])
    if (error > 1) apart.add(Math.floor(i / width))
    if (error > excess) {
      excess = error
      worst = i
    }
  }
  if (worst < 0) return undefined
  const [a, b] = [Number(actual.data[worst]), Number(expected.data[worst])]
  const absolute = Number.isNaN(a - b) ? Infinity : Math.abs(a - b)
  const position = Math.floor(worst / width)
  return {
    position,
    index: indexOf(position, actual.shape),
    actual: actual.at(position),
    expected: expected.at(position),
    ulp: dtypes[part].kind === 'float' ? ulpDistance(part, a, b) : Infinity,
    relative: absolute / Math.abs(b),
    absolute,
    excess,
    count: apart.size,
  }
}

/** The error of an element in units of what is allowed. */
function excessMeasure(dtype: DType, expected: HostArray, { ulp, relative, absolute, ofLargest }: Tolerance): (a: number | bigint, b: number | bigint) => number {
  if (dtypes[dtype].kind !== 'float') return (a, b) => (a === b ? 0 : Infinity)
  const fixed = Math.max(absolute ?? 0, ofLargest === undefined ? 0 : ofLargest * largestMagnitude(expected))
  return (x, y) => {
    const [a, b] = [Number(x), Number(y)]
    if (a === b || (a !== a && b !== b)) return 0
    const difference = Math.abs(a - b)
    if (!Number.isFinite(difference)) return Infinity
    const ratio = difference / Math.max(fixed, (relative ?? 0) * Math.abs(b))
    return ulp === undefined ? ratio : Math.min(ratio, ulpDistance(dtype, a, b) / ulp)
  }
}

function largestMagnitude({ data }: HostArray): number {
  let largest = 0
  for (let i = 0; i < data.length; i++) {
    const magnitude = Math.abs(Number(data[i]))
    if (magnitude > largest && magnitude !== Infinity) largest = magnitude
  }
  return largest
}
