import { customVjp } from '../autodiff/custom.ts'
import { vjp } from '../autodiff/grad.ts'
import type { Tensor } from '../ir/module.ts'
import { type TensorType, shortType } from '../ir/types.ts'
import { failIn } from '../lib/library-error.ts'
import { wideType } from '../lib/wide.ts'
import { resolveAxis } from '../ops/axes.ts'
import { zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { sortWithIndices } from '../ops/sort.ts'
import { takeAlongAxis } from '../ops/take.ts'

/** The best entries along an axis: their values, and where they stand as `i32`. */
export interface Neighbours {
  readonly values: Tensor
  readonly indices: Tensor
}

/** The axis to search; throws `OpError` unless k is an integer from 1 to its size. */
export function checkSearch(name: string, x: Tensor, k: number, axis: number): number {
  const at = resolveAxis(name, axis, x.rank)
  if (!Number.isInteger(k) || k < 1) failIn(name, `k is ${k}, must be an integer of 1 or more`)
  if (k > x.shape[at]) failIn(name, `k is ${k}, but axis ${at} of ${shortType(x.type)} has ${x.shape[at]} entries`)
  return at
}

/** Runs a search so that the gradient goes from each value to the entry that was chosen, and no op of the search is walked back. */
export function withGradientToChosen(search: (x: Tensor) => Neighbours, x: Tensor, axis: number): Neighbours {
  return choose(search, x.type, axis)(x)
}

const choose = (search: (x: Tensor) => Neighbours, type: TensorType, axis: number) =>
  customVjp(
    (x: Tensor): readonly [Neighbours, Tensor] => {
      const found = search(x)
      return [found, found.indices]
    },
    (indices: Tensor, d: Neighbours) => vjp((x: Tensor) => takeAlongAxis(x, indices, axis), zeros(type)).pullback(d.values),
  )

/** Sort and slice, which XLA turns into its TopK on CPU; narrower floats in f32, because it does so for no other type. */
export function sortedTopK(x: Tensor, k: number, axis: number): Neighbours {
  const { values, indices } = sortWithIndices(convert(x, wideType(x.dtype)), axis, { descending: true })
  return { values: convert(sliceAxis(values, axis, 0, k), x.dtype), indices: sliceAxis(indices, axis, 0, k) }
}

/**
 * The k largest entries along `axis`, the largest first, with their positions; equal entries in their order, NaN before all others. The
 * gradient goes to the entries chosen. `x f32[b,n]` -> values `f32[b,k]`, indices `i32[b,k]`. Throws `OpError`.
 */
export function topK(x: Tensor, k: number, axis = -1): Neighbours {
  const at = checkSearch('topK', x, k, axis)
  return withGradientToChosen((scores) => sortedTopK(scores, k, at), x, at)
}
