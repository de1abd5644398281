import { type BinaryScalars, type UnaryScalars, mapBinary, mapUnary } from '../host/elementwise.ts'
import { Tensor } from '../ir/module.ts'
import type { InferContext, NotDifferentiable, OpDefinition, VjpRule } from '../ir/op-definition.ts'
import type { TensorType } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import { sameTypeForm } from './assembly.ts'
import { type TensorLike, alignOperands } from './broadcast.ts'
import * as codec from './codecs.ts'
import { defineOp, shortOpName } from './define.ts'
import { type ElementKind, inferSameType } from './elementwise-rules.ts'
import { onExpressed } from './quantized.ts'

/** What element-wise ops have in common: one type for operands and result, a scalar function per kind of element. */

export const numericKinds: readonly ElementKind[] = ['signed', 'unsigned', 'float', 'complex']
export const logicalKinds: readonly ElementKind[] = ['bool', 'signed', 'unsigned']
export const floatKinds: readonly ElementKind[] = ['float', 'complex']

interface ElementwiseParts<Scalars> {
  readonly kinds: readonly ElementKind[]
  readonly scalars: Scalars
  readonly commutative?: boolean
  /** It may say how exact its result must be: `result_accuracy`. The interpreter's results are the same whatever it says. */
  readonly accuracy?: boolean
  /** Operands may have a scale for each index of an axis: checks how operands and result are quantized. */
  readonly perAxis?: (lhs: TensorType, rhs: TensorType, result: TensorType | undefined, fail: InferContext<unknown>['fail']) => void
  readonly vjp: VjpRule<{}> | NotDifferentiable
}

/** Builders do not set it, so that the ops that have it look like those that have no attributes. */
const accuracyAttribute: {} = { result_accuracy: codec.optional(codec.anyAttribute) }

/** The definition of an element-wise op of one operand. */
export const unaryOp = (name: string, { kinds, scalars, accuracy, vjp }: ElementwiseParts<UnaryScalars>): OpDefinition<{}> =>
  defineOp({
    name: `stablehlo.${name}`,
    operands: ['operand'],
    results: ['result'],
    regions: [],
    attributes: accuracy ? accuracyAttribute : {},
    assembly: sameTypeForm,
    infer: (context) => inferSameType(name, kinds, context),
    evaluate: onExpressed(({ arrays: [operand], resultTypes }) => [mapUnary(scalars, operand, resultTypes[0] as TensorType)]),
    vjp,
  })

/** The definition of an element-wise op of two operands. */
export const binaryOp = (name: string, { kinds, scalars, commutative, perAxis, vjp }: ElementwiseParts<BinaryScalars>): OpDefinition<{}> =>
  defineOp({
    name: `stablehlo.${name}`,
    operands: ['lhs', 'rhs'],
    results: ['result'],
    regions: [],
    attributes: {},
    assembly: sameTypeForm,
    traits: perAxis ? { commutative, operandTypes: 'perAxis' } : { commutative },
    infer: (context) => {
      const types = inferSameType(name, kinds, context)
      const [lhs, rhs] = context.operands as readonly TensorType[]
      perAxis?.(lhs, rhs, context.results?.[0] as TensorType | undefined, context.fail)
      return types
    },
    evaluate: onExpressed(({ arrays: [lhs, rhs], resultTypes }) => [mapBinary(scalars, lhs, rhs, resultTypes[0] as TensorType)]),
    vjp,
  })

export const unaryBuilder = (definition: OpDefinition<{}>) => (operand: Tensor): Tensor =>
  emit(definition, [operand], {}).results[0] as Tensor

export const binaryBuilder = (definition: OpDefinition<{}>) => {
  const name = shortOpName(definition.name)
  return (lhs: TensorLike, rhs: TensorLike): Tensor => {
    const operands = lhs instanceof Tensor && rhs instanceof Tensor && lhs.type === rhs.type ? [lhs, rhs] : alignOperands(name, [lhs, rhs])
    return emit(definition, operands, {}).results[0] as Tensor
  }
}
