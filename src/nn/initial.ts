import { foldIn, normal } from '../lib/random.ts'
import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { multiply } from '../ops/arithmetic.ts'
import { fill } from '../ops/constant.ts'

/** Draws one parameter: `f32` of `shape`, normally distributed around 0. */
export type ParameterDraw = (shape: readonly number[], deviation: number) => Tensor

/**
 * Draws parameters one after the other from `key` (`u32[2]`), each from a key of its own, so that the numbers of one do not depend on the
 * sizes of those before it.
 */
export function parameterDraws(key: Tensor): ParameterDraw {
  let count = 0
  return (shape, deviation) => multiply(normal(foldIn(key, count++), tensorType('f32', shape)), deviation)
}

/** One value in every element of a parameter: `f32` of `shape`. */
export const constantParameter = (shape: readonly number[], value: number): Tensor => fill(value, tensorType('f32', shape))
