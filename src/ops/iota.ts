import { roundStore, wrapInteger } from '../host/elementwise.ts'
import { type DType, dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, elementCount, isTensorType, shortType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { attributeDictionary, form, integerField, resultType } from './assembly.ts'
import { resolveAxis } from './axes.ts'
import * as codec from './codecs.ts'
import { defineOp, zeroGradient } from './define.ts'
import { onExpressed } from './quantized.ts'

/** Counts from 0 along one axis. Source: specification, "iota". */
export const iotaOp = defineOp({
  name: 'stablehlo.iota',
  operands: [],
  results: ['output'],
  regions: [],
  attributes: { iota_dimension: codec.i64 },
  assembly: form(integerField('iota_dimension', 'dim', false), attributeDictionary, resultType),
  traits: { knownSizes: ['output'] },
  infer: ({ attributes, results, fail }) => {
    const type = results?.[0]
    if (!type || !isTensorType(type)) return fail('needs a result type')
    if (dtypes[type.dtype].kind === 'bool') fail(`cannot count in ${shortType(type)}: the element type must be a number`, 'iota_o1')
    if (type.shape.includes(-1)) fail(`output ${shortType(type)} must have known sizes`, 'iota_o1')
    if (attributes.iota_dimension < 0 || attributes.iota_dimension >= type.shape.length)
      fail(`iota dimension cannot go beyond the output rank or be negative: it is ${attributes.iota_dimension}, output is ${shortType(type)}`, 'iota_c1')
    return [type]
  },
  evaluate: onExpressed(({ attributes, resultTypes }) => {
    const { dtype, shape } = resultTypes[0] as TensorType
    return [iotaArray(dtype, shape, attributes.iota_dimension)]
  }),
  vjp: zeroGradient('it depends on nothing'),
})

/** Elements that count 0, 1, 2, ... along `axis`. */
export function iotaArray(dtype: DType, shape: readonly number[], axis: number): HostArray {
  const out = HostArray.zeros(dtype, shape)
  const { kind, bits } = dtypes[dtype]
  const inner = elementCount(shape.slice(axis + 1)) * (kind === 'complex' ? 2 : 1)
  const data = out.data as Float64Array
  for (let p = 0, i = 0; p < data.length; p += inner, i = i + 1 === shape[axis] ? 0 : i + 1) {
    if (kind === 'complex') for (let q = p; q < p + inner; q += 2) data[q] = i
    else if (kind === 'float') data.fill(i, p, p + inner)
    else data.fill((bits === 64 ? BigInt(i) : wrapInteger(dtype, i)) as number, p, p + inner)
  }
  if (kind === 'float') roundStore(dtype, data)
  return out
}

/** A tensor of `type` that counts 0, 1, 2, ... along `axis` (negative: from the end). Throws `OpError`. */
export function iota(type: TensorType, axis: number): Tensor {
  return emit(iotaOp, [], { iota_dimension: resolveAxis('iota', axis, type.shape.length) }, { results: [type] }).results[0] as Tensor
}
