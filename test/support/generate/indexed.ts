import type { DType } from '../../../src/ir/dtypes.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { gather, scatter } from '../../../src/ops/gather-scatter.ts'
import { type Generator, type ProgramBuilder, everyDType } from './builder.ts'
import { monoids } from './reductions.ts'

/** Gather and scatter: how windows lie in an array, drawn at random within the rules of both ops. */

interface Layout {
  readonly indices: Tensor
  readonly indexVectorAxis: number
  /** Axes that an index counts along, in the order of its components. */
  readonly indexed: number[]
  /** Axes that go with axes of the indices. */
  readonly batching: number[]
  readonly indicesBatching: number[]
  /** Axes that the windows do not have. */
  readonly absent: number[]
  readonly windowSizes: number[]
  /** Where the axes of the windows stand in the array of windows, and that array's shape. */
  readonly windowAxes: number[]
  readonly windowsShape: number[]
}

const indexDTypes: readonly DType[] = ['i32', 'i64', 'u32', 'i8', 'u8']

function drawLayout(program: ProgramBuilder, shape: readonly number[], wholeWindows: boolean): Layout {
  const { draws } = program
  const axes = draws.permutation(shape.length)
  const batchCount = shape.length > 1 && draws.oneIn(3) ? 1 : 0
  const batching = axes.slice(0, batchCount).sort((a, b) => a - b)
  const rest = axes.slice(batchCount)
  // XLA writes updates whose index has no components one by one instead of all to one place: xla-bugs/scatter-empty-index.
  const indexed = rest.slice(0, draws.between(wholeWindows ? 1 : 0, rest.length))
  const absent = rest.filter(() => draws.oneIn(2)).filter((axis) => shape[axis] > 0).sort((a, b) => a - b)
  const windowSizes = shape.map((size, axis) => (batching.includes(axis) ? Math.min(size, 1) : absent.includes(axis) ? 1 : wholeWindows && indexed.includes(axis) ? Math.min(size, 1) : size - (size > 0 ? draws.below(size) : 0)))
  const batchShape = [...batching.map((axis) => shape[axis]), ...Array.from({ length: draws.below(3) }, () => draws.pick([2, 1, 3, 0]))]
  const order = draws.permutation(batchShape.length)
  const indicesBatch = order.map((from) => batchShape[from])
  // The axis of the index vector may be absent where each index has one component.
  const implicit = indexed.length === 1 && draws.oneIn(2)
  const indexVectorAxis = implicit ? indicesBatch.length : draws.below(indicesBatch.length + 1)
  const indicesShape = implicit ? indicesBatch : indicesBatch.toSpliced(indexVectorAxis, 0, indexed.length)
  const indices = program.like(tensorType(draws.pick(indexDTypes), indicesShape), draws.oneIn(4) ? 'any' : 'small')
  const place = (axis: number): number => (implicit || axis < indexVectorAxis ? axis : axis + 1)
  const indicesBatching = batching.map((_, i) => place(order.indexOf(i)))
  const window = windowSizes.filter((_, axis) => !absent.includes(axis) && !batching.includes(axis))
  const windowAxes = draws.permutation(window.length + indicesBatch.length).slice(0, window.length).sort((a, b) => a - b)
  const windowsShape: number[] = []
  let [nextWindow, nextBatch] = [0, 0]
  for (let axis = 0; axis < window.length + indicesBatch.length; axis++) windowsShape.push(windowAxes.includes(axis) ? window[nextWindow++] : indicesBatch[nextBatch++])
  return { indices, indexVectorAxis, indexed, batching, indicesBatching, absent, windowSizes, windowAxes, windowsShape }
}

function gathers(program: ProgramBuilder): void {
  const operand = program.sliceable()
  const layout = drawLayout(program, operand.shape, false)
  gather(operand, layout.indices, {
    dimension_numbers: {
      offset_dims: layout.windowAxes,
      collapsed_slice_dims: layout.absent,
      operand_batching_dims: layout.batching,
      start_indices_batching_dims: layout.indicesBatching,
      start_index_map: layout.indexed,
      index_vector_dim: layout.indexVectorAxis,
    },
    slice_sizes: layout.windowSizes,
  })
}

/** Only bodies for which the order of updates does not matter, as the specification leaves that order open. */
function scatters(program: ProgramBuilder): void {
  const { draws } = program
  const operand = program.anyOf(everyDType, { min: 1 })
  // A window that reaches out is written as far as it lies inside, says the specification; XLA leaves it out: xla-bugs/scatter-partial-window.
  const layout = drawLayout(program, operand.shape, true)
  const updates = program.like(tensorType(operand.dtype, layout.windowsShape))
  const body = draws.pick(monoids(operand.dtype))
  const options = {
    scatter_dimension_numbers: {
      update_window_dims: layout.windowAxes,
      inserted_window_dims: layout.absent,
      input_batching_dims: layout.batching,
      scatter_indices_batching_dims: layout.indicesBatching,
      scatter_dims_to_operand_dims: layout.indexed,
      index_vector_dim: layout.indexVectorAxis,
    },
  }
  if (!draws.oneIn(4)) return void scatter([operand], layout.indices, [updates], options, ([old], [fresh]) => [body(old, fresh)])
  // XLA refuses floats of several widths in one scatter.
  const partner = program.like(tensorType(draws.pick(['i32', operand.dtype]), operand.shape))
  const other = program.like(tensorType(partner.dtype, layout.windowsShape))
  const second = draws.pick(monoids(partner.dtype))
  scatter([operand, partner], layout.indices, [updates, other], options, (old, fresh) => [body(old[0], fresh[0]), second(old[1], fresh[1])])
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.gather', gathers],
  ['stablehlo.scatter', scatters],
]
