import { readFile, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type HeldOutLoss, heldOutSchema } from './checkpoint-manifest.ts'

/**
 * The checkpoints of a run beside each other: a folder each, named by its step. Which is the best follows from what their manifests say of
 * held-out documents, so that no second place has to be kept in step with them.
 */
const folderPattern = /^step-(\d{8,})$/
const unfinishedPattern = /^\.step-\d{8,}\.[0-9a-f]+\.tmp$/

/** `step-00000300` */
export const checkpointName = (step: number): string => `step-${String(step).padStart(8, '0')}`

/** Whether a path is named as a checkpoint is. */
export const isCheckpointName = (path: string): boolean => folderPattern.test(basename(path))

/** The step that a checkpoint's folder is named by. */
export const stepOfName = (path: string): number => Number(folderPattern.exec(basename(path))?.[1])

/** Paths of the checkpoints in a folder, oldest first; none where there is no such folder. */
export async function listCheckpoints(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => folderPattern.test(name))
    .sort((a, b) => stepOfName(a) - stepOfName(b))
    .map((name) => join(folder, name))
}

/** A checkpoint with its loss on held-out documents. */
export interface BestCheckpoint extends HeldOutLoss {
  readonly path: string
  readonly step: number
}

/** The checkpoint of a folder with the fewest bits per byte on held-out documents, the oldest of equals; undefined where none was evaluated. */
export async function bestCheckpoint(folder: string): Promise<BestCheckpoint | undefined> {
  const all = await Promise.all((await listCheckpoints(folder)).map(async (path) => ({ path, heldOut: await heldOutOf(path) })))
  const evaluated = all.flatMap(({ path, heldOut }) => (heldOut ? [{ path, step: stepOfName(path), ...heldOut }] : []))
  return evaluated.sort((a, b) => a.bitsPerByte - b.bitsPerByte || a.step - b.step)[0]
}

/** What a manifest says of held-out documents; nothing where it cannot be read: whoever uses the checkpoint will hear why. */
async function heldOutOf(path: string): Promise<HeldOutLoss | undefined> {
  try {
    return heldOutSchema.parse((JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8')) as { heldOut?: unknown }).heldOut)
  } catch {
    return undefined
  }
}

/** Removes all but the `keep` newest checkpoints and, with `keepBest`, the best one; and what interrupted writers left. */
export async function removeOldCheckpoints(folder: string, keep: number, keepBest: boolean): Promise<void> {
  const best = keepBest ? (await bestCheckpoint(folder))?.path : undefined
  const old = (await listCheckpoints(folder)).slice(0, -keep).filter((path) => path !== best)
  const unfinished = (await readdir(folder)).filter((name) => unfinishedPattern.test(name)).map((name) => join(folder, name))
  for (const path of [...old, ...unfinished]) await rm(path, { recursive: true, force: true })
}
