import { type DType, dtypes } from '../../../src/ir/dtypes.ts'
import { inferTypes } from '../../../src/ir/infer.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import type { AttributeCodec, OpDefinition } from '../../../src/ir/op-definition.ts'
import { type TensorType, sameShape, tensorType } from '../../../src/ir/types.ts'
import { catalogue } from '../../../src/ops/catalogue.ts'
import { compare, comparisonDirections } from '../../../src/ops/compare.ts'
import { clamp, selectOp } from '../../../src/ops/select.ts'
import { emit } from '../../../src/trace/emit.ts'
import { type Generator, type ProgramBuilder, everyDType } from './builder.ts'
import { dtypesFor, numbersFor, operandExclusions } from './exclusions.ts'

/**
 * Element-wise ops, as the catalogue declares them: every op that has one or two operands, needs no attributes or regions, and gives for
 * operands of one type a result of their shape. Its own rule says which element types it takes.
 */

/** The result's type for operands of `type`; undefined if the op refuses them. */
function resultFor(definition: OpDefinition, type: TensorType): TensorType | undefined {
  const operands = definition.operands.map(() => type)
  try {
    const results = inferTypes(definition, {
      operands, attributes: {}, regions: [], results: undefined, lookup: () => undefined,
      fail: (detail) => {
        throw new TypeError(detail)
      },
    })
    const [result] = results
    return results.length === 1 && result.kind === 'tensor' ? result : undefined
  } catch {
    return undefined
  }
}

/** Element types that the op takes and XLA runs. Sizes of 2 by 3 tell element-wise ops from products of matrices. */
function acceptedDTypes(definition: OpDefinition): DType[] {
  return dtypesFor(definition.name).filter((dtype) => {
    const type = tensorType(dtype, [2, 3])
    const result = resultFor(definition, type)
    return result !== undefined && sameShape(result.shape, type.shape)
  })
}

/** `chlo.broadcast_add` is `stablehlo.add` where nothing is broadcast. */
const isCandidate = ({ name, operands, results, regions, attributes, traits }: OpDefinition): boolean =>
  /^(stablehlo|chlo)\.(?!broadcast_)/.test(name) &&
  (operands.length === 1 || operands.length === 2) &&
  !operands.some((operand) => /[.?]/.test(operand)) &&
  results.length === 1 &&
  regions.length === 0 &&
  !traits?.terminator &&
  !traits?.effect &&
  (Object.values(attributes) as AttributeCodec<unknown>[]).every((codec) => codec.optional)

const isInteger = (dtype: DType): boolean => ['signed', 'unsigned'].includes(dtypes[dtype].kind)

function elementwise(definition: OpDefinition, accepted: readonly DType[]): Generator {
  const { notOf = [], freshDivisor = false } = operandExclusions[definition.name] ?? {}
  return (program) => {
    const first = program.tensor(
      ({ dtype }, value) => accepted.includes(dtype) && !notOf.includes(value.definition?.name ?? ''),
      () => tensorType(program.dtype(accepted), program.shape()),
    )
    const operands: Tensor[] = [first]
    for (let i = 1; i < definition.operands.length; i++)
      operands.push(freshDivisor && isInteger(first.dtype) ? program.input(first.type) : program.like(first.type))
    emit(definition, operands, {})
  }
}

const derived: [string, Generator][] = [...catalogue.values()].flatMap((definition): [string, Generator][] => {
  if (!isCandidate(definition)) return []
  const accepted = acceptedDTypes(definition)
  return accepted.length > 0 ? [[definition.name, elementwise(definition, accepted)]] : []
})

function selects(program: ProgramBuilder): void {
  const onTrue = program.anyOf(everyDType)
  const pred = program.like(tensorType('bool', program.draws.oneIn(3) ? [] : onTrue.shape))
  emit(selectOp, [pred, onTrue, program.like(onTrue.type)], {})
}

function clamps(program: ProgramBuilder): void {
  const operand = program.anyOf(numbersFor(['float', 'signed', 'unsigned']))
  const limit = () => program.like(tensorType(operand.dtype, program.draws.oneIn(2) ? [] : operand.shape))
  clamp(limit(), operand, limit())
}

function compares(program: ProgramBuilder): void {
  const lhs = program.anyOf(everyDType)
  const { kind } = dtypes[lhs.dtype]
  const direction = kind === 'complex' ? program.draws.pick(['EQ', 'NE'] as const) : program.draws.pick(comparisonDirections)
  const type = kind === 'float' && program.draws.oneIn(3) ? 'TOTALORDER' : undefined
  compare(lhs, program.like(lhs.type), direction, type)
}

export const generators: readonly (readonly [string, Generator])[] = [
  ...derived,
  ['stablehlo.select', selects],
  ['stablehlo.clamp', clamps],
  ['stablehlo.compare', compares],
]
