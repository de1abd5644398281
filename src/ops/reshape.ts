import { OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, elementCount, isTensorType, sameShape, shortType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { functionalForm } from './assembly.ts'
import { resolveAxes } from './axes.ts'
import { defineOp } from './define.ts'
import { checkReshaped } from './quantized-rules.ts'
import { needTensor, withShape } from './result-type.ts'

/** The same elements in row-major order under another shape. Source: specification, "reshape". */
export const reshapeOp = defineOp({
  name: 'stablehlo.reshape',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const result = results?.[0]
    if (!result || !isTensorType(result)) return fail('needs a result type')
    if (!operand.quantization && !result.quantization && operand.dtype !== result.dtype)
      fail(`operand ${shortType(operand)} and result ${shortType(result)} differ in element type`, 'reshape_c1')
    checkReshaped(operand, result, { element: 'reshape_c1', axis: 'reshape_c3' }, fail)
    const unknown = result.shape.filter((size) => size === DYNAMIC).length
    if (unknown > 1 || (unknown === 1 && !result.bounds))
      fail(`result #0 must be statically shaped or single bounded dimension tensor of number, boolean or quantized values, but got '${typeText(result)}'`, 'reshape_i1')
    const [from, to] = [elementCount(operand.shape), elementCount(result.shape)]
    if (from >= 0 && to >= 0 && from !== to)
      fail(`number of output elements (${to}) doesn't match expected number of elements (${from}): ${typeText(operand)} and ${typeText(result)}`, 'reshape_c2')
    return [result]
  },
  evaluate: ({ arrays: [operand], resultTypes }) => {
    const type = resultTypes[0] as TensorType
    if (!type.shape.includes(DYNAMIC)) return [new HostArray(type, operand.data)]
    const known = type.shape.reduce((product, size) => (size === DYNAMIC ? product : product * size), 1)
    return [new HostArray(tensorType(type.dtype, type.shape.map((size) => (size === DYNAMIC ? operand.size / known : size))), operand.data)]
  },
  vjp: ({ operands: [operand], cotangents: [d] }) => [d && reshape(d, operand.shape)],
})

/**
 * `x` under another shape with as many elements; one size may be -1, which stands for what is left.
 * Throws `OpError` if the element counts differ.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const full = shape.includes(-1) ? fillIn(x, shape) : shape
  if (sameShape(x.shape, full)) return x
  return emit(reshapeOp, [x], {}, { results: [withShape(x.type, full)] }).results[0] as Tensor
}

function fillIn(x: Tensor, shape: readonly number[]): number[] {
  const known = shape.reduce((product, size) => (size === -1 ? product : product * size), 1)
  const count = elementCount(x.shape)
  const rest = count / known
  if (shape.filter((size) => size === -1).length > 1 || known === 0 || !Number.isInteger(rest))
    throw new OpError('reshape', `cannot make [${shape}] of ${shortType(x.type)} with ${count} elements`, 'reshape_c2', captureLocation(fillIn))
  return shape.map((size) => (size === -1 ? rest : size))
}

/**
 * Inserts axes of size 1, so that they have the positions `axes` in the result: `expandDims(f32[8,4], 1)` is `f32[8,1,4]`.
 * Negative axes count from the end of the result. Throws `OpError`.
 */
export function expandDims(x: Tensor, axes: number | readonly number[]): Tensor {
  const count = typeof axes === 'number' ? 1 : axes.length
  const added = resolveAxes('reshape', axes, x.rank + count)
  const sizes = [...x.shape]
  for (const axis of added) sizes.splice(axis, 0, 1)
  return reshape(x, sizes)
}

/** Removes axes of size 1: those named, or all of them. Throws `OpError` if a named one has another size. */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  if (axes === undefined) return reshape(x, x.shape.filter((size) => size !== 1))
  const removed = resolveAxes('reshape', axes, x.rank)
  for (const axis of removed)
    if (x.shape[axis] !== 1)
      throw new OpError(
        'reshape',
        `cannot squeeze axis ${axis} of ${shortType(x.type)}: its size is ${x.shape[axis]}, not 1`,
        undefined,
        captureLocation(squeeze),
      )
  return reshape(x, x.shape.filter((_, axis) => !removed.includes(axis)))
}
