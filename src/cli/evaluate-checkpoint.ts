import type { SplitName } from '../data/split.ts'
import { type BackendName, startSession } from '../program/start.ts'
import { isDeviceBuffer } from '../program/session.ts'
import { packageRoot } from '../runner/python.ts'
import { openTrainingData } from '../train/corpus.ts'
import { TrainError } from '../train/errors.ts'
import { type Evaluation, Evaluator } from '../train/evaluator.ts'
import { flatten } from '../trace/tree.ts'
import { evaluationSlots } from '../train/programs.ts'
import { type CheckpointSelection, readCheckpointModel } from './checkpoint-model.ts'

export interface CheckpointEvaluation extends CheckpointSelection {
  readonly corpus?: string
  readonly split: SplitName
  readonly tokens?: number
  /** Longer documents are read as several; by default as in training. */
  readonly maxDocumentTokens?: number
  readonly batch?: number
  readonly backend: BackendName
}

/** Evaluates the checkpoint that `path` means. Throws `TrainError` for a checkpoint that cannot be used, `DataError` for a corpus. */
export async function evaluateCheckpoint(path: string, options: CheckpointEvaluation): Promise<{ checkpoint: string; step: number; evaluation: Evaluation }> {
  const { checkpoint, manifest, trained, run, tokenizer, spec, parameters: arrays } = await readCheckpointModel(path, options)
  const data = await openTrainingData({ ...run.data, ...(options.corpus === undefined ? {} : { corpus: options.corpus }) }, packageRoot, tokenizer)
  const documents = data.documents[options.split]
  if (documents.length === 0) throw new TrainError(`the corpus ${data.name} has no ${options.split} documents`, 'RUN_CONFIGURATION', { hint: 'choose another --split' })

  const session = await startSession(options.backend)
  try {
    const parameters = session.put(arrays)
    const evaluator = await Evaluator.create(session, trained, options.batch ?? evaluationSlots(run), spec)
    const evaluation = await evaluator.evaluate(parameters, documents, { tokenizer, tokens: options.tokens, maxDocumentTokens: options.maxDocumentTokens ?? run.data.maxDocumentTokens })
    for (const buffer of flatten(parameters, isDeviceBuffer, 'the parameters').leaves) buffer.release()
    return { checkpoint, step: manifest.step, evaluation }
  } finally {
    data.close()
    await session.close()
  }
}
