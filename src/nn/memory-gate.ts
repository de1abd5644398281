import type { Tensor } from '../ir/module.ts'
import { tensorType } from '../ir/types.ts'
import { wideType } from '../lib/wide.ts'
import { add, multiply, subtract } from '../ops/arithmetic.ts'
import { broadcastInDim } from '../ops/broadcast.ts'
import { compare } from '../ops/compare.ts'
import { zeros } from '../ops/constant.ts'
import { convert } from '../ops/convert.ts'
import { logistic } from '../ops/elementwise-unary.ts'
import { select } from '../ops/select.ts'

/**
 * `g memory + (1 - g) local` with one learned gate per head, `g = sigmoid(bias)`; a slot whose memory is empty uses the local result alone:
 * local and memory `[b,h,s,d]`, bias `f32[h]`, `length i32[b]` before this segment. Source: Wu et al. 2022, equation in section 3.2.
 */
export function gateMemory(local: Tensor, memory: Tensor, bias: Tensor, length: Tensor): Tensor {
  const dtype = wideType(local.dtype)
  const perSlot = [local.shape[0], local.shape[1]]
  const open = broadcastInDim(compare(length, 0, 'GT'), perSlot, [0])
  const gate = select(open, broadcastInDim(logistic(convert(bias, dtype)), perSlot, [1]), zeros(tensorType(dtype, perSlot)))
  const wide = broadcastInDim(gate, local.shape, [0, 1])
  const own = convert(local, dtype)
  return convert(add(own, multiply(wide, subtract(convert(memory, dtype), own))), local.dtype)
}
