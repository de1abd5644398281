import { type DType, dtypes, isFloat } from '../ir/dtypes.ts'
import type { Tensor } from '../ir/module.ts'
import { shortType } from '../ir/types.ts'
import { convert } from '../ops/convert.ts'
import { failIn } from './library-error.ts'

/** The type in which sums and exponentials of `dtype` are computed: f32 for narrower floats, else itself. */
export const wideType = (dtype: DType): DType => (isFloat(dtype) && dtypes[dtype].bits < 32 ? 'f32' : dtype)

/** Computes in f32 what comes in bf16, f16 or f8, and converts the result back; other types are computed as they are. */
export const inWideType = (x: Tensor, compute: (wide: Tensor) => Tensor): Tensor => convert(compute(convert(x, wideType(x.dtype))), x.dtype)

/** Throws `OpError` unless `x` is of a float type. */
export function needFloat(name: string, x: Tensor): void {
  if (!isFloat(x.dtype)) failIn(name, `needs a float type, got ${shortType(x.type)}: convert it first`)
}
