import { HostArray, allocate } from '../ir/host-array.ts'
import { OpError } from '../ir/errors.ts'
import { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, elementCount, isTensorType, sameShape, shortType, tensorType, typeText } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { attributeDictionary, form, functional, integerList, operandList } from './assembly.ts'
import * as codec from './codecs.ts'
import { fill } from './constant.ts'
import { defineOp } from './define.ts'
import { checkBroadcastQuantization } from './quantized-rules.ts'

/** Repeats a tensor along new or size-1 axes. Source: specification, "broadcast_in_dim". */
export const broadcastInDimOp = defineOp({
  name: 'stablehlo.broadcast_in_dim',
  operands: ['operand'],
  results: ['output'],
  regions: [],
  attributes: { broadcast_dimensions: codec.i64Array },
  assembly: form(operandList, integerList('broadcast_dimensions', 'dims'), attributeDictionary, functional),
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes, results, fail }) => {
    const [operand] = operands
    const result = results?.[0]
    if (!isTensorType(operand) || !result || !isTensorType(result)) return fail('needs a tensor operand and a result type')
    const unknown = result.shape.filter((size) => size === DYNAMIC).length
    if (unknown > 1 || (unknown === 1 && !result.bounds))
      fail(`result #0 must be statically shaped or single bounded dimension tensor of number, boolean or quantized values, but got '${typeText(result)}'`)
    const dims = attributes.broadcast_dimensions
    const [from, to] = [operand.shape.length, result.shape.length]
    if (!operand.quantization && !result.quantization && operand.dtype !== result.dtype)
      fail(`operand ${shortType(operand)} and result ${shortType(result)} differ in element type`, 'broadcast_in_dim_c1')
    if (dims.length !== from) fail(`broadcast_dimensions size (${dims.length}) does not match operand rank (${from})`, 'broadcast_in_dim_c2')
    if (new Set(dims).size !== dims.length) fail(`broadcast_dimensions should not have duplicates, got [${dims.join(', ')}]`, 'broadcast_in_dim_c4')
    dims.forEach((axis, i) => {
      if (axis < 0 || axis >= to) fail(`broadcast_dimensions contains invalid value ${axis} for result with rank ${to}`, 'broadcast_in_dim_c3')
      const [size, wanted] = [operand.shape[i], result.shape[axis]]
      if (size !== 1 && size !== wanted && size !== DYNAMIC && wanted !== DYNAMIC)
        fail(`size of operand dimension ${i} (${size}) is not equal to 1 or size of result dimension ${axis} (${wanted})`, 'broadcast_in_dim_c5')
    })
    checkBroadcastQuantization(operand, result, dims, { element: 'broadcast_in_dim_c1', axis: 'broadcast_in_dim_c6' }, fail)
    return [result]
  },
  evaluate: ({ arrays: [operand], attributes: { broadcast_dimensions: dims }, resultTypes }) => {
    // A size that is not known is the operand's.
    const shape = (resultTypes[0] as TensorType).shape.map((size, axis) => (size === DYNAMIC ? (operand.shape[dims.indexOf(axis)] ?? DYNAMIC) : size))
    return [broadcastArray(operand, shape, dims)]
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

/** The elements of `operand`, whose axis `i` is axis `dims[i]` of the result, repeated along the other axes and those of size 1. */
export function broadcastArray(operand: HostArray, shape: readonly number[], dims: readonly number[]): HostArray {
  const out = new HostArray(tensorType(operand.dtype, shape), allocate(operand.dtype, elementCount(shape)))
  const own = rowMajorStrides(operand.shape)
  const strides: number[] = shape.map(() => 0)
  dims.forEach((axis, i) => {
    if (operand.shape[i] !== 1) strides[axis] = own[i]
  })
  copyStrided(operand, 0, strides, out, 0, rowMajorStrides(shape), shape)
  return out
}

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
