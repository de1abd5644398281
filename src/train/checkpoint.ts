/**
 * Checkpoints: a folder `step-00000300` with `state.safetensors` (parameters, optimiser, the model's caches and memories, by their
 * paths in the training state) and `manifest.json` (configuration, step, place in the data, seeds, versions, and the size and hash of the
 * tensors). The folder is written under another name and then renamed, so that a checkpoint is there whole or not at all; reading one
 * checks everything before anything is used.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { writeFileAtomic } from '../data/atomic-file.ts'
import { DataError, issueText, systemCode } from '../data/errors.ts'
import { SafetensorsFile, writeSafetensors } from '../data/safetensors.ts'
import { isFloat } from '../ir/dtypes.ts'
import type { HostArray } from '../ir/host-array.ts'
import { type TensorType, sameType, shortType } from '../ir/types.ts'
import { bestCheckpoint, checkpointName, isCheckpointName, listCheckpoints, removeOldCheckpoints, stepOfName } from './checkpoint-folder.ts'
import { type HeldOutLoss, type Manifest, checkpointVersion, manifestSchema } from './checkpoint-manifest.ts'
import { TrainError } from './errors.ts'

const tensorsFile = 'state.safetensors'
const manifestFile = 'manifest.json'

/** A tensor of the state, fetched from the device when its turn to be written comes. */
export interface StateTensor {
  readonly name: string
  readonly type: TensorType
  read(): Promise<HostArray>
}

/** What the caller knows of a checkpoint; the rest of the manifest is found while writing. */
export type ManifestFacts = Omit<Manifest, 'format' | 'version' | 'tensors'>

/** How many checkpoints are kept: the newest ones, and the best one beside them. */
export interface Retention {
  readonly keep: number
  readonly best: boolean
}

/**
 * Writes a checkpoint below `folder` and answers its path; afterwards the `keep` newest and the best are left. Throws `DataError` `DISK_FULL`
 * or `FILE_UNWRITABLE`, and `TrainError` `CHECKPOINT_NOT_FINITE` for a state with NaN; then nothing is left behind and older ones are untouched.
 */
export async function writeCheckpoint(folder: string, tensors: readonly StateTensor[], facts: ManifestFacts, { keep, best }: Retention): Promise<string> {
  const target = join(folder, checkpointName(facts.step))
  const checked = tensors.map(({ name, type, read }) => ({ name, type, read: async () => assertFinite(name, await read(), 'the state') }))
  await writeState(target, checked, facts)
  await removeOldCheckpoints(folder, keep, best)
  return target
}

/**
 * Writes a state with its manifest to the folder `target`, which is there whole or not at all; `more` adds files to it. Throws as
 * `writeCheckpoint`, but takes any numbers.
 */
export async function writeState(target: string, tensors: readonly StateTensor[], facts: ManifestFacts, more?: (folder: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    await makeFolder(temporary)
    const path = join(temporary, tensorsFile)
    await writeSafetensors(path, tensors.map((tensor) => [tensor.name, tensor] as const), { format: 'engram-checkpoint' })
    const { size } = await stat(path)
    const manifest: Manifest = {
      format: 'engram-checkpoint',
      version: checkpointVersion,
      ...facts,
      tensors: { file: tensorsFile, sizeBytes: size, sha256: await hashFile(path), count: tensors.length },
    }
    await writeManifest(temporary, manifest)
    await more?.(temporary)
    await putInPlace(temporary, target, manifest)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {})
    throw inTermsOf(error, temporary, target)
  }
}

const writeManifest = (folder: string, manifest: Manifest): Promise<void> => {
  const text = `${JSON.stringify(manifestSchema.parse(manifest), null, 2)}\n`
  return writeFileAtomic(join(folder, manifestFile), (writer) => writer.write(new TextEncoder().encode(text)))
}

/**
 * Gives the finished folder its name. A run that was taken back to an earlier step writes again what is there already: then the manifest alone
 * is replaced, so that there is no moment without the checkpoint.
 */
async function putInPlace(temporary: string, target: string, manifest: Manifest): Promise<void> {
  const there = await readManifest(target).catch(() => undefined)
  if (there?.tensors.sha256 === manifest.tensors.sha256) {
    await writeManifest(target, manifest)
    await rm(temporary, { recursive: true, force: true })
    return
  }
  await rm(target, { recursive: true, force: true })
  await rename(temporary, target)
}

/** Notes the loss on held-out documents in a checkpoint that is there already. Throws `DataError`, and `TrainError` if it cannot be used. */
export async function recordHeldOut(path: string, heldOut: HeldOutLoss, { keep, best }: Retention): Promise<void> {
  await writeManifest(path, { ...(await readManifest(path)), heldOut })
  await removeOldCheckpoints(dirname(path), keep, best)
}

/** The message of an error names the place the user knows, not the temporary one. */
function inTermsOf(error: unknown, temporary: string, target: string): unknown {
  if (!(error instanceof DataError)) return error
  return new DataError(error.message.replaceAll(temporary, target), error.code, { path: target, cause: error.cause })
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    const full = ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')
    throw new DataError(
      full ? `no room on the disk to write ${path}: free some space, or choose another place` : `cannot make the folder ${path}: ${(error as Error).message}`,
      full ? 'DISK_FULL' : 'FILE_UNWRITABLE',
      { path, cause: error },
    )
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  return hash.digest('hex')
}

/** How many of its numbers are NaN or infinity. */
export function notFiniteCount(array: HostArray): number {
  if (!isFloat(array.dtype)) return 0
  const data = array.data as Float32Array
  let bad = 0
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) bad++
  return bad
}

/** The array itself, if all its numbers are finite. */
function assertFinite(name: string, array: HostArray, where: string): HostArray {
  const bad = notFiniteCount(array)
  if (bad > 0)
    throw new TrainError(`${where} holds NaN or infinity: ${bad} of the ${array.data.length} numbers of '${name}' ${shortType(array.type)}`, 'CHECKPOINT_NOT_FINITE', {
      hint: 'training had diverged when it was saved: use an earlier checkpoint',
    })
  return array
}

/** Where a checkpoint's pieces come from: an error names them and says what to do. */
const corrupt = (path: string, what: string, cause?: unknown): TrainError =>
  new TrainError(`the checkpoint ${path} cannot be used: ${what}`, 'CHECKPOINT_CORRUPT', { hint: 'use an earlier checkpoint of the run', cause })

/**
 * The manifest of a checkpoint, after its file of tensors was found to have the stated size and hash. Throws `TrainError`: `CHECKPOINT_MISSING`,
 * `CHECKPOINT_VERSION`, `CHECKPOINT_CORRUPT` (cut short, changed, not a manifest).
 */
export async function readManifest(path: string): Promise<Manifest> {
  let text: string
  try {
    text = await readFile(join(path, manifestFile), 'utf8')
  } catch (error) {
    throw new TrainError(`${path} is not a checkpoint: it has no ${manifestFile}`, 'CHECKPOINT_MISSING', {
      hint: 'name a folder such as runs/NAME/checkpoints/step-00000200, or the run itself for its newest',
      cause: error,
    })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw corrupt(path, `${manifestFile} is cut short or not JSON`, error)
  }
  const version = (value as { version?: unknown } | null)?.version
  if (typeof version === 'number' && version !== checkpointVersion)
    throw new TrainError(`the checkpoint ${path} has format version ${version}, this Engram reads version ${checkpointVersion}`, 'CHECKPOINT_VERSION', {
      hint: version > checkpointVersion ? 'update Engram' : 'load it with the Engram that wrote it',
    })
  const parsed = manifestSchema.safeParse(value)
  if (!parsed.success) throw corrupt(path, `${manifestFile}: ${issueText(parsed.error)}`)
  await checkTensorsFile(path, parsed.data)
  return parsed.data
}

async function checkTensorsFile(path: string, { tensors }: Manifest): Promise<void> {
  const file = join(path, tensors.file)
  const size = (await stat(file).catch(() => undefined))?.size
  if (size === undefined) throw corrupt(path, `${tensors.file} is missing`)
  if (size < tensors.sizeBytes) throw corrupt(path, `${tensors.file} is cut short: it has ${size} of ${tensors.sizeBytes} bytes`)
  if (size > tensors.sizeBytes) throw corrupt(path, `${tensors.file} has ${size} bytes, ${tensors.sizeBytes} were written`)
  if ((await hashFile(file)) !== tensors.sha256) throw corrupt(path, `${tensors.file} was changed after it was written (its hash differs)`)
}

async function openTensors(path: string): Promise<SafetensorsFile> {
  try {
    return await SafetensorsFile.open(join(path, tensorsFile))
  } catch (error) {
    throw error instanceof DataError ? corrupt(path, error.message, error) : error
  }
}

/** The types of all tensors of a checkpoint, by name. Throws `TrainError` `CHECKPOINT_CORRUPT`. */
export async function readTensorTypes(path: string): Promise<Map<string, TensorType>> {
  const file = await openTensors(path)
  await file.close()
  return new Map([...file.tensors].map(([name, { type }]) => [name, type]))
}

/**
 * The tensors of a checkpoint, in the order of `wanted`, each of the given type and, but for `anyNumbers`, finite. Throws `TrainError`: `CHECKPOINT_CORRUPT`,
 * `CHECKPOINT_MISMATCH` for tensors of another model, `CHECKPOINT_NOT_FINITE`.
 */
export async function readTensors(
  path: string,
  wanted: readonly { readonly name: string; readonly type: TensorType }[],
  { anyNumbers = false }: { readonly anyNumbers?: boolean } = {},
): Promise<HostArray[]> {
  const file = await openTensors(path)
  try {
    const wrong = wanted.flatMap(({ name, type }) => {
      const found = file.tensors.get(name)
      if (!found) return [`${name} is missing`]
      return sameType(found.type, type) ? [] : [`${name} is ${shortType(found.type)} there, ${shortType(type)} here`]
    })
    if (wrong.length > 0)
      throw new TrainError(`the checkpoint ${path} is of another model:${listed(wrong)}`, 'CHECKPOINT_MISMATCH', {
        hint: 'load it with the model and configuration it was trained with',
      })
    const arrays: HostArray[] = []
    for (const { name } of wanted) {
      const array = await file.read(name)
      arrays.push(anyNumbers ? array : assertFinite(name, array, `the checkpoint ${path}`))
    }
    return arrays
  } finally {
    await file.close()
  }
}

/** The first few of many, on lines of their own. */
export const listed = (lines: readonly string[]): string =>
  `${lines.slice(0, 8).map((line) => `\n  ${line}`).join('')}${lines.length > 8 ? `\n  and ${lines.length - 8} more` : ''}`

/** Which checkpoint of a run: the last one, the one with the least loss on held-out documents, or that of a step. */
export type CheckpointChoice = 'newest' | 'best' | number

/**
 * The checkpoint that a path means: a checkpoint's folder itself, or of a run or of its `checkpoints` the one that is chosen.
 * `runs/NAME/checkpoints/best` is the best one, too. Throws `TrainError` `CHECKPOINT_MISSING`.
 */
export async function findCheckpoint(path: string, choice: CheckpointChoice = 'newest'): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (!found && basename(path) === 'best') return findCheckpoint(dirname(path), 'best')
  if (found && (isCheckpointName(path) || (await stat(join(path, manifestFile)).catch(() => undefined)))) return path
  for (const folder of [join(path, 'checkpoints'), path]) {
    const all = await listCheckpoints(folder)
    if (all.length === 0) continue
    const chosen =
      choice === 'newest' ? all.at(-1) : choice === 'best' ? (await bestCheckpoint(folder))?.path : all.find((each) => stepOfName(each) === choice)
    if (chosen !== undefined) return chosen
    throw choice === 'best'
      ? new TrainError(`no checkpoint in ${folder} was evaluated on held-out documents, so none is the best`, 'CHECKPOINT_MISSING', {
          hint: 'train with --eval-every, or take the newest checkpoint',
        })
      : new TrainError(`there is no checkpoint of step ${choice} in ${folder}; there are those of ${all.map(stepOfName).join(', ')}`, 'CHECKPOINT_MISSING')
  }
  throw new TrainError(found ? `there is no checkpoint in ${path}` : `${path} does not exist: there is no checkpoint`, 'CHECKPOINT_MISSING', {
    hint: 'name a run (runs/NAME) or one of its checkpoints (runs/NAME/checkpoints/step-00000200, runs/NAME/checkpoints/best)',
  })
}

/** The run that a checkpoint belongs to: the folder above `checkpoints`. */
export const runOfCheckpoint = (checkpoint: string): string => dirname(dirname(checkpoint))
