import { dtypes } from '../ir/dtypes.ts'
import { DifferentiationError, OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Region, Tensor, type Value, capturedValues } from '../ir/module.ts'
import type { InferContext, VjpContext } from '../ir/op-definition.ts'
import { type TensorType, type Type, compatibleShape, isTensorType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { buildRegion } from '../trace/frame.ts'
import { broadcastInDim } from './broadcast.ts'
import * as codec from './codecs.ts'
import { constantOf, constantOp } from './constant.ts'
import { defineOp } from './define.ts'
import { joinShapes } from './elementwise-rules.ts'
import { agreeWithInferred } from './inferred-types.ts'
import { liftRegion } from './lift-region.ts'
import { needTensor, withShape } from './result-type.ts'
import { emitReturn } from './return.ts'

/** Applies a region to the elements of tensors of one shape, side by side. Source: specification, "map". */
export const mapOp = defineOp({
  name: 'stablehlo.map',
  operands: ['inputs...'],
  results: ['result'],
  regions: ['computation'],
  attributes: { dimensions: codec.i64Array },
  assembly: 'generic',
  infer: (context) => agreeWithInferred([mapType(context)], context.results, context.fail, 'map_c4'),
  evaluate: (context) => {
    const { arrays, regions: [computation], resultTypes, run } = context
    const { dtype } = resultTypes[0] as TensorType
    const { shape, size } = arrays[0]
    const lifted = liftRegion(context, computation, size)
    if (lifted) {
      const lists = arrays.map((array) => new HostArray(tensorType(array.dtype, [size]), array.data))
      return [new HostArray(tensorType(dtype, shape), lifted(lists)[0].data)]
    }
    const out = HostArray.zeros(dtype, shape)
    for (let i = 0; i < size; i++) {
      const [value] = run(computation, arrays.map((array) => element(array, i))) as readonly HostArray[]
      out.data.set(value.data as never, i * widthOf(out))
    }
    return [out]
  },
  vjp: (context) => mapCotangents(context),
})

const widthOf = ({ dtype }: HostArray): number => (dtypes[dtype].kind === 'complex' ? 2 : 1)

function element(array: HostArray, i: number): HostArray {
  const width = widthOf(array)
  return new HostArray(tensorType(array.dtype, []), array.data.slice(i * width, (i + 1) * width))
}

function mapType({ operands, attributes: { dimensions }, regions: [computation], fail }: InferContext<{ readonly dimensions: readonly number[] }>): TensorType {
  if (operands.length === 0) fail('needs at least one input', 'map_i1')
  const types = operands.map((type, i) => needTensor(`inputs[${i}]`, type, fail))
  const [first] = types
  if (types.some((type) => !compatibleShape(type.shape, first.shape)))
    fail(`requires the same shape for all operands: ${types.map(typeText).join(', ')}`, 'map_c1')
  if (dimensions.some((dimension, i) => dimension !== i)) fail(`requires monotonically increasing dimension numbers, but got: ${dimensions.join(', ')}`, 'map_c3')
  if (dimensions.length !== first.shape.length)
    fail(
      `applied to a subset of dimensions currently not supported: operand dimensions = ${first.shape.length}, requested map dimensions size = ${dimensions.length}`,
      'map_c3',
    )
  return { ...withShape(checkComputation(computation, types, fail), joinShapes(types), first.bounds) }
}

/** Checks the region and gives the type of what it returns. */
function checkComputation(computation: Region, types: readonly TensorType[], fail: InferContext<unknown>['fail']): TensorType {
  const { block } = computation
  const parameters: readonly Type[] = block.arguments.map(({ type }) => type)
  if (parameters.length !== types.length)
    fail(`expects number of operands to match the arity of map computation, but got: ${types.length} and ${parameters.length}`, 'map_c4')
  parameters.forEach((type, i) => {
    if (!isTensorType(type) || type.shape.length) fail(`computation arguments must be 0-rank tensor, but got: arg #${i} of type '${typeText(type)}'`, 'map_c4')
    else if (type.dtype !== types[i].dtype)
      fail(
        `element type of operands and computation arguments must match, but got: '${dtypes[types[i].dtype].text}' and '${dtypes[type.dtype].text}'`,
        'map_c4',
      )
  })
  const returned = block.terminator?.operands ?? []
  if (returned.length !== 1) fail(`computation must return single output, but got: ${returned.length}`, 'map_c4')
  const { type } = returned[0]
  if (!isTensorType(type) || type.shape.length) return fail(`computation must return 0-rank tensor, but got: '${typeText(type)}'`, 'map_c4')
  return type
}

/** The region's ops are element-wise, so they can be said of whole tensors, and those have gradients. */
function mapCotangents({ operation, operands, cotangents, regions: [computation], needed, pullback, accumulate, activeCaptures }: VjpContext<unknown>) {
  const { shape } = operands[0]
  const captured = activeCaptures([computation])
  const whole = buildRegion('computation of map', operands.map(({ type }) => type), (inputs) => {
    const map = new Map<Value, Value>(computation.block.arguments.map((argument, i) => [argument, inputs[i]]))
    for (const value of capturedValues(computation)) map.set(value, broadcastInDim(value as Tensor, shape, []))
    for (const inner of computation.block.operations.slice(0, -1)) {
      if (inner.regions.length) throw new DifferentiationError(`map: ${inner.name} in its computation has regions, so it has no gradient here`, operation.location)
      const results = inner.results.map(({ type }) => tensorType((type as TensorType).dtype, shape))
      const made =
        inner.definition === constantOp
          ? [broadcastInDim(constantOf(inner.attributes.value), shape, [])]
          : emit(inner.definition, inner.operands.map((operand) => map.get(operand)!), inner.attributes, { results }).results
      inner.results.forEach((result, i) => map.set(result, made[i]))
    }
    emitReturn(computation.block.terminator!.operands.map((operand) => map.get(operand)!))
  })
  const back = pullback(whole, operands, () => cotangents, { active: needed, captured })
  captured.forEach((value, i) => accumulate(value, back.captured[i]))
  return back.inputs
}

/**
 * Applies `computation`, which takes a value of rank 0 for each input, to the elements of tensors of one shape. Ops on whole tensors do
 * the same; this is for programs that are to have the op. Throws `OpError`.
 */
export function map(inputs: readonly Tensor[], computation: (...elements: Tensor[]) => Tensor): Tensor {
  if (inputs.length === 0) throw new OpError('map', 'needs at least one input', 'map_i1')
  const region = buildRegion('computation of map', inputs.map(({ dtype }) => tensorType(dtype, [])), (elements) => emitReturn([computation(...(elements as Tensor[]))]))
  return emit(mapOp, inputs, { dimensions: inputs[0].shape.map((_, axis) => axis) }, { regions: [region] }).results[0] as Tensor
}
