/**
 * Fine-tuning: a new run begins with parameters of a checkpoint, also of one of another model or with other sizes of what is not a parameter
 * (memory, cache, segment). Parameters are matched by their paths and types. Steps, metrics, the place in the data and the model's state
 * (caches, memories) begin anew.
 */
import type { DeviceBuffer } from '../ir/backend.ts'
import type { HostArray } from '../ir/host-array.ts'
import { type TensorType, sameType, shortType } from '../ir/types.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { describeTokenizer, tokenizerIdentity } from '../data/tokenizer-identity.ts'
import { findModel, modelNames } from '../models/registry.ts'
import { type Session, isDeviceBuffer } from '../program/session.ts'
import { type TreeStructure, flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { listed, readManifest, readTensorTypes, readTensors } from './checkpoint.ts'
import type { Manifest } from './checkpoint-manifest.ts'
import { TrainError } from './errors.ts'
import type { TrainedModel } from './programs.ts'
import { type RunConfig, differences } from './run-config.ts'
import type { TrainerOptions } from './trainer.ts'

/** A parameter in the list of a start. */
export interface ListedParameter {
  /** Its path in the tree of parameters. */
  readonly path: string
  readonly type: string
}

/** What a run that begins from a checkpoint took of it. */
export interface StartList {
  readonly checkpoint: string
  /** Steps that the checkpoint had been trained. */
  readonly step: number
  /** The checkpoint's model. */
  readonly model: string
  readonly taken: readonly ListedParameter[]
  /** Parameters that the checkpoint lacks, with what they begin with. */
  readonly made: readonly (ListedParameter & { readonly initial: string })[]
  /** Parameters of the checkpoint that the model lacks. */
  readonly left: readonly ListedParameter[]
  /** Where the two configurations make something else of the same parameters, so that the first loss need not be the checkpoint's. */
  readonly differing: readonly string[]
  /** Whether the optimiser's statistics and its step were taken, too. */
  readonly optimizer: 'fresh' | 'kept'
  /** With `kept`: statistics that begin anew, as those of new parameters do. */
  readonly freshStatistics: readonly string[]
}

/** The names and types of the state of a run. */
interface StateShape {
  readonly structure: TreeStructure
  readonly types: readonly TensorType[]
}

const parameterPrefix = 'parameters.'
const statisticPrefix = 'optimizer.'

/**
 * The first state of a run, with the parameters of `run.from` put into what was drawn, which is taken over. Throws `TrainError`:
 * `CHECKPOINT_MISMATCH` where a parameter has another type or nothing is in common, `CHECKPOINT_TOKENIZER`, and what reading one throws.
 */
export async function startFrom(
  session: Session,
  options: TrainerOptions,
  shape: StateShape,
  drawn: Record<string, unknown>,
): Promise<{ state: Record<string, unknown>; list: StartList }> {
  const from = options.run.from!
  const manifest = await readManifest(from.checkpoint)
  if (from.sha256 !== undefined && from.sha256 !== manifest.tensors.sha256)
    throw new TrainError(`${from.checkpoint} is not the checkpoint any more that this run began from: its tensors have another hash`, 'CHECKPOINT_MISMATCH', {
      hint: 'begin a new run',
    })
  checkStartTokenizer(options.tokenizer, manifest, from.checkpoint)
  const there = await readTensorTypes(from.checkpoint)
  const names = leafPaths(shape.structure)
  const taken = takenParameters(options, manifest, from.checkpoint, { names, types: shape.types, there })
  const statistics = from.optimizer === 'kept' ? keptStatistics(options.run, manifest, from.checkpoint, { names, types: shape.types, there, taken }) : new Set<string>()
  const wanted = names.flatMap((name, i) => (taken.has(name) || statistics.has(name) ? [{ name, type: shape.types[i] }] : []))
  const arrays = new Map((await readTensors(from.checkpoint, wanted)).map((array, i) => [wanted[i].name, array]))
  const buffers = flatten(drawn, isDeviceBuffer, 'the training state').leaves
  const made = await Promise.all(
    names.flatMap((name, i) =>
      name.startsWith(parameterPrefix) && !taken.has(name) ? [buffers[i].read().then((array) => ({ ...listing(name, shape.types[i]), initial: summary(array) }))] : [],
    ),
  )
  const known = new Set(names)
  return {
    state: unflatten(shape.structure, buffers.map((buffer, i) => replaced(session, buffer, arrays.get(names[i])))) as Record<string, unknown>,
    list: {
      checkpoint: from.checkpoint,
      step: manifest.step,
      model: manifest.model.model,
      taken: names.flatMap((name, i) => (taken.has(name) ? [listing(name, shape.types[i])] : [])),
      made,
      left: [...there].flatMap(([name, type]) => (name.startsWith(parameterPrefix) && !known.has(name) ? [listing(name, type)] : [])),
      differing: differingMeanings(options, manifest),
      optimizer: from.optimizer,
      freshStatistics: from.optimizer === 'kept' ? names.filter((name) => name.startsWith(statisticPrefix) && !statistics.has(name)).map((name) => name.slice(statisticPrefix.length)) : [],
    },
  }
}

const listing = (name: string, type: TensorType): ListedParameter => ({ path: name.slice(parameterPrefix.length), type: shortType(type) })

function replaced(session: Session, buffer: DeviceBuffer, array: HostArray | undefined): DeviceBuffer {
  if (!array) return buffer
  buffer.release()
  return session.backend.put(array)
}

/** What a parameter that was made anew begins with: its value where it is the same everywhere. */
function summary({ data }: HostArray): string {
  const numbers = data as Float32Array
  if (numbers.every((value) => value === numbers[0])) return String(numbers[0])
  return `drawn, root mean square ${Math.hypot(...chunked(numbers)).toPrecision(3)}`
}

/** Parts of the root mean square, few enough to be arguments. */
function chunked(numbers: Float32Array): number[] {
  const parts: number[] = []
  for (let at = 0; at < numbers.length; at += 4096) parts.push(Math.hypot(...numbers.subarray(at, at + 4096)) / Math.sqrt(numbers.length))
  return parts
}

interface Matching {
  readonly names: readonly string[]
  readonly types: readonly TensorType[]
  readonly there: ReadonlyMap<string, TensorType>
}

/** Throws `TrainError` `CHECKPOINT_TOKENIZER` unless the run's tokenizer is the checkpoint's. */
export function checkStartTokenizer(tokenizer: Tokenizer, manifest: Manifest, checkpoint: string): void {
  const ours = tokenizer.describe()
  if (tokenizerIdentity(ours) === tokenizerIdentity(manifest.tokenizer)) return
  throw new TrainError(
    `the checkpoint ${checkpoint} was trained with another tokenizer (${describeTokenizer(manifest.tokenizer)}) than the run would have (${describeTokenizer(ours)})`,
    'CHECKPOINT_TOKENIZER',
    { hint: 'its embedding means other tokens: leave --tokenizer out to have that of the checkpoint, and write token shards with it' },
  )
}

/** Names of the parameters that are there with the same type. */
function takenParameters(options: TrainerOptions, manifest: Manifest, checkpoint: string, { names, types, there }: Matching): Set<string> {
  const common = names.flatMap((name, i) => (name.startsWith(parameterPrefix) && there.has(name) ? [{ name, here: types[i], saved: there.get(name)! }] : []))
  const models = `a ${manifest.model.model} there, a ${options.config.model} here`
  const wrong = common.filter(({ here, saved }) => !sameType(here, saved))
  if (wrong.length > 0)
    throw new TrainError(
      `the parameters of ${checkpoint} do not fit (${models}):${listed(wrong.map(({ name, here, saved }) => `${listing(name, here).path} is ${shortType(saved)} there, ${shortType(here)} here`))}`,
      'CHECKPOINT_MISMATCH',
      { hint: `give the model the sizes of the checkpoint (${sizesThatDiffer(options, manifest)}), or name it without a size, then all that it shares with the checkpoint is taken from there` },
    )
  if (common.length === 0)
    throw new TrainError(`the checkpoint ${checkpoint} has no parameter in common with the model (${models})`, 'CHECKPOINT_MISMATCH', {
      hint: `there are ${listed([...there.keys()].filter((name) => name.startsWith(parameterPrefix)).map((name) => name.slice(parameterPrefix.length))).trim().replaceAll(/\s*\n\s*/g, ', ')}`,
    })
  return new Set(common.map(({ name }) => name))
}

const sizesThatDiffer = ({ config }: TrainerOptions, { model }: Manifest): string =>
  Object.entries(model)
    .filter(([key, value]) => typeof value === 'number' && typeof config[key] === 'number' && config[key] !== value)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(', ') || 'the same layers'

/** Names of the statistics that are there for parameters that were taken, and of the optimiser's step. */
function keptStatistics(run: RunConfig, manifest: Manifest, checkpoint: string, { names, types, there, taken }: Matching & { taken: ReadonlySet<string> }): Set<string> {
  const saved = (manifest.run.optimizer as { kind?: unknown } | undefined)?.kind
  if (saved !== run.optimizer.kind)
    throw new TrainError(`the optimiser's statistics in ${checkpoint} are of ${String(saved)}, this run has ${run.optimizer.kind}`, 'CHECKPOINT_MISMATCH', {
      hint: `train with --optimizer ${String(saved)}, or let them begin anew (without --keep-optimizer)`,
    })
  const owner = (name: string): string => parameterPrefix + name.slice(statisticPrefix.length, name.lastIndexOf('.'))
  const kept = names.filter((name, i) => {
    const type = there.get(name)
    return type && name.startsWith(statisticPrefix) && sameType(type, types[i]) && taken.has(owner(name))
  })
  return new Set([...kept, 'step'])
}

function differingMeanings({ model, config }: TrainedModel, manifest: Manifest): string[] {
  const saved = meaningOf(manifest)
  const here = model.meaning?.(config)
  return saved && here ? differences(saved, here) : []
}

/** What a checkpoint's configuration makes of its parameters; undefined for models of the user's own. */
export function meaningOf({ model: saved }: Pick<Manifest, 'model'>): Readonly<Record<string, unknown>> | undefined {
  if (!modelNames.includes(saved.model)) return undefined
  const model = findModel(saved.model)
  const config = model.schema.safeParse(saved)
  return config.success ? model.meaning?.(config.data) : undefined
}
