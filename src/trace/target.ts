/**
 * What a program is traced for. Most functions mean and emit the same everywhere; a few (approximate top-k) have several
 * spellings of one meaning, of which one is best, or the only possible, on a given target. `lower` sets the target; without one
 * such functions emit what runs everywhere.
 */
export const targets = ['cpu', 'tpu', 'interpreter'] as const
export type Target = (typeof targets)[number]

let target: Target | undefined

/** The target of the trace under way; undefined if none was named. */
export const currentTarget = (): Target | undefined => target

/** Runs `build` with a target; the old one is current again afterwards, also after an error. */
export function withTarget<R>(chosen: Target | undefined, build: () => R): R {
  const before = target
  target = chosen
  try {
    return build()
  } finally {
    target = before
  }
}
