import type { DType } from '../ir/dtypes.ts'
import { InputError } from '../ir/errors.ts'
import { type TensorType, tensorType } from '../ir/types.ts'

/** Types as a model's signature writes them: `f32(8, 512)` is a matrix, `f32()` a scalar. */

export type TypeConstructor = (...dims: readonly number[]) => TensorType

const constructorOf = (dtype: DType): TypeConstructor => (...dims) => {
  dims.forEach((size, axis) => {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new InputError(`${dtype}(${dims.join(', ')}): size ${size} of axis ${axis} must be an integer of 0 or more`, 'BAD_DIMENSION')
  })
  return tensorType(dtype, dims)
}

/** The type of an element type and sizes; throws `InputError` if a size is not an integer of 0 or more. */
export const typeOf = (dtype: DType, dims: readonly number[]): TensorType => constructorOf(dtype)(...dims)

/** `f64(dims...)`; throws `InputError` for a size that is not an integer of 0 or more, as do the other constructors. */
export const f64 = constructorOf('f64')
/** `f32(dims...)` */
export const f32 = constructorOf('f32')
/** `bf16(dims...)` */
export const bf16 = constructorOf('bf16')
/** `f16(dims...)` */
export const f16 = constructorOf('f16')
/** `i64(dims...)` */
export const i64 = constructorOf('i64')
/** `i32(dims...)` */
export const i32 = constructorOf('i32')
/** `i16(dims...)` */
export const i16 = constructorOf('i16')
/** `i8(dims...)` */
export const i8 = constructorOf('i8')
/** `u64(dims...)` */
export const u64 = constructorOf('u64')
/** `u32(dims...)` */
export const u32 = constructorOf('u32')
/** `u16(dims...)` */
export const u16 = constructorOf('u16')
/** `u8(dims...)` */
export const u8 = constructorOf('u8')
/** `bool(dims...)` */
export const bool = constructorOf('bool')
/** `c64(dims...)`: pairs of f32 */
export const c64 = constructorOf('c64')
/** `c128(dims...)`: pairs of f64 */
export const c128 = constructorOf('c128')
