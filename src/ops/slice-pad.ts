import { dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import { Tensor } from '../ir/module.ts'
import { DYNAMIC, isTensorType, shortType, tensorType } from '../ir/types.ts'
import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { emit } from '../trace/emit.ts'
import { type Piece, attributeDictionary, form, functional, integerList, integerListAttribute, operandList, parseSmallInteger } from './assembly.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { fill, zeros } from './constant.ts'
import { defineOp } from './define.ts'
import { agree, needTensor, sameElementType, withShape } from './result-type.ts'
import { select } from './select.ts'

/** ` [0:4, 1:9:2]`: start, limit and stride per axis. */
const ranges: Piece = {
  covers: ['start_indices', 'limit_indices', 'strides'],
  print: (operation, printer) => {
    const { start_indices, limit_indices, strides } = operation.attributes as Record<string, readonly number[]>
    printer.text(` [${start_indices.map((start, i) => `${start}:${limit_indices[i]}${strides[i] === 1 ? '' : `:${strides[i]}`}`).join(', ')}]`)
  },
  parse: (parser, state) => {
    const [starts, limits, strides]: number[][] = [[], [], []]
    parser.expect('[')
    if (!parser.accept(']')) {
      do {
        starts.push(parseSmallInteger(parser))
        parser.expect(':')
        limits.push(parseSmallInteger(parser))
        strides.push(parser.accept(':') ? parseSmallInteger(parser) : 1)
      } while (parser.accept(','))
      parser.expect(']')
    }
    state.attributes.start_indices = integerListAttribute(starts)
    state.attributes.limit_indices = integerListAttribute(limits)
    state.attributes.strides = integerListAttribute(strides)
  },
}

/** A box of elements at fixed positions. Source: specification, "slice". */
export const sliceOp = defineOp({
  name: 'stablehlo.slice',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { start_indices: codec.i64Array, limit_indices: codec.i64Array, strides: codec.i64Array },
  assembly: form(operandList, ranges, attributeDictionary, functional),
  infer: ({ operands, attributes, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const { start_indices: starts, limit_indices: limits, strides } = attributes
    const rank = operand.shape.length
    for (const [name, list] of Object.entries({ start_indices: starts, limit_indices: limits, strides }))
      if (list.length !== rank) fail(`the number of elements in ${name} (${list.length}) does not match the rank of the operand (${rank})`, 'slice_c2')
    const shape = operand.shape.map((size, axis) => {
      const [start, limit, stride] = [starts[axis], limits[axis], strides[axis]]
      const most = size === DYNAMIC ? (operand.bounds?.[axis] ?? DYNAMIC) : size
      if (start < 0) fail(`negative start index ${start} in dimension ${axis}`, 'slice_c3')
      if (most !== DYNAMIC && limit > most)
        fail(`limit index ${limit} is larger than dimension ${size === DYNAMIC ? 'bound' : 'size'} ${most} in dimension ${axis} of operand ${shortType(operand)}`, 'slice_c3')
      if (start > limit) fail(`start index ${start} is larger than limit index ${limit} in dimension ${axis}`, 'slice_c3')
      if (stride <= 0) fail(`stride must be positive but got ${stride} in dimension ${axis}`, 'slice_c4')
      return Math.ceil((limit - start) / stride)
    })
    return agree(withShape(operand, shape), results, fail, 'slice_c5')
  },
  evaluate: ({ arrays: [operand], attributes }) => [sliceArray(operand, attributes.start_indices, attributes.limit_indices, attributes.strides)],
  vjp: ({ operands: [operand], cotangents: [d], attributes: { start_indices: starts, strides } }) => {
    if (!d) return [null]
    const high = operand.shape.map((size, axis) => {
      const count = d.shape[axis]
      return size - starts[axis] - (count === 0 ? 0 : 1 + (count - 1) * strides[axis])
    })
    return [pad(d, 0, starts, high, strides.map((stride) => stride - 1))]
  },
})

/** Elements around and between those of a tensor. Source: specification, "pad". */
export const padOp = defineOp({
  name: 'stablehlo.pad',
  operands: ['operand', 'padding_value'],
  results: ['result'],
  regions: [],
  attributes: { edge_padding_low: codec.i64Array, edge_padding_high: codec.i64Array, interior_padding: codec.i64Array },
  assembly: form(
    operandList,
    integerList('edge_padding_low', 'low'),
    integerList('edge_padding_high', 'high'),
    integerList('interior_padding', 'interior'),
    attributeDictionary,
    functional,
  ),
  infer: ({ operands, attributes, results, fail }) => {
    const operand = needTensor('operand', operands[0], fail)
    const value = needTensor('padding_value', operands[1], fail)
    const { edge_padding_low: low, edge_padding_high: high, interior_padding: interior } = attributes
    if (value.shape.length !== 0) fail(`padding_value ${shortType(value)} must have rank 0`, 'pad_i2')
    const declared = results?.[0]
    if (!sameElementType(operand, value) || (declared && isTensorType(declared) && !sameElementType(operand, declared)))
      fail(`operand ${shortType(operand)}, padding_value ${shortType(value)} and the result differ in element type`, 'pad_c1')
    const rank = operand.shape.length
    for (const [name, list] of Object.entries({ edge_padding_low: low, edge_padding_high: high, interior_padding: interior }))
      if (list.length !== rank) fail(`${name} length (${list.length}) must match operand rank (${rank})`, 'pad_c2')
    const grown = (size: number, axis: number) => size + Math.max(size - 1, 0) * interior[axis] + low[axis] + high[axis]
    const shape = operand.shape.map((size, axis) => {
      if (interior[axis] < 0) fail(`Interior padding cannot be negative: ${interior[axis]} in dimension ${axis}`, 'pad_c3')
      if (size === DYNAMIC) return DYNAMIC
      const padded = grown(size, axis)
      if (padded < 0) fail(`Padding result in negative size for dimension ${axis} of operand ${shortType(operand)}: ${padded}`, 'pad_c4')
      return padded
    })
    const bounds = operand.bounds?.map((bound, axis) => (bound === DYNAMIC ? DYNAMIC : grown(bound, axis)))
    return agree(withShape(operand, shape, bounds), results, fail, 'pad_c4')
  },
  evaluate: ({ arrays: [operand, value], attributes: { edge_padding_low: low, edge_padding_high: high, interior_padding: interior } }) =>
    [padArray(operand, value, low, high, interior)],
  vjp: ({ operands: [operand, value], cotangents: [d], attributes, needed, sum }) => {
    if (!d) return [null, null]
    const { edge_padding_low: low, edge_padding_high: high, interior_padding: interior } = attributes
    const unpad = () => {
      const none = interior.map(() => 0)
      const inner = pad(d, 0, low.map((n) => 0 - n), high.map((n) => 0 - n), none)
      return slice(inner, none, inner.shape, interior.map((n) => n + 1))
    }
    const outside = () => {
      const isPadding = pad(fill(false, tensorType('bool', operand.shape)), true, low, high, interior)
      const masked = select(isPadding, d, zeros(d.type))
      return d.rank === 0 ? masked : sum(masked, d.shape.map((_, axis) => axis))
    }
    return [needed[0] ? unpad() : null, needed[1] && value.rank === 0 ? outside() : null]
  },
})

/** Elements `starts[i]`, `starts[i] + strides[i]`, ... below `limits[i]` along each axis `i`, all inside. */
export function sliceArray(operand: HostArray, starts: readonly number[], limits: readonly number[], strides: readonly number[]): HostArray {
  const out = HostArray.zeros(operand.dtype, starts.map((start, axis) => Math.ceil((limits[axis] - start) / strides[axis])))
  const own = rowMajorStrides(operand.shape)
  const offset = starts.reduce((total, start, axis) => total + start * own[axis], 0)
  copyStrided(operand, offset, own.map((step, axis) => step * strides[axis]), out, 0, rowMajorStrides(out.shape), out.shape)
  return out
}

/** The size of an axis with `value`s before, after and between its elements. */
export const paddedSize = (size: number, low: number, high: number, interior: number): number => size + Math.max(size - 1, 0) * interior + low + high

/** Elements with `value` around and between them; negative `low` and `high` take elements away. */
export function padArray(operand: HostArray, value: HostArray, low: readonly number[], high: readonly number[], interior: readonly number[]): HostArray {
  const shape = operand.shape.map((size, axis) => paddedSize(size, low[axis], high[axis], interior[axis]))
  const out = HostArray.zeros(operand.dtype, shape)
  fillWith(out, value)
  const from = rowMajorStrides(operand.shape)
  const to = rowMajorStrides(shape)
  let [source, target] = [0, 0]
  // Only the elements that negative padding leaves inside are copied.
  const kept = operand.shape.map((size, axis) => {
    const step = interior[axis] + 1
    const first = Math.max(0, Math.ceil(-low[axis] / step))
    const last = Math.min(size - 1, Math.floor((shape[axis] - 1 - low[axis]) / step))
    source += first * from[axis]
    target += (low[axis] + first * step) * to[axis]
    return Math.max(0, last - first + 1)
  })
  copyStrided(operand, source, from, out, target, to.map((stride, axis) => stride * (interior[axis] + 1)), kept)
  return out
}

function fillWith(array: HostArray, scalar: HostArray): void {
  const data = array.data as Float64Array
  if (dtypes[array.dtype].kind !== 'complex') data.fill(scalar.data[0] as number)
  else for (let i = 0; i < data.length; i++) data[i] = scalar.data[i & 1] as number
}

/** Elements `starts[i]`, `starts[i] + strides[i]`, ... below `limits[i]` along each axis `i`. Throws `OpError`. */
export function slice(
  x: Tensor,
  starts: readonly number[],
  limits: readonly number[],
  strides: readonly number[] = starts.map(() => 1),
): Tensor {
  const whole = starts.length === x.rank && starts.every((start, axis) => start === 0 && limits[axis] === x.shape[axis] && strides[axis] === 1)
  if (whole) return x
  return emit(sliceOp, [x], { start_indices: starts, limit_indices: limits, strides }).results[0] as Tensor
}

/** Elements `start` up to `limit` of one axis (negative: from the end), every `stride`th; all of the other axes. Throws `OpError`. */
export function sliceAxis(x: Tensor, axis: number, start: number, limit: number, stride = 1): Tensor {
  const at = resolveAxis('slice', axis, x.rank)
  return slice(x, x.shape.map((_, i) => (i === at ? start : 0)), x.shape.with(at, limit), x.shape.map((_, i) => (i === at ? stride : 1)))
}

/**
 * `low[i]` elements of `value` before, `high[i]` after and `interior[i]` between the elements of each axis `i`; negative low and
 * high take elements away. `value` is a number or a tensor of rank 0. Throws `OpError`.
 */
export function pad(
  x: Tensor,
  value: Tensor | number | bigint | boolean,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[] = low.map(() => 0),
): Tensor {
  if ([low, high, interior].every((list) => list.length === x.rank && list.every((n) => n === 0))) return x
  const padding = value instanceof Tensor ? value : fill(value, tensorType(x.dtype, []))
  return emit(padOp, [x, padding], { edge_padding_low: low, edge_padding_high: high, interior_padding: interior }).results[0] as Tensor
}
