import type { Attribute } from '../ir/attributes.ts'
import { DenseElements } from '../ir/dense.ts'
import { type DType, dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, isTensorType, shortType, tensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import * as codec from './codecs.ts'
import { constantOp } from './constant.ts'
import { defineOp, zeroGradient } from './define.ts'
import { compatibleType } from './elementwise-rules.ts'

/** Constants as the `chlo` dialect writes them. Source: openxla/stablehlo, `ChloOps.td`. */

export const chloConstantOp = defineOp({ ...constantOp, name: 'chlo.constant' })

/** The element type that a scalar attribute has. */
function elementOf(value: Attribute): DType | undefined {
  if (value.kind === 'bool') return 'bool'
  if (value.kind !== 'integer' && value.kind !== 'float') return undefined
  return (Object.keys(dtypes) as DType[]).find((dtype) => dtypes[dtype].text === value.type)
}

/** One value in every place of a tensor's shape. */
export const constantLikeOp = defineOp({
  name: 'chlo.constant_like',
  operands: ['operand'],
  results: ['result'],
  regions: [],
  attributes: { value: codec.anyAttribute },
  assembly: 'generic',
  traits: { operandTypes: 'any' },
  infer: ({ operands: [operand], attributes: { value }, results, fail }) => {
    if (!isTensorType(operand)) return fail(`operand must be a tensor, got ${shortType(operand)}`)
    const dtype = elementOf(value)
    const declared = results?.[0]
    const { quantization: _, ...plain } = operand
    if (!dtype) return declared ? [declared] : fail('value must be a number')
    if (declared && (!isTensorType(declared) || declared.dtype !== dtype)) fail(`value's type doesn't match element return type: ${dtypes[dtype].text} and ${shortType(declared)}`)
    if (declared && isTensorType(declared) && !compatibleType({ ...plain, dtype }, declared)) fail('requires the same shape for all operands and results')
    return [declared ?? { ...plain, dtype }]
  },
  evaluate: ({ arrays: [operand], attributes: { value }, resultTypes }) => {
    const { dtype } = resultTypes[0] as TensorType
    if (value.kind !== 'integer' && value.kind !== 'float' && value.kind !== 'bool') throw new TypeError('value is not a number')
    const scalar = HostArray.of(dtype, [], [value.value])
    return [DenseElements.splat(tensorType(dtype, operand.shape), scalar).toArray()]
  },
  vjp: zeroGradient('a constant depends on nothing'),
})

/** Emits `chlo.constant_like`: `value` in every place of `operand`'s shape; `fill` is the op of StableHLO. Throws `OpError`. */
export function constantLike(value: number | boolean, operand: Tensor, dtype: DType = operand.dtype): Tensor {
  const { kind, text } = dtypes[dtype]
  const attribute: Attribute =
    kind === 'bool' ? { kind: 'bool', value: Boolean(value) }
      : kind === 'float' ? { kind: 'float', value: Number(value), type: text }
      : { kind: 'integer', value: BigInt(value), type: text }
  return emit(constantLikeOp, [operand], { value: attribute }).results[0] as Tensor
}
