import { HostArray } from '../ir/host-array.ts'
import { type TensorType, tensorType } from '../ir/types.ts'
import { dotArrays } from './dot.ts'
import { reduceArray } from './reduce.ts'
import { copyStrided, rowMajorStrides } from './strided.ts'

/** A sum of products over labelled axes, of one or two arrays: `['ij', 'jk']` to `ik`. Repeated labels of one array take its diagonal. */
export function einsumArrays(arrays: readonly HostArray[], labels: readonly string[], result: string, type: TensorType): HostArray {
  const views = arrays.map((array, i) => {
    const others = labels.filter((_, j) => j !== i).join('') + result
    return sumAway(diagonal(array, labels[i]), others)
  })
  const [a, b] = views
  if (!b) return ordered(a, result, type)
  const shared = [...a.labels].filter((label) => b.labels.includes(label))
  const batch = shared.filter((label) => result.includes(label))
  const contracted = shared.filter((label) => !result.includes(label))
  const free = (view: Labelled) => [...view.labels].filter((label) => !shared.includes(label))
  const at = ({ labels: own }: Labelled, wanted: readonly string[]) => wanted.map((label) => own.indexOf(label))
  const product = [...batch, ...free(a), ...free(b)]
  const sizes = new Map([a, b].flatMap((view) => [...view.labels].map((label, axis) => [label, view.array.shape[axis]] as const)))
  const dot = dotArrays(
    a.array,
    b.array,
    { lhsBatching: at(a, batch), rhsBatching: at(b, batch), lhsContracting: at(a, contracted), rhsContracting: at(b, contracted) },
    tensorType(type.dtype, product.map((label) => sizes.get(label)!)),
  )
  return ordered({ array: dot, labels: product.join('') }, result, type)
}

interface Labelled {
  readonly array: HostArray
  /** One label an axis, each once. */
  readonly labels: string
}

function diagonal(array: HostArray, labels: string): Labelled {
  const unique = [...new Set(labels)]
  if (unique.length === labels.length) return { array, labels }
  const own = rowMajorStrides(array.shape)
  const strides = unique.map((label) => own.reduce((sum, stride, axis) => sum + (labels[axis] === label ? stride : 0), 0))
  const shape = unique.map((label) => array.shape[labels.indexOf(label)])
  const out = HostArray.zeros(array.dtype, shape)
  copyStrided(array, 0, strides, out, 0, rowMajorStrides(shape), shape)
  return { array: out, labels: unique.join('') }
}

function sumAway({ array, labels }: Labelled, needed: string): Labelled {
  const axes = [...labels].flatMap((label, axis) => (needed.includes(label) ? [] : [axis]))
  if (axes.length === 0) return { array, labels }
  const kept = [...labels].filter((label) => needed.includes(label))
  const shape = kept.map((label) => array.shape[labels.indexOf(label)])
  return { array: reduceArray('add', array, HostArray.zeros(array.dtype, []), axes, tensorType(array.dtype, shape)), labels: kept.join('') }
}

function ordered({ array, labels }: Labelled, result: string, type: TensorType): HostArray {
  const own = rowMajorStrides(array.shape)
  const shape = [...result].map((label) => array.shape[labels.indexOf(label)])
  const out = HostArray.zeros(type.dtype, shape)
  copyStrided(array, 0, [...result].map((label) => own[labels.indexOf(label)]), out, 0, rowMajorStrides(shape), shape)
  return out
}
