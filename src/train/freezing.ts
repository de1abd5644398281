import { Tensor } from '../ir/module.ts'
import { nearest } from '../models/configuration.ts'
import { flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { TrainError } from './errors.ts'

/**
 * Frozen parameters: no gradient is taken of them, the optimiser keeps nothing for them, and they stay as they are, bit for bit. Which they
 * are is said by patterns over their paths (`layers.0.attention.query`, counted from 0), where `*` stands for anything; a pattern that names a whole
 * branch, such as `layers.0`, is for all of it.
 */
export interface TrainedPart {
  /** Parameters that are frozen. */
  readonly freeze?: readonly string[] | undefined
  /** If given, all others are frozen. */
  readonly trainOnly?: readonly string[] | undefined
}

/** `layers[0].attention` and `layers.0.attention` are the same. */
const dotted = (path: string): string => path.replaceAll(/\[([^\]]*)\]/g, '.$1')

function matcher(pattern: string): (path: string) => boolean {
  const parts = dotted(pattern).split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const expression = new RegExp(`^${parts.join('.*')}(\\..*)?$`)
  return (path) => expression.test(dotted(path))
}

/**
 * Whether each parameter is frozen. Throws `TrainError` `RUN_CONFIGURATION` for a pattern without a parameter, with the nearest names, and
 * where nothing would be left to train.
 */
export function frozenParameters(paths: readonly string[], { freeze = [], trainOnly }: TrainedPart): boolean[] {
  const matchers = (patterns: readonly string[]) => patterns.map((pattern) => checkedMatcher(pattern, paths))
  const [frozen, trained] = [matchers(freeze), trainOnly && matchers(trainOnly)]
  const result = paths.map((path) => frozen.some((matches) => matches(path)) || (trained !== undefined && !trained.some((matches) => matches(path))))
  if (result.every(Boolean)) throw new TrainError('every parameter is frozen: nothing is left to train', 'RUN_CONFIGURATION', { hint: 'freeze less' })
  return result
}

function checkedMatcher(pattern: string, paths: readonly string[]): (path: string) => boolean {
  const matches = matcher(pattern)
  if (paths.some(matches)) return matches
  const branches = [...new Set(paths.flatMap((path) => dotted(path).split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.'))))]
  const asked = dotted(pattern).replace(/\.?\*$/, '')
  const near = branches.some((branch) => branch.endsWith(`.${asked}`)) ? `*.${asked}` : nearest(asked, branches)
  const first = branches.filter((branch) => branch.split('.').length <= (branch.startsWith('layers.') ? 2 : 1))
  throw new TrainError(`no parameter matches ${pattern}${near === undefined ? '' : `, did you mean ${near}?`}`, 'RUN_CONFIGURATION', {
    hint: `there are ${first.slice(0, 12).join(', ')}${first.length > 12 ? ' and more' : ''}; * stands for anything`,
  })
}

/** Parameters with those apart that are trained. */
export interface SplitParameters {
  /** Those that are trained: all, nested as they are, or some by path. */
  readonly trained: unknown
  /** All again, with these in the place of those that are trained. */
  join(trained: unknown): unknown
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor

/** Takes the parameters that are trained apart. Throws as `frozenParameters`. */
export function splitParameters(parameters: unknown, part: TrainedPart): SplitParameters {
  if (!part.freeze?.length && part.trainOnly === undefined) return { trained: parameters, join: (trained) => trained }
  const { leaves, structure } = flatten(parameters, isTensor, 'the parameters')
  const paths = leafPaths(structure)
  const frozen = frozenParameters(paths, part)
  return {
    trained: Object.fromEntries(paths.flatMap((path, i) => (frozen[i] ? [] : [[path, leaves[i]]]))),
    join: (trained) => unflatten(structure, leaves.map((leaf, i) => (frozen[i] ? leaf : (trained as Record<string, Tensor>)[paths[i]]))),
  }
}
