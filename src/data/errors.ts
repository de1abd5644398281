import { EngramError } from '../ir/errors.ts'

/** The stable codes of `DataError`. */
export type DataErrorCode =
  | 'CORPUS_MISSING'
  | 'CORPUS_UNKNOWN'
  | 'CORPUS_FETCH'
  | 'CORPUS_TOOL_MISSING'
  | 'CORPUS_EMPTY'
  | 'CORPUS_BINARY'
  | 'CORPUS_UNREADABLE'
  | 'CORPUS_CHANGED'
  | 'CORPUS_TOO_FEW_DOCUMENTS'
  | 'CORPUS_TOO_SHORT'
  | 'TOKEN_RANGE'
  | 'TOKENIZER_UNKNOWN'
  | 'TOKENIZER_TRAINING'
  | 'DATA_OPTIONS'
  | 'POSITION_INVALID'
  | 'POSITION_MISMATCH'
  | 'SHARD_INCOMPLETE'
  | 'SHARD_CORRUPT'
  | 'SHARD_VERSION'
  | 'SAFETENSORS_CORRUPT'
  | 'SAFETENSORS_TRUNCATED'
  | 'SAFETENSORS_DTYPE'
  | 'SAFETENSORS_NAME'
  | 'NPY_FORMAT'
  | 'VECTORS_EMPTY'
  | 'VECTORS_FORMAT'
  | 'VECTORS_SHAPE'
  | 'VECTORS_TRUNCATED'
  | 'VECTORS_VALUE'
  | 'INDEX_CORRUPT'
  | 'INDEX_VERSION'
  | 'FILE_MISSING'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'DISK_FULL'

/** Something is wrong with data outside the program: a corpus, a shard, a tensor file, a saved position. */
export class DataError extends EngramError {
  override readonly name = 'DataError'
  declare readonly code: DataErrorCode
  /** The file or folder it is about, as the user named it. */
  readonly path: string | undefined
  constructor(message: string, code: DataErrorCode, options: { path?: string; cause?: unknown } = {}) {
    super(message, { code, cause: options.cause })
    this.path = options.path
  }
}

/** The operating system's code of a failed file call (`ENOENT`), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}

/** What zod found, on one line: `slots: expected a number; segment: too small`. */
export function issueText(error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] }): string {
  return error.issues.map((issue) => (issue.path.length ? `${issue.path.join('.')}: ` : '') + issue.message).join('; ')
}
