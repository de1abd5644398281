import type { BatchStream } from '../data/packing.ts'
import { createBatchStream } from '../data/packing.ts'
import type { HostArray } from '../ir/host-array.ts'
import type { Session } from '../program/session.ts'
import { type TreeStructure, leafPaths, unflatten } from '../trace/tree.ts'
import { type StartList, startFrom } from './start-from.ts'
import { findCheckpoint, listed, readManifest, readTensors } from './checkpoint.ts'
import type { Totals } from './checkpoint-manifest.ts'
import { TrainError } from './errors.ts'
import { type initProgram, seedKey } from './programs.ts'
import { checkRunConfig, differences, fixedPart } from './run-config.ts'
import type { TrainerOptions } from './trainer.ts'

/** Where a run begins or goes on: the whole state on the device, the place in the data, steps and totals so far. */
export interface Beginning {
  readonly state: Record<string, unknown>
  readonly stream: BatchStream
  readonly step: number
  readonly totals: Totals
  /** What was taken of the checkpoint that the run began from; undefined where it goes on, and where all was drawn. */
  readonly started?: StartList | undefined
  /** The checkpoint that it comes from. */
  readonly checkpoint: string | undefined
}

/**
 * Draws the first state, or takes that of the checkpoint that `from` means. Throws `TrainError` where the checkpoint cannot be used (its
 * differing keys are named), and `DataError` for documents that are not those it was trained on.
 */
export async function begin(session: Session, options: TrainerOptions, init: ReturnType<typeof initProgram>, from: string | undefined): Promise<Beginning> {
  const { run, config, tokenizer, train } = options
  const resumed = from === undefined ? undefined : await readResumed(options, from, init.outputStructure, init.outputs)
  const stream = createBatchStream(
    train,
    { slots: run.batchSize, segment: config.segmentLength, tokenizer, seed: run.dataSeed, maxDocumentTokens: run.data.maxDocumentTokens },
    resumed?.manifest.dataPosition,
  )
  const { state, list } = resumed ? { state: session.put(resumed.state) as Record<string, unknown>, list: undefined } : await firstState(session, options, init)
  return {
    state,
    started: list,
    stream,
    step: resumed?.manifest.step ?? 0,
    totals: resumed?.manifest.totals ?? { tokens: 0, bytes: 0, seconds: 0 },
    checkpoint: resumed?.path,
  }
}

async function firstState(session: Session, options: TrainerOptions, init: ReturnType<typeof initProgram>): Promise<{ state: Record<string, unknown>; list?: StartList }> {
  const drawn = await drawState(session, init, options.run.seed)
  return options.run.from === undefined ? { state: drawn } : startFrom(session, options, { structure: init.outputStructure, types: init.outputs }, drawn)
}

async function drawState(session: Session, init: ReturnType<typeof initProgram>, seed: number): Promise<Record<string, unknown>> {
  const compiled = await session.compile(init)
  const state = compiled.call(seedKey(seed)) as unknown as Record<string, unknown>
  await compiled.release()
  return state
}

async function readResumed(options: TrainerOptions, from: string, structure: TreeStructure, types: readonly HostArray['type'][]) {
  const path = await findCheckpoint(from)
  const manifest = await readManifest(path)
  const differing = differences(fixedPart(manifest.model, checkRunConfig(manifest.run)), fixedPart(options.config, options.run))
  if (differing.length > 0)
    throw new TrainError(`the checkpoint ${path} was trained with another configuration:${listed(differing)}`, 'CHECKPOINT_MISMATCH', {
      hint: 'resume with the configuration of the run; steps, evaluation, checkpoints, divergence and logEvery may change',
    })
  const arrays = await readTensors(path, leafPaths(structure).map((name, i) => ({ name, type: types[i] })))
  return { path, manifest, state: unflatten(structure, arrays) as Record<string, unknown> }
}
