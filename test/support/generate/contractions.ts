import type { DType } from '../../../src/ir/dtypes.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { convolution } from '../../../src/ops/convolution.ts'
import type { ConvolutionNumbers } from '../../../src/ops/convolution-attributes.ts'
import { dotGeneral } from '../../../src/ops/dot-general.ts'
import type { Generator, ProgramBuilder } from './builder.ts'
import { numbersFor } from './exclusions.ts'

/** Products that sum: dot_general and convolution. */

const numeric = (op: string): DType[] => numbersFor(['float', 'signed', 'unsigned', 'complex'], op)

function dots(program: ProgramBuilder): void {
  const { draws } = program
  const lhs = program.anyOf(numeric('stablehlo.dot_general'), { max: 3 })
  const axes = draws.permutation(lhs.rank)
  const batchCount = draws.below(Math.min(lhs.rank, 2) + 1)
  const contractCount = draws.below(Math.min(lhs.rank - batchCount, 2) + 1)
  const [lhsBatching, lhsContracting] = [axes.slice(0, batchCount), axes.slice(batchCount, batchCount + contractCount)]
  const free = Array.from({ length: draws.below(3) }, () => draws.pick([2, 3, 1, 0]))
  const sizes = [...lhsBatching.map((axis) => lhs.shape[axis]), ...lhsContracting.map((axis) => lhs.shape[axis]), ...free]
  const places = draws.permutation(sizes.length)
  const shape: number[] = []
  sizes.forEach((size, i) => (shape[places[i]] = size))
  const rhs = program.like(tensorType(lhs.dtype, shape))
  dotGeneral(lhs, rhs, {
    batching: [lhsBatching, places.slice(0, batchCount)],
    contracting: [lhsContracting, places.slice(batchCount, batchCount + contractCount)],
    precision: 'HIGHEST',
  })
}

/** The axes `[batch, feature, ...spatial]` in any order. */
function layoutOf(program: ProgramBuilder, rank: number): { batch: number; feature: number; spatial: number[] } {
  const [batch, feature, ...spatial] = program.draws.permutation(rank)
  return { batch, feature, spatial }
}

const arrange = (rank: number, places: readonly (readonly [number, number])[]): number[] => {
  const shape = new Array<number>(rank).fill(1)
  for (const [axis, size] of places) shape[axis] = size
  return shape
}

function convolutions(program: ProgramBuilder): void {
  const { draws } = program
  const spatialCount = draws.below(3)
  const rank = spatialCount + 2
  const grouping = draws.pick(['none', 'feature', 'batch'] as const)
  const [input, kernel, output] = [layoutOf(program, rank), layoutOf(program, rank), layoutOf(program, rank)]
  const groups = grouping === 'none' ? 1 : 2
  const batch = draws.pick([1, 2]) * (grouping === 'batch' ? groups : 1)
  const features = draws.pick([1, 2, 3]) * (grouping === 'feature' ? groups : 1)
  const outputs = draws.pick([1, 2]) * groups
  const sizes = Array.from({ length: spatialCount }, () => draws.pick([3, 4, 1, 5, 2]))
  const window = Array.from({ length: spatialCount }, () => draws.pick([2, 1, 3]))
  const dtype = program.dtype(numeric('stablehlo.convolution'))
  const lhs = program.like(tensorType(dtype, arrange(rank, [[input.batch, batch], [input.feature, features], ...input.spatial.map((axis, i) => [axis, sizes[i]] as const)])))
  const inputFeatures = grouping === 'feature' ? features / groups : features
  const rhs = program.like(tensorType(dtype, arrange(rank, [[kernel.batch, inputFeatures], [kernel.feature, outputs], ...kernel.spatial.map((axis, i) => [axis, window[i]] as const)])))
  const numbers: ConvolutionNumbers = {
    input_batch_dimension: input.batch,
    input_feature_dimension: input.feature,
    input_spatial_dimensions: input.spatial,
    kernel_input_feature_dimension: kernel.batch,
    kernel_output_feature_dimension: kernel.feature,
    kernel_spatial_dimensions: kernel.spatial,
    output_batch_dimension: output.batch,
    output_feature_dimension: output.feature,
    output_spatial_dimensions: output.spatial,
  }
  const each = <T>(list: readonly T[]): T[] => sizes.map(() => draws.pick(list))
  convolution(lhs, rhs, {
    dimensionNumbers: numbers,
    strides: each([1, 2]),
    padding: sizes.map(() => [draws.pick([0, 1, 2]), draws.pick([0, 1, 2, -1])] as [number, number]),
    lhsDilation: each([1, 2]),
    rhsDilation: each([1, 2]),
    reversal: each([false, true]),
    featureGroups: grouping === 'feature' ? groups : 1,
    batchGroups: grouping === 'batch' ? groups : 1,
    precision: 'HIGHEST',
  })
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.dot_general', dots],
  ['stablehlo.convolution', convolutions],
]
