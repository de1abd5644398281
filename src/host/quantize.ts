import { dtypes, integerRange } from '../ir/dtypes.ts'
import { roundFloat } from '../ir/float-bits.ts'
import { HostArray } from '../ir/host-array.ts'
import { type Quantization, type TensorType, elementCount } from '../ir/types.ts'

/**
 * Between stored integers and the numbers that they stand for. Each step is rounded to the expressed type, as a program that spells
 * the steps out would do it. Source: specification, "Quantization".
 */

/** Which scale serves element `i`: a number that is constant along the array but for one axis. */
interface Parameters {
  readonly scales: readonly number[]
  readonly zeroPoints: readonly number[]
  /** Elements that one scale serves in a row. */
  readonly run: number
}

function parametersOf({ scales, zeroPoints, axis }: Quantization, shape: readonly number[]): Parameters {
  return {
    scales,
    zeroPoints: scales.map((_, i) => Number(zeroPoints[i] ?? 0n)),
    run: axis === undefined ? Infinity : elementCount(shape.slice(axis + 1)),
  }
}

const parameterAt = ({ scales, run }: Parameters, i: number): number => (run === Infinity ? 0 : Math.floor(i / run) % scales.length)

/** The numbers that stored integers stand for. */
export function dequantizeArray(stored: HostArray, quantization: Quantization): HostArray {
  const { expressed } = quantization
  const out = HostArray.zeros(expressed, stored.shape)
  const parameters = parametersOf(quantization, stored.shape)
  for (let i = 0; i < out.size; i++) {
    const p = parameterAt(parameters, i)
    const steps = roundFloat(expressed, Number(stored.data[i]) - parameters.zeroPoints[p])
    out.data[i] = roundFloat(expressed, steps * roundFloat(expressed, parameters.scales[p]))
  }
  return out
}

/** The stored integers nearest to numbers: halves to the even one, limited to the storage range. */
export function quantizeArray(numbers: HostArray, { dtype, quantization }: TensorType): HostArray {
  const { expressed, storageMin, storageMax } = quantization!
  const out = HostArray.zeros(dtype, numbers.shape)
  const parameters = parametersOf(quantization!, numbers.shape)
  const range = integerRange(dtype)
  const [low, high] = [Number(storageMin ?? range.min), Number(storageMax ?? range.max)]
  const big = dtypes[dtype].bits === 64
  for (let i = 0; i < out.size; i++) {
    const p = parameterAt(parameters, i)
    const steps = roundFloat(expressed, (numbers.data[i] as number) / roundFloat(expressed, parameters.scales[p]))
    const value = nearestEven(Math.min(Math.max(roundFloat(expressed, steps + parameters.zeroPoints[p]), low), high))
    out.data[i] = big ? BigInt(value) : value
  }
  return out
}

/** Not a number becomes 0. */
function nearestEven(x: number): number {
  const below = Math.floor(x)
  const rest = x - below
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below
  return rounded === rounded ? rounded : 0
}

