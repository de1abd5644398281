import type { TensorType } from '../ir/types.ts'
import type { Tokenizer } from '../data/tokenizer.ts'
import { tokenizerFrom } from '../data/tokenizers.ts'
import { checkConfiguration } from '../models/configuration.ts'
import { type CheckpointChoice, findCheckpoint, readManifest, readTensors } from '../train/checkpoint.ts'
import type { Manifest } from '../train/checkpoint-manifest.ts'
import { type TrainedModel, initProgram } from '../train/programs.ts'
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

/** Reads model and parameters of the checkpoint that `path` means (of a run: its newest, or the one that is chosen). Throws `TrainError`, `DataError`, `ConfigurationError`. */
export async function readCheckpointModel(path: string, choice?: CheckpointChoice): Promise<CheckpointModel> {
  const checkpoint = await findCheckpoint(path, choice)
  const manifest = await readManifest(checkpoint)
  const { model } = await loadModel(manifest.modelSource ?? `${manifest.model.model}:tiny`, manifest.model)
  const trained = { model, config: checkConfiguration(model.schema, manifest.model, `the configuration in ${checkpoint}`) }
  const run = checkRunConfig(manifest.run)
  const init = initProgram(trained, run)
  const { parameters: spec } = unflatten(init.outputStructure, init.outputs) as { parameters: unknown }
  const wanted = leafPaths(init.outputStructure).flatMap((name, i) => (name.startsWith('parameters') ? [{ name, type: init.outputs[i] }] : []))
  const arrays = await readTensors(checkpoint, wanted)
  const { structure } = flatten(spec, (value): value is TensorType => typeof value === 'object' && value !== null && 'dtype' in value, 'the parameters')
  return { checkpoint, manifest, trained, run, tokenizer: tokenizerFrom(manifest.tokenizer), spec, parameters: unflatten(structure, arrays) }
}
