import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../data/atomic-file.ts'
import { issueText } from '../data/errors.ts'
import { readSafetensors, writeSafetensors } from '../data/safetensors.ts'
import type { HostArray } from '../ir/host-array.ts'
import { checkpointName } from './checkpoint-folder.ts'
import { type ManifestFacts, type StateTensor, notFiniteCount, writeState } from './checkpoint.ts'
import { TrainError } from './errors.ts'

/**
 * A step that failed, kept so that it can be run again: `failures/step-00000231` is a checkpoint of the state before the step, with the
 * step's batch and, in `failure.json`, what was measured.
 */
const failureSchema = z.strictObject({
  format: z.literal('engram-failure'),
  /** The step that failed, from 1. */
  step: z.int().positive(),
  why: z.string(),
  /** Null where a number was not finite. */
  loss: z.number().nullable(),
  gradientNorm: z.number().nullable(),
  seeds: z.strictObject({ seed: z.int(), dataSeed: z.int() }),
  /** Numbers of the state before the step that were NaN or infinity already, by tensor; null where that state could not be had. */
  notFiniteBefore: z.record(z.string(), z.int()).nullable(),
})
export type Failure = z.output<typeof failureSchema>

/** What a step reads, as in `packing.ts`. */
export type StepBatch = Readonly<Record<'tokens' | 'targets' | 'weights' | 'start', HostArray>>

/**
 * Writes a failed step below `folder` and answers its path: whole or not at all. Without `before` (the state could not be had) there are the
 * batch and `failure.json` alone. Throws `DataError`.
 */
export async function writeFailure(
  folder: string,
  facts: Omit<Failure, 'format' | 'notFiniteBefore'>,
  { tokens, targets, weights, start }: StepBatch,
  before?: { readonly tensors: readonly StateTensor[]; readonly facts: ManifestFacts },
): Promise<{ path: string; failure: Failure }> {
  const path = join(folder, checkpointName(facts.step))
  const bad: Record<string, number> = {}
  const failure = (): Failure => ({ format: 'engram-failure', ...facts, notFiniteBefore: before ? bad : null })
  const more = async (target: string): Promise<void> => {
    await writeSafetensors(join(target, 'batch.safetensors'), { tokens, targets, weights, start })
    const text = `${JSON.stringify(failure(), null, 2)}\n`
    await writeFileAtomic(join(target, 'failure.json'), (writer) => writer.write(new TextEncoder().encode(text)))
  }
  if (before) await writeState(path, before.tensors.map((tensor) => counting(tensor, bad)), before.facts, more)
  else await more(path)
  return { path, failure: failure() }
}

const counting = ({ name, type, read }: StateTensor, bad: Record<string, number>): StateTensor => ({
  name,
  type,
  read: async () => {
    const array = await read()
    const count = notFiniteCount(array)
    if (count > 0) bad[name] = count
    return array
  },
})

/** What was kept of a failed step. Throws `TrainError` `FAILURE_MISSING`, and `DataError` for a batch that cannot be read. */
export async function readFailure(path: string): Promise<{ failure: Failure; batch: StepBatch }> {
  let text: string
  try {
    text = await readFile(join(path, 'failure.json'), 'utf8')
  } catch (error) {
    throw new TrainError(`${path} is not a failed step: it has no failure.json`, 'FAILURE_MISSING', { hint: 'name a folder such as runs/NAME/failures/step-00000231', cause: error })
  }
  const parsed = failureSchema.safeParse(jsonOf(text))
  if (!parsed.success) throw new TrainError(`${join(path, 'failure.json')}: ${issueText(parsed.error)}`, 'FAILURE_MISSING')
  const { tensors } = await readSafetensors(join(path, 'batch.safetensors'))
  const [tokens, targets, weights, start] = ['tokens', 'targets', 'weights', 'start'].map((name) => tensors.get(name)!)
  return { failure: parsed.data, batch: { tokens, targets, weights, start } }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
