import { DenseElements } from '../../../src/ir/dense.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { tensorType } from '../../../src/ir/types.ts'
import { add, multiply } from '../../../src/ops/arithmetic.ts'
import { batchNormGrad, batchNormInference, batchNormTraining } from '../../../src/ops/batch-norm.ts'
import { complex, imag, real } from '../../../src/ops/complex.ts'
import { type ConvolutionOptions, convolution } from '../../../src/ops/convolution.ts'
import { dotGeneral } from '../../../src/ops/dot-general.ts'
import { atan2 } from '../../../src/ops/elementwise-binary.ts'
import { sine } from '../../../src/ops/elementwise-unary.ts'
import { getDimensionSize, setDimensionSizeOp } from '../../../src/ops/dimension-size.ts'
import type { FftKind } from '../../../src/host/fft.ts'
import { fft } from '../../../src/ops/fft.ts'
import { outfeed } from '../../../src/ops/host-transfer.ts'
import { broadcast, crossReplicaSumOp, torchIndexSelect } from '../../../src/ops/legacy.ts'
import { einsum, unaryEinsum } from '../../../src/ops/legacy-einsum.ts'
import { cholesky, triangularSolve } from '../../../src/ops/linear-algebra.ts'
import { map } from '../../../src/ops/map.ts'
import { constantOf } from '../../../src/ops/constant.ts'
import { afterAll, createTokenOp } from '../../../src/ops/tokens.ts'
import { emit } from '../../../src/trace/emit.ts'
import { type OpSample, type Random, arbitrary } from './sample.ts'

const f64 = (...shape: number[]) => tensorType('f64', shape)
const i32 = (...shape: number[]) => tensorType('i32', shape)

/** Values well away from zero, as variances are. */
const positive = (random: Random, ...shape: number[]): HostArray =>
  HostArray.of('f64', shape, Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 + random()))

const transform = (kind: FftKind, ...lengths: number[]) => (re: Tensor, im: Tensor): Tensor[] => {
  const operand = kind === 'RFFT' ? add(re, im) : complex(re, im)
  const result = fft(operand, kind, lengths)
  return kind === 'IRFFT' ? [result] : [real(result), imag(result)]
}
const fftSample = (kind: FftKind, lengths: number[], ...shape: number[]): OpSample => ({
  name: `stablehlo.fft (${kind}, ${lengths.join(' by ')})`,
  op: 'stablehlo.fft',
  build: transform(kind, ...lengths),
  inputs: [f64(...shape), f64(...shape)],
  differentiable: true,
})

const convolutionSample = (name: string, lhs: number[], rhs: number[], options: ConvolutionOptions): OpSample => ({
  name: `stablehlo.convolution (${name})`,
  op: 'stablehlo.convolution',
  build: (x, k) => convolution(x, k, { ...options, precision: 'HIGHEST' }),
  inputs: [f64(...lhs), f64(...rhs)],
  differentiable: true,
})

/** A positive definite matrix of any matrix. */
const definite = (x: Tensor): Tensor => {
  const [axis, batch] = [x.rank - 1, x.rank === 3 ? [0] : []]
  const identity = HostArray.zeros('f64', x.shape)
  for (let i = 0, n = x.shape[axis]; i < identity.size; i++) if (Math.floor(i / n) % n === i % n) identity.data[i] = 1
  const one = emitConstant(identity, x)
  return add(dotGeneral(x, x, { batching: [batch, batch], contracting: [[axis], [axis]], precision: 'HIGHEST' }), one)
}
const emitConstant = (array: HostArray, like: Tensor): Tensor =>
  constantOf(DenseElements.of(HostArray.of(like.dtype, array.shape, Array.from(array.data as Float64Array))))

/** Triangular matrices whose diagonal is well away from zero. */
const triangular = (random: Random, ...shape: number[]): HostArray => {
  const array = arbitrary(f64(...shape), random)
  const n = shape[shape.length - 1]
  for (let i = 0; i < array.size; i++) if (Math.floor(i / n) % n === i % n) array.data[i] = 1.5 + random()
  return array
}
const solveSample = (name: string, b: number[], options: Parameters<typeof triangularSolve>[2]): OpSample => {
  const n = b[b.length - (options?.leftSide === false ? 1 : 2)]
  const a = [...b.slice(0, -2), n, n]
  return {
    name: `stablehlo.triangular_solve (${name})`,
    op: 'stablehlo.triangular_solve',
    build: (x, y) => triangularSolve(x, y, options),
    inputs: [f64(...a), f64(...b)],
    values: (random) => [triangular(random, ...a), arbitrary(f64(...b), random)],
    differentiable: true,
  }
}

/** Tokens are for ops with effects only. */
const needsHost = 'its token goes to an op that needs a host at the other end'
const gone = 'XLA knows this op no more'

export const samples: readonly OpSample[] = [
  { name: 'stablehlo.complex', op: 'stablehlo.complex', build: (a, b) => multiply(complex(a, b), complex(b, a)), inputs: [f64(2, 3), f64(2, 3)], differentiable: false },
  {
    name: 'stablehlo.real',
    op: 'stablehlo.real',
    build: (a, b) => {
      const z = complex(a, b)
      return real(multiply(z, multiply(z, z)))
    },
    inputs: [f64(3), f64(3)],
    differentiable: true,
  },
  { name: 'stablehlo.imag', op: 'stablehlo.imag', build: (a, b) => imag(multiply(complex(a, b), complex(b, a))), inputs: [f64(3), f64(3)], differentiable: true },
  {
    name: 'stablehlo.atan2 (complex)',
    op: 'stablehlo.atan2',
    build: (a, b) => {
      const angle = atan2(complex(a, b), complex(b, a))
      return [real(angle), imag(angle)]
    },
    inputs: [f64(4), f64(4)],
    values: (random) => [positive(random, 4), positive(random, 4)],
    differentiable: true,
  },
  { name: 'stablehlo.imag (of real numbers)', op: 'stablehlo.imag', build: (a) => [imag(a), real(a)], inputs: [f64(3)], differentiable: true },
  fftSample('FFT', [8], 3, 8),
  fftSample('FFT', [3, 5], 2, 3, 5),
  fftSample('IFFT', [6], 6),
  fftSample('RFFT', [6], 2, 6),
  fftSample('RFFT', [2, 5], 2, 2, 5),
  fftSample('IRFFT', [6], 2, 4),
  fftSample('IRFFT', [3, 5], 2, 3, 3),
  fftSample('IRFFT', [2, 2, 4], 2, 2, 3),
  convolutionSample('plain', [2, 5, 4, 3], [2, 3, 3, 2], {}),
  convolutionSample('same, strides', [2, 6, 5, 2], [3, 2, 2, 3], { padding: 'same', strides: [2, 1] }),
  convolutionSample('dilations, reversal, other axes', [2, 7, 3, 6], [3, 2, 2, 4], {
    padding: [[1, 2], [2, -1]],
    strides: [2, 1],
    lhsDilation: [1, 2],
    rhsDilation: [2, 1],
    reversal: [true, false],
    dimensionNumbers: '[f, 0, b, 1]x[0, i, 1, o]->[0, f, b, 1]',
  }),
  convolutionSample('feature groups', [2, 5, 6], [3, 2, 9], { featureGroups: 3 }),
  convolutionSample('batch groups', [4, 5, 3], [2, 3, 6], { batchGroups: 2, padding: [[1, 1]], strides: [2] }),
  convolutionSample('three axes', [1, 3, 4, 3, 2], [2, 2, 2, 2, 2], { padding: 'same' }),
  convolutionSample('no axes', [3, 2], [2, 4], {}),
  {
    name: 'stablehlo.batch_norm_inference',
    op: 'stablehlo.batch_norm_inference',
    build: (x, scale, offset, mean, variance) => batchNormInference(x, scale, offset, mean, variance, { epsilon: 0.01, featureIndex: 1 }),
    inputs: [f64(2, 3, 2), f64(3), f64(3), f64(3), f64(3)],
    values: (random) => [arbitrary(f64(2, 3, 2), random), ...Array.from({ length: 4 }, () => positive(random, 3))],
    differentiable: true,
  },
  {
    name: 'stablehlo.batch_norm_training',
    op: 'stablehlo.batch_norm_training',
    build: (x, scale, offset) => batchNormTraining(x, scale, offset, { epsilon: 0.01 }),
    inputs: [f64(3, 2, 2), f64(2), f64(2)],
    differentiable: true,
  },
  {
    name: 'stablehlo.batch_norm_grad',
    op: 'stablehlo.batch_norm_grad',
    build: (x, scale, mean, variance, d) => batchNormGrad(x, scale, mean, variance, d, { epsilon: 0.01 }),
    inputs: [f64(3, 2), f64(2), f64(2), f64(2), f64(3, 2)],
    values: (random) => [arbitrary(f64(3, 2), random), positive(random, 2), positive(random, 2), positive(random, 2), arbitrary(f64(3, 2), random)],
    differentiable: true,
  },
  { name: 'stablehlo.cholesky', op: 'stablehlo.cholesky', build: (x) => cholesky(definite(x)), inputs: [f64(2, 3, 3)], differentiable: true, fixedType: true },
  { name: 'stablehlo.cholesky (upper)', op: 'stablehlo.cholesky', build: (x) => cholesky(definite(x), { lower: false }), inputs: [f64(3, 3)], differentiable: true, fixedType: true },
  solveSample('lower', [2, 3, 2], {}),
  solveSample('upper, transposed, unit diagonal', [3, 2], { lower: false, transpose: 'TRANSPOSE', unitDiagonal: true }),
  solveSample('from the right', [2, 3], { leftSide: false }),
  solveSample('from the right, adjoint', [2, 3], { leftSide: false, lower: false, transpose: 'ADJOINT' }),
  { name: 'stablehlo.map', op: 'stablehlo.map', build: (x, y) => map([x, y], (a, b) => add(multiply(a, b), multiply(sine(a), 2))), inputs: [f64(2, 3), f64(2, 3)], differentiable: true },
  { name: 'stablehlo.map (value from outside)', op: 'stablehlo.map', build: (x, y) => map([x], (a) => multiply(multiply(a, y), a)), inputs: [f64(4), f64()], differentiable: true, notOnXla: 'an XLA computation sees no values from outside' },
  { name: 'stablehlo.get_dimension_size', op: 'stablehlo.get_dimension_size', build: (x) => getDimensionSize(x, -1), inputs: [f64(2, 3)], differentiable: false },
  {
    name: 'stablehlo.set_dimension_size',
    op: 'stablehlo.set_dimension_size',
    build: (x, n) => emit(setDimensionSizeOp, [x, n], { dimension: 0 }, { results: [x.type] }).results[0] as Tensor,
    inputs: [f64(2, 3), i32()],
    values: (random) => [arbitrary(f64(2, 3), random), HostArray.from('i32', 2)],
    differentiable: false,
    notOnXla: 'the runner reads results of fixed sizes only',
  },
  {
    name: 'stablehlo.after_all',
    op: 'stablehlo.after_all',
    build: (x) => {
      outfeed([x], afterAll([afterAll([]), afterAll([])]))
      return x
    },
    inputs: [f64(2)],
    differentiable: false,
    notOnXla: needsHost,
  },
  {
    name: 'stablehlo.create_token',
    op: 'stablehlo.create_token',
    build: (x) => {
      outfeed([x], emit(createTokenOp, [], {}).results[0])
      return x
    },
    inputs: [f64(2)],
    differentiable: false,
    notOnXla: needsHost,
  },
  { name: 'stablehlo.broadcast', op: 'stablehlo.broadcast', build: (x) => broadcast(x, [2, 3]), inputs: [f64(2, 2)], differentiable: true },
  {
    name: 'stablehlo.torch_index_select',
    op: 'stablehlo.torch_index_select',
    build: (x, i) => torchIndexSelect(x, i, 2, 1),
    inputs: [f64(2, 3, 4, 2), i32(2, 2, 3)],
    values: (random) => [arbitrary(f64(2, 3, 4, 2), random), HostArray.of('i32', [2, 2, 3], Array.from({ length: 12 }, () => Math.floor(random() * 4)))],
    differentiable: true,
  },
  {
    name: 'stablehlo.torch_index_select (one index)',
    op: 'stablehlo.torch_index_select',
    build: (x, i) => torchIndexSelect(x, i, 0),
    inputs: [f64(3, 2), i32()],
    values: (random) => [arbitrary(f64(3, 2), random), HostArray.from('i32', 2)],
    differentiable: true,
  },
  { name: 'stablehlo.einsum', op: 'stablehlo.einsum', build: (x, y) => einsum('bij,kjb->ikb', x, y), inputs: [f64(2, 3, 4), f64(2, 4, 2)], differentiable: true },
  { name: 'stablehlo.einsum (sums in one operand)', op: 'stablehlo.einsum', build: (x, y) => einsum('ij,k->k', x, y), inputs: [f64(2, 3), f64(2)], differentiable: true },
  { name: 'stablehlo.unary_einsum', op: 'stablehlo.unary_einsum', build: (x) => unaryEinsum('ijk->ki', x), inputs: [f64(2, 3, 4)], differentiable: true, notOnXla: gone },
  {
    name: 'stablehlo.cross-replica-sum',
    op: 'stablehlo.cross-replica-sum',
    build: (x) => emit(crossReplicaSumOp, [x], { replica_groups: DenseElements.of(HostArray.from('i64', [[0]])) }).results[0] as Tensor,
    inputs: [f64(3)],
    differentiable: false,
    notOnXla: gone,
  },
]
