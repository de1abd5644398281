import { copyStrided, rowMajorStrides } from '../host/strided.ts'
import { OpError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type TensorType, compatibleShape, isTensorType, shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, functional, integerField, operandList } from './assembly.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable, zeroGradient } from './define.ts'
import { agreeWithInferred, needNonNegative } from './inferred-types.ts'
import { needTensor, sameElementType } from './result-type.ts'

/** Sizes that are known only when the program runs. */

const sizeForm = form(operandList, integerField('dimension', 'dim'), attributeDictionary, functional)

function checkDimension(type: TensorType, dimension: number, fail: InferContext<unknown>['fail'], rule: string): void {
  needNonNegative('dimension', dimension, fail, rule)
  if (dimension >= type.shape.length) fail(`requires dimension attribute in range [0, ${type.shape.length}); found (${dimension})`, rule)
}

/** The size of one axis. Source: specification, "get_dimension_size". */
export const getDimensionSizeOp = defineOp({
  name: 'stablehlo.get_dimension_size',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { dimension: codec.axis },
  assembly: sizeForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes: { dimension }, results, fail }) => {
    checkDimension(needTensor('operand', operands[0], fail, { perAxis: true }), dimension, fail, 'get_dimension_size_c1')
    return agreeWithInferred([tensorType('i32', [])], results, fail)
  },
  evaluate: ({ arrays: [operand], attributes: { dimension } }) => [HostArray.from('i32', operand.shape[dimension])],
  vjp: zeroGradient('a size is an integer'),
})

/** Gives an axis a size that is computed, no larger than it has. Source: StableHLO, "set_dimension_size". */
export const setDimensionSizeOp = defineOp({
  name: 'stablehlo.set_dimension_size',
  operands: ['operand', 'size'],
  results: ['result'],
  regions: [],
  attributes: { dimension: codec.axis },
  assembly: sizeForm,
  traits: { operandTypes: 'perAxis' },
  infer: ({ operands, attributes: { dimension }, results, fail }) => {
    const [operand, size] = [needTensor('operand', operands[0], fail, { perAxis: true }), needTensor('size', operands[1], fail)]
    if (size.dtype !== 'i32' || size.shape.length > 0) fail(`size must be i32[], got ${shortType(size)}`)
    checkDimension(operand, dimension, fail, 'set_dimension_size_c1')
    const limit = operand.bounds?.[dimension] ?? operand.shape[dimension]
    const inferred: TensorType = {
      ...operand,
      shape: operand.shape.with(dimension, DYNAMIC),
      bounds: (operand.bounds ?? operand.shape.map(() => DYNAMIC)).with(dimension, limit),
    }
    const declared = results?.[0]
    if (!declared) return [inferred]
    if (!isTensorType(declared) || !sameElementType(declared, inferred) || !compatibleShape(declared.shape, inferred.shape)) return agreeWithInferred([inferred], results, fail)
    return [declared]
  },
  evaluate: ({ arrays: [operand, size], attributes: { dimension } }) => {
    const count = size.item()
    if (count < 0 || count > operand.shape[dimension])
      throw new OpError('set_dimension_size', `size ${count} is not between 0 and ${operand.shape[dimension]}, the size of ${shortType(operand.type)} axis ${dimension}`)
    const out = HostArray.zeros(operand.dtype, operand.shape.with(dimension, count))
    copyStrided(operand, 0, rowMajorStrides(operand.shape), out, 0, rowMajorStrides(out.shape), out.shape)
    return [out]
  },
  vjp: notDifferentiable('its result has a size that is not known when the gradient is traced: use slice or dynamic_slice'),
})

/** The size of an axis as `i32[]`. Negative axes count from the end. Throws `OpError`. */
export const getDimensionSize = (operand: Tensor, dimension: number): Tensor =>
  emit(getDimensionSizeOp, [operand], { dimension: resolveAxis('get_dimension_size', dimension, operand.rank) }).results[0] as Tensor

/** The first `size` (`i32[]`) elements along an axis, whose size is then known only when the program runs. Throws `OpError`. */
export const setDimensionSize = (operand: Tensor, size: Tensor, dimension: number): Tensor =>
  emit(setDimensionSizeOp, [operand, size], { dimension: resolveAxis('set_dimension_size', dimension, operand.rank) }).results[0] as Tensor
