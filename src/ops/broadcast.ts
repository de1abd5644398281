import { HostArray, allocate } from '../ir/host-array.ts'
import { OpError } from '../ir/errors.ts'
import { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, elementCount, isTensorType, sameShape, shortType, tensorType } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { attributeDictionary, form, functional, integerList, operandList } from './assembly.ts'
import * as codec from './codecs.ts'
import { fill } from './constant.ts'
import { defineOp } from './define.ts'

/** Repeats a tensor along new or size-1 axes. Source: specification, "broadcast_in_dim". */
export const broadcastInDimOp = defineOp({
  name: 'stablehlo.broadcast_in_dim',
  operands: ['operand'],
  results: ['output'],
  regions: [],
  attributes: { broadcast_dimensions: codec.i64Array },
  assembly: form(operandList, integerList('broadcast_dimensions', 'dims'), attributeDictionary, functional),
  infer: ({ operands, attributes, results, fail }) => {
    const [operand] = operands
    const result = results?.[0]
    if (!isTensorType(operand) || !result || !isTensorType(result)) return fail('needs a tensor operand and a result type')
    const dims = attributes.broadcast_dimensions
    if (operand.dtype !== result.dtype)
      fail(`operand ${shortType(operand)} and result ${shortType(result)} differ in element type`, 'broadcast_in_dim_c1')
    if (dims.length !== operand.shape.length)
      fail(`broadcast_dimensions has ${dims.length} entries, operand ${shortType(operand)} has rank ${operand.shape.length}`, 'broadcast_in_dim_c2')
    if (new Set(dims).size !== dims.length) fail(`broadcast_dimensions [${dims}] repeats an axis`, 'broadcast_in_dim_c4')
    dims.forEach((axis, i) => {
      if (axis < 0 || axis >= result.shape.length)
        fail(`broadcast_dimensions[${i}] is ${axis}, result ${shortType(result)} has rank ${result.shape.length}`, 'broadcast_in_dim_c3')
      const from = operand.shape[i]
      const to = result.shape[axis]
      if (from !== 1 && from !== to && from !== DYNAMIC && to !== DYNAMIC)
        fail(`operand ${shortType(operand)} axis ${i} is ${from}, neither 1 nor ${to} of result ${shortType(result)} axis ${axis}`, 'broadcast_in_dim_c5')
    })
    return [result]
  },
  evaluate: ({ arrays: [operand], attributes, resultTypes }) => {
    const type = resultTypes[0] as TensorType
    const out = new HostArray(type, allocate(type.dtype, elementCount(type.shape)))
    const own = rowMajorStrides(operand.shape)
    const strides: number[] = type.shape.map(() => 0)
    attributes.broadcast_dimensions.forEach((axis, i) => {
      if (operand.shape[i] !== 1) strides[axis] = own[i]
    })
    copyStrided(operand, 0, strides, out, 0, rowMajorStrides(type.shape), type.shape)
    return [out]
  },
  vjp: ({ operands: [operand], cotangents: [d], attributes, sum }) => {
    if (!d) return [null]
    const dims = attributes.broadcast_dimensions
    const summed = d.shape.map((_, axis) => axis).filter((axis) => {
      const from = dims.indexOf(axis)
      return from < 0 || (operand.shape[from] === 1 && d.shape[axis] !== 1)
    })
    const reduced = summed.length ? sum(d, summed) : d
    if (sameShape(reduced.shape, operand.shape)) return [reduced]
    // What is left are the operand's axes without those stretched from 1, in the order of the result: put the 1s back.
    const kept = dims.map((axis, i) => ({ axis, i })).filter(({ axis }) => !summed.includes(axis)).sort((a, b) => a.axis - b.axis)
    return [broadcastInDim(reduced, operand.shape, kept.map(({ i }) => i))]
  },
})

/**
 * Repeats `operand` so that its axis `i` becomes axis `dims[i]` of a result of `shape`; sizes must be equal or 1.
 * Throws `OpError`.
 */
export function broadcastInDim(operand: Tensor, shape: readonly number[], dims: readonly number[]): Tensor {
  return emit(broadcastInDimOp, [operand], { broadcast_dimensions: dims }, { results: [tensorType(operand.dtype, shape)] }).results[0] as Tensor
}

/** What arithmetic takes: a tensor, or a JavaScript number or boolean that stands for a constant of the other operand's type. */
export type TensorLike = Tensor | number | bigint | boolean

/** Stretches axes of size 1 so that `operand` gets `shape`, which has the same rank or (for rank 0) any. Throws `OpError`. */
export function broadcastTo(operand: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(operand.shape, shape)) return operand
  return broadcastInDim(operand, shape, operand.rank === 0 ? [] : operand.shape.map((_, axis) => axis))
}

/**
 * Brings the operands of an element-wise op to one shape. Numbers become constants; rank 0 goes with any shape; otherwise ranks
 * must be equal, and axes of size 1 are stretched. Nothing else is implied: no rank promotion, no type promotion. Throws `OpError`.
 */
export function alignOperands(op: string, operands: readonly TensorLike[]): Tensor[] {
  const tensors = operands.filter((operand) => operand instanceof Tensor)
  const wide = tensors.reduce<Tensor | undefined>((best, t) => (!best || t.rank > best.rank ? t : best), undefined)
  if (!wide) throw new OpError(op, 'needs at least one tensor; all operands are plain numbers: use constant(...)', undefined, captureLocation(alignOperands))
  let shape: readonly number[] = wide.shape
  for (const t of tensors) {
    if (t === wide || t.rank === 0 || sameShape(t.shape, shape)) continue
    const types = () => tensors.map((tensor) => shortType(tensor.type)).join(' and ')
    if (t.rank !== wide.rank)
      throw new OpError(
        op,
        `operands differ in rank: ${types()}; only rank 0 is broadcast by itself: use expandDims or broadcastInDim to say which axes are new`,
        undefined,
        captureLocation(alignOperands),
      )
    shape = shape.map((size, axis) => {
      const other = t.shape[axis]
      if (size === other || other === 1) return size
      if (size === 1) return other
      throw new OpError(op, `operands differ at axis ${axis}: ${types()}`, undefined, captureLocation(alignOperands))
    })
  }
  return operands.map((operand) => (operand instanceof Tensor ? broadcastTo(operand, shape) : numberAs(op, operand, tensorType(wide.dtype, shape))))
}

/** A plain number as a constant of a type; a number that the type cannot hold is an error at the user's line. */
function numberAs(op: string, value: number | bigint | boolean, type: TensorType): Tensor {
  try {
    return fill(value, type)
  } catch (error) {
    throw new OpError(op, `${(error as Error).message}; the other operand is ${shortType(type)}: convert it first`, undefined, captureLocation(numberAs))
  }
}
