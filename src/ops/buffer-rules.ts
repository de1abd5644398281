import { dtypeFromText } from '../ir/dtypes.ts'
import type { InferContext } from '../ir/op-definition.ts'
import { DYNAMIC, type OpaqueType, type TensorType, type Type, tensorType } from '../ir/types.ts'
import { compatibleType } from './elementwise-rules.ts'

/**
 * Buffers (`memref<2xf32>`): memory that custom calls make, fill and give back as tensors. Source: StableHLO, the verifier of
 * `custom_call`.
 */
type Fail = InferContext<unknown>['fail']

const isBuffer = (type: Type): type is OpaqueType => type.kind === 'opaque' && type.text.startsWith('memref<')

/** The tensor that a buffer holds; undefined for buffers of other elements. */
function heldTensor({ text }: OpaqueType): TensorType | undefined {
  const [, sizes, element] = /^memref<((?:(?:\d+|\?)x)*)([\w<>]+?)(?:,.*)?>$/s.exec(text) ?? []
  const dtype = element === undefined ? undefined : dtypeFromText(element)
  return dtype && tensorType(dtype, sizes.split('x').slice(0, -1).map((size) => (size === '?' ? DYNAMIC : Number(size))))
}

function holds(buffer: Type, tensor: Type): boolean {
  const held = isBuffer(buffer) ? heldTensor(buffer) : undefined
  return held === undefined || compatibleType(held, tensor)
}

/** The calls that make a buffer, turn a tensor into one, and a buffer back into a tensor. */
const bufferCalls: Readonly<Record<string, (operands: readonly Type[], results: readonly Type[], fail: Fail) => void>> = {
  CreateBuffer: (operands, results, fail) => {
    if (operands.length) fail(`CreateBuffer custom_call shouldn't have any inputs`)
    if (results.length !== 1) fail('CreateBuffer custom_call should have one result')
    if (!isBuffer(results[0])) fail('CreateBuffer custom_call should have a memref result')
  },
  Pin: (operands, results, fail) => {
    checkOne('Pin', operands, results, fail)
    if (isBuffer(operands[0]) || operands[0].kind !== 'tensor') fail('Pin custom_call should have a tensor input')
    if (!isBuffer(results[0])) fail('Pin custom_call should have a memref output')
    if (!holds(results[0], operands[0])) fail('Pin custom_call should have compatible input and output types')
  },
  Unpin: (operands, results, fail) => {
    checkOne('Unpin', operands, results, fail)
    if (!isBuffer(operands[0])) fail('Unpin custom_call should have a memref input')
    if (results[0].kind !== 'tensor') fail('Unpin custom_call should have a tensor output')
    if (!holds(operands[0], results[0])) fail('Unpin custom_call should have compatible input and output types')
  },
}

function checkOne(target: string, operands: readonly Type[], results: readonly Type[], fail: Fail): void {
  if (operands.length !== 1) fail(`${target} custom_call should have one input`)
  if (results.length !== 1) fail(`${target} custom_call should have one output`)
}

/** The parts of values that are buffers, those inside of tuples too. */
function bufferParts(type: Type, path: readonly number[] = []): string[] {
  if (type.kind === 'tuple') return type.elements.flatMap((element, i) => bufferParts(element, [...path, i]))
  return isBuffer(type) ? [`[${path.join(', ')}]`] : []
}

/**
 * Checks a custom call that takes or gives buffers: a buffer operand may stand for one output, and every buffer output stands for an
 * operand, but where the call itself makes it. `aliases` are pairs of the operand's and the output's part.
 */
export function checkBuffers(
  target: string,
  operands: readonly Type[],
  results: readonly Type[],
  aliases: readonly { readonly operand: string; readonly output: string }[],
  fail: Fail,
): void {
  const call = Object.hasOwn(bufferCalls, target) ? bufferCalls[target] : undefined
  if (call) return call(operands, results, fail)
  const uses = (places: readonly string[], place: string): number => places.filter((each) => each === place).length
  const inputs = operands.flatMap((type, i) => bufferParts(type).map((path) => `${i}${path}`))
  for (const place of inputs)
    if (uses(aliases.map(({ operand }) => operand), place) > 1) fail(`buffer operand ${place} is used in output_operand_alias more than once`)
  const outputs = bufferParts(results.length === 1 ? results[0] : { kind: 'tuple', elements: results })
  for (const place of outputs) {
    const count = uses(aliases.map(({ output }) => output), place)
    if (count !== 1) fail(`buffer output ${place} is ${count ? 'used in output_operand_alias more than once' : 'not used in output_operand_alias'}`)
  }
}
