import { z } from 'zod'
import type { Tensor } from '../ir/module.ts'
import { argMax } from '../lib/arg-extreme.ts'
import { cumsum } from '../lib/cumulative.ts'
import { uniform } from '../lib/random.ts'
import { softmax } from '../lib/softmax.ts'
import { add, multiply, negate, subtract } from '../ops/arithmetic.ts'
import { and } from '../ops/bitwise.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { log } from '../ops/elementwise-unary.ts'
import { reduceMin } from '../ops/reduce.ts'
import { select } from '../ops/select.ts'
import { sliceAxis } from '../ops/slice-pad.ts'
import { sortDescending } from '../ops/sort.ts'

export const samplingSchema = z.strictObject({
  /** Logits are divided by it; 0 takes the most likely token always. */
  temperature: z.number().min(0).default(1),
  /** Draw from so many of the most likely tokens alone. */
  topK: z.int().positive().optional(),
  /** Draw from the most likely tokens alone, as few as together have this probability. */
  topP: z.number().gt(0).max(1).optional(),
})
export type Sampling = z.output<typeof samplingSchema>

/**
 * The next token: logits `f32[V]`, key `u32[2]` -> `i32[]`. The draw is a maximum over logits with Gumbel noise, so that the same key gives
 * the same token on every backend. Tokens as likely as the last one that `topK` or `topP` lets in are let in too.
 * Source: Gumbel 1954; Fan et al. 2018 (top-k); Holtzman et al. 2020 (top-p).
 */
export function drawToken(logits: Tensor, key: Tensor, { temperature, topK, topP }: Sampling): Tensor {
  if (temperature === 0) return argMax(logits)
  const scaled = multiply(logits, 1 / temperature)
  const allowed = [
    ...(topK !== undefined && topK < logits.shape[0] ? [notBelow(scaled, nthLargest(scaled, topK))] : []),
    ...(topP !== undefined && topP < 1 ? [notBelow(scaled, nucleusEdge(scaled, topP))] : []),
  ]
  const noise = negate(log(negate(log(uniform(key, logits.type, { min: smallestUniform })))))
  const noisy = add(scaled, noise)
  return argMax(allowed.length === 0 ? noisy : select(allowed.reduce(and), noisy, -Infinity))
}

/** Keeps the noise finite: the logarithm of 0 is never taken. */
const smallestUniform = 2 ** -30

const notBelow = (x: Tensor, edge: Tensor): Tensor => compare(x, broadcastInDim(edge, x.shape, []), 'GE')

const nthLargest = (x: Tensor, n: number): Tensor => reduceMin(sliceAxis(sortDescending(x), 0, 0, n))

/** The smallest logit of the fewest tokens that have probability `p` together: those before which less than `p` lies. */
function nucleusEdge(x: Tensor, p: number): Tensor {
  const sorted = sortDescending(x)
  const probabilities = softmax(sorted)
  const before = subtract(cumsum(probabilities, 0), probabilities)
  return reduceMin(select(compare(before, p, 'LT'), sorted, Infinity))
}
