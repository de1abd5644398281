import { dtypes } from '../ir/dtypes.ts'
import { HostArray, allocate } from '../ir/host-array.ts'
import { Tensor } from '../ir/module.ts'
import { OpError } from '../ir/errors.ts'
import { type TensorType, compatibleShape, isTensorType, sameType, shortType, shortTypes, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { captureLocation } from '../trace/frame.ts'
import { type Piece, attributeDictionary, form, functional, operandList, sameTypeForm } from './assembly.ts'
import { type TensorLike, alignOperands, broadcastTo } from './broadcast.ts'
import { fill, zeros } from './constant.ts'
import { compare } from './compare.ts'
import { defineOp } from './define.ts'
import { checkDeclared, mergeSizes } from './elementwise-rules.ts'

/** ` : pred, result` when both branches have the result's type. */
const selectTypes: Piece = {
  print: (operation, printer) => {
    const [pred, onTrue, onFalse] = operation.operands
    const { type } = operation.results[0]
    if (!sameType(onTrue.type, type) || !sameType(onFalse.type, type)) return functional.print(operation, printer)
    printer.text(' : ')
    printer.type(pred.type)
    printer.text(', ')
    printer.type(type)
  },
  parse: (parser, state) => {
    parser.expect(':')
    if (parser.peek('(')) {
      const { inputs, outputs } = parser.functionType()
      state.operandTypes = inputs
      state.results = outputs
      return
    }
    const pred = parser.type()
    parser.expect(',')
    const type = parser.type()
    state.operandTypes = [pred, type, type]
    state.results = [type]
  },
}

/** Quantized elements are compared by how they are stored. */
const compatibleElements = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && Boolean(a.quantization) === Boolean(b.quantization)

/** Element-wise choice. Source: specification, "select". */
export const selectOp = defineOp({
  name: 'stablehlo.select',
  operands: ['pred', 'on_true', 'on_false'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: form(operandList, attributeDictionary, selectTypes),
  infer: ({ operands, results, fail }) => {
    const [pred, onTrue, onFalse] = operands
    if (!isTensorType(pred) || !isTensorType(onTrue) || !isTensorType(onFalse)) return fail(`needs tensors, got ${shortTypes(operands)}`)
    if (pred.dtype !== 'bool') fail(`pred must be bool, got ${shortType(pred)}`, 'select_i1')
    if (!compatibleElements(onTrue, onFalse) || !compatibleShape(onTrue.shape, onFalse.shape))
      fail(`requires compatible types for non-predicate operands, got ${shortType(onTrue)} and ${shortType(onFalse)}`, 'select_c2')
    if (pred.shape.length > 0 && !compatibleShape(pred.shape, onTrue.shape))
      fail(`requires the same shape for all operands: pred ${shortType(pred)} is neither rank 0 nor of the shape of ${shortType(onTrue)}`, 'select_c1')
    const inferred = mergeSizes([onTrue, onFalse], fail)
    return [results ? checkDeclared(inferred, results[0], fail, 'select_c2') : inferred]
  },
  evaluate: ({ arrays: [pred, onTrue, onFalse], resultTypes }) => {
    const type = resultTypes[0] as TensorType
    if (pred.shape.length === 0) return [new HostArray(type, (pred.data[0] ? onTrue : onFalse).data)]
    const count = onTrue.data.length
    const out = allocate(type.dtype, onTrue.size) as Float64Array
    const width = dtypes[type.dtype].kind === 'complex' ? 2 : 1
    const a = onTrue.data as Float64Array
    const b = onFalse.data as Float64Array
    const p = pred.data as Uint8Array
    if (width === 1) for (let i = 0; i < count; i++) out[i] = p[i] ? a[i] : b[i]
    else for (let i = 0; i < count; i++) out[i] = p[i >> 1] ? a[i] : b[i]
    return [new HostArray(type, out)]
  },
  vjp: ({ operands: [pred, onTrue], cotangents: [d], needed }) => {
    if (!d) return [null, null, null]
    const zero = zeros(onTrue.type)
    return [null, needed[1] ? select(pred, d, zero) : null, needed[2] ? select(pred, zero, d) : null]
  },
})

/** `pred ? onTrue : onFalse`, element by element; `pred` is `bool` of rank 0 or of the same rank. Numbers stand for constants. Throws `OpError`. */
export function select(pred: Tensor, onTrue: TensorLike, onFalse: TensorLike): Tensor {
  let [a, b] = alignOperands('select', [onTrue, onFalse])
  if (pred.rank === 0 || pred.shape === a.shape) return emit(selectOp, [pred, a, b], {}).results[0] as Tensor
  if (a.rank === 0) {
    a = broadcastTo(a, pred.shape)
    b = broadcastTo(b, pred.shape)
  } else if (a.rank !== pred.rank) {
    throw new OpError('select', `pred ${shortType(pred.type)} and the branches ${shortType(a.type)} differ in rank`, 'select_c1', captureLocation(select))
  }
  const shape = pred.shape.map((size, axis) => (size === 1 ? a.shape[axis] : size))
  return emit(selectOp, [broadcastTo(pred, shape), broadcastTo(a, shape), broadcastTo(b, shape)], {}).results[0] as Tensor
}

/** `where` as NumPy names it: the same as `select`, and both branches may be numbers if `dtype` is given. */
export function where(pred: Tensor, onTrue: TensorLike, onFalse: TensorLike, dtype: TensorType['dtype'] = 'f32'): Tensor {
  if (onTrue instanceof Tensor || onFalse instanceof Tensor) return select(pred, onTrue, onFalse)
  return select(pred, fill(onTrue, tensorType(dtype, pred.shape)), onFalse)
}

/** Limits values to a range. Source: specification, "clamp". */
export const clampOp = defineOp({
  name: 'stablehlo.clamp',
  operands: ['min', 'operand', 'max'],
  results: ['result'],
  regions: [],
  attributes: {},
  assembly: sameTypeForm,
  infer: ({ operands, results, fail }) => {
    const [min, operand, max] = operands
    if (!isTensorType(min) || !isTensorType(operand) || !isTensorType(max)) return fail(`needs tensors, got ${shortTypes(operands)}`)
    if (min.dtype !== operand.dtype || max.dtype !== operand.dtype) fail(`operands differ in element type: ${shortTypes(operands)}`, 'clamp_c3')
    if (min.shape.length > 0 && !compatibleShape(min.shape, operand.shape))
      fail(`min shape [${min.shape.join(', ')}] is not scalar and is not compatible to operand shape [${operand.shape.join(', ')}]`, 'clamp_c1')
    if (max.shape.length > 0 && !compatibleShape(max.shape, operand.shape))
      fail(`max shape [${max.shape.join(', ')}] is not scalar and is not compatible to operand shape [${operand.shape.join(', ')}]`, 'clamp_c2')
    return results ? [checkDeclared(operand, results[0], fail, 'clamp_c4')] : [operand]
  },
  evaluate: ({ arrays: [min, operand, max], resultTypes }) => {
    const type = resultTypes[0] as TensorType
    const out = allocate(type.dtype, operand.size) as Float64Array
    const x = operand.data as Float64Array
    const low = min.data as Float64Array
    const high = max.data as Float64Array
    const lowStep = min.shape.length ? 1 : 0
    const highStep = max.shape.length ? 1 : 0
    const float = dtypes[type.dtype].kind === 'float'
    for (let i = 0; i < x.length; i++) {
      const l = low[i * lowStep]
      const h = high[i * highStep]
      if (float) out[i] = Math.min(Math.max(x[i], l), h)
      else {
        const raised = x[i] < l ? l : x[i]
        out[i] = raised > h ? h : raised
      }
    }
    return [new HostArray(type, out)]
  },
  vjp: ({ operands: [min, operand, max], cotangents: [d], needed, sum }) => {
    if (!d) return [null, null, null]
    const zero = zeros(d.type)
    const bound = (limit: Tensor, mask: Tensor) => {
      const masked = select(mask, d, zero)
      return limit.rank === 0 && masked.rank > 0 ? sum(masked, masked.shape.map((_, axis) => axis)) : masked
    }
    const below = compare(operand, min, 'LT')
    const above = compare(operand, max, 'GT')
    const [low, high] = [broadcastTo(min, d.shape), broadcastTo(max, d.shape)]
    const inside = () => select(compare(operand, low, 'GT'), select(compare(operand, high, 'LT'), d, zero), zero)
    return [needed[0] ? bound(min, below) : null, needed[1] ? inside() : null, needed[2] ? bound(max, above) : null]
  },
})

/** `operand` limited to `[min, max]`; the limits may be numbers, rank 0, or of the operand's shape. Throws `OpError`. */
export function clamp(min: TensorLike, operand: Tensor, max: TensorLike): Tensor {
  const limit = (value: TensorLike) => (value instanceof Tensor ? value : fill(value, tensorType(operand.dtype, [])))
  return emit(clampOp, [limit(min), operand, limit(max)], {}).results[0] as Tensor
}
