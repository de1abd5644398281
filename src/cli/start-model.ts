import type { Tokenizer } from '../data/tokenizer.ts'
import { tokenizerFrom } from '../data/tokenizers.ts'
import { InputError } from '../ir/errors.ts'
import { knownKeys } from '../models/configuration.ts'
import { findModel, modelNames } from '../models/registry.ts'
import { findCheckpoint, readManifest } from '../train/checkpoint.ts'
import type { Manifest } from '../train/checkpoint-manifest.ts'
import type { RunConfig } from '../train/run-config.ts'
import { checkStartTokenizer, meaningOf } from '../train/start-from.ts'
import { type NamedModel, isFileReference, loadModel } from './model-reference.ts'

/** A checkpoint that a new run begins from. */
export interface StartCheckpoint {
  readonly manifest: Manifest
  /** For the run's configuration. */
  readonly from: NonNullable<RunConfig['from']>
}

/**
 * The checkpoint that `path` means, for the configuration of a run. `tokenizer`, if one was asked for, must be the checkpoint's. Throws
 * `TrainError`: `CHECKPOINT_TOKENIZER`, and what finding and reading a checkpoint throws.
 */
export async function readStart(path: string, { keepOptimizer = false, tokenizer }: { keepOptimizer?: boolean | undefined; tokenizer?: Tokenizer | undefined }): Promise<StartCheckpoint> {
  const checkpoint = await findCheckpoint(path)
  const manifest = await readManifest(checkpoint)
  if (tokenizer) checkStartTokenizer(tokenizer, manifest, checkpoint)
  return { manifest, from: { checkpoint, sha256: manifest.tensors.sha256, optimizer: keepOptimizer ? 'kept' : 'fresh' } }
}

/** The tokenizer of the checkpoint that a run began from; undefined for a run that began from none. */
export async function startTokenizer({ from }: Pick<RunConfig, 'from'>) {
  return from === undefined ? undefined : tokenizerFrom((await readManifest(from.checkpoint)).tokenizer)
}

/**
 * The model of a run that begins from a checkpoint. Without a reference it is the checkpoint's; named alone (`memorizing-transformer`), it
 * has all the checkpoint's configuration that it knows; with a size, or of a file, it is what the reference says. What a model has beyond
 * the checkpoint begins quietly unless `set` says otherwise. Throws `ModelReferenceError`, `ConfigurationError`.
 */
export async function modelToStart(reference: string | undefined, { manifest }: StartCheckpoint, set: Readonly<Record<string, unknown>>): Promise<NamedModel> {
  const saved = manifest.model
  const source = manifest.modelSource ?? `${saved.model}:tiny`
  if (reference === undefined) return loadModel(source, { ...saved, ...set })
  const vocabulary = { vocabularySize: saved.vocabularySize }
  if (isFileReference(reference)) return loadModel(reference, { ...vocabulary, ...set })
  const name = modelNames.includes(reference) ? reference : reference.includes(':') ? reference.split(':')[0] : 'memorizing-transformer'
  const { quiet, schema } = findModel(name)
  if (name !== reference) return loadModel(reference, { ...vocabulary, ...quiet, ...set })
  const keys = new Set(knownKeys(schema).filter((key) => key !== 'model'))
  const shared = Object.fromEntries(Object.entries({ ...meaningOf(manifest), ...saved }).filter(([key]) => keys.has(key)))
  return loadModel(`${name}:tiny`, { ...lacking(keys, shared), ...quiet, ...shared, ...set })
}

/** A preset gives what the checkpoint and `set` do not say; of what only one model has, it must not: a memory's sizes are for the user to choose. */
function lacking(keys: ReadonlySet<string>, shared: Readonly<Record<string, unknown>>): Record<string, undefined> {
  return Object.fromEntries([...keys].filter((key) => !Object.hasOwn(shared, key)).map((key) => [key, undefined]))
}

/** Throws `InputError` unless the command names exactly what it has to: a model, a run to go on with, or a checkpoint to begin from. */
export function checkTrainArguments(reference: string | undefined, { resume, from }: { readonly resume?: string | undefined; readonly from?: string | undefined }): void {
  if (resume !== undefined && reference !== undefined) throw new InputError(`--resume takes the model from the run: leave ${reference} out`)
  if (resume !== undefined && from !== undefined) throw new InputError('--resume goes on with a run, --from begins a new one from a checkpoint: leave one of the two out')
  if (reference === undefined && resume === undefined && from === undefined) throw new InputError('name a model to train, a run to go on with (--resume), or a checkpoint to begin from (--from)')
}
