import { createContext, Script } from 'node:vm'
import { EngramError } from '../ir/errors.ts'

const context: { run?: () => unknown } = createContext({}) as { run?: () => unknown }
const script = new Script('run()')

/** Work that was ended because it took too long. */
export class TimeLimitError extends EngramError {
  override readonly name = 'TimeLimitError'
  constructor(limitMs: number, cause: unknown) {
    super(`took longer than ${limitMs / 1000} s and was ended`, { code: 'TIME_LIMIT', cause })
  }
}

/**
 * Runs a function that does not wait for anything, and ends it if it takes longer than `limitMs` milliseconds, wherever it is: an endless
 * loop too. Throws `TimeLimitError`, and what the function throws.
 */
export function withTimeLimit<T>(limitMs: number, run: () => T): T {
  // Only code that is started through `vm` can be ended from outside of it, with all that it calls.
  const outer = context.run
  context.run = run
  try {
    return script.runInContext(context, { timeout: limitMs }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw new TimeLimitError(limitMs, error)
    throw error
  } finally {
    context.run = outer
  }
}
