/**
 * Loops of the commonest element-wise operations. A loop that calls a function per element is shared by all functions, so the engine
 * cannot put the function into it; these it compiles to a few instructions an element.
 */

/** `z[i] = x[i] op y[i]` for stores of one kind and length; the store rounds to its own type. */
export type FloatLoop = (x: Float32Array, y: Float32Array, z: Float32Array) => void

export const addFloats: FloatLoop = (x, y, z) => {
  for (let i = 0; i < z.length; i++) z[i] = x[i] + y[i]
}
export const subtractFloats: FloatLoop = (x, y, z) => {
  for (let i = 0; i < z.length; i++) z[i] = x[i] - y[i]
}
export const multiplyFloats: FloatLoop = (x, y, z) => {
  for (let i = 0; i < z.length; i++) z[i] = x[i] * y[i]
}
export const divideFloats: FloatLoop = (x, y, z) => {
  for (let i = 0; i < z.length; i++) z[i] = x[i] / y[i]
}
