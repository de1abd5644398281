/**
 * Scalar functions of the interpreter. They are computed in double precision; results in f32 and narrower are then within
 * one unit in the last place of the correctly rounded value. V8's `Math` is fdlibm, which is within 1 ULP in f64.
 */
export const exp = Math.exp
export const expm1 = Math.expm1
export const log = Math.log
export const log1p = Math.log1p
export const tanh = Math.tanh
export const cbrt = Math.cbrt
