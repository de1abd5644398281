import { type TensorType, sameType, shortType } from '../ir/types.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { tokenizerFrom } from '../data/tokenizers.ts'
import { checkConfiguration } from '../models/configuration.ts'
import { type CheckpointChoice, findCheckpoint, listed, readManifest, readTensors } from '../train/checkpoint.ts'
import type { Manifest } from '../train/checkpoint-manifest.ts'
import { TrainError } from '../train/errors.ts'
import { type TrainedModel, isTensorType, parameterSpec } from '../train/programs.ts'
import { type RunConfig, checkRunConfig } from '../train/run-config.ts'
import { flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { loadModel } from './model-reference.ts'

/** A model as a checkpoint has it. */
export interface CheckpointModel {
  /** The checkpoint's folder. */
  readonly checkpoint: string
  readonly manifest: Manifest
  readonly trained: TrainedModel
  readonly run: RunConfig
  readonly tokenizer: Tokenizer
  /** The types of the parameters, nested as they are. */
  readonly spec: unknown
  /** The parameters, nested alike. */
  readonly parameters: unknown
}

export interface CheckpointSelection {
  /** Of a run: its newest, its best, or that of a step. */
  readonly checkpoint?: CheckpointChoice | undefined
  /** Keys of the model's configuration that differ from training: those that leave the parameters' types alone, such as the size of the memory. */
  readonly set?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Reads model and parameters of the checkpoint that `path` means. Throws `TrainError` (`CHECKPOINT_MISMATCH` for changes that need other
 * parameters), `DataError`, `ConfigurationError`.
 */
export async function readCheckpointModel(path: string, { checkpoint: choice, set = {} }: CheckpointSelection = {}): Promise<CheckpointModel> {
  const checkpoint = await findCheckpoint(path, choice)
  const manifest = await readManifest(checkpoint)
  const { model } = await loadModel(manifest.modelSource ?? `${manifest.model.model}:tiny`, manifest.model)
  const what = `the configuration in ${checkpoint}`
  const saved = { model, config: checkConfiguration(model.schema, manifest.model, what) }
  const changed = Object.keys(set).length > 0
  const trained = changed ? { model, config: checkConfiguration(model.schema, { ...manifest.model, ...set }, `${what}, changed`) } : saved
  const spec = parameterSpec(trained)
  const wanted = flatten(spec, isTensorType, 'the parameters')
  const paths = leafPaths(wanted.structure)
  if (changed) checkSameParameters(saved, paths, wanted.leaves, { checkpoint, set })
  const arrays = await readTensors(checkpoint, paths.map((name, i) => ({ name: `parameters.${name}`, type: wanted.leaves[i] })))
  return {
    checkpoint,
    manifest,
    trained,
    run: checkRunConfig(manifest.run),
    tokenizer: tokenizerFrom(manifest.tokenizer),
    spec,
    parameters: unflatten(wanted.structure, arrays),
  }
}

/** Changes of the configuration must need the parameters that were trained, no more and no less. */
function checkSameParameters(
  saved: TrainedModel,
  paths: readonly string[],
  types: readonly TensorType[],
  { checkpoint, set }: { readonly checkpoint: string; readonly set: Readonly<Record<string, unknown>> },
): void {
  const before = flatten(parameterSpec(saved), isTensorType, 'the parameters')
  const there = new Map(leafPaths(before.structure).map((path, i) => [path, before.leaves[i]]))
  const here = new Map(paths.map((path, i) => [path, types[i]]))
  const type = (found: TensorType | undefined): string => (found ? shortType(found) : 'absent')
  const wrong = [...new Set([...there.keys(), ...here.keys()])].flatMap((path) => {
    const [old, now] = [there.get(path), here.get(path)]
    return old && now && sameType(old, now) ? [] : [`${path} is ${type(old)} there, ${type(now)} so`]
  })
  if (wrong.length > 0)
    throw new TrainError(`changing ${Object.keys(set).join(', ')} needs other parameters than the checkpoint ${checkpoint} has:${listed(wrong)}`, 'CHECKPOINT_MISMATCH', {
      hint: 'change only what leaves the parameters as they are, such as memorySize, neighbours, search, segmentLength or cacheLength; or train it so: engram train --from',
    })
}
