import { dtypes } from '../../../src/ir/dtypes.ts'
import { HostArray } from '../../../src/ir/host-array.ts'
import type { Tensor } from '../../../src/ir/module.ts'
import { type TensorType, elementCount } from '../../../src/ir/types.ts'

/** Numbers in [0, 1), the same sequence on every run. */
export type Random = () => number

/** One op on small inputs: what tests of printing, evaluation and gradients run over. */
export interface OpSample {
  /** `stablehlo.add`, or with a remark: `stablehlo.add (broadcast)`. Unique. */
  readonly name: string
  /** The op's full name in the catalogue. */
  readonly op: string
  /** Builds the op, and as little else as can be. */
  readonly build: (...inputs: Tensor[]) => Tensor | readonly Tensor[]
  readonly inputs: readonly TensorType[]
  /** Input values where any will not do (indices, a domain, distinct values, points away from kinks). By default `arbitrary`. */
  readonly values?: (random: Random) => HostArray[]
  /** Whether the gradient can be checked by central differences in f64: for all float inputs, or for those with these positions. */
  readonly differentiable: boolean | readonly number[]
  /** The sample makes constants of its inputs' type itself, so it cannot be built on another float type. */
  readonly fixedType?: true
  /** Why XLA cannot run this sample on the CPU or need not give the interpreter's values; absent where both must agree. */
  readonly notOnXla?: string
}

/** A small, fast generator (mulberry32) from a seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Values of any type: floats between -2 and 2, integers between -3 (0 if unsigned) and 5, both parts of complex numbers. */
export function arbitrary(type: TensorType, random: Random): HostArray {
  const { kind, bits } = dtypes[type.dtype]
  const low = kind === 'unsigned' ? 0 : bits === 2 ? -2 : -3
  const high = bits === 2 ? (kind === 'unsigned' ? 3 : 1) : 5
  const draw = (): number =>
    kind === 'bool' ? Number(random() < 0.5) : kind === 'float' || kind === 'complex' ? random() * 4 - 2 : low + Math.floor(random() * (high - low + 1))
  if (kind !== 'complex') return HostArray.of(type.dtype, type.shape, Array.from({ length: elementCount(type.shape) }, draw))
  const array = HostArray.zeros(type.dtype, type.shape)
  for (let i = 0; i < array.data.length; i++) array.data[i] = draw()
  return array
}
