import { stopGradient } from '../autodiff/custom.ts'
import type { Tensor } from '../ir/module.ts'
import { subtract } from '../ops/arithmetic.ts'
import { compare } from '../ops/compare.ts'
import { convert } from '../ops/convert.ts'
import { maximum } from '../ops/elementwise-binary.ts'
import { reshape } from '../ops/reshape.ts'
import { slice } from '../ops/slice-pad.ts'

/**
 * A write position that is known only when `read` is, `position i32[]` of 0 or more -> the same number. Without it nothing in a program says that
 * a memory is written after it was read; XLA's CPU compiler then copies the whole memory, twice, at every step. An optimization barrier does
 * not say it either: it is gone before copies are decided.
 */
export function afterReading(position: Tensor, read: Tensor): Tensor {
  const first = reshape(slice(stopGradient(read), read.shape.map(() => 0), read.shape.map(() => 1)), [])
  // 0 or -1, which no position is below; the compiler cannot know that.
  return maximum(position, subtract(convert(compare(first, 0, 'GT'), position.dtype), 1))
}
