import type { SplitName } from '../data/split.ts'
import { tokenizerFrom } from '../data/tokenizers.ts'
import { checkConfiguration } from '../models/configuration.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { packageRoot } from '../runner/python.ts'
import { findCheckpoint, readManifest, readTensors } from '../train/checkpoint.ts'
import { openTrainingData } from '../train/corpus.ts'
import { type Evaluation, Evaluator } from '../train/evaluator.ts'
import { initProgram } from '../train/programs.ts'
import { checkRunConfig } from '../train/run-config.ts'
import { flatten, leafPaths, unflatten } from '../trace/tree.ts'
import { isDeviceBuffer } from '../program/session.ts'
import { loadModel } from './model-reference.ts'
import { TrainError } from '../train/errors.ts'

export interface CheckpointEvaluation {
  readonly corpus?: string
  readonly split: SplitName
  readonly tokens?: number
  readonly batch?: number
  readonly backend: BackendName
}

/** Evaluates the checkpoint that `path` means. Throws `TrainError` for a checkpoint that cannot be used, `DataError` for a corpus. */
export async function evaluateCheckpoint(path: string, options: CheckpointEvaluation): Promise<{ checkpoint: string; step: number; evaluation: Evaluation }> {
  const checkpoint = await findCheckpoint(path)
  const manifest = await readManifest(checkpoint)
  const { model } = await loadModel(manifest.modelSource ?? `${manifest.model.model}:tiny`, manifest.model)
  const config = checkConfiguration(model.schema, manifest.model, `the configuration in ${checkpoint}`)
  const run = checkRunConfig(manifest.run)
  const tokenizer = tokenizerFrom(manifest.tokenizer)
  const data = await openTrainingData({ ...run.data, ...(options.corpus === undefined ? {} : { corpus: options.corpus }) }, packageRoot, tokenizer)
  const documents = data.documents[options.split]
  if (documents.length === 0) throw new TrainError(`the corpus ${data.name} has no ${options.split} documents`, 'RUN_CONFIGURATION', { hint: 'choose another --split' })

  const init = initProgram({ model, config }, run)
  const spec = unflatten(init.outputStructure, init.outputs) as { parameters: unknown }
  const names = leafPaths(init.outputStructure)
  const wanted = names.flatMap((name, i) => (name.startsWith('parameters') ? [{ name, type: init.outputs[i] }] : []))
  const arrays = await readTensors(checkpoint, wanted)
  const session = await startSession(options.backend)
  try {
    const { structure } = flatten(spec.parameters, (value): value is object => typeof value === 'object' && value !== null && 'dtype' in value, 'the parameters')
    const parameters = session.put(unflatten(structure, arrays))
    const evaluator = await Evaluator.create(session, { model, config }, options.batch ?? run.batchSize, spec.parameters)
    const evaluation = await evaluator.evaluate(parameters, documents, { tokenizer, tokens: options.tokens, maxDocumentTokens: run.data.maxDocumentTokens })
    for (const buffer of flatten(parameters, isDeviceBuffer, 'the parameters').leaves) buffer.release()
    return { checkpoint, step: manifest.step, evaluation }
  } finally {
    data.close()
    await session.close()
  }
}
