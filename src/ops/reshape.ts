import { OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, elementCount, isTensorType, sameShape, shortType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { functionalForm } from './assembly.ts'
import { resolveAxes } from './axes.ts'
import { defineOp } from './define.ts'
import { needTensor, sameElementType, withShape } from './result-type.ts'

/** The same elements in row-major order under another shape. Source: specification, "reshape". */
export const reshapeOp = defineOp({
  name: 'stablehlo.reshape',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: functionalForm,
  infer: ({ operands, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail, { perAxis: true })
    const result = results?.[0]
    if (!result || !isTensorType(result)) return fail('needs a result type')
    if (operand.dtype !== result.dtype || Boolean(operand.quantization) !== Boolean(result.quantization))
      fail(`operand ${shortType(operand)} and result ${shortType(result)} differ in element type`, 'reshape_c1')
    if (operand.quantization?.axis === undefined && !sameElementType(operand, result))
      fail(`operand ${shortType(operand)} and result ${shortType(result)} are quantized differently`, 'reshape_c1')
    if (operand.quantization?.axis !== undefined) checkQuantizedAxis(operand, result, fail)
    const unknown = result.shape.filter((size) => size === DYNAMIC).length
    if (unknown > 1 || (unknown === 1 && !result.bounds))
      fail(`result ${shortType(result)} must have known sizes, or one unknown size with a bound`, 'reshape_i1')
    const [from, to] = [elementCount(operand.shape), elementCount(result.shape)]
    if (from >= 0 && to >= 0 && from !== to)
      fail(`operand ${shortType(operand)} has ${from} elements, result ${shortType(result)} has ${to}`, 'reshape_c2')
    return [result]
  },
  evaluate: ({ arrays: [operand], resultTypes }) => [new HostArray(resultTypes[0] as TensorType, operand.data)],
  vjp: ({ operands: [operand], cotangents: [d] }) => [d && reshape(d, operand.shape)],
})

/** Per-axis quantization: what lies before, on and after the quantized axis keeps its size, and the parameters stay. */
function checkQuantizedAxis(operand: TensorType, result: TensorType, fail: InferContext<unknown>['fail']): void {
  const [from, to] = [operand.quantization?.axis ?? 0, result.quantization?.axis]
  const types = `operand ${shortType(operand)} and result ${shortType(result)}`
  if (to === undefined || !sameElementType({ ...operand, quantization: { ...operand.quantization!, axis: to } }, result))
    return fail(`${types} are quantized differently`, 'reshape_c1')
  const parts = (shape: readonly number[], axis: number) => [shape.slice(0, axis), [shape[axis]], shape.slice(axis + 1)].map(elementCount)
  const [before, after] = [parts(operand.shape, from), parts(result.shape, to)]
  if (before.some((count, i) => count !== after[i] && count >= 0 && after[i] >= 0))
    fail(
      `${types}: the sizes before, on and after the quantized axes ${from} and ${to} must be equal, they are [${before}] and [${after}]`,
      'reshape_c3',
    )
}

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
