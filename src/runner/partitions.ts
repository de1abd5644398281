/**
 * How many devices a program of StableHLO text is for: what the module says (`mhlo.num_partitions`), otherwise the devices of its
 * largest mesh (`sdy.mesh @mesh = <["x"=2, "y"=4]>`), otherwise one.
 */
export function partitionsOf(text: string): number {
  const said = /\bmhlo\.num_partitions\s*=\s*(\d+)/.exec(text)
  if (said) return Number(said[1])
  const meshes = Array.from(text.matchAll(/\bsdy\.mesh\s+@\S+\s*=\s*<\[([^\]]*)\]/g), ([, axes]) =>
    Array.from(axes.matchAll(/=\s*(\d+)/g)).reduce((product, [, size]) => product * Number(size), 1),
  )
  return Math.max(1, ...meshes)
}
