import { OpError } from '../ir/errors.ts'
import { captureLocation } from '../trace/frame.ts'

/**
 * This room is made of ordinary functions over the ops: einsum, softmax, random numbers, loops. Each costs one file, prints as plain
 * StableHLO and needs no gradient rule of its own, unless its ops' gradients would be slow or inexact.
 */

/** Throws an `OpError` under the function's own name at the user's line. */
export function failIn(name: string, detail: string): never {
  throw new OpError(name, detail, undefined, captureLocation(failIn))
}
