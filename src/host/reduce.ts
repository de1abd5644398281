import { type DType, dtypes } from '../ir/dtypes.ts'
import { roundFloat } from '../ir/float-bits.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { type TensorType, elementCount, tensorType } from '../ir/types.ts'
import { wrapInteger } from './elementwise.ts'
import { copyStrided, rowMajorStrides } from './strided.ts'

/** Plain reductions that have a kernel of their own. */
export type ReductionKind = 'add' | 'multiply' | 'maximum' | 'minimum' | 'and' | 'or' | 'xor'

/** Two accumulated numbers into one, for element types that are stored as JavaScript numbers. */
export type Combine = (a: number, b: number) => number

const floats: Partial<Record<ReductionKind, Combine>> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  maximum: Math.max,
  minimum: Math.min,
}
const integers: Record<ReductionKind, Combine> = {
  add: (a, b) => a + b,
  multiply: Math.imul,
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
}
const bools: Record<ReductionKind, Combine> = {
  ...integers,
  add: (a, b) => a | b,
  multiply: (a, b) => a & b,
  maximum: (a, b) => a | b,
  minimum: (a, b) => a & b,
}
const bigs: Record<ReductionKind, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
}

/**
 * How a plain reduction combines two elements. The order of a reduction is open in the specification; here it is row by row, f32 is
 * accumulated in double precision and rounded once at the end, and narrower floats are rounded at each step, as a machine that holds
 * its accumulator in that type would. Undefined for 64-bit integers (see `bigCombiner`) and where the op is not defined.
 */
export function combiner(kind: ReductionKind, dtype: DType): Combine | undefined {
  const info = dtypes[dtype]
  switch (info.kind) {
    case 'bool':
      return bools[kind]
    case 'float': {
      const combine = floats[kind]
      if (!combine || dtype === 'f32' || dtype === 'f64' || kind === 'maximum' || kind === 'minimum') return combine
      return (a, b) => roundFloat(dtype, combine(a, b))
    }
    case 'complex':
      return undefined
    default: {
      if (info.bits === 64) return undefined
      const combine = integers[kind]
      if (kind === 'maximum' || kind === 'minimum') return combine
      return dtype === 'i32' ? (a, b) => combine(a, b) | 0 : (a, b) => wrapInteger(dtype, combine(a, b))
    }
  }
}

/** The same for 64-bit integers; the store wraps the result around. */
export function bigCombiner(kind: ReductionKind, dtype: DType): ((a: bigint, b: bigint) => bigint) | undefined {
  const { kind: element, bits } = dtypes[dtype]
  if (bits !== 64 || (element !== 'signed' && element !== 'unsigned')) return undefined
  const combine = bigs[kind]
  const wrap = element === 'signed' ? BigInt.asIntN : BigInt.asUintN
  return kind === 'multiply' || kind === 'add' ? (a, b) => wrap(64, combine(a, b)) : combine
}

/** Whether `reduceArray` can do it. */
export const hasReduction = (kind: ReductionKind, dtype: DType): boolean =>
  combiner(kind, dtype) !== undefined || bigCombiner(kind, dtype) !== undefined

/**
 * Reduces axes of an array by a plain op, beginning with `init` (rank 0); all have one element type.
 * The array is seen as `[outer, reduced, inner]`; reductions of other patterns of axes are brought to that form first.
 */
export function reduceArray(kind: ReductionKind, operand: HostArray, init: HostArray, axes: readonly number[], type: TensorType): HostArray {
  const { shape } = operand
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis))
  const reduced = [...axes].sort((a, b) => a - b)
  const contiguous = reduced.every((axis, i) => i === 0 || axis === reduced[i - 1] + 1)
  const count = elementCount(reduced.map((axis) => shape[axis]))
  let source = operand
  let inner = 1
  if (contiguous) {
    if (reduced.length) inner = elementCount(shape.slice(reduced[reduced.length - 1] + 1))
  } else {
    const order = [...kept, ...reduced]
    const target = order.map((axis) => shape[axis])
    const strides = rowMajorStrides(shape)
    source = HostArray.zeros(operand.dtype, target)
    copyStrided(operand, 0, order.map((axis) => strides[axis]), source, 0, rowMajorStrides(target), target)
  }
  const total = elementCount(type.shape)
  const out = allocate(type.dtype, total)
  const outer = inner === 0 ? 0 : total / inner
  const combine = combiner(kind, type.dtype)
  if (combine) {
    const data = source.data as Float64Array
    const start = init.data[0] as number
    if (inner === 1) reduceRows(combine, data, start, outer, count, out as Float64Array)
    else reduceColumns(combine, data, start, outer, count, inner, out as Float64Array)
  } else reduceBigs(bigCombiner(kind, type.dtype)!, source.data as BigInt64Array, init.data[0] as bigint, outer, count, inner, out as BigInt64Array)
  return new HostArray(type, out)
}

/** Each row of `count` to one number. Sums and maxima, the usual cases, have loops that the engine can inline. */
function reduceRows(combine: Combine, data: Float64Array, init: number, rows: number, count: number, out: Float64Array): void {
  let p = 0
  for (let row = 0; row < rows; row++) {
    let accumulated = init
    if (combine === floats.add) for (let i = 0; i < count; i++) accumulated += data[p++]
    else if (combine === floats.maximum) for (let i = 0; i < count; i++) accumulated = Math.max(accumulated, data[p++])
    else for (let i = 0; i < count; i++) accumulated = combine(accumulated, data[p++])
    out[row] = accumulated
  }
}

/** Each `[count, inner]` slab to one row. */
function reduceColumns(
  combine: Combine,
  data: Float64Array,
  init: number,
  outer: number,
  count: number,
  inner: number,
  out: Float64Array,
): void {
  const accumulated = new Float64Array(inner)
  let p = 0
  for (let slab = 0; slab < outer; slab++) {
    accumulated.fill(init)
    for (let i = 0; i < count; i++) {
      if (combine === floats.add) for (let j = 0; j < inner; j++) accumulated[j] += data[p++]
      else if (combine === floats.maximum) for (let j = 0; j < inner; j++) accumulated[j] = Math.max(accumulated[j], data[p++])
      else for (let j = 0; j < inner; j++) accumulated[j] = combine(accumulated[j], data[p++])
    }
    out.set(accumulated, slab * inner)
  }
}

function reduceBigs(
  combine: (a: bigint, b: bigint) => bigint,
  data: BigInt64Array,
  init: bigint,
  outer: number,
  count: number,
  inner: number,
  out: BigInt64Array,
): void {
  for (let slab = 0; slab < outer; slab++)
    for (let j = 0; j < inner; j++) {
      let accumulated = init
      for (let i = 0, p = slab * count * inner + j; i < count; i++, p += inner) accumulated = combine(accumulated, data[p])
      out[slab * inner + j] = accumulated
    }
}

/** The same values in another element type of the same kind; for promotion, so nothing is out of range. */
export function promoteArray(array: HostArray, dtype: DType): HostArray {
  if (array.dtype === dtype) return array
  const type = tensorType(dtype, array.shape)
  const out = allocate(dtype, array.size)
  const big = out instanceof BigInt64Array || out instanceof BigUint64Array
  const float = dtypes[dtype].kind === 'float'
  for (let i = 0; i < out.length; i++) {
    const value = array.data[i]
    out[i] = (big ? BigInt(value) : float ? roundFloat(dtype, Number(value)) : Number(value)) as never
  }
  return new HostArray(type, out)
}
