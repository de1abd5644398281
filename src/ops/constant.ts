import { DenseElements } from '../ir/dense.ts'
import { type DType, dtypes } from '../ir/dtypes.ts'
import { HostArray, type NestedNumbers } from '../ir/host-array.ts'
import type { Tensor } from '../ir/module.ts'
import { DYNAMIC, type TensorType, isTensorType, sameType, tensorType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { currentFrame } from '../trace/frame.ts'
import * as codec from './codecs.ts'
import { defineOp, zeroGradient } from './define.ts'

/** A tensor known when the program is compiled. Source: specification, "constant". */
export const constantOp = defineOp({
  name: 'stablehlo.constant',
  operands: [],
  results: ['output'],
  regions: [],
  attributes: { value: codec.dense },
  assembly: {
    fits: (operation) => sameType(operation.results[0].type, operation.attributes.value.type),
    print: (operation, printer) => {
      printer.attributes(operation, ['value'])
      printer.text(` ${operation.attributes.value.text()}`)
    },
    parse: (parser) => {
      // Older text: `stablehlo.constant() {value = dense<...>} : () -> type`.
      if (parser.accept('(')) {
        parser.expect(')')
        const attributes = parser.attributes()
        parser.expect(':')
        return { operands: [], results: parser.functionType().outputs, attributes }
      }
      const attributes = parser.attributes()
      const value = parser.attribute()
      if (value.kind !== 'dense') return parser.fail('expected dense<...>')
      return { operands: [], results: [value.value.type], attributes: { ...attributes, value } }
    },
  },
  traits: { knownSizes: ['output'] },
  infer: ({ attributes, results, fail }) => {
    const { type } = attributes.value
    const declared = results?.[0]
    if (declared && isTensorType(declared) && declared.shape.includes(DYNAMIC))
      fail(`op result #0 must be statically shaped tensor of number, boolean or quantized values, but got '${typeText(declared)}'`, 'constant_o1')
    // A quantized constant lists the stored integers.
    const stored = declared && isTensorType(declared) && declared.quantization ? tensorType(declared.dtype, declared.shape) : declared
    if (declared && !sameType(stored!, type))
      fail(`inferred type(s) '${typeText(type)}' are incompatible with return type(s) of operation '${typeText(declared)}'`, 'constant_c1')
    return [declared ?? type]
  },
  evaluate: ({ attributes }) => [attributes.value.toArray()],
  vjp: zeroGradient('a constant depends on nothing'),
})

/** The same in MLIR's own dialect, as programs have it that went through other passes. */
export const arithConstantOp = defineOp({ ...constantOp, name: 'arith.constant' })

/** Emits a constant of the given value. */
export function constantOf(value: DenseElements): Tensor {
  return emit(constantOp, [], { value }).results[0] as Tensor
}

/**
 * A constant tensor from numbers nested as its shape, or from a host array: `constant([[1, 2], [3, 4]], 'f32')`.
 * Throws `InputError` if a value does not fit the type.
 */
export function constant(values: NestedNumbers | HostArray, dtype: DType = 'f32'): Tensor {
  return constantOf(DenseElements.of(values instanceof HostArray ? values : HostArray.from(dtype, values)))
}

/**
 * One value in every element: `fill(0, f32(8, 512))`. The same constant is emitted once per region.
 * Throws `InputError` if the value does not fit the type.
 */
export function fill(value: number | bigint | boolean, type: TensorType): Tensor {
  const { constants } = currentFrame()
  const key = `${Object.is(value, -0) ? '-0' : value}${type.dtype}${type.shape.join('x')}`
  const known = constants.get(key)
  if (known) return known
  const scalar = HostArray.of(type.dtype, [], [value])
  const made = constantOf(DenseElements.splat(tensorType(type.dtype, type.shape), scalar))
  constants.set(key, made)
  return made
}

/** Zeros of a type; `false` for `bool`. */
export const zeros = (type: TensorType): Tensor => fill(dtypes[type.dtype].kind === 'bool' ? false : 0, type)
/** Ones of a type; `true` for `bool`. */
export const ones = (type: TensorType): Tensor => fill(dtypes[type.dtype].kind === 'bool' ? true : 1, type)
