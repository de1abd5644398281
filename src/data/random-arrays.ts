import { dtypes } from '../ir/dtypes.ts'
import { HostArray } from '../ir/host-array.ts'
import type { TensorType } from '../ir/types.ts'
import { SeededRandom } from './random.ts'

/**
 * Arrays of the given types that depend on the seed alone: floats from -1 up to 1, whole numbers from 0 to 3, booleans. What tries a program
 * without having inputs for it draws them here.
 */
export function randomArrays(types: readonly TensorType[], seed: number): HostArray[] {
  const random = new SeededRandom(seed)
  return types.map((type) => randomArray(type, () => random.uint32() / 2 ** 32))
}

/** `fraction` gives numbers from 0 up to 1. */
function randomArray(type: TensorType, fraction: () => number): HostArray {
  const array = HostArray.zeros(type.dtype, type.shape)
  const whole = !(array.data instanceof Float32Array || array.data instanceof Float64Array)
  const limit = type.dtype === 'bool' ? 2 : 4
  const values = Array.from({ length: array.data.length }, () => (whole ? Math.floor(fraction() * limit) : fraction() * 2 - 1))
  // Rounds to the type, and takes 64-bit integers; it has no form for complex numbers, whose parts fit as they are.
  if (dtypes[type.dtype].kind !== 'complex') return HostArray.of(type.dtype, type.shape, values)
  array.data.set(values as never)
  return array
}
