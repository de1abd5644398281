import type { ListedParameter, StartList } from '../train/start-from.ts'

/** What a run took of the checkpoint that it began from, as lines of text; what is alike in many layers is on one line. */
export function startText({ checkpoint, step, model, taken, made, left, differing, optimizer, freshStatistics }: StartList): string {
  const lines = [
    `from ${checkpoint} (${model} after step ${step}): ${taken.length} parameters taken, ${made.length} made anew, ${left.length} left`,
    ...grouped('taken', taken),
    ...grouped('made anew', made, ({ initial }) => `: ${initial}`),
    ...grouped('left', left),
    ...differing.map((line) => `  means something else: ${line}; the first loss need not be the checkpoint's`),
    optimizer === 'fresh'
      ? '  optimiser: statistics and schedule begin anew'
      : `  optimiser: statistics and schedule go on after step ${step}${freshStatistics.length === 0 ? '' : `; anew: ${freshStatistics.join(', ')}`}`,
  ]
  return lines.join('\n')
}

/** A line for each type of parameter, with the range of layers that have it: `layers[0-2].attention.query f32[128,128]`. */
function grouped<P extends ListedParameter>(what: string, parameters: readonly P[], more: (parameter: P) => string = () => ''): string[] {
  const groups = new Map<string, { readonly first: P; readonly places: number[]; readonly path: string }>()
  for (const parameter of parameters) {
    const place = /\[(\d+)\]/.exec(parameter.path)
    const path = place ? parameter.path.replace(place[0], '[*]') : parameter.path
    const key = `${path} ${parameter.type}${more(parameter)}`
    const group = groups.get(key) ?? { first: parameter, places: [], path }
    if (place) group.places.push(Number(place[1]))
    groups.set(key, group)
  }
  return [...groups.values()].map(({ first, places, path }) => `  ${what}: ${path.replace('*', ranges(places))} ${first.type}${more(first)}`)
}

/** `0-2,5` */
function ranges(places: readonly number[]): string {
  const runs: [number, number][] = []
  for (const place of places) {
    const last = runs.at(-1)
    if (last && place === last[1] + 1) last[1] = place
    else runs.push([place, place])
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}
