import type { Operation } from '../ir/module.ts'

/** How many there may be, from names such as `operand`, `init?`, `inputs...`. */
function limits(names: readonly string[]): { least: number; most: number } {
  let least = 0
  let most = 0
  for (const name of names) {
    if (name.endsWith('...')) most = Infinity
    else {
      most++
      if (!name.endsWith('?')) least++
    }
  }
  return { least, most }
}

function wanted({ least, most }: { least: number; most: number }, noun: string): string {
  const plural = (count: number): string => `${count} ${noun}${count === 1 ? '' : 's'}`
  if (least === most) return plural(least)
  return most === Infinity ? `${least} or more ${noun}s` : `${least} to ${plural(most)}`
}

/** An op has as many operands, results and regions as its definition says. */
export function checkCounts({ definition, operands, results, regions }: Operation, refuse: (detail: string) => never): void {
  const rows = [
    ['operand', definition.operands, operands.length],
    ['result', definition.results, results.length],
    ['region', definition.regions, regions.length],
  ] as const
  for (const [noun, names, count] of rows) {
    const range = limits(names)
    if (count < range.least || count > range.most) refuse(`expected ${wanted(range, noun)}, but found ${count}`)
  }
}
