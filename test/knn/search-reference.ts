import type { HostArray } from '../../src/ir/host-array.ts'

/** The search by its definition, in plain loops over numbers and without a look at the code under test. */

export const integers = (count: number, seed: number, most = 9): number[] => {
  let state = seed
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return ((state >>> 12) % (2 * most + 1)) - most
  })
}

export const vectorsOf = (array: HostArray): number[][] => {
  const size = array.shape.at(-1)!
  return Array.from({ length: array.size / size }, (_, i) => Array.from(array.data.subarray(i * size, (i + 1) * size), Number))
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0)

export const score = {
  innerProduct: dot,
  cosine: (a: readonly number[], b: readonly number[]) => {
    const length = Math.sqrt(dot(a, a) * dot(b, b))
    return length === 0 ? 0 : dot(a, b) / length
  },
  l2: (a: readonly number[], b: readonly number[]) => -a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0),
}

/** Pascal's triangle modulo 2 times the bits of a number: C(i, j) is odd where i has all bits of j. */
function pascal(x: number): number {
  let result = 0
  for (let j = 0; j < 31; j++) {
    let parity = 0
    for (let i = 0; i < 31; i++) if ((i & j) === j) parity ^= (x >>> i) & 1
    result |= parity << j
  }
  return result
}

/** The numbers below 128 without their pattern: rounds of an odd factor and what is added. */
const scattered = (x: number, rounds: readonly (readonly [number, number])[]): number =>
  rounds.reduce((bits, [factor, added]) => {
    const product = (bits * factor + added) % 128
    return product ^ (product >> 3)
  }, x)

/** The bin of a row: of its own number, or after mixing. */
export function binOf(row: number, bins: number, mixed: boolean): number {
  if (!mixed) return row % bins
  const block = Math.floor(row / 128)
  const lane = (row + scattered(pascal(128 * block) % 128, [[0x6b, 0x4c], [0x35, 0x1b], [0x5d, 0x62], [0x2b, 0x37]])) % 128
  return (128 * pascal(block) + lane) % bins
}

/** The scores of the k best that survive when the best `perBin` of each bin are kept, the largest first. */
export function bestOfBins(scores: readonly number[], k: number, { bins, perBin, mixed }: { bins: number; perBin: number; mixed: boolean }): number[] {
  const kept = new Map<number, number[]>()
  scores.forEach((value, row) => {
    const bin = binOf(row, bins, mixed)
    kept.set(bin, [...(kept.get(bin) ?? []), value].sort((a, b) => b - a).slice(0, perBin))
  })
  return [...kept.values()].flat().sort((a, b) => b - a).slice(0, k)
}
