import type { Tensor } from '../ir/module.ts'
import { add, multiply } from '../ops/arithmetic.ts'
import { or, shiftLeft, shiftRightLogical, xor } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { outlined } from '../ops/call.ts'
import { fill } from '../ops/constant.ts'
import { iota } from '../ops/iota.ts'
import { reshape } from '../ops/reshape.ts'
import { slice } from '../ops/slice-pad.ts'
import { elementCount, shortType, tensorType } from '../ir/types.ts'
import { failIn } from './library-error.ts'

/**
 * The counter-based generator Threefry 2x32 with 20 rounds, in integer ops alone, so that the interpreter, the CPU and the TPU draw the
 * same bits. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.
 */
const rotations = [[13, 15, 26, 6], [17, 29, 16, 24]] as const
const parity = 0x1bd11bda

const rotate = (x: Tensor, by: number): Tensor => or(shiftLeft(x, by), shiftRightLogical(x, 32 - by))

/** key `u32[]` x 2, counter `u32[...]` x 2 -> bits `u32[...]` x 2. One function of the module for each counter shape. */
const encrypt = outlined('threefry2x32', (key0: Tensor, key1: Tensor, counter0: Tensor, counter1: Tensor): readonly [Tensor, Tensor] => {
  const keys = [key0, key1, xor(xor(key0, key1), parity)]
  const wide = keys.map((key) => broadcastInDim(key, counter0.shape, []))
  let [x0, x1] = [add(counter0, wide[0]), add(counter1, wide[1])]
  for (let group = 0; group < 5; group++) {
    for (const by of rotations[group % 2]) {
      x0 = add(x0, x1)
      x1 = xor(rotate(x1, by), x0)
    }
    x0 = add(x0, wide[(group + 1) % 3])
    x1 = add(x1, add(wide[(group + 2) % 3], group + 1))
  }
  return [x0, x1]
})

/** Both words of the generator for a key `u32[2]` and counters `u32[...]`. Throws `OpError` if the key has another type. */
export function threefry2x32(key: Tensor, counter0: Tensor, counter1: Tensor): readonly [Tensor, Tensor] {
  if (key.dtype !== 'u32' || key.rank !== 1 || key.shape[0] !== 2) failIn('random', `a key is u32[2], got ${shortType(key.type)}: make one with randomKey(seed)`)
  const word = (i: number) => reshape(slice(key, [i], [i + 1]), [])
  return encrypt(word(0), word(1), counter0, counter1)
}

/**
 * Both words for the counters 0, 1, 2, ... in row-major order of `shape`: as `jax.random` draws with `jax_threefry_partitionable`
 * (its default), every element depends on its own position alone. Throws `OpError` for 2^32 elements or more.
 */
export function threefryWords(key: Tensor, shape: readonly number[]): readonly [Tensor, Tensor] {
  if (elementCount(shape) >= 2 ** 32) failIn('random', `[${shape}] has ${elementCount(shape)} elements; at most 2^32 - 1 can be drawn at once`)
  const type = tensorType('u32', shape)
  const positions = shape.flatMap((size, axis) => {
    if (size <= 1) return []
    const stride = elementCount(shape.slice(axis + 1))
    return [stride === 1 ? iota(type, axis) : multiply(iota(type, axis), stride)]
  })
  const zero = fill(0, type)
  return threefry2x32(key, zero, positions.length ? positions.reduce((sum, position) => add(sum, position)) : zero)
}
