import { InterpreterBackend } from '../interpret/backend.ts'
import { type StartOptions, startRunner as startRunnerProcess } from '../runner/start.ts'
import { Session } from './session.ts'

/**
 * Starts the Python runner (JAX/PJRT) and gives a session on it: `const runner = await startRunner({ platform: 'cpu' })`. Close it
 * when done. Rejects with `RunnerStartError` or `RunnerVersionError`, which say what is missing and how to get it.
 */
export const startRunner = async (options?: StartOptions): Promise<Session> => new Session(await startRunnerProcess(options))

/** A session on the reference interpreter: no Python, exact, slow. */
export const startInterpreter = (): Session => new Session(new InterpreterBackend())

/** Where programs run, as `--backend` names it. */
export type BackendName = 'cpu' | 'tpu' | 'interpreter'

/** A session on the named backend. */
export const startSession = (backend: BackendName, options: StartOptions = {}): Promise<Session> =>
  backend === 'interpreter' ? Promise.resolve(startInterpreter()) : startRunner({ ...options, platform: backend })
