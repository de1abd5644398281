import { z } from 'zod'
import { InputError } from '../ir/errors.ts'
import { readProgramText } from './read-module.ts'

const schema = z.strictObject({ failures: z.array(z.strictObject({ id: z.string().min(1), reason: z.string().min(1) })) })

/** What a run of test programs gives against a list of those that are known to fail. Ids in the order of the run. */
export interface KnownOutcome {
  /** Cases that fail and are not in the list. */
  readonly unexpectedFailures: readonly string[]
  /** Cases in the list that pass. */
  readonly unexpectedPasses: readonly string[]
  /** Ids in the list that no case has. */
  readonly missing: readonly string[]
}

/**
 * Reads a list of known failures, `{"failures": [{"id": "a.mlir", "reason": "why"}]}`, as reasons by id. Throws `InputError` if the file
 * cannot be read, is not of that form, or names a case twice.
 */
export async function readKnownFailures(file: string): Promise<ReadonlyMap<string, string>> {
  const text = await readProgramText(file)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new InputError(`${file} is not JSON: ${(error as Error).message}`)
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new InputError(`${file}: ${z.prettifyError(parsed.error)}`)
  const known = new Map<string, string>()
  for (const { id, reason } of parsed.data.failures) {
    if (known.has(id)) throw new InputError(`${file}: ${id} is there twice`)
    known.set(id, reason)
  }
  return known
}

/** Compares a run with the list. `complete` says that all cases of the folder were run, so that the others in the list do not exist. */
export function compareWithKnown(known: ReadonlyMap<string, string>, ids: readonly string[], failed: readonly string[], complete: boolean): KnownOutcome {
  const failing = new Set(failed)
  const present = new Set(ids)
  return {
    unexpectedFailures: failed.filter((id) => !known.has(id)),
    unexpectedPasses: ids.filter((id) => known.has(id) && !failing.has(id)),
    missing: complete ? [...known.keys()].filter((id) => !present.has(id)) : [],
  }
}
