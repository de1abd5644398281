import { boolAttribute, floatAttribute, integerAttribute } from '../ir/attributes.ts'
import type { Attribute } from '../ir/attributes.ts'
import { EngramError } from '../ir/errors.ts'
import { HostArray } from '../ir/host-array.ts'
import type { Module, Tensor } from '../ir/module.ts'
import type { EvaluateContext } from '../ir/op-definition.ts'
import { type TensorType, elementCount, tensorType } from '../ir/types.ts'
import { compare } from '../ops/compare.ts'
import { fill } from '../ops/constant.ts'
import { customCall, defineCustomCall } from '../ops/custom-call.ts'
import { iota } from '../ops/iota.ts'
import { funcReturnOp } from '../ops/return.ts'
import { emit } from '../trace/emit.ts'
import { buildFunction, currentFrame } from '../trace/frame.ts'
import { xlaBins } from './recall.ts'
import type { Neighbours } from './top-k.ts'

/** The custom call `ApproxTopK` as XLA's TPU compiler expects it, where it becomes a partial reduction fused with the matrix product. */

export interface ApproxTopKCall {
  readonly k: number
  readonly axis: number
  readonly recallTarget: number
  /** Sort the survivors and give k of them; else all survivors, unsorted. */
  readonly aggregate: boolean
  readonly sizeOverride: number
}

const comparators = new WeakMap<Module, Map<string, string>>()

/** The module's function that says which of two entries is better; made once per element type. */
function comparatorFor(dtype: Tensor['dtype']): string {
  const { module } = currentFrame()
  let known = comparators.get(module)
  if (!known) comparators.set(module, (known = new Map()))
  let name = known.get(dtype)
  if (!name) {
    const [value, index] = [tensorType(dtype, []), tensorType('i32', [])]
    ;({ name } = buildFunction(`top_k_gt_${dtype}_comparator`, [value, value, index, index], ([a, b]) => {
      const better = compare(a as Tensor, b as Tensor, 'GT')
      emit(funcReturnOp, [better], {})
      return [better.type]
    }))
    known.set(dtype, name)
  }
  return name
}

/** Emits the call; `size` is the result's size along the axis. */
export function approxTopKCall(x: Tensor, size: number, { k, axis, recallTarget, aggregate, sizeOverride }: ApproxTopKCall): Neighbours {
  const shape = x.shape.with(axis, size)
  const inputs = [x, iota(tensorType('i32', x.shape), axis), fill(-Infinity, tensorType(x.dtype, [])), fill(-1, tensorType('i32', []))]
  const [values, indices] = customCall('ApproxTopK', inputs, [tensorType(x.dtype, shape), tensorType('i32', shape)], {
    calledComputations: [comparatorFor(x.dtype)],
    discardable: {
      'mhlo.backend_config': {
        kind: 'dictionary',
        entries: {
          aggregate_to_topk: boolAttribute(aggregate),
          recall_target: floatAttribute(recallTarget, 'f32'),
          reduction_dim: integerAttribute(axis),
          reduction_input_size_override: integerAttribute(sizeOverride),
          top_k: integerAttribute(k),
        },
      },
    },
  })
  return { values, indices }
}

/** The configuration of a call, whoever wrote it. Throws `EngramError` naming the key that is missing. */
function readConfiguration(discardable: Readonly<Record<string, Attribute>> | undefined): ApproxTopKCall {
  const config = discardable?.['mhlo.backend_config']
  const entry = (key: string): number => {
    const value = config?.kind === 'dictionary' ? config.entries[key] : undefined
    if (value?.kind === 'integer' || value?.kind === 'float' || value?.kind === 'bool') return Number(value.value)
    throw new EngramError(`custom_call @ApproxTopK: mhlo.backend_config has no ${key}`, { code: 'CUSTOM_CALL_CONFIG' })
  }
  return {
    k: entry('top_k'),
    axis: entry('reduction_dim'),
    recallTarget: entry('recall_target'),
    aggregate: entry('aggregate_to_topk') !== 0,
    sizeOverride: entry('reduction_input_size_override'),
  }
}

/**
 * What the call means here: the best of each of XLA's bins, entry i in bin i mod L, the first of equal ones; then, if aggregated, the k best in
 * order. More bins than entries are filled up with the initial value and index. XLA leaves open which entry is in which bin, and ties.
 */
function evaluateApproxTopK({ operation, arrays, attributes, resultTypes, call }: EvaluateContext<any>): HostArray[] {
  const { k, axis, recallTarget, aggregate, sizeOverride } = readConfiguration(operation.discardable)
  const [scores, places, initValue, initIndex] = arrays
  const comparator = attributes.called_computations?.[0]
  if (!comparator) throw new EngramError('custom_call @ApproxTopK: called_computations names no comparator', { code: 'CUSTOM_CALL_CONFIG' })
  const scalar = (value: number) => HostArray.of(scores.dtype, [], [value])
  const index = HostArray.of(places.dtype, [], [0])
  const [descending] = call(comparator, [scalar(1), scalar(0), index, index]) as HostArray[]
  const better = descending.data[0] ? (a: number, b: number) => a > b : (a: number, b: number) => a < b

  const size = scores.shape[axis]
  const { bins } = xlaBins(size, k, recallTarget, { rank: scores.shape.length, sizeOverride })
  const values = HostArray.zeros(scores.dtype, (resultTypes[0] as TensorType).shape)
  const indices = HostArray.zeros(places.dtype, values.shape)
  const kept = values.shape[axis]
  const inner = elementCount(scores.shape.slice(axis + 1))
  const outer = elementCount(scores.shape.slice(0, axis))
  const [from, positions] = [scores.data as Float32Array, places.data as Int32Array]
  for (let line = 0; line < outer * inner; line++) {
    const start = Math.floor(line / inner) * size * inner + (line % inner)
    const target = Math.floor(line / inner) * kept * inner + (line % inner)
    const survivors = Array.from({ length: Math.min(bins, size) }, (_, bin) => start + bin * inner)
    for (let i = bins; i < size; i++) {
      const at = start + i * inner
      if (better(from[at], from[survivors[i % bins]])) survivors[i % bins] = at
    }
    if (aggregate) survivors.sort((a, b) => (better(from[a], from[b]) ? -1 : better(from[b], from[a]) ? 1 : a - b))
    for (let i = 0; i < kept; i++) {
      const none = i >= survivors.length
      values.data[target + i * inner] = none ? (initValue.data[0] as number) : from[survivors[i]]
      indices.data[target + i * inner] = none ? (initIndex.data[0] as number) : positions[survivors[i]]
    }
  }
  return [values, indices]
}

defineCustomCall({ target: 'ApproxTopK', evaluate: evaluateApproxTopK })
