import { EngramError } from '../ir/errors.ts'

export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Codes of errors that wrong flags, files or configurations cause: everything that the user can mend without changing a program. */
const usageCodes = /^(INVALID_INPUT|BAD_CONFIGURATION|UNKNOWN_|CORPUS_|INPUT_|ARRAY_|MODEL_REFERENCE|CHECKPOINT_|RUN_|FAILURE_|DATA_|PARSE|VERIFY|NPY_|SAFETENSORS_|SHARD_|VECTORS_|INDEX_|KNN_|MESH|FILE_|TOKEN|GENERATION_|LEAKED_TENSOR|OP_CONSTRAINT|BAD_TREE|NOT_DIFFERENTIABLE)/

/**
 * Prints an error on stderr and gives the exit code. Errors that are the user's to mend are printed without a stack; anything else is
 * a defect and shows where it happened.
 */
export function reportError(error: unknown, debug = false): number {
  if (!(error instanceof EngramError)) {
    process.stderr.write(`engram: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return exitCodes.failed
  }
  const { hint } = error as { hint?: unknown }
  process.stderr.write(`engram: ${error.message}\n${typeof hint === 'string' ? `  ${hint}\n` : ''}`)
  if (debug) process.stderr.write(`${error.stack}\n`)
  return usageCodes.test(error.code) ? exitCodes.usage : exitCodes.failed
}
