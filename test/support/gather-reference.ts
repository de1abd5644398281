import type { HostArray } from '../../src/ir/host-array.ts'
import { elementCount } from '../../src/ir/types.ts'
import type { GatherNumbers, ScatterNumbers } from '../../src/ops/gather-scatter-rules.ts'
import type { Random } from './op-samples/sample.ts'
import { ravel, read, unravel } from './arrays.ts'

/** The sentences of the specification on gather and scatter, element by element, and random cases for them. */

const pick = (random: Random, low: number, high: number): number => low + Math.floor(random() * (high - low + 1))

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = pick(random, 0, i)
    ;[list[i], list[j]] = [list[j], list[i]]
  }
  return list
}

export interface IndexingCase {
  readonly shape: number[]
  readonly numbers: GatherNumbers
  readonly sliceSizes: number[]
  readonly indicesShape: number[]
  readonly indices: number[]
  readonly resultShape: number[]
}

/** A valid gather of any form: batching, collapsed axes, windows anywhere, implicit index vectors, indices outside. */
export function randomCase(random: Random): IndexingCase {
  const rank = pick(random, 0, 4)
  const shape = Array.from({ length: rank }, () => pick(random, 1, 4))
  const roles = shape.map(() => (['window', 'window', 'collapsed', 'batch'] as const)[pick(random, 0, 3)])
  const axes = (role: string) => roles.flatMap((r, axis) => (r === role ? [axis] : []))
  const [window, collapsed, batching] = [axes('window'), axes('collapsed'), axes('batch')]
  const free = [...window, ...collapsed]
  const map = shuffled(random, free).slice(0, pick(random, 0, free.length))
  const extra = Array.from({ length: pick(random, 0, 2) }, () => pick(random, 0, 3))
  // Indices: one axis per batching axis and the extra ones, in any order, and the index vectors somewhere among them.
  const vectors = shuffled(random, [...batching.map((axis) => ({ axis, size: shape[axis] })), ...extra.map((size) => ({ axis: -1, size }))])
  const implicit = map.length === 1 && random() < 0.3
  const position = implicit ? vectors.length : pick(random, 0, vectors.length)
  const withVector = implicit ? vectors : vectors.toSpliced(position, 0, { axis: -2, size: map.length })
  const sliceSizes = shape.map((size, axis) => (roles[axis] === 'window' ? pick(random, 0, size) : 1))
  const resultRank = vectors.length + window.length
  const offsets = shuffled(random, Array.from({ length: resultRank }, (_, i) => i)).slice(0, window.length).sort((a, b) => a - b)
  const [sizes, others] = [window.map((axis) => sliceSizes[axis]), vectors.map(({ size }) => size)]
  const indicesShape = withVector.map(({ size }) => size)
  return {
    shape,
    sliceSizes,
    indicesShape,
    indices: Array.from({ length: elementCount(indicesShape) }, () => pick(random, -2, 5)),
    resultShape: Array.from({ length: resultRank }, (_, axis) => (offsets.includes(axis) ? sizes.shift()! : others.shift()!)),
    numbers: {
      offset_dims: offsets,
      collapsed_slice_dims: collapsed,
      operand_batching_dims: batching,
      start_indices_batching_dims: batching.map((axis) => withVector.findIndex((vector) => vector.axis === axis)),
      start_index_map: map,
      index_vector_dim: position,
    },
  }
}

export const scatterNumbers = (n: GatherNumbers): ScatterNumbers => ({
  update_window_dims: n.offset_dims,
  inserted_window_dims: n.collapsed_slice_dims,
  input_batching_dims: n.operand_batching_dims,
  scatter_indices_batching_dims: n.start_indices_batching_dims,
  scatter_dims_to_operand_dims: n.start_index_map,
  index_vector_dim: n.index_vector_dim,
})

/** Where in the indexed array an element of a window is: start, batch and offset of each axis. */
function locate(
  at: number[],
  indices: HostArray,
  shape: readonly number[],
  n: GatherNumbers,
): { start: number[]; batch: number[]; offset: number[] } {
  const vector = at.filter((_, axis) => !n.offset_dims.includes(axis))
  const start = shape.map(() => 0)
  n.start_index_map.forEach((axis, k) => {
    const where = n.index_vector_dim < indices.shape.length ? vector.toSpliced(n.index_vector_dim, 0, k) : vector
    start[axis] = read(indices, where)
  })
  const batch = shape.map(() => 0)
  n.operand_batching_dims.forEach((axis, i) => {
    const indicesAxis = n.start_indices_batching_dims[i]
    batch[axis] = vector[indicesAxis - (indicesAxis < n.index_vector_dim ? 0 : 1)]
  })
  const offsets = n.offset_dims.map((axis) => at[axis])
  const offset = shape.map((_, axis) => (n.collapsed_slice_dims.includes(axis) || n.operand_batching_dims.includes(axis) ? 0 : offsets.shift()!))
  return { start, batch, offset }
}

export function referenceGather(operand: HostArray, indices: HostArray, { shape, numbers, sliceSizes, resultShape }: IndexingCase): number[] {
  return Array.from({ length: elementCount(resultShape) }, (_, flat) => {
    const { start, batch, offset } = locate(unravel(flat, resultShape), indices, shape, numbers)
    return read(operand, shape.map((size, axis) => Math.min(Math.max(start[axis], 0), size - sliceSizes[axis]) + batch[axis] + offset[axis]))
  })
}

/** Index vector by index vector, and within each in row-major order. */
export function referenceScatter(
  input: HostArray,
  indices: HostArray,
  updates: HostArray,
  { shape, numbers, resultShape }: IndexingCase,
  update: (old: number, fresh: number) => number,
): number[] {
  const out = Array.from(input.data as Float64Array)
  const order = Array.from({ length: elementCount(resultShape) }, (_, flat) => {
    const at = unravel(flat, resultShape)
    const vectorFirst = [...at.filter((_, axis) => !numbers.offset_dims.includes(axis)), ...numbers.offset_dims.map((axis) => at[axis])]
    return { at, vectorFirst }
  }).sort((a, b) => a.vectorFirst.map((x, i) => x - b.vectorFirst[i]).find((difference) => difference !== 0) ?? 0)
  for (const { at } of order) {
    const { start, batch, offset } = locate(at, indices, shape, numbers)
    const target = shape.map((_, axis) => start[axis] + batch[axis] + offset[axis])
    if (target.every((i, axis) => i >= 0 && i < shape[axis])) {
      const flat = ravel(target, shape)
      out[flat] = update(out[flat], read(updates, at))
    }
  }
  return out
}
