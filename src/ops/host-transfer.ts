import { DenseElements } from '../ir/dense.ts'
import { EngramError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Operation, Tensor, type Value } from '../ir/module.ts'
import type { EvaluateContext, HostValue, InferContext } from '../ir/op-definition.ts'
import { type TensorType, type Type, compatibleShape, isTensorType, tokenType, typeText } from '../ir/types.ts'
import { emit } from '../trace/emit.ts'
import * as codec from './codecs.ts'
import { defineOp, notDifferentiable, zeroGradient } from './define.ts'
import { type ChannelHandle, channelHandle, checkPairs, rowsOf } from './process-groups.ts'
import { evaluateSteps } from './steps.ts'

/**
 * Tensors from the host and to it, and from one process to another. Tokens keep the order. Source: specification, the op of the
 * same name.
 */

const hostToken: HostValue = { kind: 'token' }
const [infeedKey, outfeedKey] = ['stablehlo.infeed', 'stablehlo.outfeed']

function queueOf(shared: Map<string, unknown>, key: string): (readonly HostValue[])[] {
  let queue = shared.get(key) as (readonly HostValue[])[] | undefined
  if (!queue) shared.set(key, (queue = []))
  return queue
}

/** Puts values in the queue from which `infeed` takes; `shared` is the state of the run. */
export const provideInfeed = (shared: Map<string, unknown>, values: readonly HostValue[]): void => void queueOf(shared, infeedKey).push(values)

/** What `outfeed` has put out so far, oldest first; it is taken out of the state of the run. */
export const takeOutfeed = (shared: Map<string, unknown>): (readonly HostValue[])[] => queueOf(shared, outfeedKey).splice(0)

interface EndsInTokenRules { readonly count: string; readonly tensors: string; readonly token: string }

/** Results that are tensors and, last, a token. */
function endInToken(results: readonly Type[] | undefined, rules: EndsInTokenRules, fail: InferContext<unknown>['fail']): readonly Type[] {
  if (!results) return fail('needs result types')
  if (results.length === 0) fail('result is expected to be at least of size 1, but got 0', rules.count)
  for (const type of results.slice(0, -1))
    if (!isTensorType(type)) fail(`everything but the last element of result types is expected to be of tensor type, but got '${typeText(type)}'`, rules.tensors)
  const last = results[results.length - 1]
  if (last.kind !== 'token') fail(`last element of result types is expected to be of token type, but got '${typeText(last)}'`, rules.token)
  return results
}

/** Whether the values have the types; what comes from outside is checked. */
function checkReceived(values: readonly HostValue[], { operation, resultTypes }: EvaluateContext<unknown>): readonly HostValue[] {
  const types = resultTypes.slice(0, -1) as TensorType[]
  const fits = values.length === types.length && types.every((type, i) => {
    const value = values[i]
    return value instanceof HostArray && value.dtype === type.dtype && compatibleShape(value.shape, type.shape)
  })
  if (!fits)
    throw new EngramError(
      `${operation.name}: expected ${types.map(typeText).join(', ') || 'nothing'}, received ${values.map((value) => (value instanceof HostArray ? typeText(value.type) : value.kind)).join(', ') || 'nothing'}`,
      { code: 'RECEIVED_TYPE' },
    )
  return [...values, hostToken]
}

const needToken = (type: Type | undefined, fail: InferContext<unknown>['fail']): void => {
  if (type?.kind !== 'token') fail(`the last operand must be a token, got ${type ? typeText(type) : 'nothing'}`)
}

/** Takes the next values from the host. */
export const infeedOp = defineOp({
  name: 'stablehlo.infeed',
  operands: ['token'],
  results: ['results...'],
  regions: [],
  attributes: { infeed_config: codec.optional(codec.string, ''), layout: codec.optional(codec.anyAttribute) },
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'perAxis', knownSizes: ['results'] },
  infer: ({ operands, attributes: { layout }, results, fail }) => {
    needToken(operands[0], fail)
    const types = endInToken(results, { count: 'infeed_c1', tensors: 'infeed_c2', token: 'infeed_c3' }, fail)
    if (!layout) return types
    if (layout.kind !== 'array') return fail('layout-attribute expected to be of array-type.')
    if (layout.elements.length !== types.length - 1)
      fail(`layout-attribute size must be ${types.length - 1} (which is the number of op-results - 1 (for token result)), but got ${layout.elements.length}`)
    for (const element of layout.elements) {
      if (element.kind !== 'array') return fail(`layout-attribute expected to have elements of type array, but got ${codec.anyAttribute.print(element)}`)
      for (const leaf of element.elements)
        if (leaf.kind !== 'integer') fail(`layout-attribute's leaf elements are expected to be of type integer, but got ${codec.anyAttribute.print(leaf)}`)
    }
    return types
  },
  evaluate: (context) => {
    const values = queueOf(context.shared, infeedKey).shift()
    if (!values) throw new EngramError('stablehlo.infeed: the host has nothing more to give', { code: 'INFEED_EMPTY' })
    return checkReceived(values, context)
  },
  vjp: zeroGradient('its results come from the host'),
})

/** Gives values to the host. */
export const outfeedOp = defineOp({
  name: 'stablehlo.outfeed',
  operands: ['inputs...', 'token'],
  results: ['result'],
  regions: [],
  attributes: { outfeed_config: codec.optional(codec.string, '') },
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'perAxis' },
  infer: ({ operands, fail }) => {
    needToken(operands.at(-1), fail)
    return [tokenType]
  },
  evaluate: ({ operands, shared }) => {
    queueOf(shared, outfeedKey).push(operands.slice(0, -1))
    return [hostToken]
  },
  vjp: notDifferentiable('what the host does with the values is not known'),
})

const [deviceToDevice, deviceToHost, hostToDevice] = [1, 2, 3]

const transferAttributes = {
  channel_handle: channelHandle,
  is_host_transfer: codec.optional(codec.bool, false),
  source_target_pairs: codec.optional(codec.denseI64),
} as const
interface TransferAttributes {
  readonly channel_handle: ChannelHandle
  readonly is_host_transfer?: boolean
  readonly source_target_pairs?: DenseElements
}

function checkTransfer(attributes: TransferAttributes, name: 'send' | 'recv', fail: InferContext<unknown>['fail']): void {
  const { channel_handle: { type }, is_host_transfer: host, source_target_pairs: pairs } = attributes
  const [wanted, word] = name === 'send' ? [deviceToHost, 'DEVICE_TO_HOST'] : [hostToDevice, 'HOST_TO_DEVICE']
  if (!host && type !== deviceToDevice) fail('channel_type should be DEVICE_TO_DEVICE when is_host_transfer is false', `${name}_c1`)
  if (host && type !== wanted) fail(`channel_type should be ${word} when is_host_transfer is true`, `${name}_c1`)
  if (pairs) checkPairs(pairs, { shape: `${name}_c1`, sources: `${name}_c2`, targets: `${name}_c3`, range: `${name}_c4` }, fail)
}

/** The channel on which this process sends (or receives); undefined if the pairs leave it out. */
function channelName({ attributes, process }: EvaluateContext<TransferAttributes>, end: 0 | 1): string | undefined {
  const { channel_handle: { handle }, source_target_pairs } = attributes
  const pairs = source_target_pairs ? rowsOf(source_target_pairs) : []
  if (pairs.length === 0) return `channel ${handle}`
  // Pairs are of partitions where there are several, otherwise of replicas.
  const own = process.partitions > 1 ? process.partition : process.replica
  const pair = pairs.find((each) => each[end] === own)
  const row = process.partitions > 1 ? `, replica ${process.replica}` : ''
  return pair && `channel ${handle} from ${pair[0]} to ${pair[1]}${row}`
}

/** Sends values to whoever receives on the same channel. */
export const sendOp = defineOp({
  name: 'stablehlo.send',
  operands: ['inputs...', 'token'],
  results: ['result'],
  regions: [],
  attributes: transferAttributes,
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'perAxis' },
  infer: ({ operands, attributes, fail }) => {
    needToken(operands.at(-1), fail)
    checkTransfer(attributes, 'send', fail)
    return [tokenType]
  },
  *steps(context) {
    const channel = channelName(context, 0)
    if (channel !== undefined) yield { kind: 'send', channel, values: context.operands.slice(0, -1) }
    return [hostToken]
  },
  evaluate: evaluateSteps,
  vjp: notDifferentiable('differentiate before the program is split among processes'),
})

/** Receives what was sent on a channel; zeros for a process that no pair has as its target. */
export const recvOp = defineOp({
  name: 'stablehlo.recv',
  operands: ['token'],
  results: ['results...'],
  regions: [],
  attributes: transferAttributes,
  assembly: 'generic',
  traits: { effect: true, operandTypes: 'perAxis', knownSizes: ['results'] },
  infer: ({ operands, attributes, results, fail }) => {
    needToken(operands[0], fail)
    checkTransfer(attributes, 'recv', fail)
    return endInToken(results, { count: 'recv_c2', tensors: 'recv_c3', token: 'recv_c4' }, fail)
  },
  *steps(context) {
    const channel = channelName(context, 1)
    const values = channel === undefined
      ? (context.resultTypes.slice(0, -1) as TensorType[]).map(({ dtype, shape }) => HostArray.zeros(dtype, shape))
      : yield { kind: 'receive', channel }
    return checkReceived(values, context)
  },
  evaluate: evaluateSteps,
  vjp: zeroGradient('its results come from another process'),
})

interface Transferred {
  readonly tensors: Tensor[]
  readonly token: Value
}

const transferred = ({ results }: Operation): Transferred => ({ tensors: results.slice(0, -1) as Tensor[], token: results[results.length - 1] })

/** Takes tensors of the given types from the host. Throws `OpError`. */
export const infeed = (token: Value, types: readonly TensorType[], config?: string): Transferred =>
  transferred(emit(infeedOp, [token], { infeed_config: config }, { results: [...types, tokenType] }))

/** Gives tensors to the host; the result is a token. Throws `OpError`. */
export const outfeed = (tensors: readonly Tensor[], token: Value, config?: string): Value =>
  emit(outfeedOp, [...tensors, token], { outfeed_config: config }).results[0]

export interface TransferOptions {
  readonly channel: number
  /** To or from the host instead of another process. */
  readonly host?: boolean
  /** Which process sends to which; whoever receives first, if nothing is said. */
  readonly pairs?: readonly (readonly [number, number])[]
}

const attributesOf = ({ channel, host = false, pairs }: TransferOptions, toHost: number): TransferAttributes => ({
  channel_handle: { handle: channel, type: host ? toHost : deviceToDevice },
  is_host_transfer: host,
  source_target_pairs: pairs && DenseElements.of(HostArray.of('i64', [pairs.length, 2], pairs.flat())),
})

/** Sends tensors on a channel; the result is a token. Throws `OpError`. */
export const send = (tensors: readonly Tensor[], token: Value, options: TransferOptions): Value =>
  emit(sendOp, [...tensors, token], attributesOf(options, deviceToHost)).results[0]

/** Receives tensors of the given types on a channel. Throws `OpError`. */
export const recv = (token: Value, types: readonly TensorType[], options: TransferOptions): Transferred =>
  transferred(emit(recvOp, [token], attributesOf(options, hostToDevice), { results: [...types, tokenType] }))
