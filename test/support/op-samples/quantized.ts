import { tensorType } from '../../../src/ir/types.ts'
import { add } from '../../../src/ops/arithmetic.ts'
import { uniformDequantize, uniformQuantize } from '../../../src/ops/uniform-quantize.ts'
import type { OpSample } from './sample.ts'

const f32 = (...shape: number[]) => tensorType('f32', shape)
const notOnXla = 'XLA takes quantized programs only after a pass has made integers of them'
const steps = { scales: [0.25], zeroPoints: [3n] }

/** Quantized numbers come from plain ones and go back to them. */
export const samples: readonly OpSample[] = [
  {
    name: 'stablehlo.uniform_quantize',
    op: 'stablehlo.uniform_quantize',
    build: (x) => uniformDequantize(uniformQuantize(x, 'i8', steps)),
    inputs: [f32(2, 3)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.uniform_quantize (per axis, another time)',
    op: 'stablehlo.uniform_quantize',
    build: (x) => uniformDequantize(uniformQuantize(uniformQuantize(x, 'i8', { scales: [0.5, 0.125], zeroPoints: [-30n, -20n], axis: 0 }), 'i4', { scales: [1], zeroPoints: [0n] })),
    inputs: [f32(2, 3)],
    differentiable: false,
    notOnXla,
  },
  {
    name: 'stablehlo.uniform_dequantize',
    op: 'stablehlo.uniform_dequantize',
    build: (x, y) => uniformDequantize(add(uniformQuantize(x, 'i8', steps), uniformQuantize(y, 'i8', steps))),
    inputs: [f32(4), f32(4)],
    differentiable: false,
    notOnXla,
  },
]
