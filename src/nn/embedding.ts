import type { DType } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { wideType } from '../lib/wide.ts'
import { multiply } from '../ops/arithmetic.ts'
import { convert } from '../ops/convert.ts'
import { dotGeneral } from '../ops/dot-general.ts'
import { takeRows } from '../ops/take.ts'

/** Rows of the table, in the type that the layers compute in: table `f32[V,D]`, `tokens i32[b,s] -> [b,s,D]`. */
export const embed = (table: Tensor, tokens: Tensor, dtype: DType): Tensor => convert(takeRows(table, tokens), dtype)

/**
 * Logits by the embedding table itself, divided by `sqrt(D)`: `x [b,s,D]`, table `f32[V,D]` -> `f32[b,s,V]`.
 * Source: Raffel et al. 2020 (T5), tied output head.
 */
export function tiedLogits(table: Tensor, x: Tensor): Tensor {
  // Scaling x costs D multiplications a token, scaling the logits V.
  const scaled = multiply(x, x.shape[x.rank - 1] ** -0.5)
  return dotGeneral(scaled, convert(table, x.dtype), { contracting: [[x.rank - 1], [1]], outputDtype: wideType(x.dtype) })
}

/** Logits by a matrix of their own: `x [b,s,D]`, head `f32[D,V]` -> `f32[b,s,V]`. */
export const headLogits = (head: Tensor, x: Tensor): Tensor =>
  dotGeneral(x, convert(head, x.dtype), { contracting: [[x.rank - 1], [0]], outputDtype: wideType(x.dtype) })
