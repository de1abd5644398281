import type { DType } from '../../../src/ir/dtypes.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { elementCount, tensorType } from '../../../src/ir/types.ts'
import { batchNormGrad, batchNormInference, batchNormTraining } from '../../../src/ops/batch-norm.ts'
import { getDimensionSize } from '../../../src/ops/dimension-size.ts'
import { fft } from '../../../src/ops/fft.ts'
import { cholesky, triangularSolve } from '../../../src/ops/linear-algebra.ts'
import { rngBitGenerator } from '../../../src/ops/random-bits.ts'
import { seededRandom } from '../op-samples/sample.ts'
import { type Generator, type ProgramBuilder, everyDType } from './builder.ts'

/** Transforms of whole arrays. Their operands are inputs of their own where only some values have a well-conditioned answer. */

const floats: readonly DType[] = ['f32', 'f64']

function ffts(program: ProgramBuilder): void {
  const { draws } = program
  const kind = draws.pick(['FFT', 'IFFT', 'RFFT', 'IRFFT'] as const)
  const complex = kind !== 'RFFT'
  const signal = program.shape(1, 3).map((size) => Math.max(size, 1))
  const rank = draws.between(1, Math.min(signal.length, 3))
  const lengths = signal.slice(signal.length - rank)
  const shape = kind === 'IRFFT' ? signal.with(-1, Math.floor(lengths[rank - 1] / 2) + 1) : signal
  fft(program.like(tensorType(complex ? draws.pick(['c64', 'c128'] as const) : draws.pick(floats), shape), 'mild'), kind, lengths)
}

/** A batch of `n` by `n` matrices; `element` gives each its elements. */
function matrices(program: ProgramBuilder, dtype: DType, element: (random: () => number, row: number, column: number) => number): { tensor: Tensor; batch: number[]; n: number } {
  const { draws } = program
  const batch = program.shape(0, 1)
  const n = draws.pick([2, 1, 3, 4])
  const type = tensorType(dtype, [...batch, n, n])
  const random = seededRandom(draws.below(2 ** 20))
  const values = Array.from({ length: elementCount(type.shape) }, (_, i) => element(random, Math.floor(i / n) % n, i % n))
  return { tensor: program.input(type, 'mild', HostArray.of(dtype, type.shape, values)), batch, n }
}

/** Symmetric with a heavy diagonal, so positive definite. The triangle that is not read holds other numbers. */
function choleskys(program: ProgramBuilder): void {
  const { tensor } = matrices(program, program.draws.pick(floats), (random, row, column) => (row === column ? 4 + random() : random() - 0.5))
  cholesky(tensor, { lower: !program.draws.oneIn(2) })
}

function solves(program: ProgramBuilder): void {
  const { draws } = program
  const { tensor, batch, n } = matrices(program, draws.pick(floats), (random, row, column) => (row === column ? 1.5 + random() : random() - 0.5))
  const leftSide = !draws.oneIn(2)
  const k = draws.pick([1, 2, 3])
  const b = program.like(tensorType(tensor.dtype, [...batch, ...(leftSide ? [n, k] : [k, n])]), 'mild')
  triangularSolve(tensor, b, {
    leftSide,
    lower: !draws.oneIn(2),
    unitDiagonal: draws.oneIn(2),
    transpose: draws.pick(['NO_TRANSPOSE', 'TRANSPOSE', 'ADJOINT'] as const),
  })
}

/** Variances are inputs of their own: what follows from earlier ops may be negative, and its root NaN. */
function batchNorms(program: ProgramBuilder): void {
  const { draws } = program
  const dtype = draws.pick(floats)
  const shape = program.shape(1, 3).map((size) => Math.max(size, 1))
  const featureIndex = draws.below(shape.length)
  const row = tensorType(dtype, [shape[featureIndex]])
  const fresh = (type = row) => program.like(type, 'mild')
  const random = seededRandom(draws.below(2 ** 20))
  const positive = (): Tensor => program.input(row, 'mild', HostArray.of(dtype, row.shape, Array.from({ length: row.shape[0] }, () => 0.5 + random())))
  const operand = program.input(tensorType(dtype, shape), 'mild')
  const options = { epsilon: draws.pick([0.5, 0.001]), featureIndex }
  const kind = draws.pick(['inference', 'training', 'grad'] as const)
  if (kind === 'inference') batchNormInference(operand, fresh(), fresh(), fresh(), positive(), options)
  else if (kind === 'training') batchNormTraining(operand, fresh(), fresh(), options)
  else batchNormGrad(operand, fresh(), fresh(), positive(), fresh(operand.type), options)
}

/** XLA gives unsigned integers where the program asks for signed ones: xla-bugs/random-bits-signed. */
function randomBits(program: ProgramBuilder): void {
  const { draws } = program
  const algorithm = draws.pick(['THREE_FRY', 'PHILOX'] as const)
  const state = program.input(tensorType('u64', [algorithm === 'PHILOX' ? 3 : 2]))
  rngBitGenerator(state, program.shape(0, 2), draws.pick(['u32', 'u64', 'u8', 'u16'] as const), algorithm)
}

function dimensionSizes(program: ProgramBuilder): void {
  const operand = program.anyOf(everyDType, { min: 1 })
  getDimensionSize(operand, program.draws.below(operand.rank))
}

export const generators: readonly (readonly [string, Generator])[] = [
  ['stablehlo.fft', ffts],
  ['stablehlo.cholesky', choleskys],
  ['stablehlo.triangular_solve', solves],
  ['stablehlo.batch_norm', batchNorms],
  ['stablehlo.rng_bit_generator', randomBits],
  ['stablehlo.get_dimension_size', dimensionSizes],
]
